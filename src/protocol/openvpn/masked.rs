//! The data channel under the XOR patch in the middle of a session: a header that stays and a number that counts, both
//! under a mask that nobody knows.

use super::families::*;
use super::items::Items;
use super::message::Message;
use super::random::looks_random;
use super::scramble::{Masked, Reading};
use crate::flow::Dir;

/// Data packets of one shape from which a masked counter is believed.
const COUNTED: usize = 6;

/// Data in the middle of a session: a header that stays, and behind it a counter under a mask. In `obfuscate` the mask at
/// the header depends on the length, so packets of one length are compared.
pub(super) fn read(messages: &[Message<'_>], mode: Masked) -> Option<Reading> {
    if messages.len() < 2 * COUNTED {
        return None;
    }
    let [a, b] = Dir::BOTH.map(|dir| MaskedSide::find(messages, mode, dir));
    let (a, b) = (a?, b?);
    let first = |m: &[&Message<'_>]| m.first().and_then(|m| m.first());
    if first(&a.packets) != first(&b.packets) {
        return None;
    }
    let mut items = Items::default();
    let frames: Vec<u64> = a.packets.iter().take(3).chain(b.packets.iter().take(3)).map(|m| m.frame).collect();
    if mode == Masked::XorMask || a.len == b.len {
        // The mask is the same both ways, and both counters are far from 2^24.
        if a.header != b.header || a.first ^ b.first >= 1 << 24 {
            return None;
        }
        items.add(&DATA_BOTH, 4, &frames, "both sides use the same data header under the mask");
    }
    items.add(&SCRAMBLE_COUNTER, 12, &frames, "a number behind the header counts by one under an XOR mask");
    // In `obfuscate` header and counter are at the end.
    let body = |m: &Message<'_>| match mode {
        Masked::XorMask => 8..m.bytes.len().max(8),
        Masked::Obfuscate => 1..m.bytes.len().min(m.len.saturating_sub(8)).max(1),
    };
    let samples = a.packets.iter().chain(&b.packets).filter_map(|m| m.bytes.get(body(m)));
    match looks_random(samples) {
        Some(true) => items.add(&DATA_RANDOM, 3, &frames, "what follows the header is as random as ciphertext"),
        Some(false) => return None,
        None => {}
    }
    let variant = format!("{} data-v2", mode.name());
    Some(Reading { evidence: items.into_vec(), variant, server: None, spoke: [true, true] })
}

/// Data packets of one direction that share a header under the mask.
struct MaskedSide<'m> {
    len: usize,
    header: u32,
    first: u32,
    packets: Vec<&'m Message<'m>>,
}

impl<'m> MaskedSide<'m> {
    fn find(messages: &'m [Message<'m>], mode: Masked, dir: Dir) -> Option<Self> {
        let mine = || messages.iter().filter(move |m| m.dir == dir);
        let count = |len: usize| mine().filter(|m| m.len == len).count();
        let len = mine().map(|m| m.len).max_by_key(|&len| (count(len), len))?;
        let wanted = |m: &&Message<'_>| m.len >= 24 && (mode == Masked::XorMask || m.len == len);
        let packets: Vec<&Message<'_>> = mine().filter(wanted).collect();
        let header = word(packets.first()?, mode, 0)?;
        let same = packets.iter().all(|m| word(m, mode, 0) == Some(header));
        let values: Vec<u32> = packets.iter().filter_map(|m| word(m, mode, 4)).collect();
        if packets.len() < COUNTED || !same || !masked_counter(&values) {
            return None;
        }
        Some(Self { len, header, first: *values.first()?, packets })
    }
}

fn word(m: &Message<'_>, mode: Masked, at: usize) -> Option<u32> {
    let mut bytes = [0; 4];
    for (i, b) in bytes.iter_mut().enumerate() {
        *b = mode.at(m, at + i)?;
    }
    Some(u32::from_be_bytes(bytes))
}

/// Whether the values are a counter XOR a constant, and not a counter: the XOR of neighbours is 1, 3, 7 … and every
/// second one is 1.
fn masked_counter(values: &[u32]) -> bool {
    let pairs = || values.windows(2).filter_map(|w| w.first().zip(w.get(1)));
    let total = pairs().count();
    let next = pairs().filter(|(a, b)| (*a ^ *b).wrapping_add(1).is_power_of_two() && a != b).count();
    let near = pairs().filter(|(a, b)| *a ^ *b < 256).count();
    let up = pairs().filter(|(a, b)| b.wrapping_sub(**a) <= 64).count();
    let down = pairs().filter(|(a, b)| a.wrapping_sub(**b) <= 64).count();
    let mut distinct = values.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let plain = up == total || down == total;
    total + 1 >= COUNTED && next * 4 >= total * 3 && near * 8 >= total * 7 && !plain && distinct.len() == values.len()
}
