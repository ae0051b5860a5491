//! RTCP: compound packets whose lengths fill the datagram, alone or beside RTP.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::{ntp::unix_seconds, rtcp::Rtcp as Compound, rtp::Rtp as Packet};

/// RTP Control Protocol.
pub(super) struct Rtcp;

/// Version, type, a count that agrees with the length, and packets that fill the datagram: 2^-24 for a report alone,
/// 2^-44 for a compound of two. One packet could still be another format with a type and a length.
static COMPOUND: Family = Family { id: "rtcp.compound", cap: Bits::whole(20) };
/// A sender report's NTP timestamp lies within a day of the capture's clock (2^-14).
static CLOCK: Family = Family { id: "rtcp.clock", cap: Bits::whole(8) };
/// The sender's SSRC stays the same over several reports (2^-32 each).
static SOURCE: Family = Family { id: "rtcp.source", cap: Bits::whole(6) };

impl Protocol for Rtcp {
    fn name(&self) -> &'static str {
        "rtcp"
    }

    fn reference(&self) -> &'static str {
        "RFC 3550"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x80..=0xbf),
            1 => matches!(byte, 192..=213),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let (mut company, mut early) = (0, false);
        let reading = datagrams::read(head, |d| {
            let compound = match d.bytes {
                [0x80..=0xbf, 192..=213, ..] if d.len >= 8 => Compound::new(d.bytes, d.len),
                _ => None,
            };
            // RTP, DTLS and STUN may share the flow (RFC 5761, RFC 7983).
            if compound.is_none() {
                let media = matches!(d.bytes, [0x80..=0xbf, ..]) && Packet::new(d.bytes, d.len).is_some();
                let goes_along = media || matches!(d.bytes, [0..=3 | 20..=63, ..]);
                company += u64::from(goes_along);
                early |= goes_along && datagrams::decides(d);
            }
            compound
        });
        if reading.hits.is_empty() {
            return if early { Assessment::NotNow } else { reading.nothing() };
        }
        let foreign = reading.misses.iter().sum::<u64>().saturating_sub(company);
        if foreign > reading.hits.len() as u64 {
            return Assessment::NotNow;
        }
        let told: i32 =
            reading.hits.iter().map(|h| i32::from(h.message.exact) * if h.message.packets > 1 { 12 } else { 4 }).sum();
        if told == 0 {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        // The media of the same source flow elsewhere, commonly on the port below.
        let mut sources: Vec<u32> = reading.hits.iter().map(|h| h.message.ssrc).filter(|ssrc| *ssrc != 0).collect();
        sources.sort_unstable();
        sources.dedup();
        finding.links = sources.iter().take(4).map(|ssrc| super::link("rtp-source", &ssrc.to_be_bytes())).collect();
        let text = "version, type and count agree with lengths that fill the datagram";
        finding.evidence.push(item(&COMPOUND, told.min(20), reading.frames(|m| m.exact), text));
        let near = |h: &&datagrams::Hit<'_, Compound>| {
            let capture = h.datagram.time.0 / 1_000_000_000;
            h.message.ntp.is_some_and(|t| (unix_seconds(t) - capture).abs() < 86_400)
        };
        if let Some(hit) = reading.hits.iter().find(near) {
            let text = "the sender report's NTP time is that of the capture's day";
            finding.evidence.push(item(&CLOCK, 8, [hit.datagram.frame], text));
        }
        let constant = |dir: Dir| {
            let mut sources = reading.by(dir).map(|h| h.message.ssrc);
            let first = sources.next();
            let rest: Vec<_> = sources.collect();
            !rest.is_empty() && rest.iter().all(|s| Some(*s) == first)
        };
        if Dir::BOTH.into_iter().any(constant) {
            let text = "all reports of a side name the same source";
            finding.evidence.push(item(&SOURCE, 6, reading.frames(|_| true), text));
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
        replay::expect(&Rtcp, "gstreamer.pcap", Band::Certain);
    }
}
