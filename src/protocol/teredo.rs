//! Teredo, the outer packets.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::teredo::Teredo as Packet;

/// Teredo, the outer packets.
pub(super) struct Teredo;

/// An IPv6 packet that fits the datagram, with an address of Teredo's prefix or link-local: 2^-60 for random bytes.
static PACKET: Family = Family { id: "teredo.packet", cap: Bits::whole(30) };
/// Both sides send such packets in one flow; usually each direction has a source port of its own.
static BOTH: Family = Family { id: "teredo.both-sides", cap: Bits::whole(6) };

static SHAPE: Shape = Shape {
    message: &PACKET,
    first: 24,
    further: 1,
    form: "an IPv6 packet with a Teredo or link-local address ends with the datagram",
    answer: &BOTH,
    answered: 6,
    link: "both sides send such packets",
};

impl Protocol for Teredo {
    fn name(&self) -> &'static str {
        "teredo"
    }

    fn reference(&self) -> &'static str {
        "RFC 4380"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0 | 0x60..=0x6f)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0 | 0x60..=0x6f, ..] if d.len >= 40 => Packet::new(d.bytes, d.len),
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
        replay::expect(&Teredo, "miredo.pcap", Band::Confident);
    }
}
