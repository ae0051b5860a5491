//! A capture made where IPsec ends shows each inbound packet twice: as ESP, and at once decrypted. This finds out whether
//! a capture is of that kind.
//!
//! Packets of one SA, in UDP or not, whose numbers rise are matched in order with the frames that follow. The first frame
//! that is no ESP must have exactly the length that fits: ESP's is a constant of the SA (header, IV, ICV) plus the inner
//! packet, its padding length and next header, filled up to the cipher's block (RFC 4303 section 2). Which constant and
//! block is not known, but they must stay the same.
//!
//! Chance: let each match count one bit and each miss three against it, never below zero, and let 20 bits and four changes
//! of length be needed. A frame that has nothing to do with ESP would have to fit by chance; if half of them did, the sum
//! would reach 20 with a probability of 2^-20 for each packet of the SA. Lengths that never change fit more often than
//! that (two pings side by side), hence the changes.

use crate::packet::{Outer, Time};
use std::collections::VecDeque;

/// SAs that are followed at a time.
const SAS: usize = 16;
/// First words that are remembered until one of them goes on.
const WORDS: usize = 256;
/// ESP packets of an SA that may wait for what they decrypt to: as many as Linux takes from a device at once.
const WAITING: usize = 64;
/// How long they wait, nanoseconds.
const AT_ONCE: i64 = 10_000_000;
/// Bits that a miss costs, and that are needed.
const MISS: u32 = 3;
const ENOUGH: u32 = 20;
/// So often an SA may miss while nothing speaks for it; then it is given up: this host does not decrypt it.
const HOPELESS: u32 = 64;
/// Changes of length that must have been followed.
const CHANGES: u32 = 4;
/// The smallest SPI that is not reserved (RFC 4303 section 2.1), and the widest step of its numbers that is believed.
const FIRST_SPI: u32 = 256;
const STEP: u32 = 64;

/// Blocks, and what may stand around the ciphertext: 8 bytes of header, the IV and the ICV together.
///
/// Streams (IV 0 or 8, ICV 8 to 32), 3DES (IV 8), AES-CBC (IV 16).
const LAYOUTS: [(u32, u32); 14] = [
    (4, 16),
    (4, 20),
    (4, 24),
    (4, 28),
    (4, 32),
    (4, 40),
    (8, 28),
    (8, 32),
    (8, 40),
    (8, 48),
    (16, 36),
    (16, 40),
    (16, 48),
    (16, 56),
];

/// What the ESP packets and the others of a capture have to do with each other.
#[derive(Debug)]
pub(super) struct Decrypted {
    sas: Vec<Sa>,
    /// First words seen last, with the numbers behind them.
    words: [(u32, u32); WORDS],
    /// Whether an ESP packet waits for what it decrypts to: mostly none does.
    waits: bool,
    /// Packets that were seen as ESP and decrypted.
    pub(super) twice: u64,
}

#[derive(Debug)]
struct Sa {
    spi: u32,
    number: u32,
    last: Time,
    waiting: VecDeque<(Time, u32)>,
    /// One bit for each of [`LAYOUTS`] that still fits.
    fitting: u16,
    bits: u32,
    matched: u64,
    changes: u32,
    length: u32,
    noticed: bool,
    /// Misses while `bits` was 0.
    misses: u32,
}

impl Default for Decrypted {
    fn default() -> Self {
        Self { sas: Vec::new(), words: [(0, 0); WORDS], waits: false, twice: 0 }
    }
}

impl Decrypted {
    /// Takes the next frame's IP packet, whose bytes lie in `block`.
    #[inline]
    pub(super) fn take(&mut self, outer: &Outer, time: Time, block: &[u8]) {
        let header = match outer.protocol {
            17 => 8,
            50 => 0,
            _ => return self.plain(outer.length, time),
        };
        let Some(sealed) = outer.payload(block).and_then(|bytes| sealed(bytes.get(header..)?)) else {
            return self.plain(outer.length, time);
        };
        let len = outer.payload_len.saturating_sub(header as u32);
        // What looks like ESP and goes on nowhere may be what another packet decrypts to.
        if !self.sealed(sealed, len, time) {
            self.plain(outer.length, time);
        }
    }

