//! ESP in UDP (RFC 3948), with or without IKE on the same flow, on any port.

use super::family::{FOREIGN, IKE, IKE_CUT, KEEPALIVE, MARKER};
use super::inner;
use super::sa::{self, Sa, Seen};
use super::weigh::{conclude, weigh};
use crate::flow::head::KEPT;
use crate::flow::{Datagram, Dir, Head, PrefixTally, Tally};
use crate::packet::Transport;
use crate::protocol::{Assessment, Band, Bits, Evidence, Finding, Frames, Protocol, evidence, ike};
use crate::wire::esp::{Encapsulated, Esp, FIRST_SPI, SHORTEST};

/// The recogniser.
#[derive(Debug)]
pub(in crate::protocol) struct EspInUdp;

/// What a datagram is, if the flow carries ESP.
#[derive(Clone, Copy, Debug)]
enum Kind<'a> {
    Esp(Esp<'a>),
    /// ESP behind the non-IKE marker.
    Marked(Esp<'a>),
    Ike {
        /// Behind the Non-ESP Marker.
        marked: bool,
    },
    Keepalive,
    /// Neither.
    Foreign,
    /// Cut too short to tell.
    Cut,
}

fn kind<'a>(d: &Datagram<'a>) -> Kind<'a> {
    if let Some((_, marked)) = ike::message(d) {
        return Kind::Ike { marked };
    }
    if d.bytes.len() < 8 && d.len >= 20 && d.len.is_multiple_of(4) {
        return Kind::Cut;
    }
    match Encapsulated::of(d.len, d.bytes) {
        Encapsulated::Keepalive => Kind::Keepalive,
        // Cut before IKE's header ends.
        Encapsulated::Marked(_) if d.bytes.len() < 24 && !d.is_whole() => Kind::Cut,
        Encapsulated::Marked(_) => Kind::Foreign,
        Encapsulated::NonIkeMarked(bytes) => Esp::new(d.len - 8, bytes).map_or(Kind::Foreign, Kind::Marked),
        Encapsulated::Bare(bytes) => Esp::new(d.len, bytes).map_or(Kind::Foreign, Kind::Esp),
    }
}

/// A cheap look: two ESP headers of one SPI in one direction, of different numbers or with a keepalive beside them, a marker,
/// or an inner packet.
fn is_worth_a_look(head: &Head<'_>) -> bool {
    let mut seen = [(Dir::Originator, 0u32, 0u32); 64];
    let (mut count, mut again, mut keepalive) = (0, false, false);
    // A bit for each SPI that may have been seen: most packets of other protocols have one of their own.
    let mut marks = 0u64;
    for d in head.datagrams() {
        if d.bytes.starts_with(&[0; 4]) {
            return true;
        }
        keepalive |= d.bytes == [0xff];
        let Some(esp) = Esp::new(d.len, d.bytes) else { continue };
        let mark = 1 << (esp.spi().wrapping_mul(0x9e37_79b1) >> 26);
        if marks & mark != 0 {
            let mut same =
                seen.iter().take(count).filter(|(dir, spi, _)| *spi == esp.spi() && *dir == d.dir).peekable();
            again |= same.peek().is_some();
            if same.any(|(.., number)| *number != esp.sequence()) {
                return true;
            }
        }
        marks |= mark;
        if inner::find(d.len - 8, esp.body()).is_some() {
            return true;
        }
        if let Some(place) = seen.get_mut(count) {
            *place = (d.dir, esp.spi(), esp.sequence());
            count += 1;
        }
    }
    if again && keepalive {
        return true;
    }
    // With hundreds of SAs no two of the packets kept need have the same SPI.
    Dir::BOTH.iter().filter_map(|dir| head.tally(*dir)).flat_map(Tally::prefixes).any(may_be_sa)
}

/// Whether all packets behind a first word may be ESP of one SA, and count.
fn may_be_sa(tally: &PrefixTally) -> bool {
    let mut classes = tally.lengths.by_mod16.iter().enumerate();
    let legal = classes.all(|(class, &n)| n == 0 || class % 4 == 0) && tally.lengths.range.0 as usize >= SHORTEST;
    legal && u32::from_be_bytes(tally.prefix) >= FIRST_SPI && tally.steps_one + tally.steps_small > 0
}

/// Whether a datagram is neither ESP nor IKE; the cheaper test first.
fn is_foreign(d: &Datagram<'_>) -> bool {
    Esp::new(d.len, d.bytes).is_none() && matches!(kind(d), Kind::Foreign)
}

/// Foreign datagrams that settle it.
const HOPELESS: u32 = 4;

/// Whether neither ESP nor IKE can come of this flow: when one of the first datagrams of a side came, at least [`HOPELESS`], and
/// at least half of all until then, could be neither. Later ones do not take that back.
pub(crate) fn udp_is_hopeless(head: &Head<'_>) -> bool {
    // The cheap test first: it is asked of every flow.
    if !head.ended() && Dir::BOTH.into_iter().map(|dir| head.count(dir)).sum::<u64>() < HOPELESS.into() {
        return false;
    }
    let (mut foreign, mut total) = (0u32, 0u32);
    for datagram in head.datagrams() {
        total += 1;
        foreign += u32::from(is_foreign(&datagram));
        if datagram.nth < KEPT && foreign >= HOPELESS && foreign * 2 >= total {
            return true;
        }
    }
    head.ended() && foreign > 0 && foreign == total
}

