//! IKE, versions 1 and 2, in UDP, with and without the Non-ESP Marker.
//!
//! Every message has a header whose fields bind each other and whose last field is the message's own length, so one
//! message decides. Where it comes from or goes to does not matter. ESP may follow on the same flow, so a finding is never
//! settled.

use super::{Assessment, Bits, Evidence, Family, Finding, Frames, Protocol, counted, link};
use crate::flow::{Datagram, Dir, Head};
use crate::packet::Transport;
use crate::wire::esp::Encapsulated;
use crate::wire::ike::{self, Chain, Ike, Version};

/// The recogniser.
#[derive(Debug)]
pub(super) struct IkeInUdp;

/// A header in which everything fits. Chance: version 8 bits, exchange 4 and more, flags 5, next payload 2 and more, length
/// 32, a first request's responder SPI and message ID 96. No other protocol with this header is known (GDOI, RFC 8263,
/// is IKE with other exchanges), and none of the negatives at hand has one.
static HEADER: Family = Family { id: "ike.header", cap: Bits::whole(22) };
/// A header cut by the snaplen before its length field: 8 + 4 + 5 + 2 bits, more for the zero responder SPI.
const HEADER_CUT: Bits = Bits::whole(12);
/// The payloads' own lengths lead exactly to the message's end: 16 bits for each but the header's.
static CHAIN: Family = Family { id: "ike.payloads", cap: Bits::whole(10) };
/// Both sides name the same random 64-bit initiator SPI.
static ECHO: Family = Family { id: "ike.spi-echo", cap: Bits::whole(18) };
/// A vendor ID that is an MD5 sum: 128 bits in one place.
static VENDOR: Family = Family { id: "ike.vendor-id", cap: Bits::whole(10) };
/// Payloads that do not fill the message, where they are in clear.
static BROKEN: Family = Family { id: "ike.payloads-broken", cap: Bits::ZERO };

/// The IKE message in a datagram, if it is one, and whether the Non-ESP Marker was in front.
pub(super) fn message<'a>(d: &Datagram<'a>) -> Option<(Ike<'a>, bool)> {
    match Encapsulated::of(d.len, d.bytes) {
        Encapsulated::Bare(bytes) => Ike::new(d.len, bytes).map(|m| (m, false)),
        Encapsulated::Marked(bytes) => Ike::new(d.len.checked_sub(4)?, bytes).map(|m| (m, true)),
        Encapsulated::Keepalive | Encapsulated::NonIkeMarked(_) => None,
    }
}

/// The initiator's SPI in a datagram that the capture cut before IKE's first fixed field, behind the Non-ESP Marker.
fn cut_spi(d: &Datagram<'_>) -> Option<[u8; 8]> {
    if d.is_whole() {
        return None;
    }
    let Encapsulated::Marked(bytes) = Encapsulated::of(d.len, d.bytes) else { return None };
    let spi = bytes.first_chunk::<8>()?;
    let cut = bytes.len() < 20 && d.len >= 4 + ike::HEADER;
    (cut && *spi != [0; 8]).then_some(*spi)
}

/// Frames in which both sides name the same initiator SPI behind the Non-ESP Marker, where nothing more is visible.
pub(super) fn cut_echo(head: &Head<'_>) -> Option<Frames> {
    let named = |dir| head.sent_by(dir).filter_map(|d| Some((d.frame, cut_spi(&d)?)));
    named(Dir::Originator).find_map(|(frame, spi)| {
        let (other, _) = named(Dir::Responder).find(|(_, other)| *other == spi)?;
        Some([frame, other].into())
    })
}

/// The mark of an IKE SA: flows that carry messages of the same one (a float from 500 to 4500) export an equal one.
pub(super) fn sa_link(message: &Ike<'_>) -> u64 {
    link("ike.initiator-spi", &message.initiator_spi())
}

impl Protocol for IkeInUdp {
    fn name(&self) -> &'static str {
        "ike"
    }

    fn reference(&self) -> &'static str {
        "RFC 2408, RFC 7296"
    }

    fn shortest(&self) -> usize {
        ike::HEADER
    }

    fn heeds_end(&self) -> bool {
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() != Transport::Udp {
            return Assessment::Excluded;
        }
        let mut cut = false;
        let messages: Vec<_> = head
            .datagrams()
            .filter_map(|d| {
                cut |= cut_spi(&d).is_some();
                message(&d).map(|(m, marked)| (d, m, marked))
            })
            .collect();
        if messages.is_empty() {
            if let Some(frames) = Some(head).filter(|_| cut).and_then(cut_echo) {
                let text = "both sides send the Non-ESP Marker and the same IKE SPI; the rest is cut".into();
                let evidence = vec![Evidence { family: &ECHO, bits: ECHO.cap, frames, text }];
                return Assessment::Recognised(Finding { evidence, spoke: [true; 2], ..Finding::default() });
            }
            return if super::esp::udp_is_hopeless(head) { Assessment::Excluded } else { Assessment::NotNow };
        }
        Assessment::Recognised(finding(&messages))
    }
}

