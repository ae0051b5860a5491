//! Geneve, the outer packets.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::geneve::Geneve as Packet;

/// Geneve, the outer packets.
pub(super) struct Geneve;

/// Version, reserved bits, protocol type and an inner packet that fits: 2^-60 for random bytes. One-way as a rule, so
/// that several packets must be able to carry the name.
static PACKET: Family = Family { id: "geneve.packet", cap: Bits::whole(30) };
/// Both sides send such packets in one flow; usually each direction has a source port of its own.
static BOTH: Family = Family { id: "geneve.both-sides", cap: Bits::whole(6) };

static SHAPE: Shape = Shape {
    message: &PACKET,
    first: 24,
    further: 1,
    form: "Geneve's header, and an inner packet that ends with the datagram",
    answer: &BOTH,
    answered: 6,
    link: "both sides send such packets",
};

impl Protocol for Geneve {
    fn name(&self) -> &'static str {
        "geneve"
    }

    fn reference(&self) -> &'static str {
        "RFC 8926"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0..=0x3f),
            1 => matches!(byte, 0 | 0x40 | 0x80 | 0xc0),
            2 => matches!(byte, 0x08 | 0x65 | 0x86),
            7 => byte == 0,
            _ => true,
        }
    }

    fn is_one_way(&self) -> bool {
        // The other direction comes from a source port of its own, a hash of the inner packet (RFC 8926 section 3.3).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0..=0x3f, 0 | 0x40 | 0x80 | 0xc0, 0x08 | 0x65 | 0x86, _, _, _, _, 0, ..] if d.len >= 28 => {
                Packet::new(d.bytes, d.len)
            }
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
        replay::expect(&Geneve, "openvswitch.pcap", Band::Confident);
    }
}
