//! MGCP, between call agents and gateways.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol, announce};
use crate::flow::Head;
use crate::wire::mgcp::Mgcp as Message;

/// MGCP, between call agents and gateways.
pub(super) struct Mgcp;

/// A verb of MGCP, a transaction, an endpoint and "MGCP": text that nothing else sends. A response alone is three digits
/// and a number.
static MESSAGE: Family = Family { id: "mgcp.message", cap: Bits::whole(24) };
/// The response repeats the command's transaction.
static ANSWER: Family = Family { id: "mgcp.answer", cap: Bits::whole(12) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 20,
    further: 2,
    form: "a command line of MGCP, or a response line with a transaction",
    answer: &ANSWER,
    answered: 12,
    link: "the response repeats the command's transaction",
};

impl Protocol for Mgcp {
    fn name(&self) -> &'static str {
        "mgcp"
    }

    fn reference(&self) -> &'static str {
        "RFC 3435"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0..=2 => matches!(byte, b'A'..=b'Z' | b'0'..=b'9'),
            3 => matches!(byte, b'A'..=b'Z' | b' ' | b'\t'),
            _ => true,
        }
    }

    fn announces(&self) -> Option<announce::Reader> {
        Some(announce::session)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'A'..=b'Z' | b'0'..=b'9', b'A'..=b'Z' | b'0'..=b'9', b'A'..=b'Z' | b'0'..=b'9', ..] if d.len >= 8 => {
                Message::new(d.bytes, d.len)
            }
            _ => None,
        });
        if reading.hits.iter().all(|h| h.message.verb.is_none()) {
            return if reading.hits.is_empty() { reading.nothing() } else { Assessment::NotNow };
        }
        reading.conclude(datagrams::judge(&reading, &SHAPE, Message::is_answered_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Mgcp, "osmo-mgw.pcap", Band::Certain);
    }
}