/// Adds what the IKE messages of a flow say to the finding of a protocol that goes along with IKE.
pub(super) fn complete(finding: &mut Finding, head: &Head<'_>) {
    let messages: Vec<_> = head.datagrams().filter_map(|d| message(&d).map(|(m, marked)| (d, m, marked))).collect();
    let ike = self::finding(&messages);
    finding.server = finding.server.or(ike.server);
    finding.links.extend(ike.links);
    finding.details.extend(ike.details);
    for dir in Dir::BOTH {
        *dir.of_mut(&mut finding.spoke) |= *dir.of(&ike.spoke);
        *dir.of_mut(&mut finding.implied) |= *dir.of(&ike.implied);
    }
}

type Seen<'a> = (Datagram<'a>, Ike<'a>, bool);

fn finding(messages: &[Seen<'_>]) -> Finding {
    let mut finding = Finding { evidence: evidence(messages), ..Finding::default() };
    let version = if messages.iter().any(|(_, m, _)| m.version() == Version::V2) { Version::V2 } else { Version::V1 };
    finding.variant = Some(version.name().into());
    for (d, m, _) in messages {
        *d.dir.of_mut(&mut finding.spoke) = true;
        if let Some(from_initiator) = m.from_initiator() {
            let responder = if from_initiator { d.dir.other() } else { d.dir };
            finding.server = finding.server.or(Some(responder));
            // The initiator learns the responder's SPI from its answer only.
            *responder.of_mut(&mut finding.implied) |= m.responder_spi() != [0; 8];
        }
        push_new(&mut finding.links, sa_link(m));
    }
    finding.details = details(messages, version);
    finding
}

fn evidence(messages: &[Seen<'_>]) -> Vec<Evidence> {
    let frames =
        |of: &dyn Fn(&Seen<'_>) -> bool| messages.iter().filter(|s| of(s)).map(|(d, ..)| d.frame).take(4).collect();
    let mut evidence = Vec::new();
    let checked = messages.iter().find(|(_, m, _)| !m.is_cut());
    if let Some((_, m, marked)) = checked.or(messages.first()) {
        let (bits, text) = match m.is_cut() {
            true => (HEADER_CUT, "the visible part of an IKE header is consistent"),
            false => (HEADER.cap, "an IKE header is consistent and its length field says the message's length"),
        };
        let marker = if *marked { ", behind the Non-ESP Marker" } else { "" };
        let text = format!("{text}: {}, {}{marker}", m.version().name(), m.exchange().name());
        evidence.push(Evidence { family: &HEADER, bits, frames: frames(&|_| true), text: text.into() });
    }
    if let Some(count) = messages.iter().find_map(|(_, m, _)| match m.chain() {
        Chain::Exact(count) if count > 0 => Some(count),
        _ => None,
    }) {
        let text = counted!("the chain of {count} payload(s) ends exactly where the message ends", count);
        let exact = |s: &Seen<'_>| matches!(s.1.chain(), Chain::Exact(1..));
        evidence.push(Evidence { family: &CHAIN, bits: CHAIN.cap, frames: frames(&exact), text });
    } else if messages.iter().all(|(_, m, _)| m.chain() == Chain::Broken) {
        let text = "the chain of payloads does not fill the message".into();
        evidence.push(Evidence { family: &BROKEN, bits: Bits::whole(-14), frames: frames(&|_| true), text });
    }
    if let Some((a, b)) = echo(messages) {
        let text = "both sides name the same initiator SPI".into();
        evidence.push(Evidence { family: &ECHO, bits: ECHO.cap, frames: [a, b].into(), text });
    }
    let known = |s: &Seen<'_>| s.1.vendor_ids().find_map(ike::vendor);
    if let Some(name) = messages.iter().find_map(known) {
        let text = format!("a vendor ID payload is that of {name}").into();
        evidence.push(Evidence { family: &VENDOR, bits: VENDOR.cap, frames: frames(&|s| known(s).is_some()), text });
    }
    evidence
}

/// Frames of two messages of one SA, one from each side.
fn echo(messages: &[Seen<'_>]) -> Option<(u64, u64)> {
    let of = |dir: Dir| messages.iter().filter(move |(d, ..)| d.dir == dir);
    of(Dir::Originator).find_map(|(d, m, _)| {
        let other = of(Dir::Responder).find(|(_, o, _)| o.initiator_spi() == m.initiator_spi())?;
        Some((d.frame, other.0.frame))
    })
}

fn details(messages: &[Seen<'_>], version: Version) -> Vec<(&'static str, String)> {
    let mut exchanges = Vec::new();
    let mut vendors = Vec::new();
    let mut spis = Vec::new();
    for (_, m, _) in messages {
        push_new(&mut exchanges, m.exchange().name());
        m.vendor_ids().filter_map(ike::vendor).for_each(|v| push_new(&mut vendors, v));
        push_new(&mut spis, data_encoding::HEXLOWER.encode(&m.initiator_spi()));
    }
    let mut details = vec![("ike-version", version.name().to_owned()), ("ike-exchanges", exchanges.join(", "))];
    details.push(("ike-initiator-spi", spis.join(", ")));
    if !vendors.is_empty() {
        details.push(("ike-vendor-ids", vendors.join(", ")));
    }
    details
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
