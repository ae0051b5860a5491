//! PCP, the successor of NAT-PMP.

use super::datagrams::Shape;
use super::{Assessment, Bits, Family, Protocol, nat_pmp};
use crate::flow::Head;

/// Port Control Protocol.
pub(super) struct Pcp;

/// Version, opcode, reserved bytes and length: about 2^-30 for random bytes.
static MESSAGE: Family = Family { id: "pcp.message", cap: Bits::whole(14) };
/// The response repeats opcode and nonce (96 bits; none for an announcement).
static ANSWER: Family = Family { id: "pcp.answer", cap: Bits::whole(18) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 10,
    further: 1,
    form: "version 2, an opcode, reserved zeros and a length that belongs to it",
    answer: &ANSWER,
    answered: 18,
    link: "the response repeats opcode and nonce",
};

impl Protocol for Pcp {
    fn name(&self) -> &'static str {
        "pcp"
    }

    fn reference(&self) -> &'static str {
        "RFC 6887"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        nat_pmp::may_have(2, at, byte)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        nat_pmp::judge(head, 2, &SHAPE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Pcp, "miniupnpd.pcap", Band::Certain);
    }
}
