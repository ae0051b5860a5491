//! DTLS 1.0 to 1.3, and the version before 1.0 that Cisco's VPN clients use.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::wire::dtls::{Hello, Records, Version, hello};

/// Datagram Transport Layer Security.
pub(super) struct Dtls;

/// Records with legal type, version and epoch whose lengths fill the datagram: 2^-37 for random bytes, and two bytes of
/// version that only DTLS has.
static RECORDS: Family = Family { id: "dtls.records", cap: Bits::whole(18) };
/// A hello whose fields and extensions end with it.
static HELLO: Family = Family { id: "dtls.hello", cap: Bits::whole(10) };
/// Both sides send such records: what one of them alone sends may be a probe.
static BOTH: Family = Family { id: "dtls.both-sides", cap: Bits::whole(10) };
/// Encrypted records of one epoch whose sequence numbers count.
static SEQUENCE: Family = Family { id: "dtls.sequence", cap: Bits::whole(8) };

impl Protocol for Dtls {
    fn name(&self) -> &'static str {
        "dtls"
    }

    fn reference(&self) -> &'static str {
        "RFC 6347, RFC 9147"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 20..=26),
            1 => matches!(byte, 0xfe | 1),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let (mut company, mut early) = (0, false);
        let reading = datagrams::read(head, |d| match d.bytes {
            [20..=26, 0xfe | 1, ..] if d.len > 13 => Records::new(d.bytes, d.len),
            // STUN, TURN and RTP share the flow (RFC 7983), and so do DTLS 1.3's encrypted records.
            [0..=3 | 0x20..=0x4f | 0x80..=0xbf, ..] => {
                company += 1;
                early |= datagrams::decides(d);
                None
            }
            _ => None,
        });
        if reading.hits.is_empty() {
            return if early { Assessment::NotNow } else { reading.nothing() };
        }
        let foreign = reading.misses.iter().sum::<u64>().saturating_sub(company);
        if foreign > reading.hits.len() as u64 {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let text = "record type, version and epoch are DTLS's, and the lengths fill the datagram";
        finding.evidence.push(item(&RECORDS, 13 + reading.hits.len() as i32, reading.frames(|_| true), text));
        let mut chosen: Option<Hello> = None;
        let mut name = None;
        for hit in &reading.hits {
            let Some((kind @ 1..=3, body)) = hit.message.handshake() else { continue };
            let client = if kind == 1 { hit.datagram.dir } else { hit.datagram.dir.other() };
            finding.server = Some(client.other());
            let Some(read) = body.filter(|_| kind != 3).and_then(|b| hello(kind, b)) else { continue };
            finding.evidence.push(item(
                &HELLO,
                10,
                [hit.datagram.frame],
                "a hello whose fields and extensions fill it",
            ));
            name = name.or_else(|| read.server_name.clone());
            if chosen.is_none() || kind == 2 {
                chosen = Some(read);
            }
        }
        if reading.both() {
            let frames: Frames =
                Dir::BOTH.iter().filter_map(|d| reading.by(*d).next()).map(|h| h.datagram.frame).collect();
            finding.evidence.push(item(&BOTH, 10, frames, "both sides send DTLS records"));
        }
        let counted = Dir::BOTH.map(|dir| {
            let sent = || reading.by(dir).flat_map(|h| h.message.iter().map(|r| (h.datagram.nth, r)));
            let encrypted = sent().zip(sent().skip(1)).filter(|((_, a), (_, b))| a.epoch > 0 && a.epoch == b.epoch);
            encrypted
                .filter(|((m, a), (n, b))| (1..=(n - m + 1) * 8).contains(&b.sequence.wrapping_sub(a.sequence)))
                .count() as i32
        });
        if counted.iter().sum::<i32>() > 0 {
            let frames = reading.frames(|m| m.iter().any(|r| r.epoch > 0));
            let text = "encrypted records of one epoch count their sequence numbers";
            finding.evidence.push(item(&SEQUENCE, 2 * counted.iter().sum::<i32>(), frames, text));
        }
        let record_version = reading.hits.last().and_then(|h| h.message.iter().next()).map(|r| r.version);
        let version = chosen.as_ref().map(|h| Version(h.version)).or(record_version);
        finding.variant = version.and_then(Version::name).map(Into::into);
        finding.details.extend(name.map(|n| ("sni", n)));
        if chosen.is_some_and(|h| h.use_srtp) {
            finding.details.push(("use_srtp", "offered".to_owned()));
        } else {
            // Without SRTP nothing else will share the flow.
            finding.settled = reading.both() && company == 0 && finding.evidence.len() >= 3;
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
        let finding = replay::expect(&Dtls, "openssl-1.2.pcap", Band::Certain);
        assert_eq!((finding.server, finding.variant.as_deref()), (Some(Dir::Responder), Some("1.2")));
    }

    #[test]
    fn versions_are_told_apart() {
        for (file, version) in [
            ("openconnect-0.9.pcap", "0.9"),
            ("openconnect-1.2.pcap", "1.2"),
            ("openssl-1.0.pcap", "1.0"),
            ("dimpl-1.3.pcap", "1.3"),
        ] {
            assert_eq!(replay::expect(&Dtls, file, Band::Certain).variant.as_deref(), Some(version));
        }
    }
}
