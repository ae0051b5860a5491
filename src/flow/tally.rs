//! A fixed-size count of all payloads of one direction: lengths, counters behind constant prefixes, bits that never change.
//!
//! It holds what a mid-session judgement needs after the head is full, and knows no protocol.

/// How many different first four bytes are followed at a time.
pub const PREFIXES: usize = 4;
/// After so many payloads without it a prefix gives its place to a new one: after a rekeying the old one is gone for good.
const STALE: u64 = 4096;
/// How many first bytes are watched for bits that never change.
pub const WATCHED: usize = 64;
/// In how many payloads they are watched.
const SAMPLED: u64 = 256;

/// Payload lengths, counted by residue.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lengths {
    /// Payloads by length modulo 16.
    pub by_mod16: [u32; 16],
    /// Different lengths by length modulo 16 (each counted once; lengths that share a hash bit count as one).
    pub distinct_by_mod16: [u16; 16],
    seen: [u64; 16],
    /// Shortest and longest, bytes.
    pub range: (u32, u32),
}

impl Lengths {
    fn add(&mut self, len: usize) {
        let class = len % 16;
        if let Some(count) = self.by_mod16.get_mut(class) {
            *count = count.saturating_add(1);
        }
        let bit = (len / 16) % 64;
        if let (Some(seen), Some(distinct)) = (self.seen.get_mut(class), self.distinct_by_mod16.get_mut(class)) {
            *distinct += u16::from(*seen & (1 << bit) == 0);
            *seen |= 1 << bit;
        }
        let len = len as u32;
        self.range = if self.range == (0, 0) { (len, len) } else { (self.range.0.min(len), self.range.1.max(len)) };
    }

    /// Different lengths in all.
    pub fn distinct(&self) -> u32 {
        self.distinct_by_mod16.iter().map(|&n| u32::from(n)).sum()
    }
}

/// The payloads that share their first four bytes, with bytes 4 to 7 read as a big-endian counter.
#[derive(Clone, Copy, Debug, Default)]
pub struct PrefixTally {
    /// The first four bytes.
    pub prefix: [u8; 4],
    /// Payloads with this prefix and at least eight visible bytes.
    pub packets: u32,
    /// Counter of the first one.
    pub first: u32,
    /// Counter of the last one.
    pub last: u32,
    /// Steps of exactly one.
    pub steps_one: u32,
    /// Steps of 2 to 64.
    pub steps_small: u32,
    /// Steps back by at most 64 (disorder).
    pub steps_back: u32,
    /// The same counter again (duplicates, or no counter).
    pub steps_zero: u32,
    /// All other steps.
    pub steps_other: u32,
    /// Lengths of these payloads.
    pub lengths: Lengths,
    /// Frame numbers of the first and the last.
    pub frames: (u64, u64),
    /// What bytes 8 to 15 do while the counter counts.
    pub next: Next,
    /// The place of the last one among the direction's payloads.
    nth: u64,
}

/// The eight bytes behind the counter, big-endian, and whether they follow it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Next {
    /// In the first payload that showed them, with the counter there.
    pub first: Option<(u64, u32)>,
    /// In the last payload that showed them.
    pub last: u64,
    /// Later payloads that showed them and had another counter than the one before.
    pub of: u32,
    /// Those in which they XOR the counter are the same as in the first.
    pub xor: u32,
    /// Those in which they minus the counter are the same as in the first.
    pub minus: u32,
}

impl Next {
    fn add(&mut self, next: u64, counter: u32, repeated: bool) {
        self.last = next;
        let Some((first, then)) = self.first else {
            self.first = Some((next, counter));
            return;
        };
        if repeated || counter == then {
            return;
        }
        self.of += 1;
        self.xor += u32::from(next ^ u64::from(counter) == first ^ u64::from(then));
        self.minus += u32::from(next.wrapping_sub(u64::from(counter)) == first.wrapping_sub(u64::from(then)));
    }
}

impl PrefixTally {
    fn add(&mut self, frame: u64, counter: u32, rest: &[u8], len: usize) {
        if let Some(next) = rest.first_chunk::<8>() {
            self.next.add(u64::from_be_bytes(*next), counter, self.packets > 0 && counter == self.last);
        }
        if self.packets == 0 {
            (self.first, self.frames.0) = (counter, frame);
        } else {
            match counter.wrapping_sub(self.last) {
                0 => self.steps_zero += 1,
                1 => self.steps_one += 1,
                2..=64 => self.steps_small += 1,
                step if step.wrapping_neg() <= 64 => self.steps_back += 1,
                _ => self.steps_other += 1,
            }
        }
        self.packets = self.packets.saturating_add(1);
        (self.last, self.frames.1) = (counter, frame);
        self.lengths.add(len);
    }
}

/// The tally of one direction.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Payloads counted.
    pub packets: u64,
    /// Their lengths.
    pub lengths: Lengths,
    /// Payloads whose prefix found no free place below.
    pub other_prefixes: u64,
    prefixes: [PrefixTally; PREFIXES],
    used: usize,
    all_and: [u8; WATCHED],
    all_or: [u8; WATCHED],
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            packets: 0,
            lengths: Lengths::default(),
            other_prefixes: 0,
            prefixes: [PrefixTally::default(); PREFIXES],
            used: 0,
            all_and: [0xff; WATCHED],
            all_or: [0; WATCHED],
        }
    }
}

