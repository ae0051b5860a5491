//! RTP: one source whose sequence numbers count and whose media clock advances with them. SRTP has the same header.
//!
//! A single packet says nearly nothing (two bits of version), so that only agreement between packets counts.

use super::datagrams::{self, Reading, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::rtp::Rtp as Packet;

/// Real-time Transport Protocol.
pub(super) struct Rtp;

/// Packets of one source (32 equal bits) whose 16-bit sequence number advances by 1 to 16 (12 bits) and whose payload
/// type stays: 2^-50 a pair for random bytes. Formats with a version, a counter and a session identifier at just these
/// places exist (telemetry, games), which bounds it, less tightly the longer the run.
static SEQUENCE: Family = Family { id: "rtp.sequence", cap: Bits::whole(18) };
/// The timestamp advances with the sequence number, by the same step or at a rate that fits the capture's clock: a
/// second clock in the header, which counters elsewhere do not have.
static TIMESTAMP: Family = Family { id: "rtp.timestamp", cap: Bits::whole(8) };
/// The payload type is one with a fixed meaning and the clock runs at its rate.
static RATE: Family = Family { id: "rtp.clock-rate", cap: Bits::whole(6) };
/// The other side sends RTP of another source.
static BOTH: Family = Family { id: "rtp.both-sides", cap: Bits::whole(6) };

/// The profile of a header extension with elements of one byte (RFC 8285 section 4.2).
const WEBRTC: u16 = 0xbede;

/// What one direction's packets say together.
#[derive(Default)]
struct Run {
    steps: i32,
    breaks: i32,
    /// Steps at which the media clock advanced plausibly.
    clocked: i32,
    frames: Frames,
    ssrc: u32,
    /// First and last: arrival in nanoseconds, timestamp.
    span: Option<((i64, u32), (i64, u32))>,
    rate: Option<u32>,
}

fn run(reading: &Reading<'_, Packet>, dir: Dir) -> Run {
    let mut run = Run::default();
    let mut last: Option<&Packet> = None;
    for hit in reading.by(dir) {
        let (packet, now) = (&hit.message, hit.datagram.time.0);
        let previous = reading.by(dir).take_while(|h| h.datagram.frame < hit.datagram.frame);
        let same = previous.filter(|h| h.message.ssrc == packet.ssrc).last();
        if let Some(before) = same {
            let step = packet.sequence.wrapping_sub(before.message.sequence) as i16;
            let time = packet.timestamp.wrapping_sub(before.message.timestamp) as i32;
            let adjacent = hit.datagram.nth == before.datagram.nth + 1;
            match step {
                // Source and time stamp start at random, 64 zeros are something else; but WebRTC probes the path with such.
                _ if packet.ssrc == 0 && packet.timestamp == 0 && packet.profile != Some(WEBRTC) => {}
                1..=16 => {
                    run.steps += 1;
                    run.clocked += i32::from((0..90_000 * 4).contains(&time));
                    if run.frames.len() < 4 {
                        run.frames.push(hit.datagram.frame);
                    }
                    let start = run.span.map_or((before.datagram.time.0, before.message.timestamp), |(s, _)| s);
                    run.span = Some((start, (now, packet.timestamp)));
                }
                // Disorder, a repetition, or packets of the head's ring that lie far apart.
                -16..=0 => {}
                _ if !adjacent => {}
                _ => run.breaks += 1,
            }
        } else if last.is_some() {
            run.breaks += 1;
        }
        run.ssrc = packet.ssrc;
        run.rate = packet.clock_rate();
        last = Some(packet);
    }
    run
}

impl Protocol for Rtp {
    fn name(&self) -> &'static str {
        "rtp"
    }

    fn reference(&self) -> &'static str {
        "RFC 3550"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x80..=0xbf)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let (mut company, mut early) = (0, false);
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x80..=0xbf, ..] if d.len >= 12 => Packet::new(d.bytes, d.len),
            // RTCP, DTLS and STUN share the flow (RFC 7983).
            [0..=3 | 20..=63, ..] => {
                company += 1;
                early |= datagrams::decides(d);
                None
            }
            _ => None,
        });
        if reading.hits.is_empty() {
            return if early { Assessment::NotNow } else { reading.nothing() };
        }
        let runs = Dir::BOTH.map(|dir| run(&reading, dir));
        let foreign = (reading.misses.iter().sum::<u64>() as i32 - company).max(0);
        let steps: i32 = runs.iter().map(|r| r.steps).sum();
        let breaks: i32 = runs.iter().map(|r| r.breaks).sum();
        if steps < 2 || breaks * 4 > steps || foreign > reading.hits.len() as i32 {
            return Assessment::NotNow;
        }
        let frames: Frames = runs.iter().flat_map(|r| r.frames.iter().copied()).take(4).collect();
        let text = "one source per direction whose sequence numbers count";
        let mut finding = Finding { spoke: Dir::BOTH.map(|d| d.of(&runs).steps > 0), ..Finding::default() };
        let sources = runs.iter().filter(|run| run.steps >= 2 && run.ssrc != 0);
        finding.links = sources.map(|run| super::link("rtp-source", &run.ssrc.to_be_bytes())).collect();
        finding.evidence.push(item(&SEQUENCE, 6 + 2 * steps, frames.clone(), text));
        let clocked: i32 = runs.iter().map(|r| r.clocked).sum();
        if clocked * 5 >= steps * 4 {
            finding.evidence.push(item(
                &TIMESTAMP,
                clocked.min(8),
                frames.clone(),
                "the media clock advances with the sequence numbers",
            ));
        }
        if runs.iter().any(runs_at_rate) {
            finding.evidence.push(item(&RATE, 6, frames, "the media clock runs at the rate of the payload type"));
        }
        let [a, b] = &runs;
        if a.steps >= 2 && b.steps >= 2 && a.ssrc != b.ssrc {
            let frames: Frames = a.frames.iter().chain(b.frames.iter()).copied().take(2).collect();
            finding.evidence.push(item(&BOTH, 6, frames, "both sides send, each as a source of its own"));
        }
        Assessment::Recognised(finding)
    }
}

/// Whether timestamps and arrival times over at least 50 ms give the rate of the payload type, within a third.
fn runs_at_rate(run: &Run) -> bool {
    let (Some(rate), Some(((t0, m0), (t1, m1)))) = (run.rate, run.span) else { return false };
    let (elapsed, ticks) = (t1 - t0, i64::from(m1.wrapping_sub(m0)));
    let expected = elapsed / 1000 * i64::from(rate) / 1_000_000;
    elapsed >= 50_000_000 && ticks * 3 >= expected * 2 && ticks * 3 <= expected * 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Rtp, "ffmpeg-pcmu.pcap", Band::Confident);
        assert_eq!(finding.spoke, [true, false]);
    }
}
