//! Static key mode: no opcode, no handshake, nothing constant. What can be seen is that all lengths are an HMAC, an IV and
//! whole cipher blocks, and that the shortest one is a ping's and comes at regular intervals while nothing else is sent.
//!
//! tinc's data packets (whole blocks and a MAC of four bytes) have the same lengths as those under SHA1, but no pings;
//! without these the sum stays below "likely". With digests whose length is a multiple of the block's it does so as well:
//! whole blocks are what many protocols send. Only without encryption is there more.

use super::families::*;
use super::items::Items;
use super::message::Message;
use super::random::looks_random;
use super::side::counts;
use crate::flow::head::KEPT;
use crate::flow::tally::Tally;
use crate::flow::{Dir, Head};
use crate::protocol::evidence::sum;
use crate::protocol::{Bits, Evidence, counted};
use crate::wire::openvpn::Digest;

/// Packets and different lengths below which nothing is said.
const FEWEST: usize = 12;
const FEWEST_LENGTHS: usize = 4;
/// Ciphers by block: AES and Camellia, and the old 64-bit ones.
const BLOCKS: [usize; 2] = [16, 8];
/// Packet ID and time in front of the plaintext, and the ping in it.
const PLAIN_PING: usize = 8 + 16;

/// `--ping` counts whole seconds, and looks at the clock as often; nanoseconds.
pub(super) const SHORTEST_PERIOD: i64 = 900_000_000;

/// What speaks for static key mode.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) evidence: Vec<Evidence>,
    pub(super) spoke: [bool; 2],
}

impl Reading {
    pub(super) fn bits(&self) -> Bits {
        sum(&self.evidence)
    }
}

