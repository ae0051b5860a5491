//! QUIC by its long headers. Short headers have one fixed bit and are believed only in company.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::Head;
use crate::wire::quic::{Google, Kind, Long};
use crate::wire::quic_initial::{Crypto, Keys};
use crate::wire::tls::{Handshake, Hello};

/// QUIC, the IETF's and (variants Q043 to Q050) Google's.
pub(super) struct Quic;

/// A long header with a version in use (2^-28 for all of them), legal connection IDs and a length that fits.
static HEADER: Family = Family { id: "quic.long-header", cap: Bits::whole(16) };
/// A client's Initial fills a datagram of at least 1,200 bytes (RFC 9000 section 14.1); Google's older form has its tag.
static INITIAL: Family = Family { id: "quic.initial-size", cap: Bits::whole(6) };
/// The client's Initial opens with the key that its connection ID gives: a tag of 128 bits verifies.
static OPENS: Family = Family { id: "quic.initial-opens", cap: Bits::whole(16) };
/// The server's destination connection ID is the client's source connection ID (or, for none, both are empty): up to
/// 160 random bits that move to another place. Empty ones prove only that both speak in long headers.
static ECHO: Family = Family { id: "quic.connection-id-echo", cap: Bits::whole(14) };

impl Protocol for Quic {
    fn name(&self) -> &'static str {
        "quic"
    }

    fn reference(&self) -> &'static str {
        "RFC 9000"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        // A long header, or Google's older one with a version.
        at != 0 || byte >= 0x80 || byte & 0xc8 == 0x08
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let (mut short, mut older) = (0, 0);
        let reading = datagrams::read(head, |d| match d.bytes.first()? {
            0x80.. if d.len >= 15 => Long::new(d.bytes, d.len),
            0x40..0x80 => {
                short += 1;
                None
            }
            // Google's, without a version: of the client with its connection ID, of the server without.
            flags if flags & 0xc8 == 0x08 => {
                older += 1;
                None
            }
            _ => None,
        });
        if reading.hits.is_empty() {
            // In the middle of a connection nothing but such headers may come.
            let middle = short + older >= 2;
            let google = if older > 0 { google(head) } else { None };
            return google.unwrap_or_else(|| if middle { Assessment::NotNow } else { reading.nothing() });
        }
        let foreign = reading.misses.iter().sum::<u64>().saturating_sub(short);
        if foreign > reading.hits.len() as u64 {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let text = "a long header with a version in use, legal connection IDs and a length that fits";
        let bits = 13 + reading.hits.len() as i32;
        finding.evidence.push(item(&HEADER, bits, reading.frames(|_| true), text));
        let initial = |h: &&datagrams::Hit<'_, Long<'_>>| h.message.kind == Kind::Initial && h.datagram.len >= 1200;
        if let Some(hit) = reading.hits.iter().find(initial) {
            let text = "the Initial comes in a datagram of at least 1,200 bytes";
            finding.evidence.push(item(&INITIAL, 6, [hit.datagram.frame], text));
            finding.server = Some(hit.datagram.dir.other());
        }
        let echo = reading.answer(|a, b| a.scid == b.dcid && (!a.scid.is_empty() || b.kind == Kind::Initial));
        if let Some((query, reply)) = echo {
            let (bits, text) = match query.message.scid.len() {
                0..4 => (8, "both sides send long headers of the same version, without a connection ID for the client"),
                _ => (14, "one side's destination connection ID is the other's source connection ID"),
            };
            let frames = [query.datagram.frame, reply.datagram.frame];
            finding.evidence.push(item(&ECHO, bits, frames, text));
            finding.server = finding.server.or(Some(reply.datagram.dir));
        }
        let mut crypto = Crypto::default();
        // Later Initials of the client still have the keys of its first packet's connection ID.
        if let Some(first) = reading.hits.iter().find(|h| h.message.kind == Kind::Initial) {
            let keys = Keys::new(first.message.version, first.message.dcid);
            let same = reading.by(first.datagram.dir).filter(|h| h.message.kind == Kind::Initial);
            for hit in same.take(4) {
                let (message, opened) = (&hit.message, &first.message);
                let with_first = || match message.version == opened.version {
                    true => keys.as_ref()?.open(message),
                    false => Keys::new(message.version, opened.dcid)?.open(message),
                };
                let with_own =
                    || Keys::new(message.version, message.dcid).filter(|_| message.dcid != opened.dcid)?.open(message);
                let Some(payload) = with_first().or_else(with_own) else { break };
                crypto.take(&payload);
                let text = "the client's Initial opens with the key that its connection ID gives, and its tag verifies";
                finding.evidence.push(item(&OPENS, 16, [hit.datagram.frame], text));
            }
        }
        if let Some(hello) =
            Handshake::new(crypto.contiguous()).filter(|h| h.kind == 1).and_then(|h| Hello::client(h.body))
        {
            finding.details.extend(hello.server_name().map(|n| ("sni", String::from_utf8_lossy(n).into_owned())));
            let alpn: Vec<_> = hello.alpn().map(String::from_utf8_lossy).collect();
            finding.details.extend((!alpn.is_empty()).then(|| ("alpn", alpn.join(","))));
        }
        let version = reading.hits.iter().rev().find_map(|h| h.message.version.name());
        finding.variant = version.map(Into::into);
        finding.evidence.dedup_by_key(|e| e.family.id);
        finding.settled = echo.is_some() && finding.bits() >= datagrams::CERTAIN;
        Assessment::Recognised(finding)
    }
}

/// Google's QUIC before version 46, whose packets all bear the connection ID of the client's first one.
fn google(head: &Head<'_>) -> Option<Assessment> {
    let reading = datagrams::read(head, |d| match d.bytes {
        [flags, ..] if flags & 0xc8 == 0x08 && d.len >= 20 => Google::new(d.bytes),
        _ => None,
    });
    let first = reading.hits.iter().find(|h| h.message.version.is_some())?;
    let (client, id) = (first.datagram.dir, first.message.connection);
    let [tens, ones] = first.message.version?;
    let same: Vec<_> = reading.hits.iter().filter(|h| h.message.connection == id).collect();
    let frames: Frames = same.iter().map(|h| h.datagram.frame).take(4).collect();
    let text = "Google's header with a connection ID and a version in use";
    let mut finding = Finding { server: Some(client.other()), ..Finding::default() };
    finding.variant = Some(format!("Q0{}{}", char::from(tens), char::from(ones)).into());
    *client.of_mut(&mut finding.spoke) = true;
    finding.evidence.push(item(&HEADER, 13 + same.len() as i32, frames.clone(), text));
    if let Some(hello) = same.iter().find(|h| h.message.has_hello()) {
        finding.evidence.push(item(&INITIAL, 6, [hello.datagram.frame], "the tag of a hello or a rejection follows"));
    }
    if let Some(reply) = same.iter().find(|h| h.datagram.dir != client) {
        let frames = [first.datagram.frame, reply.datagram.frame];
        finding.evidence.push(item(&ECHO, 14, frames, "the other side's packets bear the same connection ID"));
        *client.other().of_mut(&mut finding.spoke) = true;
    }
    Some(Assessment::Recognised(finding))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dir;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Quic, "aioquic.pcap", Band::Certain);
        assert_eq!((finding.server, finding.variant.as_deref()), (Some(Dir::Responder), Some("v1")));
        assert!(finding.details.iter().any(|(name, value)| *name == "sni" && !value.is_empty()), "{finding:?}");
    }
}
