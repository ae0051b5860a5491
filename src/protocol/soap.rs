//! SOAP over UDP, which is what WS-Discovery speaks.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::discovery::Soap as Message;

/// SOAP over UDP, which is what WS-Discovery speaks.
pub(super) struct Soap;

/// XML whose root is SOAP's envelope. Probes go to a multicast group and are answered in another flow.
static MESSAGE: Family = Family { id: "soap.message", cap: Bits::whole(30) };
/// Both sides send such messages.
static ANSWER: Family = Family { id: "soap.answer", cap: Bits::whole(8) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 22,
    further: 3,
    form: "XML with an envelope of SOAP",
    answer: &ANSWER,
    answered: 8,
    link: "both sides send SOAP messages",
};

impl Protocol for Soap {
    fn name(&self) -> &'static str {
        "soap"
    }

    fn reference(&self) -> &'static str {
        "SOAP-over-UDP 1.1"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        matches!(byte, b'<' | b' ' | b'\r' | b'\n') || at > 0 && matches!(byte, b'\t' | 0x20..)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'<' | b' ' | b'\r' | b'\n', ..] if d.len >= 60 => Message::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, |_, _| true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Soap, "wsdd2.pcap", Band::Confident);
    }
}
