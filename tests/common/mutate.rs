//! Changes to a flow in memory: what captures look like when they are cut, lossy, one-sided or out of order. All are
//! deterministic.

#![allow(dead_code, unreachable_pub)]

use super::flows::Piece;
use portproof::flow::Dir;

/// A small generator of numbers for tests (xorshift64*, Vigna 2016).
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.max(1);
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit.max(1)
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// Only what `dir` sent.
pub fn one_way(pieces: &[Piece], dir: Dir) -> Vec<Piece> {
    pieces.iter().filter(|p| p.dir == dir).cloned().collect()
}

/// Without the first `count` packets. Where the first one left came from the other side, sides are swapped, as the pipeline
/// would see them.
pub fn without_start(pieces: &[Piece], count: usize) -> Vec<Piece> {
    let mut rest: Vec<Piece> = pieces.iter().skip(count).cloned().collect();
    if rest.first().is_some_and(|p| p.dir == Dir::Responder) {
        rest.iter_mut().for_each(|p| p.dir = p.dir.other());
    }
    rest
}

/// As a capture with a small snaplen has it: `visible` payload bytes of each packet.
pub fn cut(pieces: &[Piece], visible: usize) -> Vec<Piece> {
    let mut cut = pieces.to_vec();
    cut.iter_mut().for_each(|p| p.data.truncate(visible));
    cut
}

/// With one packet of `one_in` lost.
pub fn lossy(pieces: &[Piece], one_in: usize) -> Vec<Piece> {
    let mut random = Random(0x1055);
    pieces.iter().filter(|_| random.below(one_in) != 0).cloned().collect()
}

/// Put out of order within blocks of `block` packets; times and frame numbers stay with the place.
pub fn disordered(pieces: &[Piece], block: usize) -> Vec<Piece> {
    let mut random = Random(0xd150);
    let mut out = pieces.to_vec();
    for chunk in out.chunks_mut(block) {
        let places: Vec<_> = chunk.iter().map(|p| (p.frame, p.time)).collect();
        for n in (1..chunk.len()).rev() {
            chunk.swap(n, random.below(n + 1));
        }
        chunk.iter_mut().zip(places).for_each(|(p, place)| (p.frame, p.time) = place);
    }
    out
}

/// Every packet twice, as a capture on a bridge has it.
pub fn doubled(pieces: &[Piece]) -> Vec<Piece> {
    pieces.iter().flat_map(|p| [p.clone(), p.clone()]).collect()
}
