//! Nebula, the overlay network: its handshake, and the counters of its messages.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::nebula::Nebula as Packet;

/// Nebula.
pub(super) struct Nebula;

/// The first handshake packet is 16 fixed bytes, 10 00 and zeros up to a 1: other formats may start with a version and
/// a 64-bit serial number.
static HANDSHAKE: Family = Family { id: "nebula.handshake", cap: Bits::whole(18) };
/// The second has counter 2 and an index, in the other direction.
static REPLY: Family = Family { id: "nebula.handshake-reply", cap: Bits::whole(12) };
/// Messages of one index whose 64-bit counter advances, with 16 fixed bits in front: 2^-90 a pair for random bytes.
static COUNTER: Family = Family { id: "nebula.counter", cap: Bits::whole(16) };
/// Both sides do, each for an index of its own.
static BOTH: Family = Family { id: "nebula.both-sides", cap: Bits::whole(8) };

impl Protocol for Nebula {
    fn name(&self) -> &'static str {
        "nebula"
    }

    fn reference(&self) -> &'static str {
        "github.com/slackhq/nebula header.go"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x10..=0x16),
            1 => matches!(byte, 0 | 1),
            2 | 3 => byte == 0,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x10..=0x16, 0 | 1, 0, 0, ..] => Packet::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() {
            return reading.nothing();
        }
        if reading.mostly_foreign() {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let first = |p: &Packet| p.kind == 0 && p.counter == 1;
        if reading.hits.iter().any(|h| first(&h.message)) {
            let text = "a handshake packet: version 1, index zero and counter one";
            finding.evidence.push(item(&HANDSHAKE, 18, reading.frames(first), text));
        }
        if let Some((query, reply)) = reading.answer(|q, r| first(q) && r.kind == 0 && r.counter == 2) {
            let frames = [query.datagram.frame, reply.datagram.frame];
            finding.evidence.push(item(&REPLY, 12, frames, "the handshake is answered with counter two and an index"));
            finding.server = Some(reply.datagram.dir);
        }
        let steps = Dir::BOTH.map(|dir| {
            let sent = || reading.by(dir).filter(|h| h.message.kind != 0);
            let pairs = sent().zip(sent().skip(1));
            let good = pairs.filter(|(a, b)| {
                let apart = b.datagram.nth - a.datagram.nth;
                let step = b.message.counter.wrapping_sub(a.message.counter);
                a.message.remote_index == b.message.remote_index && (1..=apart * 16).contains(&step)
            });
            (good.count() as i32, sent().next().map(|h| h.message.remote_index))
        });
        let [(a, index_a), (b, index_b)] = steps;
        if a + b > 0 {
            let frames = reading.frames(|p| p.kind != 0);
            let text = "messages to one index per direction count their 64-bit counter";
            finding.evidence.push(item(&COUNTER, 8 + 2 * (a + b), frames, text));
            if a > 0 && b > 0 && index_a != index_b {
                let frames: Frames =
                    Dir::BOTH.iter().filter_map(|d| reading.by(*d).next()).map(|h| h.datagram.frame).collect();
                finding.evidence.push(item(&BOTH, 8, frames, "both sides do, each to an index of its own"));
            }
        }
        finding.settled = finding.bits() >= datagrams::CERTAIN;
        if finding.evidence.is_empty() { Assessment::NotNow } else { Assessment::Recognised(finding) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Nebula, "nebula.pcap", Band::Certain);
    }
}