impl Protocol for EspInUdp {
    fn name(&self) -> &'static str {
        "esp-in-udp"
    }

    fn reference(&self) -> &'static str {
        "RFC 3948, RFC 4303"
    }

    fn heeds_end(&self) -> bool {
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() != Transport::Udp {
            return Assessment::Excluded;
        }
        if !is_worth_a_look(head) {
            return if udp_is_hopeless(head) { Assessment::Excluded } else { Assessment::NotNow };
        }
        let kinds: Vec<(Datagram<'_>, Kind<'_>)> = head.datagrams().map(|d| (d, kind(&d))).collect();
        let sas = associations(head, &kinds);
        if sas.is_empty() {
            return if udp_is_hopeless(head) { Assessment::Excluded } else { Assessment::NotNow };
        }
        match finding(head, &kinds, &sas) {
            Some(finding) => Assessment::Recognised(finding),
            None if udp_is_hopeless(head) => Assessment::Excluded,
            None => Assessment::NotNow,
        }
    }
}

/// The SAs of a flow. Those under whose SPI something came that ESP cannot be are left out.
fn associations<'a>(head: &Head<'a>, kinds: &[(Datagram<'a>, Kind<'a>)]) -> Vec<Sa<'a>> {
    let packets = kinds.iter().filter_map(|(d, kind)| {
        let (len, esp) = match kind {
            Kind::Esp(esp) => (d.len, *esp),
            Kind::Marked(esp) => (d.len - 8, *esp),
            _ => return None,
        };
        Some(Seen { frame: d.frame, time: d.time, dir: d.dir, len, esp })
    });
    let mut sas = sa::group(packets);
    for dir in Dir::BOTH {
        for tally in head.tally(dir).into_iter().flat_map(Tally::prefixes) {
            let spi = u32::from_be_bytes(tally.prefix);
            match sas.iter_mut().find(|sa| sa.dir == dir && sa.spi == spi) {
                Some(sa) => sa.tally = Some(tally),
                None if may_be_sa(tally) => sas.push(Sa::new(dir, spi, Vec::new(), Some(tally))),
                None => {}
            }
        }
    }
    let impossible = |sa: &Sa<'_>| {
        let same = |d: &Datagram<'_>| d.dir == sa.dir && d.bytes.starts_with(&sa.spi.to_be_bytes());
        sa.has_odd_lengths() || kinds.iter().any(|(d, k)| matches!(k, Kind::Foreign) && same(d))
    };
    sas.retain(|sa| !impossible(sa));
    sas
}

/// What all of it proves, if it speaks for ESP.
fn finding(head: &Head<'_>, kinds: &[(Datagram<'_>, Kind<'_>)], sas: &[Sa<'_>]) -> Option<Finding> {
    let mut weighed = weigh(sas);
    let frames = |wanted: fn(&Kind<'_>) -> bool| -> Frames {
        kinds.iter().filter(|(_, k)| wanted(k)).map(|(d, _)| d.frame).take(4).collect()
    };
    let mut say = |family, bits, frames: Frames, text: &'static str| {
        if !frames.is_empty() {
            weighed.evidence.push(Evidence { family, bits, frames, text: text.into() });
        }
    };
    // Either IKE or ESP has a marker in front where both share a flow.
    let ike_frames =
        [frames(|k| matches!(k, Kind::Ike { marked: true })), frames(|k| matches!(k, Kind::Ike { marked: false }))];
    let with_ike = ike_frames.iter().any(|f| !f.is_empty());
    let esp_marked = kinds.iter().any(|(_, k)| matches!(k, Kind::Marked(_)));
    let esp_bare = kinds.iter().any(|(_, k)| matches!(k, Kind::Esp(_)));
    let [behind_marker, unmarked] = ike_frames;
    if esp_bare && !behind_marker.is_empty() {
        say(&IKE, IKE.cap, behind_marker, "IKE with the Non-ESP Marker is on the same flow");
    } else if let Some(frames) = ike::cut_echo(head).filter(|_| esp_bare) {
        say(&IKE, IKE_CUT, frames, "both sides send the Non-ESP Marker and the same IKE SPI; the rest is cut");
    } else if esp_marked {
        say(&IKE, IKE.cap, unmarked, "IKE is on the same flow");
    }
    let esp_frames = frames(|k| matches!(k, Kind::Esp(_) | Kind::Marked(_)));
    if !esp_frames.is_empty() {
        say(&KEEPALIVE, KEEPALIVE.cap, frames(|k| matches!(k, Kind::Keepalive)), "NAT-keepalives of one byte 0xFF");
    }
    let marked = frames(|k| matches!(k, Kind::Marked(_)));
    let non_ike_marker = !marked.is_empty();
    say(&MARKER, MARKER.cap, marked, "eight zero bytes, the non-IKE marker, precede each ESP packet");
    let foreign = frames(|k| matches!(k, Kind::Foreign));
    let (foreign_count, all) = (kinds.iter().filter(|(_, k)| matches!(k, Kind::Foreign)).count(), kinds.len());
    if foreign_count * 8 > all {
        say(&FOREIGN, Bits::whole(-12), foreign, "datagrams that are neither ESP nor IKE nor keepalives");
    }
    if evidence::sum(&weighed.evidence) <= Bits::ZERO {
        return None;
    }
    let mut finding = Finding { evidence: std::mem::take(&mut weighed.evidence), ..Finding::default() };
    conclude(&mut finding, sas, &weighed);
    if non_ike_marker {
        finding.variant = Some("non-ike-marker".into());
    }
    if with_ike {
        ike::complete(&mut finding, head);
    }
    let certain = Band::of(evidence::PRIOR + finding.bits()) == Some(Band::Certain);
    let [originator, responder] = weighed.counted;
    finding.settled = certain && originator >= 2 && responder >= 2;
    Some(finding)
}
