//! RADIUS: authentication, accounting and dynamic authorisation.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::radius::Radius as Packet;

/// Remote Authentication Dial-In User Service.
pub(super) struct Radius;

/// Code, a length that agrees, and attributes that fill the packet: about 2^-30 for random bytes with some attributes.
/// A format with type, serial number, length and a chain of short elements could fit by accident.
static PACKET: Family = Family { id: "radius.packet", cap: Bits::whole(20) };
/// A reply whose code fits the request's and which repeats the identifier.
static ANSWER: Family = Family { id: "radius.answer", cap: Bits::whole(14) };

static SHAPE: Shape = Shape {
    message: &PACKET,
    first: 16,
    further: 1,
    form: "code, length and attributes agree and fill the datagram",
    answer: &ANSWER,
    answered: 14,
    link: "the reply's code fits the request's, with the same identifier",
};

impl Protocol for Radius {
    fn name(&self) -> &'static str {
        "radius"
    }

    fn reference(&self) -> &'static str {
        "RFC 2865"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 1..=5 | 11..=13 | 40..=45),
            // At most 4,096 bytes.
            2 => byte <= 16,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [1..=5 | 11..=13 | 40..=45, ..] if d.len >= 20 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        // Without attributes there is a length and nothing more. One that reaches beyond what is visible may be any two bytes.
        let told = reading.hits.iter().filter(|h| h.message.attributes >= 2).count();
        let cut =
            reading.hits.iter().filter(|h| h.datagram.bytes.len() < h.datagram.len && h.message.attributes < 2).count();
        if told == 0 || cut > told {
            return if reading.hits.is_empty() { reading.nothing() } else { Assessment::NotNow };
        }
        reading.conclude(datagrams::judge(&reading, &SHAPE, Packet::is_answered_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Radius, "freeradius.pcap", Band::Certain);
    }
}
