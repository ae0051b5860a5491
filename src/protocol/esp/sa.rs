//! Security associations: the packets of one direction that share an SPI, and what their sequence numbers, lengths, IVs
//! and bodies show.

use crate::flow::{Dir, PrefixTally};
use crate::packet::Time;
use crate::wire::esp::Esp;
use std::cell::OnceCell;

/// The widest step between sequence numbers, put in order, that still counts as small: OpenVPN's and most ESP stacks'
/// replay windows are 64 packets.
const SMALL: u32 = 64;

/// How far an IV that counts may be from the sequence number: packets that were numbered but not sent.
const NEAR: u64 = 16;

/// One ESP packet as it was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'a> {
    pub(super) frame: u64,
    pub(super) time: Time,
    pub(super) dir: Dir,
    /// Length of the ESP packet, without markers.
    pub(super) len: usize,
    pub(super) esp: Esp<'a>,
}

/// The packets of one direction under one SPI.
#[derive(Clone, Debug)]
pub(super) struct Sa<'a> {
    pub(super) dir: Dir,
    pub(super) spi: u32,
    pub(super) packets: Vec<Seen<'a>>,
    /// All of the direction's packets under this SPI, kept or not, once there are enough for a tally.
    pub(super) tally: Option<&'a PrefixTally>,
    /// What [`Sa::sequence`] and [`Sa::iv`] found out when they were first asked.
    sequence: OnceCell<Sequence>,
    iv: OnceCell<Option<Iv>>,
}

/// Groups packets by direction and SPI, in order of first appearance.
pub(super) fn group<'a>(packets: impl Iterator<Item = Seen<'a>>) -> Vec<Sa<'a>> {
    let mut list: Vec<Sa<'a>> = Vec::new();
    for packet in packets {
        let (dir, spi) = (packet.dir, packet.esp.spi());
        match list.iter_mut().find(|sa| sa.dir == dir && sa.spi == spi) {
            Some(sa) => sa.packets.push(packet),
            None => list.push(Sa::new(dir, spi, vec![packet], None)),
        }
    }
    list
}

/// What the sequence numbers of an SA did.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Sequence {
    /// Small steps between neighbours when the different numbers are put in order.
    pub(super) small: u32,
    /// Whether at least half of them are exactly one, as a sender counts. A clock's are not.
    pub(super) exact: bool,
    /// Larger steps.
    pub(super) large: u32,
    /// The first number and the last.
    pub(super) range: (u32, u32),
    /// Whether each packet had the next number.
    pub(super) gapless: bool,
}

impl Sequence {
    /// Whether this is how a sender counts: at most one step in five is large, and the numbers do not fall.
    pub(super) fn counts(&self) -> bool {
        self.small > 0 && self.large * 4 <= self.small
    }
}

/// How an explicit IV of eight bytes follows the sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// IV XOR sequence number is constant (Linux, strongSwan).
    Xor,
    /// IV minus sequence number is constant (FreeBSD counts IVs from zero).
    Minus,
}

impl Rule {
    /// What is constant when an IV follows the rule.
    fn salt(self, iv: u64, number: u32) -> u64 {
        match self {
            Self::Xor => iv ^ u64::from(number),
            Self::Minus => iv.wrapping_sub(u64::from(number)),
        }
    }
}

/// Whether a stack is known to have such a constant. A salt is random; counters with a start of their own are not known
/// of any stack, but of other protocols.
fn is_known(rule: Rule, salt: u64) -> bool {
    (salt as i64).unsigned_abs() <= NEAR || (rule == Rule::Xor && is_random((salt >> 32) as u32))
}

/// An IV that follows the sequence number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Iv {
    pub(super) rule: Rule,
    /// The constant: the SA's salt.
    pub(super) salt: u64,
    /// Different sequence numbers that obey.
    pub(super) agree: usize,
    /// Of so many.
    pub(super) of: usize,
}

