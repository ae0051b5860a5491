//! The data channel in the middle of a session: a constant header, a counter behind it, ciphertext, and lengths.

use super::control::DAY;
use super::families::*;
use super::items::Items;
use super::message::Message;
use super::random::looks_random;
use super::side::{FEWEST, Form, Side, counts};
use super::static_key::is_ip;
use crate::flow::head::PART_BYTES;
use crate::flow::{Dir, Head};
use crate::protocol::evidence::sum;
use crate::protocol::{Bits, Evidence, Strand, counted};
use crate::wire::openvpn::{Digest, OCC, Opcode, PING};
use std::sync::LazyLock;

/// What the data channel shows.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) evidence: Vec<Evidence>,
    pub(super) variant: &'static str,
    pub(super) server: Option<Dir>,
    pub(super) spoke: [bool; 2],
    pub(super) strands: Vec<Strand>,
}

impl Reading {
    pub(super) fn bits(&self) -> Bits {
        sum(&self.evidence)
    }
}

/// Reads the data channel of `messages`.
pub(super) fn read(messages: &[Message<'_>], head: &Head<'_>) -> Option<Reading> {
    weigh(messages, &sides(messages, head))
}

/// Reads the data channel of packets that were undone. Weak readings are weaker still when there are several to choose
/// from, so there must be a counter and a peer ID.
pub(super) fn read_strong(messages: &[Message<'_>], head: &Head<'_>) -> Option<Reading> {
    let sides = sides(messages, head);
    let strong = sides.iter().any(|s| s.form != Form::Opaque) && sides.iter().any(|s| s.header == 4);
    strong.then(|| weigh(messages, &sides)).flatten()
}

fn sides<'m>(messages: &'m [Message<'m>], head: &Head<'_>) -> Vec<Side<'m>> {
    if messages.len() < FEWEST {
        return Vec::new();
    }
    Dir::BOTH.into_iter().filter_map(|dir| Side::find(messages, head, dir)).collect()
}

fn weigh(messages: &[Message<'_>], sides: &[Side<'_>]) -> Option<Reading> {
    let mut items = Items::default();
    let magic = magic(messages, &mut items);
    if sides.is_empty() && !magic {
        return None;
    }
    let sides: Vec<&Side<'_>> = sides.iter().collect();
    let other = |s: &Side<'_>| sides.iter().copied().find(|o| o.dir != s.dir);
    if let Some(side) = sides.iter().rev().max_by_key(|s| s.header_bits(other(s))) {
        side.header(&mut items, other(side));
    }
    for side in &sides {
        side.counter(&mut items);
        side.lengths(other(side), &mut items);
        side.blocks(&mut items);
        side.chain(&mut items);
    }
    if let [a, b] = sides.as_slice() {
        a.same_class(b, &mut items);
        both(a, b, &mut items);
    } else if let [one] = sides.as_slice() {
        foreign(messages, one.dir.other(), &mut items);
    }
    fresh(messages, &sides, &mut items);
    let clear = inner(&sides, &mut items) || feedback(&sides, &mut items);
    shapeless(&sides, &mut items);
    random(&sides, magic || clear, &mut items);
    let best = sides.iter().find(|s| s.header == 4).or(sides.first());
    let variant = match best {
        Some(s) if s.form == Form::Epoch => "data-epoch",
        Some(s) if s.header == 4 => "data-v2",
        Some(_) => "data-v1",
        None => "static-key",
    };
    let spoke = Dir::BOTH.map(|dir| match best {
        Some(_) => sides.iter().any(|s| s.dir == dir),
        None => messages.iter().any(|m| m.dir == dir),
    });
    let strands = sides.iter().filter_map(|s| s.strand()).collect();
    Some(Reading { evidence: items.into_vec(), variant, server: server(&sides), spoke, strands })
}

fn both(a: &Side<'_>, b: &Side<'_>, items: &mut Items) {
    let frames = [a.frames(), b.frames()].concat();
    let ordered = |s: &Side<'_>| s.form != Form::Opaque;
    if a.first & 7 != b.first & 7 {
        return;
    }
    let counters = if ordered(a) && ordered(b) { ", each with a counter of its own" } else { "" };
    // One constant byte without anything behind it that is OpenVPN's own is too little to be compared.
    let backed = ordered(a) || ordered(b) || items.has(&DATA_BLOCKS);
    let short = (a.header != b.header || a.header == 1) && backed;
    let alike = a.small_peer() && a.peer == b.peer || a.shares_peer(Some(b)) && backed || short;
    if alike {
        items.add(&DATA_BOTH, 4, &frames, format!("both sides use the same data header{counters}"));
    } else if a.small_peer() != b.small_peer() && ordered(a) && ordered(b) {
        let text = "one side addresses a small peer ID, the other a random one with the same key ID, as 2.8 does";
        items.add(&DATA_BOTH, 3, &frames, text);
    }
}

/// Point-to-point data that start at the first packet, and no handshake in front.
fn fresh(messages: &[Message<'_>], sides: &[&Side<'_>], items: &mut Items) {
    let [a, b] = sides else { return };
    let control = |m: &Message<'_>| m.first().and_then(Opcode::of).is_some_and(|(opcode, _)| !opcode.is_data());
    if a.shares_peer(Some(b)) && a.starts() && b.starts() && !messages.iter().any(control) {
        let frames = [a.frames(), b.frames()].concat();
        items.add(
            &DATA_FRESH,
            -6,
            &frames,
            "packet IDs of both sides start at 1, but no handshake is in front of them",
        );
    }
}

/// The other side speaks, and not OpenVPN.
fn foreign(messages: &[Message<'_>], dir: Dir, items: &mut Items) {
    let theirs: Vec<&Message<'_>> = messages.iter().filter(|m| m.dir == dir).collect();
    let legal = theirs.iter().filter(|m| m.first().and_then(Opcode::of).is_some()).count();
    if theirs.len() >= FEWEST && legal * 2 < theirs.len() {
        let frames: Vec<u64> = theirs.iter().take(3).map(|m| m.frame).collect();
        items.add(&FOREIGN, -12, &frames, "most packets of the other side cannot be OpenVPN");
    }
}

/// Without encryption: an IP packet of exactly the rest, behind an HMAC of any length and the packet ID.
fn inner(sides: &[&Side<'_>], items: &mut Items) -> bool {
    let found = [0].into_iter().chain(Digest::ALL.map(Digest::size)).find_map(|hmac| {
        let holds = |s: &Side<'_>| {
            let clear = |m: &&&Message<'_>| is_ip(m, s.header + hmac + 4);
            s.packets.iter().filter(clear).map(|m| m.frame).collect::<Vec<u64>>()
        };
        let frames: Vec<u64> = sides.iter().flat_map(|s| holds(s)).collect();
        let all: usize = sides.iter().map(|s| s.packets.len()).sum();
        (frames.len() >= FEWEST && frames.len() * 2 > all).then_some((hmac, frames))
    });
    let Some((hmac, frames)) = found else { return false };
    let text =
        counted!("an IP packet of exactly the remaining length lies in clear behind an HMAC of {hmac} bytes", hmac);
    items.add(&STATIC_INNER, 6, &frames, text);
    true
}

/// CFB and OFB: behind the HMAC an IV of packet ID, time and zeros (OpenVPN `crypto.c`).
fn feedback(sides: &[&Side<'_>], items: &mut Items) -> bool {
    if sides.iter().any(|s| s.form != Form::Opaque) {
        return false;
    }
    let found = Digest::ALL.map(Digest::size).into_iter().find_map(|hmac| {
        // Frame and packet ID of those that have it.
        let of = |s: &Side<'_>| -> Vec<(u64, u32)> {
            let at = s.header + hmac;
            let near = |m: &Message<'_>, time: u32| (i64::from(time) - m.time.seconds()).abs() <= DAY;
            let zeros = |m: &Message<'_>| m.bytes.get(at + 8..at + 16).is_some_and(|rest| rest == [0; 8]);
            let holds = |m: &&Message<'_>| zeros(m) && m.u32_at(at + 4).is_some_and(|time| near(m, time));
            let packets = s.packets.iter().copied().filter(holds);
            packets.filter_map(|m| Some((m.frame, m.u32_at(at)?))).collect()
        };
        let found: Vec<Vec<(u64, u32)>> = sides.iter().map(|s| of(s)).collect();
        let frames: Vec<u64> = found.iter().flatten().map(|(frame, _)| *frame).collect();
        let all: usize = sides.iter().map(|s| s.packets.len()).sum();
        let counted = found.iter().all(|side| counts(side.iter().map(|(_, id)| *id)));
        (frames.len() >= FEWEST && frames.len() * 2 > all && counted).then_some((hmac, frames))
    });
    let Some((hmac, frames)) = found else { return false };
    items.add(&DATA_COUNTER, 8, &frames, counted!("a packet ID counts by one behind an HMAC of {hmac} bytes", hmac));
    items.add(
        &NET_TIME,
        8,
        &frames,
        "beside the packet ID stand the capture's time and eight zeros, as in the IV of CFB and OFB",
    );
    true
}

fn random(sides: &[&Side<'_>], magic: bool, items: &mut Items) {
    if magic || sides.is_empty() {
        return;
    }
    let skip = |s: &Side<'_>| {
        s.header
            + match s.form {
                Form::Counter => 4,
                Form::Epoch => 8,
                Form::Opaque => 0,
            }
    };
    let samples = sides.iter().flat_map(|s| s.packets.iter().filter_map(move |m| m.bytes.get(skip(s)..)));
    let frames: Vec<u64> = sides.iter().flat_map(|s| s.frames()).collect();
    let unordered = sides.iter().all(|s| s.form == Form::Opaque);
    let supported = [&DATA_BLOCKS, &DATA_CHAIN, &DATA_PING].into_iter().any(|family| items.has(family));
    match looks_random(samples) {
        Some(_) if sides.iter().any(|s| s.form != Form::Opaque && is_fixed(s, skip(s))) => {
            let text = "bytes behind the header and the packet ID never change, so no ciphertext";
            items.add(&DATA_RANDOM, -12, &frames, text);
        }
        Some(true) if !unordered || supported => {
            items.add(&DATA_RANDOM, 3, &frames, "what follows the header is as random as ciphertext");
        }
        Some(false) => items.add(&DATA_RANDOM, -12, &frames, "what follows the header is not random, so no ciphertext"),
        _ => {}
    }
}

/// Whether bytes among the sixteen from `at` on, a tag's or ciphertext's, are the same in all packets, so many that chance does it
/// once in 2^20. Packets that came twice count once.
fn is_fixed(side: &Side<'_>, at: usize) -> bool {
    let mut fronts: Vec<&[u8; 16]> = side.packets.iter().filter_map(|m| m.bytes.get(at..)?.first_chunk()).collect();
    fronts.sort_unstable();
    fronts.dedup();
    let same = |n: &usize| fronts.windows(2).all(|w| matches!(w, [a, b] if a.get(*n) == b.get(*n)));
    fronts.len() >= 3 && (0..16).filter(same).count() * 8 * (fronts.len() - 1) >= 24
}

/// Neither a packet ID to be seen nor the lengths of whole blocks: no cipher of OpenVPN's leaves that.
fn shapeless(sides: &[&Side<'_>], items: &mut Items) {
    let Some(side) = sides.iter().find(|s| s.is_shapeless()) else { return };
    let known =
        [&DATA_BLOCKS, &DATA_CHAIN, &DATA_PING, &DATA_COUNTER, &STATIC_INNER, &MAGIC].into_iter().any(|f| items.has(f));
    if !known && sides.iter().all(|s| s.form == Form::Opaque) {
        let text = "no packet ID behind the header, and the lengths are no HMAC, IV and whole blocks";
        items.add(&DATA_LENGTHS, -6, &side.frames(), text);
    }
}

/// OpenVPN's strings, and per byte a bit for each place where it occurs in them, those of the first string first.
const STRINGS: [&[u8; STRING]; 2] = [&PING, &OCC];
const STRING: usize = PING.len();
static PLACES: LazyLock<[u32; 256]> = LazyLock::new(|| {
    let mut places = [0; 256];
    for (byte, place) in STRINGS.into_iter().flatten().zip(0..) {
        places.get_mut(usize::from(*byte)).into_iter().for_each(|bits| *bits |= 1 << place);
    }
    places
});

fn is_magic(bytes: &[u8]) -> bool {
    // Wherever such a string lies, one of its bytes is the last of a block of its length.
    let (places, (blocks, _)) = (&*PLACES, bytes.as_chunks::<STRING>());
    (STRING - 1..).step_by(STRING).zip(blocks).any(|(at, [.., last])| {
        let holds = |place: usize| {
            let (string, start) = (STRINGS.get(place / STRING), at - place % STRING);
            string.zip(bytes.get(start..)).is_some_and(|(string, rest)| rest.starts_with(*string))
        };
        let mut places = places.get(usize::from(*last)).copied().unwrap_or_default();
        std::iter::from_fn(|| {
            let place = (places != 0).then(|| places.trailing_zeros() as usize);
            places &= places.wrapping_sub(1);
            place
        })
        .any(holds)
    })
}

/// OpenVPN's own strings, readable without encryption.
fn magic(messages: &[Message<'_>], items: &mut Items) -> bool {
    // HMAC, IV and packet ID fit in front of them.
    let front = |m: &Message<'_>| m.bytes.get(..m.bytes.len().min(PART_BYTES)).is_some_and(is_magic);
    let ends = |m: &&Message<'_>| m.tail == PING || front(m);
    let frames: Vec<u64> = messages.iter().filter(ends).map(|m| m.frame).collect();
    if !frames.is_empty() {
        items.add(&MAGIC, 30, &frames, "an unencrypted ping: OpenVPN's own string of 16 bytes");
    }
    !frames.is_empty()
}

/// Up to 2.7 nothing tells. With asymmetric peer IDs the random one is the client's and is sent by the server.
fn server(sides: &[&Side<'_>]) -> Option<Dir> {
    let [a, b] = sides else { return None };
    match (a.small_peer(), b.small_peer()) {
        (true, false) if b.peer.is_some() && a.peer.is_some() => Some(b.dir),
        (false, true) if a.peer.is_some() && b.peer.is_some() => Some(a.dir),
        _ => None,
    }
}
