//! BFD control packets. Each side sends from a port of its own, so that most flows are one-way.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::bfd::Bfd as Packet;

/// Bidirectional Forwarding Detection.
pub(super) struct Bfd;

/// Version, diagnostic, flags, length and intervals: 2^-45 for random bytes. Small packets with a length are many.
static PACKET: Family = Family { id: "bfd.packet", cap: Bits::whole(18) };
/// All packets of a side have the same discriminator, and the session keeps its peer's once it knows it.
static SESSION: Family = Family { id: "bfd.session", cap: Bits::whole(12) };
/// One side's discriminator is repeated by the other.
static ANSWER: Family = Family { id: "bfd.answer", cap: Bits::whole(12) };

impl Protocol for Bfd {
    fn name(&self) -> &'static str {
        "bfd"
    }

    fn reference(&self) -> &'static str {
        "RFC 5880"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x20..=0x3f),
            3 => matches!(byte, 24..=52),
            _ => true,
        }
    }

    fn is_one_way(&self) -> bool {
        // Each side sends from a source port of its own (RFC 5881 section 4).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x20..=0x3f, _, _, 24..=52, ..] => Packet::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() || reading.misses != [0; 2] {
            return if reading.hits.is_empty() { reading.nothing() } else { Assessment::NotNow };
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let text = "version, flags, length and intervals are those of a BFD packet";
        finding.evidence.push(item(&PACKET, 13 + reading.hits.len() as i32, reading.frames(|_| true), text));
        let steady = |dir: Dir| {
            let mut mine = reading.by(dir).map(|h| h.message.mine);
            let first = mine.next();
            mine.all(|m| Some(m) == first)
        };
        if reading.hits.len() >= 2 && Dir::BOTH.into_iter().all(steady) {
            let text = "the discriminator stays the same";
            finding.evidence.push(item(&SESSION, 4 * (reading.hits.len() as i32 - 1), reading.frames(|_| true), text));
        }
        if let Some((a, b)) = reading.answer(Packet::is_answered_by) {
            let frames = [a.datagram.frame, b.datagram.frame];
            finding.evidence.push(item(&ANSWER, 12, frames, "the other side repeats the discriminator"));
        }
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Bfd, "frr.pcap", Band::Confident);
    }
}
