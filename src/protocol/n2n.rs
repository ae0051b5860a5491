//! n2n, peer-to-peer VPN, versions 1 to 3.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::n2n::N2n as Packet;

/// n2n, peer-to-peer VPN, versions 1 to 3.
pub(super) struct N2n;

/// Version, a moderate time to live, type and a readable community name padded with zeros: 2^-60 for random bytes.
/// Another format with a version and a name field could look like it.
static MESSAGE: Family = Family { id: "n2n.message", cap: Bits::whole(20) };
/// Both sides name the same community.
static ANSWER: Family = Family { id: "n2n.answer", cap: Bits::whole(12) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 16,
    further: 1,
    form: "version, time to live, type and a readable community name padded with zeros",
    answer: &ANSWER,
    answered: 12,
    link: "both sides name the same community",
};

impl Protocol for N2n {
    fn name(&self) -> &'static str {
        "n2n"
    }

    fn reference(&self) -> &'static str {
        "github.com/ntop/n2n wire.c"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 1..=3),
            1 => matches!(byte, 1..=16),
            2 => matches!(byte, 0..=16),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [1, 1..=5, 0..=16, 0 | 1, ..] | [2 | 3, 1..=16, 0, ..] if d.len >= 24 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        let finding = datagrams::judge(&reading, &SHAPE, |a, b| a.community == b.community && a.version == b.version);
        reading.conclude(finding.map(|mut finding| {
            let supernode = reading.hits.iter().find(|h| h.message.from_supernode);
            finding.server = supernode.map(|h| h.datagram.dir);
            finding.variant = reading.hits.first().map(|h| format!("v{}", h.message.version).into());
            finding
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&N2n, "n2n.pcap", Band::Confident);
    }
}
