//! Static key mode, which has no header: likely at best, and only where the lengths say more than "whole blocks".
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::flows::{self, Outcome, Piece};
use common::mutate::Random;
use portproof::flow::{Dir, HeadBuf};
use portproof::packet::{Time, Transport};
use portproof::protocol::{self, Assessment};

/// A session under an HMAC and a cipher with blocks of so many bytes: pings of both sides every ten seconds, then
/// traffic. `ping` is by how many blocks a ping is longer than it should be.
struct Session {
    hmac: usize,
    block: usize,
    ping: usize,
    pings: u32,
    packets: u32,
    /// Longest packet less the shortest, blocks.
    lengths: usize,
}

const SHA1: Session = Session { hmac: 20, block: 16, ping: 0, pings: 6, packets: 40, lengths: 30 };

impl Session {
    fn pieces(&self) -> Vec<Piece> {
        let (mut random, mut pieces, mut now) = (Random(self.hmac as u64 + 5), Vec::new(), 1_790_000_000_000_000_000);
        // HMAC, IV, and packet ID, time and ping with their padding.
        let ping = self.hmac + self.block + (24 / self.block + 1 + self.ping) * self.block;
        for n in 0..self.pings + self.packets {
            now += if n < self.pings { 10_000_000_000 } else { 20_000_000 };
            for dir in Dir::BOTH {
                let more = if n < self.pings { 0 } else { 1 + random.below(self.lengths) };
                let mut data = vec![0; ping + more * self.block];
                random.fill(&mut data);
                let frame = pieces.len() as u64 + 1;
                let time = Time(now + random.below(1_000_000) as i64);
                pieces.push(Piece { frame, time, dir, len: data.len(), data, tcp: None });
            }
        }
        pieces
    }

    fn judge(&self) -> Outcome {
        judge(&self.pieces())
    }
}

fn judge(pieces: &[Piece]) -> Outcome {
    flows::assess(protocol::ALL[protocol::index("openvpn").unwrap()], Transport::Udp, pieces)
}

fn is_likely(outcome: &Outcome) -> bool {
    outcome.variant() == "static-key" && (14.0..20.0).contains(&outcome.bits())
}

fn is_suspected(outcome: &Outcome) -> bool {
    outcome.variant() == "static-key" && (6.0..14.0).contains(&outcome.bits())
}

#[test]
fn pings_make_it_likely_where_the_lengths_are_no_whole_blocks() {
    for (hmac, block) in [(20, 16), (28, 16), (20, 8)] {
        let outcome = Session { hmac, block, ..SHA1 }.judge();
        assert!(is_likely(&outcome), "{hmac} {block} {outcome:?}");
    }
}

/// Digests whose length is a multiple of the block's leave whole blocks, which many protocols send.
#[test]
fn whole_blocks_are_suspected_whatever_comes_with_them() {
    for (hmac, block) in [(16, 16), (32, 16), (48, 16), (64, 16), (16, 8), (32, 8)] {
        let outcome = Session { hmac, block, ..SHA1 }.judge();
        assert!(is_suspected(&outcome), "{hmac} {block} {outcome:?}");
    }
}

/// tinc's data packets have these lengths, too.
#[test]
fn without_pings_of_the_right_length_it_is_suspected() {
    for other in [Session { pings: 0, ..SHA1 }, Session { ping: 1, ..SHA1 }, Session { pings: 1, ..SHA1 }] {
        let outcome = other.judge();
        assert!(is_suspected(&outcome), "{outcome:?}");
    }
}

/// What is left at the end of a flow.
fn is_nothing(pieces: &[Piece]) -> bool {
    let mut buf = HeadBuf::new(Transport::Udp);
    for p in pieces {
        buf.push_datagram(p.frame, p.time, p.dir, p.len, &p.data);
    }
    let openvpn = protocol::ALL[protocol::index("openvpn").unwrap()];
    !matches!(openvpn.assess(&buf.view(None, true)), Assessment::Recognised(finding) if finding.bits().as_f64() >= 6.0)
}

#[test]
fn a_constant_byte_or_few_lengths_or_text_are_nothing() {
    let pieces = SHA1.pieces();
    assert!(!is_nothing(&pieces));
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut pieces = pieces.clone();
        pieces.iter_mut().for_each(|p| change(&mut p.data));
        pieces
    };
    assert!(is_nothing(&changed(|data| data[3] = 0x17)));
    assert!(is_nothing(&changed(|data| data.iter_mut().for_each(|b| *b = b'a' + *b % 16))));
    assert!(is_nothing(&Session { lengths: 2, ..SHA1 }.pieces()));
}
