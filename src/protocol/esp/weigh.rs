//! From security associations to evidence: what ESP in UDP and in TCP have in common.

use super::family::{
    BODY, COUNTED_TWICE, DIRECTIONS, INNER, INNER_HEADER, IV, IV_COUNTER, IV_NEAR, IV_TWICE, LENGTHS, SEQUENCE, START,
    WORD,
};
use super::inner::{self, Inner};
use super::sa::{Body, Iv, Rule, Sa, Seen};
use crate::flow::Dir;
use crate::protocol::{Bits, Evidence, Family, Finding, Frames, Sentence, counted, link};

/// What the SAs of a flow showed together.
#[derive(Debug, Default)]
pub(super) struct Weighed {
    pub(super) evidence: Vec<Evidence>,
    pub(super) variant: Option<&'static str>,
    /// ESP packets by direction, of SAs that count.
    pub(super) counted: [u64; 2],
    /// Whether the lengths do not speak against ESP.
    pub(super) fits: bool,
}

/// Weighs `sas`.
pub(super) fn weigh(sas: &[Sa<'_>]) -> Weighed {
    let counting: Vec<&Sa<'_>> = sas.iter().filter(|sa| sa.sequence().counts()).collect();
    let mut weighed = Weighed::default();
    let mut say = |family: &'static Family, bits: Bits, frames: Frames, text: Sentence| {
        weighed.evidence.push(Evidence { family, bits, frames, text });
    };
    let structured = structure(sas, &mut say);
    weighed.variant = structured;
    if !counting.is_empty() {
        let twice = counting.iter().any(|sa| sa.iv().is_some_and(|iv| !iv.has_salt()));
        let most = if twice { COUNTED_TWICE } else { SEQUENCE.cap };
        say(&SEQUENCE, sequence_bits(&counting).min(most), frames(&counting), sequence_text(&counting).into());
        directions(sas, &counting, &mut say);
        if let Some(class) = lengths(&counting, structured.is_some(), &mut say) {
            weighed.variant = weighed.variant.or(class);
        }
        if counting.iter().any(|sa| sa.sequence().range.0 == 1) {
            say(&START, START.cap, frames(&counting), "the sequence numbers start at 1".into());
        }
    }
    first_words(&counting, structured.is_some(), &mut say);
    let from = if structured == Some("aead") { 8 } else { 0 };
    if structured != Some("null") && counting.iter().any(|sa| sa.body(from) == Some(Body::Structured)) {
        let text = "what follows the sequence number is no ciphertext: bytes repeat from packet to packet".into();
        say(&BODY, Bits::whole(-14), frames(&counting), text);
    }
    weighed.fits = !weighed.evidence.iter().any(|e| std::ptr::eq(e.family, &LENGTHS) && e.bits < Bits::ZERO);
    for sa in counting {
        *sa.dir.of_mut(&mut weighed.counted) += sa.count();
    }
    weighed
}