impl Tally {
    /// Counts a payload of `len` bytes of which `data` is visible. True if its first four bytes opened a new place.
    pub fn add(&mut self, frame: u64, len: usize, data: &[u8]) -> bool {
        self.packets += 1;
        self.lengths.add(len);
        if self.packets <= SAMPLED {
            self.sample(data);
        }
        let Some((prefix, rest)) = data.split_first_chunk::<4>() else { return false };
        let Some((counter, rest)) = rest.split_first_chunk::<4>() else { return false };
        let counter = u32::from_be_bytes(*counter);
        let nth = self.packets;
        if let Some(known) = self.prefixes.iter_mut().take(self.used).find(|p| p.prefix == *prefix) {
            known.nth = nth;
            known.add(frame, counter, rest, len);
            return false;
        }
        let new = self.used < PREFIXES;
        self.used += usize::from(new);
        let place = if new { self.prefixes.get_mut(self.used - 1) } else { self.stale() };
        let Some(place) = place else {
            self.other_prefixes += 1;
            return false;
        };
        *place = PrefixTally { prefix: *prefix, nth, ..PrefixTally::default() };
        place.add(frame, counter, rest, len);
        new
    }

    /// The place of a prefix that has not been seen for long.
    fn stale(&mut self) -> Option<&mut PrefixTally> {
        let now = self.packets;
        self.prefixes.iter_mut().filter(|p| now - p.nth >= STALE).min_by_key(|p| p.nth)
    }

    fn sample(&mut self, data: &[u8]) {
        match data.first_chunk::<WATCHED>() {
            // All at once.
            Some(data) => self.watch(data),
            None => self.watch(data),
        }
    }

    #[inline(always)]
    fn watch(&mut self, data: &[u8]) {
        for ((and, or), byte) in self.all_and.iter_mut().zip(&mut self.all_or).zip(data) {
            *and &= byte;
            *or |= byte;
        }
    }

    /// Up to four different prefixes: the first ones, but for those that new ones replaced after a long silence.
    pub fn prefixes(&self) -> &[PrefixTally] {
        self.prefixes.get(..self.used).unwrap_or_default()
    }

    /// Bits of byte `position` (below 64) that had the same value in every sampled payload that reached it.
    pub fn constant_bits(&self, position: usize) -> u8 {
        match (self.all_and.get(position), self.all_or.get(position)) {
            (Some(and), Some(or)) => !(and ^ or),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_followed_per_prefix() {
        let mut tally = Tally::default();
        for n in 1..=10u8 {
            tally.add(u64::from(n), 100 + usize::from(n), &[1, 2, 3, 4, 0, 0, 0, n, n ^ 0x55]);
            tally.add(u64::from(n), 40, &[9, 9, 9, 9, 0, 0, 0, 5]);
        }
        let [counter, constant] = tally.prefixes() else { panic!("two prefixes") };
        assert_eq!((counter.packets, counter.steps_one, counter.first, counter.last), (10, 9, 1, 10));
        assert_eq!((constant.steps_zero, constant.lengths.distinct()), (9, 1));
        assert_eq!(counter.lengths.distinct(), 10);
        assert_eq!(tally.constant_bits(4), 0xff);
        assert_ne!(tally.constant_bits(0), 0xff);
    }

    #[test]
    fn what_follows_a_counter_is_compared_with_it() {
        let mut tally = Tally::default();
        for n in [1u32, 2, 2, 3, 9] {
            let next = 0x1234_5678_9abc_de00 ^ u64::from(n);
            tally.add(1, 100, &[&[1, 2, 3, 4][..], &n.to_be_bytes(), &next.to_be_bytes()].concat());
            tally.add(1, 100, &[&[5, 2, 3, 4][..], &n.to_be_bytes(), &u64::from(n - 1).to_be_bytes()].concat());
        }
        let [xor, minus] = tally.prefixes() else { panic!("two prefixes") };
        assert_eq!((xor.next.of, xor.next.xor), (3, 3));
        assert_eq!((minus.next.of, minus.next.minus), (3, 3));
    }

    #[test]
    fn a_silent_prefix_makes_room() {
        let mut tally = Tally::default();
        let count = |tally: &mut Tally, first: u8, n: u32| {
            tally.add(1, 40, &[&[first, 0, 0, 1][..], &n.to_be_bytes()].concat());
        };
        (1..=5).for_each(|first| count(&mut tally, first, 1));
        assert_eq!((tally.prefixes().len(), tally.other_prefixes), (PREFIXES, 1));
        (0..STALE as u32).for_each(|n| count(&mut tally, 1, n));
        count(&mut tally, 5, 2);
        let kept: Vec<u8> = tally.prefixes().iter().map(|p| p.prefix[0]).collect();
        assert_eq!(kept, [1, 5, 3, 4]);
    }
}