impl Iv {
    /// Whether three of four packets agree, and two at least.
    fn is_enough(&self) -> bool {
        self.agree >= 2 && self.agree * 4 >= self.of * 3
    }

    /// Whether the constant has a random upper half.
    pub(super) fn has_salt(&self) -> bool {
        is_random((self.salt >> 32) as u32)
    }

    /// Whether it counts exactly as stacks do: DPDK takes the sequence number itself, FreeBSD counts packets from 0 while
    /// sequence numbers start at 1.
    pub(super) fn counts_as_usual(&self) -> bool {
        self.salt == 0 || (self.rule == Rule::Minus && self.salt == u64::MAX)
    }
}

/// Whether a word has at least four bits of each kind; one random word in 50,000 has not.
fn is_random(word: u32) -> bool {
    word.count_ones() >= 4 && word.count_zeros() >= 4
}

impl<'a> Sa<'a> {
    pub(super) fn new(dir: Dir, spi: u32, packets: Vec<Seen<'a>>, tally: Option<&'a PrefixTally>) -> Self {
        Self { dir, spi, packets, tally, sequence: OnceCell::new(), iv: OnceCell::new() }
    }

    /// Packets seen under this SPI.
    pub(super) fn count(&self) -> u64 {
        self.tally.map_or(0, |t| u64::from(t.packets)).max(self.packets.len() as u64)
    }

    /// Frames of the first few packets; of an SA whose packets were not kept, the first and the last.
    pub(super) fn frames(&self) -> impl Iterator<Item = u64> + use<'_, 'a> {
        let counted = self.tally.filter(|_| self.packets.is_empty()).map(|t| [t.frames.0, t.frames.1]);
        self.packets.iter().map(|p| p.frame).chain(counted.into_iter().flatten())
    }

    /// What the sequence numbers did.
    pub(super) fn sequence(&self) -> Sequence {
        *self.sequence.get_or_init(|| self.find_sequence())
    }

    /// The numbers are put in order first, since packets overtake each other and captures repeat them.
    fn find_sequence(&self) -> Sequence {
        let mut numbers: Vec<u32> = self.packets.iter().map(|p| p.esp.sequence()).collect();
        let falls = numbers.len() > 4 && numbers.is_sorted_by(|a, b| a > b);
        numbers.sort_unstable();
        numbers.dedup();
        let mut sequence = Sequence::default();
        let mut ones = 0;
        for step in numbers.windows(2).filter_map(|w| Some(w.last()? - w.first()?)) {
            ones += u32::from(step == 1);
            sequence.small += u32::from(step <= SMALL);
            sequence.large += u32::from(step > SMALL);
        }
        sequence.range = (numbers.first().copied().unwrap_or(0), numbers.last().copied().unwrap_or(0));
        sequence.exact = sequence.small > 0 && ones * 2 >= sequence.small;
        sequence.gapless = sequence.large == 0 && sequence.small == ones;
        if falls {
            sequence.large = u32::MAX / 8;
        }
        let Some(tally) = self.tally.filter(|t| t.packets as usize > self.packets.len()) else { return sequence };
        let small = tally.steps_one + tally.steps_small;
        sequence = Sequence {
            small,
            exact: sequence.exact || tally.steps_one * 2 >= small,
            large: tally.steps_other,
            range: (tally.first, tally.last),
            gapless: tally.steps_small + tally.steps_back + tally.steps_zero + tally.steps_other == 0,
        };
        // Going back as often as forth is disorder only when packets overtake each other; a counter still gets ahead.
        if tally.steps_back > small && tally.last.wrapping_sub(tally.first) > u32::MAX / 2 {
            sequence.large = u32::MAX / 8;
        }
        sequence
    }