/// Frames of the first packets, at most six.
fn frames(sas: &[&Sa<'_>]) -> Frames {
    let mut frames: Frames = sas.iter().flat_map(|sa| sa.frames().take(3)).collect();
    frames.sort_unstable();
    frames
}

/// Bits for how often counters rose. Three packets of one direction give 8, eight give all.
fn sequence_bits(counting: &[&Sa<'_>]) -> Bits {
    let steps = |sa: &&Sa<'_>| sa.sequence().small;
    let (longest, total): (u32, u32) =
        (counting.iter().map(steps).max().unwrap_or(0), counting.iter().map(steps).sum());
    let bits = match (longest, total) {
        (0 | 1, _) => 4,
        (_, 0..=3) => 8,
        (_, 4) => 9,
        (_, 5) => 10,
        (_, 6) => 11,
        _ => 12,
    };
    // A sender's counter steps by one; a clock steps by something small and a lossy capture by both.
    let exact = counting.iter().filter(|sa| sa.sequence().exact).count();
    Bits::whole(if exact * 2 >= counting.len() { bits } else { bits / 3 })
}

fn sequence_text(counting: &[&Sa<'_>]) -> String {
    let one = |sa: &&Sa<'_>| {
        let s = sa.sequence();
        let how = if s.gapless { "without a gap" } else { "by small steps" };
        format!("SPI {:08x} rises from {} to {} {how}", sa.spi, s.range.0, s.range.1)
    };
    let mut text = counting.iter().take(2).map(one).collect::<Vec<_>>().join(", ");
    if let Some(more) = counting.len().checked_sub(2).filter(|n| *n > 0) {
        text.push_str(&format!(", and so do {more} more"));
    }
    text
}

fn directions(sas: &[Sa<'_>], counting: &[&Sa<'_>], say: &mut impl FnMut(&'static Family, Bits, Frames, Sentence)) {
    let has = |dir: Dir| counting.iter().any(|sa| sa.dir == dir);
    let shared = counting.iter().find(|sa| sas.iter().any(|o| o.dir != sa.dir && o.spi == sa.spi));
    if let Some(sa) = shared {
        let spi = sa.spi;
        let text = counted!("both directions begin with {spi:08x}, while SPIs are chosen by each receiver", spi);
        say(&DIRECTIONS, Bits::whole(-8), frames(counting), text);
    } else if has(Dir::Originator) && has(Dir::Responder) {
        let text = "each direction has its own SPI and sequence".into();
        say(&DIRECTIONS, DIRECTIONS.cap, frames(counting), text);
    }
}

/// Says what the lengths fit; the variant that they show, if they show one.
fn lengths(
    counting: &[&Sa<'_>],
    structured: bool,
    say: &mut impl FnMut(&'static Family, Bits, Frames, Sentence),
) -> Option<Option<&'static str>> {
    let all: Vec<(u32, bool, bool)> = counting.iter().map(|sa| sa.lengths()).collect();
    let most = all.iter().map(|(distinct, ..)| *distinct).max()?;
    let (mod16, mod8) = (all.iter().all(|l| l.1), all.iter().all(|l| l.2));
    let (bits, text, variant) = match (structured, mod16, mod8) {
        (true, ..) => (2, "all lengths are multiples of four".into(), None),
        (_, true, _) if most >= 3 => (3, counted!("{most} different lengths all fit blocks of 16", most), Some("cbc")),
        (_, true, _) => (2, "all lengths are multiples of four and fit blocks of 16".into(), None),
        (_, _, true) if most >= 3 => (2, counted!("{most} different lengths all fit blocks of 8", most), Some("cbc")),
        (_, _, true) => (1, "all lengths are multiples of four and fit blocks of 8".into(), None),
        _ if counting.iter().all(|sa| sa.has_iv_front()) => (1, "all lengths are multiples of four".into(), None),
        _ => (-7, "the lengths fit no block cipher, and no IV follows the sequence number".into(), None),
    };
    say(&LENGTHS, Bits::whole(bits), frames(counting), text);
    Some(variant)
}

/// The magic number of Pia, which Nintendo's games speak to each other: a counter and noise follow it too.
const NINTENDO_PIA: u32 = 0x32ab_9864;

/// What speaks against a first word being an SPI. Where more than the shape speaks for it, only a known magic number does.
fn first_words(counting: &[&Sa<'_>], structured: bool, say: &mut impl FnMut(&'static Family, Bits, Frames, Sentence)) {
    if let Some(sa) = counting.iter().find(|sa| sa.spi == NINTENDO_PIA) {
        let spi = sa.spi;
        let text = counted!("{spi:08x} is what packets of Nintendo's peer-to-peer protocol begin with", spi);
        say(&WORD, Bits::whole(-30), frames(counting), text);
        return;
    }
    if structured {
        return;
    }
    let zeros = |spi: u32| spi.to_be_bytes().iter().filter(|b| **b == 0).count();
    if let Some(sa) = counting.iter().find(|sa| is_length(sa)) {
        let spi = sa.spi;
        let text = counted!("{spi:08x} holds the length of all packets, while SPIs are random", spi);
        say(&WORD, Bits::whole(-8), frames(counting), text);
        return;
    }
    let data_v2 = |spi: u32| matches!(spi >> 24, 0x48..=0x4f);
    if let Some(sa) = counting.iter().find(|sa| zeros(sa.spi) >= 2) {
        let spi = sa.spi;
        let text = counted!("{spi:08x} is mostly zeros, while SPIs are random", spi);
        say(&WORD, Bits::whole(-8), frames(counting), text);
        return;
    }
    let many_blocks = counting.iter().any(|sa| sa.lengths().0 >= 4 && sa.lengths().1);
    if !counting.is_empty() && counting.iter().all(|sa| data_v2(sa.spi)) && !many_blocks {
        let text = "the first byte is OpenVPN's P_DATA_V2 throughout, one in 32 by chance".into();
        say(&WORD, Bits::whole(-8), frames(counting), text);
    }
}

/// Whether all packets have one length and the first word holds it, header included or not, in two bytes of either order:
/// 2^-10 of random words.
fn is_length(sa: &Sa<'_>) -> bool {
    let mut lengths = sa.packets.iter().map(|p| p.len);
    let Some(len) = lengths.next().filter(|first| lengths.all(|l| l == *first)) else { return false };
    let [a, b, c, d] = sa.spi.to_be_bytes().map(usize::from);
    let holds = |high: usize, low: usize| (len.saturating_sub(12)..=len).step_by(2).any(|l| high << 8 | low == l);
    sa.lengths().0 == 1 && [(c, d), (d, c), (a, b), (b, a)].into_iter().any(|(high, low)| holds(high, low))
}

/// Looks for what only ESP has: an IV that follows the sequence number, or an inner packet. Returns the variant.
fn structure(sas: &[Sa<'_>], say: &mut impl FnMut(&'static Family, Bits, Frames, Sentence)) -> Option<&'static str> {
    // An IP packet somewhere behind eight bytes is no rarity; it has to be there throughout and behind a counter, or with
    // an ESP trailer behind it.
    let inner = |sa: &Sa<'_>| -> Vec<(u64, Inner)> {
        let of = |p: &Seen<'_>| Some((p.frame, inner::find(p.len.checked_sub(8)?, p.esp.body())?));
        let found: Vec<_> = sa.packets.iter().filter_map(of).collect();
        let throughout = found.len() * 2 > sa.packets.len();
        let trailers = found.iter().filter(|(_, found)| *found == Inner::Trailer).count();
        if throughout && (trailers * 2 > sa.packets.len() || sa.sequence().counts()) { found } else { Vec::new() }
    };
    let inners: Vec<(u64, Inner)> = sas.iter().flat_map(inner).collect();
    if let Some(best) = inners.iter().map(|(_, found)| *found).max() {
        let frames = inners.iter().map(|(frame, _)| *frame).collect();
        let of: usize = sas.iter().map(|sa| sa.packets.len()).sum();
        let (bits, tail) = match best {
            Inner::Trailer => (INNER.cap, " with an ESP trailer behind it"),
            Inner::Header | Inner::Cut => (INNER_HEADER, ""),
        };
        let text = format!("the inner IP packet is visible in {} of {of} packets{tail}: no encryption", inners.len());
        say(&INNER, bits, frames, text.into());
        return Some("null");
    }
    let ivs: Vec<(&Sa<'_>, Iv)> = sas.iter().filter_map(|sa| sa.iv().map(|iv| (sa, iv))).collect();
    let (sa, best) = ivs.iter().max_by_key(|(_, iv)| (iv.has_salt(), iv.agree))?;
    let bits = match (best.has_salt(), best.agree) {
        (true, 2) => IV_TWICE,
        (true, _) => IV.cap,
        (false, _) if best.counts_as_usual() && sa.hides_the_rest() => IV_COUNTER,
        (false, _) => IV_NEAR,
    };
    let (agree, of): (usize, usize) = (ivs.iter().map(|i| i.1.agree).sum(), ivs.iter().map(|i| i.1.of).sum());
    let how = match best.rule {
        Rule::Xor => "XOR",
        Rule::Minus => "minus",
    };
    let text = format!("explicit IV {how} sequence number is the same in {agree} of {of} packets of an SPI: AEAD");
    let sas: Vec<&Sa<'_>> = ivs.iter().map(|(sa, _)| *sa).collect();
    say(&IV, bits, frames(&sas), text.into());
    Some("aead")
}

/// Fills in what does not depend on the transport: who spoke, links, details.
pub(super) fn conclude(finding: &mut Finding, sas: &[Sa<'_>], weighed: &Weighed) {
    let counting = || sas.iter().filter(|sa| sa.sequence().counts());
    for dir in Dir::BOTH {
        let any = sas.iter().any(|sa| sa.dir == dir);
        *dir.of_mut(&mut finding.spoke) |= any;
        // Half a minute of numbered packets is not what a host sends into the void.
        let long = counting().any(|sa| sa.dir == dir && sa.span() >= 30_000_000_000 && sa.count() >= 3);
        *dir.other().of_mut(&mut finding.implied) |= long;
    }
    for sa in counting() {
        if let Some(iv) = sa.iv().filter(Iv::has_salt) {
            let identifier = [&sa.spi.to_be_bytes()[..], &iv.salt.to_be_bytes()].concat();
            finding.links.push(link("esp.spi-and-salt", &identifier));
        }
    }
    let first = |dir: Dir| counting().find(|sa| sa.dir == dir);
    if let (Some(a), Some(b)) = (first(Dir::Originator), first(Dir::Responder)) {
        // The same two SPIs after a rebinding, whichever side is the originator then.
        let (low, high) = (a.spi.min(b.spi), a.spi.max(b.spi));
        finding.links.push(link("esp.spi-pair", &[low.to_be_bytes(), high.to_be_bytes()].concat()));
    }
    let spis: Vec<String> = counting().take(8).map(|sa| format!("{:08x}", sa.spi)).collect();
    if !spis.is_empty() {
        finding.details.push(("spi", spis.join(", ")));
    }
    if let Some(variant) = weighed.variant {
        finding.variant = Some(variant.into());
    }
}
