//! VXLAN, the outer packets.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::vxlan::Vxlan as Packet;

/// VXLAN, the outer packets.
pub(super) struct Vxlan;

/// Forty fixed bits of header and an inner Ethernet frame with an IP packet that fits or an ARP packet: 2^-80 for random
/// bytes. One-way as a rule, so that several packets must be able to carry the name.
static PACKET: Family = Family { id: "vxlan.packet", cap: Bits::whole(30) };
/// Both sides send such packets in one flow; usually each direction has a source port of its own.
static BOTH: Family = Family { id: "vxlan.both-sides", cap: Bits::whole(6) };

static SHAPE: Shape = Shape {
    message: &PACKET,
    first: 24,
    further: 1,
    form: "VXLAN's header, and an Ethernet frame whose IP packet ends with the datagram",
    answer: &BOTH,
    answered: 6,
    link: "both sides send such packets",
};

impl Protocol for Vxlan {
    fn name(&self) -> &'static str {
        "vxlan"
    }

    fn reference(&self) -> &'static str {
        "RFC 7348"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x08 | 0x88)
    }

    fn is_one_way(&self) -> bool {
        // The other direction comes from a source port of its own, a hash of the inner packet (RFC 7348 section 5).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x08 | 0x88, ..] if d.len >= 42 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::tunnel(&reading, &SHAPE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Vxlan, "kernel.pcap", Band::Confident);
    }
}