    /// Whether an ESP packet goes on where its SA was.
    fn sealed(&mut self, (spi, number): (u32, u32), len: u32, time: Time) -> bool {
        let legal = spi >= FIRST_SPI && len >= 20 && len.is_multiple_of(4);
        if let Some(at) = self.sas.iter().position(|sa| sa.spi == spi) {
            if !legal {
                self.sas.swap_remove(at);
                return false;
            }
            let Some(sa) = self.sas.get_mut(at) else { return false };
            let goes_on = sa.sealed(number, len, time);
            self.waits |= !sa.waiting.is_empty();
            return goes_on;
        }
        if !legal {
            return false;
        }
        // A multiplicative hash: SPIs of one host often differ in a few bits only.
        let place = (spi.wrapping_mul(0x9e37_79b1) >> 24) as usize;
        let Some(word) = self.words.get_mut(place) else { return false };
        let (before, then) = std::mem::replace(word, (spi, number));
        if before != spi || !(1..=STEP).contains(&number.wrapping_sub(then)) {
            return false;
        }
        let mut sa = Sa::new(spi, then, time);
        sa.sealed(number, len, time);
        self.waits = true;
        if self.sas.len() < SAS {
            self.sas.push(sa);
        } else if let Some(oldest) = self.sas.iter_mut().min_by_key(|sa| sa.last) {
            *oldest = sa;
        }
        true
    }

    /// Takes a packet that is no ESP.
    fn plain(&mut self, length: u32, time: Time) {
        if !std::mem::take(&mut self.waits) {
            return;
        }
        for sa in self.sas.iter_mut().filter(|sa| !sa.waiting.is_empty()) {
            sa.expire(time);
            let Some(&(_, len)) = sa.waiting.front() else { continue };
            let fitting = sa.fitting & layouts(len, length);
            if fitting == 0 {
                sa.waiting.clear();
                sa.miss();
                continue;
            }
            sa.waiting.pop_front();
            self.waits |= !sa.waiting.is_empty();
            self.twice += sa.matches(fitting, length);
        }
    }
}

impl Sa {
    fn new(spi: u32, number: u32, last: Time) -> Self {
        Self {
            spi,
            number,
            last,
            waiting: VecDeque::new(),
            fitting: u16::MAX,
            bits: 0,
            matched: 0,
            changes: 0,
            length: 0,
            noticed: false,
            misses: 0,
        }
    }

    /// Takes its next packet; false if the number does not go on from the last one.
    fn sealed(&mut self, number: u32, len: u32, time: Time) -> bool {
        let step = number.wrapping_sub(self.number);
        if step == 0 {
            return true;
        }
        (self.number, self.last) = (number, time);
        if step > STEP {
            return false;
        }
        if self.is_hopeless() {
            return true;
        }
        self.expire(time);
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
            self.miss();
        }
        self.waiting.push_back((time, len));
        true
    }

    /// Takes what fits its oldest packet that waits. Packets to be added to the count.
    fn matches(&mut self, fitting: u16, length: u32) -> u64 {
        self.fitting = fitting;
        self.bits = (self.bits + 1).min(2 * ENOUGH);
        self.matched += 1;
        self.changes += u32::from(self.length != length);
        self.length = length;
        if !self.noticed && self.bits >= ENOUGH && self.changes > CHANGES {
            self.noticed = true;
            return self.matched;
        }
        u64::from(self.noticed)
    }

    fn is_hopeless(&self) -> bool {
        self.misses >= HOPELESS
    }

    fn miss(&mut self) {
        self.bits = self.bits.saturating_sub(MISS);
        if self.bits == 0 && !self.noticed {
            self.misses += 1;
            // A layout that was believed by chance is given up with all that rested on it.
            (self.fitting, self.matched, self.changes, self.length) = (u16::MAX, 0, 0, 0);
        }
    }

    fn expire(&mut self, now: Time) {
        while self.waiting.front().is_some_and(|(then, _)| now.since(*then) > AT_ONCE) {
            self.waiting.pop_front();
            self.miss();
        }
    }
}

/// The first two words of a payload: SPI and sequence number, if it is ESP.
fn sealed(bytes: &[u8]) -> Option<(u32, u32)> {
    let (spi, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*spi), u32::from_be_bytes(*rest.first_chunk::<4>()?)))
}