/// Reads `messages` as packets of static key mode.
pub(super) fn read(messages: &[Message<'_>], head: &Head<'_>) -> Option<Reading> {
    let mut items = Items::default();
    unencrypted(messages, &mut items);
    if items.is_empty() {
        encrypted(messages, head, &mut items)?;
    }
    let spoke = Dir::BOTH.map(|dir| messages.iter().any(|m| m.dir == dir));
    Some(Reading { evidence: items.into_vec(), spoke })
}

/// CBC: lengths, pings, and that nothing else is to be seen.
fn encrypted(messages: &[Message<'_>], head: &Head<'_>, items: &mut Items) -> Option<()> {
    if messages.len() < FEWEST {
        return None;
    }
    let lengths = Some(lengths(messages, head)).filter(|count| *count >= FEWEST_LENGTHS)?;
    let (block, digest) = fitting(messages, head)?;
    if constant(messages) || looks_random(messages.iter().map(|m| m.bytes)) != Some(true) {
        return None;
    }
    let frames: Vec<u64> = messages.iter().map(|m| m.frame).collect();
    let fixed = digest.size() + block;
    // Multiples of the block in all are what any protocol of whole blocks has.
    let most = if fixed.is_multiple_of(block) { 4 } else { 6 };
    let bits = i32::try_from(lengths / 2).map_or(most, |half| half.min(most));
    let text = format!(
        "{lengths} different lengths are all an HMAC of {} bytes, an IV and whole blocks of {block}",
        digest.size()
    );
    items.add(&STATIC_LENGTHS, bits, &frames, text);
    let text =
        "all bytes are as random as ciphertext and none is constant: no header, so no more than this can be known";
    items.add(&STATIC_RANDOM, 2, &frames, text);
    let ping = fixed + (PLAIN_PING / block + 1) * block;
    let pings: Vec<u64> = messages.iter().filter(|m| m.len == ping).map(|m| m.frame).collect();
    let shortest = tallies(head).map(|t| t.lengths.range.0 as usize).chain(messages.iter().map(|m| m.len)).min();
    if pings.len() >= 2 && shortest == Some(ping) {
        items.add(&STATIC_PING, 4, &pings, counted!("the shortest packets have {ping} bytes, a ping's length", ping));
        if let Some(period) = period(messages, ping) {
            let text = format!("while nothing else is sent they come every {period:.1} s from both sides");
            items.add(&STATIC_PERIOD, 2, &pings, text);
        }
    }
    if Dir::BOTH.into_iter().all(|dir| messages.iter().filter(|m| m.dir == dir).count() >= 3) {
        items.add(&STATIC_BOTH, 1, &frames, "both sides send such packets");
    }
    Some(())
}

/// Seconds between pings that follow each other, if there are some in both directions and all are about the same.
fn period(messages: &[Message<'_>], ping: usize) -> Option<f64> {
    let mut gaps: [Vec<i64>; 2] = Default::default();
    for dir in Dir::BOTH {
        // Later ones do not follow each other any more.
        let run: Vec<&Message<'_>> = messages.iter().filter(|m| m.dir == dir).take(KEPT as usize).collect();
        let idle = run.windows(2).filter_map(|w| w.first().zip(w.get(1)));
        let idle = idle.filter(|(a, b)| a.len == ping && b.len == ping).map(|(a, b)| b.time.since(a.time));
        *dir.of_mut(&mut gaps) = idle.collect();
    }
    let all = || gaps.iter().flatten().copied();
    let (least, most) = (all().min()?, all().max()?);
    let regular = least >= SHORTEST_PERIOD && most <= least + least / 5;
    let enough = all().count() >= 3 && gaps.iter().all(|g| !g.is_empty());
    (regular && enough).then_some(least as f64 / 1e9)
}

fn tallies<'a>(head: &Head<'a>) -> impl Iterator<Item = &'a Tally> {
    let head = *head;
    Dir::BOTH.into_iter().filter_map(move |dir| head.tally(dir))
}

/// Whether any of the first bytes has bits that never change in one direction: a header, so not static key mode.
fn constant(messages: &[Message<'_>]) -> bool {
    Dir::BOTH.into_iter().any(|dir| {
        let mine: Vec<&[u8]> = messages.iter().filter(|m| m.dir == dir).map(|m| m.bytes).collect();
        // A bit stays by chance in 2^-11 of twelve packets; 128 of them are looked at, so two must.
        let stays = |at: usize| {
            let (and, or) = mine.iter().filter_map(|b| b.get(at)).fold((0xff, 0), |(and, or), b| (and & b, or | b));
            (!(and ^ or)).count_ones()
        };
        mine.len() >= FEWEST && (0..16).map(stays).sum::<u32>() >= 2
    })
}

/// How many different lengths there are; the tally knows more than the kept packets.
fn lengths(messages: &[Message<'_>], head: &Head<'_>) -> usize {
    let mut kept: Vec<usize> = messages.iter().map(|m| m.len).collect();
    kept.sort_unstable();
    kept.dedup();
    let tallied = tallies(head).map(|t| t.lengths.distinct() as usize).max();
    kept.len().max(tallied.unwrap_or(0))
}

/// The block size and digest that fit all lengths. Larger blocks first; SHA1, the default, before the others.
fn fitting(messages: &[Message<'_>], head: &Head<'_>) -> Option<(usize, Digest)> {
    let digests = [Digest::Sha1, Digest::Sha256, Digest::Sha512, Digest::Md5, Digest::Sha384, Digest::Sha224];
    BLOCKS.into_iter().find_map(|block| {
        digests.into_iter().map(|digest| (block, digest)).find(|(block, digest)| {
            let fixed = digest.size() + block;
            let residue = fixed % block;
            let kept = messages.iter().all(|m| m.len >= fixed + block && m.len % block == residue);
            let tallied = |dir: Dir| {
                head.tally(dir).is_none_or(|t| {
                    t.lengths.by_mod16.iter().enumerate().all(|(class, &n)| n == 0 || class % block == residue)
                })
            };
            kept && Dir::BOTH.into_iter().all(tallied)
        })
    })
}

/// Without encryption: HMAC, packet ID, time, and an IP packet of exactly the rest.
fn unencrypted(messages: &[Message<'_>], items: &mut Items) {
    if messages.len() < 3 {
        return;
    }
    let found = [0].into_iter().chain(Digest::ALL.map(Digest::size)).find(|at| {
        let clear = |m: &&Message<'_>| is_ip(m, at + 8);
        // More than half are, so one of the first half is.
        let some = messages.iter().take(messages.len() / 2 + 1).any(|m| clear(&m));
        let count = || messages.iter().filter(clear).count();
        some && count() >= 3 && count() * 2 > messages.len()
    });
    let Some(at) = found else { return };
    let inner: Vec<&Message<'_>> = messages.iter().filter(|m| is_ip(m, at + 8)).collect();
    let frames: Vec<u64> = inner.iter().map(|m| m.frame).collect();
    let side = |dir: Dir| inner.iter().filter(move |m| m.dir == dir);
    let counted = Dir::BOTH.into_iter().any(|dir| counts(side(dir).filter_map(|m| m.u32_at(at))));
    let time = |m: &Message<'_>| m.u32_at(at + 4).map(i64::from);
    let dated = Dir::BOTH.into_iter().all(|dir| {
        let first = side(dir).next();
        side(dir).all(|m| time(m) == first.and_then(|f| time(f)))
    });
    let near = inner.first().and_then(|m| Some((time(m)? - m.time.seconds()).abs() <= 86_400)) == Some(true);
    if !counted || !dated || !near {
        return;
    }
    items.add(
        &STATIC_INNER,
        6,
        &frames,
        format!("an IP packet of exactly the remaining length lies in clear at byte {}", at + 8),
    );
    items.add(&DATA_COUNTER, 8, &frames, counted!("a packet ID counts by one behind an HMAC of {at} bytes", at));
    items.add(&NET_TIME, 8, &frames, "beside the packet ID stands the capture's time, and stays");
}

/// Whether an IPv4 or IPv6 packet of exactly the remaining length starts at `at`.
pub(super) fn is_ip(m: &Message<'_>, at: usize) -> bool {
    let Some(rest) = m.len.checked_sub(at) else { return false };
    match m.bytes.get(at..).unwrap_or_default() {
        [0x45..=0x4f, _, a, b, ..] => usize::from(u16::from_be_bytes([*a, *b])) == rest,
        [first, _, _, _, a, b, ..] if first >> 4 == 6 => usize::from(u16::from_be_bytes([*a, *b])) + 40 == rest,
        _ => false,
    }
}
