//! NetBIOS datagram service: browser announcements and the like.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::netbios_dgm::NetbiosDatagram;

/// NetBIOS datagram service.
pub(super) struct NetbiosDgm;

/// A length that agrees and a name of 32 letters from A to P (2^-128 for random bytes). Datagrams are not answered.
static MESSAGE: Family = Family { id: "netbios-dgm.message", cap: Bits::whole(30) };
/// Datagrams both ways.
static ANSWER: Family = Family { id: "netbios-dgm.both-sides", cap: Bits::whole(4) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 26,
    further: 2,
    form: "the header's length agrees, and a NetBIOS name in its 32 letters follows",
    answer: &ANSWER,
    answered: 4,
    link: "both sides send such datagrams",
};

impl Protocol for NetbiosDgm {
    fn name(&self) -> &'static str {
        "netbios-dgm"
    }

    fn reference(&self) -> &'static str {
        "RFC 1002"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x10..=0x12)
    }

    fn is_one_way(&self) -> bool {
        // Datagrams are not answered (RFC 1002 section 5.3).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x10..=0x12, ..] if d.len >= 48 => NetbiosDatagram::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, |_, _| true).map(|f| super::Finding { server: None, ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&NetbiosDgm, "nmbd.pcap", Band::Certain);
    }
}
