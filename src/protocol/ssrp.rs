//! SQL Server Resolution Protocol.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::discovery::Ssrp as Message;

/// SQL Server Resolution Protocol.
pub(super) struct Ssrp;

/// A length that agrees and the text "ServerName;": nothing else sends that. A request of one byte says nothing.
static MESSAGE: Family = Family { id: "ssrp.message", cap: Bits::whole(24) };
/// A request and its answer.
static ANSWER: Family = Family { id: "ssrp.answer", cap: Bits::whole(8) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 24,
    further: 0,
    form: "a length that agrees, and the text of an answer",
    answer: &ANSWER,
    answered: 8,
    link: "a request of one byte is answered",
};

impl Protocol for Ssrp {
    fn name(&self) -> &'static str {
        "ssrp"
    }

    fn reference(&self) -> &'static str {
        "MS-SQLR"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 2..=5)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [2..=5, ..] if d.len >= 1 => Message::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.iter().all(|h| !h.message.response) {
            return if reading.hits.is_empty() { reading.nothing() } else { Assessment::NotNow };
        }
        reading.conclude(datagrams::judge(&reading, &SHAPE, |q: &Message, r: &Message| !q.response && r.response))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Ssrp, "freetds.pcap", Band::Certain);
    }
}
