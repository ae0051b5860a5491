//! KCP, reliable transport over UDP for games and tunnels, where it is not encrypted.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::kcp::Kcp as Packet;

/// KCP.
pub(super) struct Kcp;

/// Segments of one conversation whose lengths fill the datagram, with one of four commands: 2^-38 for random bytes. Other
/// transports with a session, a command and a length at such places exist: it is a suspicion.
static SEGMENTS: Family = Family { id: "kcp.segments", cap: Bits::whole(12) };
/// An acknowledgement repeats conversation, number and time stamp of a segment: 96 bits, which no other protocol moves
/// between just these places. Who never acknowledges what it gets is no KCP.
static ACKNOWLEDGED: Family = Family { id: "kcp.acknowledged", cap: Bits::whole(20) };

impl Protocol for Kcp {
    fn name(&self) -> &'static str {
        "kcp"
    }

    fn reference(&self) -> &'static str {
        "github.com/skywind3000/kcp"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 4 || matches!(byte, 81..=84)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [_, _, _, _, 81..=84, ..] if d.len >= 24 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() || reading.mostly_foreign() {
            return reading.conclude(None);
        }
        let text = "segments of one conversation whose lengths fill the datagram";
        let more = reading.hits.len() as i32 - 1;
        let mut finding = Finding {
            evidence: vec![item(&SEGMENTS, 8 + more, reading.frames(|_| true), text)],
            spoke: reading.spoke(),
            ..Finding::default()
        };
        if let Some((push, ack)) = reading.answer(Packet::is_acknowledged_by) {
            let frames = [push.datagram.frame, ack.datagram.frame];
            let text = "the other side acknowledges a segment by its number and time stamp";
            finding.evidence.push(item(&ACKNOWLEDGED, 20, frames, text));
            finding.settled = reading.misses == [0; 2] && finding.bits() >= datagrams::CERTAIN;
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
        assert_eq!(replay::expect(&Kcp, "echo.pcap", Band::Certain).spoke, [true, true]);
    }
}