/// The layouts with which an IP packet of `length` bytes makes an ESP packet of `len`.
fn layouts(len: u32, length: u32) -> u16 {
    // From the least that stands around the ciphertext to the most, with two bytes behind the packet and the most padding.
    if !(16 + 2..=56 + 2 + 15).contains(&len.wrapping_sub(length)) {
        return 0;
    }
    let fits = |(block, around): &(u32, u32)| len == around + (length + 2).next_multiple_of(*block);
    LAYOUTS.iter().enumerate().filter(|(_, layout)| fits(layout)).fold(0, |set, (n, _)| set | 1 << n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// A capture in which ESP packets of the SPI are followed by packets of the lengths that `plain` says.
    fn twice(count: u32, inner: impl Fn(u32) -> u32, plain: impl Fn(u32, u32) -> Option<u32>) -> u64 {
        let mut decrypted = Decrypted::default();
        for n in 0..count {
            let time = Time(i64::from(n) * 20 * MS);
            let length = inner(n);
            let len = 32 + (length + 2).next_multiple_of(4);
            let bytes = [&[0xc1, 2, 3, 4][..], &n.to_be_bytes()].concat();
            let esp = Outer { length: len + 20, protocol: 50, payload: 0..8, payload_len: len };
            decrypted.take(&esp, time, &bytes);
            if let Some(length) = plain(n, length) {
                let outer = Outer { length, protocol: 6, payload: 0..0, payload_len: length - 20 };
                decrypted.take(&outer, Time(time.0 + MS / 10), &[]);
            }
        }
        decrypted.twice
    }

    fn sizes(n: u32) -> u32 {
        [52, 1400, 84, 60][n as usize * 7 / 3 % 4]
    }

    #[test]
    fn what_follows_at_once_and_fits_is_counted() {
        // The first one shows no SA yet.
        assert_eq!(twice(60, sizes, |_, length| Some(length)), 59);
        // One in ten is lost.
        assert!(twice(200, sizes, |n, length| (n % 10 != 0).then_some(length)) > 150);
    }

    #[test]
    fn what_does_not_fit_is_not() {
        assert_eq!(twice(500, sizes, |_, _| None), 0);
        assert_eq!(twice(500, sizes, |n, _| Some(sizes(n + 1))), 0);
        assert_eq!(twice(500, sizes, |_, length| Some(length + 8 * (length % 3))), 0);
        // Two pings side by side.
        assert_eq!(twice(500, |_| 84, |_, _| Some(84)), 0);
    }

    #[test]
    fn an_sa_that_never_fits_is_given_up() {
        let decrypted_from = |first: u32| twice(1_000, sizes, |n, length| (n >= first).then_some(length));
        assert!(decrypted_from(HOPELESS) > 900);
        assert_eq!(decrypted_from(HOPELESS + 10), 0);
    }

    #[test]
    fn packets_taken_in_one_go_are_decrypted_after_all_of_them() {
        let mut decrypted = Decrypted::default();
        for round in 0..10u32 {
            let time = Time(i64::from(round) * 20 * MS);
            for n in 0..8 {
                let len = 32 + (sizes(n) + 2).next_multiple_of(4);
                let bytes = [&[0; 8][..], &[0xc1, 2, 3, 4], &(round * 8 + n).to_be_bytes()].concat();
                let esp = Outer { length: len + 28, protocol: 17, payload: 0..16, payload_len: len + 8 };
                decrypted.take(&esp, time, &bytes);
            }
            for n in 0..8 {
                let n = if round == 0 { n + 1 } else { n };
                let outer = Outer { length: sizes(n), protocol: 6, payload: 0..0, payload_len: 32 };
                decrypted.take(&outer, time, &[]);
            }
        }
        assert!(decrypted.twice >= 70, "{}", decrypted.twice);
    }

    #[test]
    fn unrelated_packets_fit_too_rarely() {
        // Half of what follows has one of two lengths of the tunnel, at random.
        let mut state = 1u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 40
        };
        let choices: Vec<u32> = (0..200_000).map(|_| [52, 52, 1400, 1400][random() as usize % 4]).collect();
        let others: Vec<u32> = (0..200_000).map(|_| [52, 52, 1400, 777][random() as usize % 4]).collect();
        assert_eq!(twice(200_000, |n| choices[n as usize], |n, _| Some(others[n as usize])), 0);
    }
}