    /// Different lengths, and whether they all leave the same remainder modulo 16, and modulo 8.
    pub(super) fn lengths(&self) -> (u32, bool, bool) {
        let mut lengths: Vec<usize> = self.packets.iter().map(|p| p.len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        let first = lengths.first().copied().unwrap_or(0);
        let one_class = |modulus: usize| lengths.iter().all(|l| l % modulus == first % modulus);
        let (mut distinct, mut mod16, mut mod8) = (lengths.len() as u32, one_class(16), one_class(8));
        // The tally counts payloads; behind a marker there is none for the SPI.
        if let Some(tally) = self.tally {
            let used = |class: usize| tally.lengths.by_mod16.iter().skip(class).step_by(8).any(|&n| n > 0);
            mod16 &= tally.lengths.by_mod16.iter().filter(|&&n| n > 0).count() <= 1;
            mod8 &= (0..8).filter(|&class| used(class)).count() <= 1;
            distinct = distinct.max(tally.lengths.distinct());
        }
        (distinct, mod16, mod8)
    }

    /// Whether payloads under this SPI were seen that cannot be ESP because of their length.
    pub(super) fn has_odd_lengths(&self) -> bool {
        let Some(tally) = self.tally else { return false };
        tally.lengths.by_mod16.iter().enumerate().any(|(class, &n)| class % 4 != 0 && n > 0)
    }

    /// How the first eight bytes of the body follow the sequence number, if they do in three of four packets.
    pub(super) fn iv(&self) -> Option<Iv> {
        *self.iv.get_or_init(|| {
            const RULES: [Rule; 2] = [Rule::Xor, Rule::Minus];
            let kept = RULES.into_iter().find_map(|rule| self.iv_by(rule));
            kept.or_else(|| RULES.into_iter().find_map(|rule| self.tallied(rule)))
        })
    }

    /// The same for packets that were not kept.
    fn tallied(&self, rule: Rule) -> Option<Iv> {
        let next = self.tally?.next;
        let (iv, number) = next.first?;
        let salt = rule.salt(iv, number);
        let agree = match rule {
            Rule::Xor => next.xor,
            Rule::Minus => next.minus,
        };
        let iv = Iv { rule, salt, agree: 1 + agree as usize, of: 1 + next.of as usize };
        (is_known(rule, salt) && iv.is_enough()).then_some(iv)
    }

    fn iv_by(&self, rule: Rule) -> Option<Iv> {
        let mut salts: Vec<(u64, u32)> = Vec::with_capacity(self.packets.len());
        for packet in &self.packets {
            let (iv, number) = (packet.esp.iv8()?, packet.esp.sequence());
            let salt = rule.salt(iv, number);
            if salts.iter().all(|(_, n)| *n != number) {
                salts.push((salt, number));
            }
        }
        let of = salts.len();
        let agreeing = |salt: u64| salts.iter().filter(|(s, _)| *s == salt).count();
        let known = salts.iter().map(|(salt, _)| *salt).filter(|salt| is_known(rule, *salt));
        let (agree, salt) = known.map(|salt| (agreeing(salt), salt)).max()?;
        Some(Iv { rule, salt, agree, of }).filter(Iv::is_enough)
    }

    /// Whether the capture cut the bodies so short that only the front of an explicit IV is visible, which does not change.
    pub(super) fn has_iv_front(&self) -> bool {
        let mut bodies = self.packets.iter().map(|p| p.esp.body());
        let Some(first) = bodies.next() else { return false };
        (4..8).contains(&first.len()) && self.sequence().small >= 2 && bodies.all(|b| b == first)
    }

    /// Whether what is visible behind an IV of eight bytes is noise, two packets and 32 bytes at least.
    pub(super) fn hides_the_rest(&self) -> bool {
        let mut noise = Noise::default();
        let mut numbers = Vec::new();
        for packet in self.packets.iter().take(4) {
            if !numbers.contains(&packet.esp.sequence()) {
                numbers.push(packet.esp.sequence());
                packet.esp.body().get(8..).unwrap_or_default().chunks(BLOCK).for_each(|b| noise.add(block(b), b.len()));
            }
        }
        numbers.len() >= 2 && noise.total >= 32 && noise.is_even()
    }

    /// Nanoseconds between the first packet kept and the last.
    pub(super) fn span(&self) -> i64 {
        match (self.packets.first(), self.packets.last()) {
            (Some(first), Some(last)) => last.time.since(first.time),
            _ => 0,
        }
    }

    /// Whether the visible bodies look as ciphertext does, from byte `from` on. `None` when too little is visible.
    pub(super) fn body(&self, from: usize) -> Option<Body> {
        let bodies: Vec<&[u8]> = self.packets.iter().filter_map(|p| p.esp.body().get(from..)).collect();
        let visible = bodies.iter().map(|b| b.len()).min().unwrap_or(0).min(120);
        // The front of an explicit IV is constant, and repeated packets are so throughout.
        if bodies.len() < 4 || from + visible < 12 || self.sequence().small < 3 {
            return None;
        }
        let (mut noise, mut fixed, mut constant) = (Noise::default(), Vec::new(), 0);
        let mut blocks: Vec<u128> = Vec::with_capacity(bodies.len());
        for at in (0..visible).step_by(BLOCK) {
            let len = BLOCK.min(visible - at);
            blocks.clear();
            blocks.extend(bodies.iter().filter_map(|b| b.get(at..at + len)).map(block));
            blocks.sort_unstable();
            blocks.dedup();
            blocks.iter().for_each(|b| noise.add(*b, len));
            fixed.push(blocks.len() == 1);
            // A byte position that never changes: 2^-24 for four blocks and one position.
            if blocks.len() >= 4 {
                let (and, or) = blocks.iter().fold((u128::MAX, 0), |(and, or), b| (and & b, or | b));
                constant += (and ^ or).to_be_bytes().iter().take(len).filter(|changes| **changes == 0).count();
            }
        }
        let leading = fixed.iter().take_while(|f| **f).count();
        let fixed = fixed.iter().filter(|f| **f).count();
        Some(match (noise.is_even() && constant == 0, fixed) {
            (true, 0) => Body::Random,
            // Some stacks use one IV for all packets: equal plaintexts begin with equal blocks.
            (true, _) if fixed == leading && leading * BLOCK < visible => Body::FixedIv,
            _ => Body::Structured,
        })
    }
}

/// Bytes of an AES block.
const BLOCK: usize = 16;

/// What the bodies of an SA look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// As ciphertext.
    Random,
    /// As ciphertext behind the same first blocks.
    FixedIv,
    /// Not as ciphertext.
    Structured,
}

