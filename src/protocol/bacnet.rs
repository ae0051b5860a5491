//! BACnet/IP.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::bacnet::Bacnet as Message;

/// BACnet/IP.
pub(super) struct Bacnet;

/// Type, function, a length that agrees and the network layer's version: 2^-35 for random bytes. A type, a function and a
/// length are common in front of industrial protocols. Broadcasts are answered in other flows.
static MESSAGE: Family = Family { id: "bacnet.message", cap: Bits::whole(24) };
/// Both sides send such messages.
static ANSWER: Family = Family { id: "bacnet.answer", cap: Bits::whole(8) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 16,
    further: 2,
    form: "BACnet/IP's type and function, a length that agrees, and network layer version 1",
    answer: &ANSWER,
    answered: 8,
    link: "both sides send BACnet messages",
};

impl Protocol for Bacnet {
    fn name(&self) -> &'static str {
        "bacnet"
    }

    fn reference(&self) -> &'static str {
        "ASHRAE 135 annex J"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 0x81,
            1 => matches!(byte, 0..=12),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x81, 0..=12, ..] if d.len >= 4 => Message::new(d.bytes, d.len),
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
        replay::expect(&Bacnet, "bacpypes3.pcap", Band::Confident);
    }
}
