//! WireGuard: the handshake by its lengths and the echoed index, sessions joined later by their counters.
//!
//! Variants: "reserved" has a client identifier in the three reserved bytes, "padded" has longer messages. Both are
//! believed only when the response echoes the initiation's index or the data's counters agree.

use super::datagrams::{self, Hit, Reading, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::wireguard::{Kind, Message};

/// WireGuard.
pub(super) struct WireGuard;

/// A handshake message: type and three zero bytes (2^-32) with just its length (2^-8 or less). Another format with a
/// small number in little-endian first could have that length by accident.
static HANDSHAKE: Family = Family { id: "wireguard.handshake", cap: Bits::whole(16) };
/// The response repeats the initiation's index, or data are sent to an index from the handshake: 32 random bits that
/// move from one place to another.
static ECHO: Family = Family { id: "wireguard.index-echo", cap: Bits::whole(20) };
/// Indices below this are no random numbers but the counters of something else.
const SMALL: u32 = 1 << 16;
/// Data: 04 00 00 00, one index, a little-endian 64-bit counter that advances, lengths in multiples of 16: 2^-90 a pair
/// for random bytes. A little-endian message number with a session and a counter is conceivable elsewhere.
static DATA: Family = Family { id: "wireguard.data", cap: Bits::whole(20) };
/// Both sides send such data, each to an index of its own.
static BOTH: Family = Family { id: "wireguard.both-sides", cap: Bits::whole(12) };

/// The steps of the counter among data of one direction with one index: good ones, and the frames.
fn steps(reading: &Reading<'_, Message>, dir: Dir) -> (i32, Option<u32>, Vec<u64>) {
    let mut last: Option<(u32, u64, u64)> = None;
    let (mut good, mut frames) = (0, Vec::new());
    for hit in reading.by(dir) {
        let Kind::Data { receiver, counter } = hit.message.kind else { continue };
        if let Some((index, before, nth)) = last
            && index == receiver
        {
            let (step, apart) = (counter.wrapping_sub(before), hit.datagram.nth - nth);
            // Small steps forward; the head may have left datagrams out between two that it kept.
            if (1..=apart * 64).contains(&step) {
                good += 1;
                frames.push(hit.datagram.frame);
            } else if step != 0 && step.wrapping_neg() > 64 {
                good -= 4;
            }
        }
        last = Some((receiver, counter, hit.datagram.nth));
    }
    frames.truncate(4);
    (good, last.map(|(index, _, _)| index), frames)
}

impl Protocol for WireGuard {
    fn name(&self) -> &'static str {
        "wireguard"
    }

    fn reference(&self) -> &'static str {
        "wireguard.com/papers/wireguard.pdf"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 1..=4)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes.first()? {
            1..=4 if d.len >= 32 => Message::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() {
            return reading.nothing();
        }
        let (reserved, padded) = reading
            .hits
            .iter()
            .fold((false, false), |(r, p), Hit { message: m, .. }| (r || m.reserved != [0; 3], p || m.padded));
        let standard = !reserved && !padded;
        if reading.mostly_foreign() {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let handshake = |m: &Message| !matches!(m.kind, Kind::Data { .. });
        let shaped = reading.hits.iter().filter(|h| handshake(&h.message) && h.message.is_standard()).count() as i32;
        let all = reading.hits.iter().filter(|h| handshake(&h.message)).count() as i32;
        // A number in little-endian that counts up has the length of a message here and there.
        if shaped > 0 && shaped == all {
            let text = "type, three zero bytes and the length of a handshake message";
            finding.evidence.push(item(&HANDSHAKE, 13 + shaped, reading.frames(handshake), text));
        }
        let echo = reading.answer(|first, reply| match (first.kind, reply.kind) {
            (
                Kind::Initiation { sender },
                Kind::Response { receiver, .. } | Kind::Cookie { receiver } | Kind::Data { receiver, .. },
            )
            | (Kind::Response { sender, .. }, Kind::Data { receiver, .. }) => sender == receiver && sender >= SMALL,
            _ => false,
        });
        if let Some((first, reply)) = echo {
            let frames = [first.datagram.frame, reply.datagram.frame];
            finding.evidence.push(item(&ECHO, 20, frames, "the other side repeats the index of the handshake"));
            let initiation = matches!(first.message.kind, Kind::Initiation { .. });
            let responder = if initiation { reply.datagram.dir } else { first.datagram.dir };
            finding.server = Some(responder);
            finding.settled = standard && initiation;
        } else if let Some(hit) = reading.hits.iter().find(|h| matches!(h.message.kind, Kind::Initiation { .. })) {
            finding.server = Some(hit.datagram.dir.other());
        }
        let [a, b] = Dir::BOTH.map(|dir| steps(&reading, dir));
        let good = a.0 + b.0;
        let lengths_fit = !padded || echo.is_some();
        if good > 0 && lengths_fit && (!reserved || good >= 3) {
            let frames: Frames = a.2.iter().chain(&b.2).copied().take(4).collect();
            let text = "data for one index with an advancing little-endian counter, in multiples of 16 bytes";
            finding.evidence.push(item(&DATA, if reserved { 6 } else { 12 } + 2 * good, frames, text));
            if a.0 > 0 && b.0 > 0 && a.1 != b.1 {
                let frames: Frames = a.2.iter().take(1).chain(b.2.iter().take(1)).copied().collect();
                finding.evidence.push(item(&BOTH, 12, frames, "both sides do, each for an index of its own"));
            }
        }
        if finding.evidence.is_empty() {
            return Assessment::NotNow;
        }
        finding.variant = match (reserved, padded) {
            (true, _) => Some("reserved".into()),
            (_, true) => Some("padded".into()),
            _ => None,
        };
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::{Time, Transport};
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&WireGuard, "wireguard-go.pcap", Band::Certain);
        assert_eq!((finding.server, finding.settled, finding.variant), (Some(Dir::Responder), true, None));
    }

    #[test]
    fn variants_are_recognised() {
        for (file, variant) in [("reserved.pcap", "reserved"), ("padded.pcap", "padded")] {
            let finding = replay::expect(&WireGuard, file, Band::Certain);
            assert_eq!((finding.server, finding.variant.as_deref()), (Some(Dir::Responder), Some(variant)));
        }
    }

    #[test]
    fn a_session_joined_later_and_with_reserved_bytes_in_use() {
        for reserved in [0, 7] {
            let mut buf = HeadBuf::new(Transport::Udp);
            for n in 0..12u8 {
                let dir = if n % 2 == 0 { Dir::Originator } else { Dir::Responder };
                let mut data = [0x5a; 96];
                data[..4].copy_from_slice(&[4, reserved, reserved, reserved]);
                data[4..8].copy_from_slice(&[9, 8, 7, n % 2]);
                data[8..16].copy_from_slice(&(1000 + u64::from(n / 2)).to_le_bytes());
                buf.push_datagram(u64::from(n), Time(0), dir, 96, &data);
            }
            let Assessment::Recognised(found) = WireGuard.assess(&buf.view(None, false)) else { panic!("not found") };
            assert!(found.bits() >= Bits::whole(30), "{found:?}");
            assert_eq!(found.variant.is_some(), reserved != 0);
        }
    }

    #[test]
    fn a_number_and_an_acknowledgement_are_no_type_and_index() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for (n, number, acknowledged, len) in [(0, 1u32, 1u32, 240), (1, 2, 1, 190), (2, 2, 2, 300), (3, 3, 2, 170)] {
            let data = [&number.to_le_bytes()[..], &acknowledged.to_le_bytes(), &[0x5a; 292][..len - 8]].concat();
            let dir = if n % 2 == 0 { Dir::Originator } else { Dir::Responder };
            buf.push_datagram(n, Time(0), dir, data.len(), &data);
        }
        assert!(!matches!(WireGuard.assess(&buf.view(None, false)), Assessment::Recognised(_)));
    }

    #[test]
    fn a_little_endian_number_that_counts_up_is_no_type() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for (n, len) in [(1u32, 148), (2, 240), (3, 100)] {
            let data = [&n.to_le_bytes()[..], &[0x5a; 240]].concat();
            buf.push_datagram(u64::from(n), Time(0), Dir::Originator, len, &data[..len]);
        }
        let found = match WireGuard.assess(&buf.view(None, false)) {
            Assessment::Recognised(finding) => finding.bits(),
            _ => Bits::ZERO,
        };
        assert!(found < Bits::whole(14), "{found}");
    }
}