/// Up to sixteen bytes as one number, the first in front.
fn block(bytes: &[u8]) -> u128 {
    if let Some(whole) = bytes.first_chunk() {
        return u128::from_be_bytes(*whole);
    }
    let mut block = [0; BLOCK];
    block.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(block)
}

/// Statistics of bytes that are expected to be uniform.
struct Noise {
    total: i64,
    ones: i64,
    counts: [u32; 256],
}

impl Default for Noise {
    fn default() -> Self {
        Self { total: 0, ones: 0, counts: [0; 256] }
    }
}

impl Noise {
    /// Counts the first `len` bytes of a block; the others are zero.
    fn add(&mut self, block: u128, len: usize) {
        self.total += len as i64;
        self.ones += i64::from(block.count_ones());
        for byte in block.to_be_bytes().iter().take(len) {
            if let Some(count) = self.counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
    }

    fn is_even(&self) -> bool {
        // Set bits: a byte has 4 with variance 2. Six standard deviations.
        let bits_even = (self.ones - 4 * self.total).pow(2) <= 72 * self.total;
        // One value too often: mean total/256, and more than 12 + 3 times that has a chance below 2^-30.
        bits_even && self.counts.iter().all(|&n| i64::from(n) <= 12 + 3 * self.total / 256)
    }
}
