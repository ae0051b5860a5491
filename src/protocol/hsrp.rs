//! HSRP, between Cisco's routers.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::hsrp::Hsrp as Packet;

/// HSRP, between Cisco's routers.
pub(super) struct Hsrp;

/// Version, state, timers, a readable password and just the length: 2^-70 for random bytes. Hellos go to a multicast group
/// and are not answered.
static MESSAGE: Family = Family { id: "hsrp.message", cap: Bits::whole(30) };
/// Never given: hellos are not answered.
static ANSWER: Family = Family { id: "hsrp.answer", cap: Bits::whole(0) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 22,
    further: 2,
    form: "version, opcode, state, timers and length are those of HSRP",
    answer: &ANSWER,
    answered: 0,
    link: "",
};

impl Protocol for Hsrp {
    fn name(&self) -> &'static str {
        "hsrp"
    }

    fn reference(&self) -> &'static str {
        "RFC 2281"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte <= 1,
            1 => matches!(byte, 0..=2 | 40),
            2 => matches!(byte, 0 | 1 | 2 | 4 | 8 | 16),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0 | 1, ..] if d.len >= 20 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, |_, _| false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Hsrp, "yersinia.pcap", Band::Confident);
    }
}
