//! uTP, BitTorrent's transport over UDP.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::bittorrent::Utp as Packet;

/// Micro Transport Protocol.
pub(super) struct Utp;

/// Version, type, extension and a moderate window: 2^-16 a packet for random bytes, little enough by itself.
static HEADER: Family = Family { id: "utp.header", cap: Bits::whole(6) };
/// The SYN's sequence number and connection come back in the state packet.
static ANSWER: Family = Family { id: "utp.answer", cap: Bits::whole(16) };
/// Time stamps of a side advance as the capture's clock does, to the millisecond: a 32-bit microsecond clock at this
/// place, behind a constant connection identifier.
static CLOCK: Family = Family { id: "utp.clock", cap: Bits::whole(14) };

impl Protocol for Utp {
    fn name(&self) -> &'static str {
        "utp"
    }

    fn reference(&self) -> &'static str {
        "BEP 29"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x01 | 0x11 | 0x21 | 0x31 | 0x41),
            1 => matches!(byte, 0..=2),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x01 | 0x11 | 0x21 | 0x31 | 0x41, 0..=2, ..] if d.len >= 20 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() {
            return reading.nothing();
        }
        if reading.mostly_foreign() {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let text = "version, type, extension and window of uTP";
        finding.evidence.push(item(&HEADER, reading.hits.len() as i32, reading.frames(|_| true), text));
        if let Some((syn, state)) = reading.answer(Packet::is_answered_by) {
            let frames = [syn.datagram.frame, state.datagram.frame];
            let text = "the state packet repeats the SYN's connection and sequence number";
            finding.evidence.push(item(&ANSWER, 16, frames, text));
            finding.server = Some(state.datagram.dir);
        }
        let timed = Dir::BOTH.map(|dir| {
            let pairs = reading.by(dir).zip(reading.by(dir).skip(1));
            let good = pairs.filter(|(a, b)| {
                let elapsed = b.datagram.time.since(a.datagram.time) / 1000;
                let ticks = i64::from(b.message.timestamp.wrapping_sub(a.message.timestamp));
                a.message.connection.abs_diff(b.message.connection) <= 1 && (ticks - elapsed).abs() < 5000 && ticks > 0
            });
            good.count() as i32
        });
        let steps: i32 = timed.iter().sum();
        if steps > 0 && steps * 2 >= reading.hits.len() as i32 - 2 {
            let text = "the time stamps advance as the capture's clock does";
            finding.evidence.push(item(&CLOCK, 4 + 4 * steps, reading.frames(|_| true), text));
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
        replay::expect(&Utp, "transmission.pcap", Band::Certain);
    }
}
