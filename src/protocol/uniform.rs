//! Fully encrypted: payloads in which nothing shows, neither an uneven byte nor a constant, a counter or a length.
//!
//! It names nothing; it is said beside `unknown`, so that who reads it knows that no recogniser is missing. Of random bytes
//! each test lets through 999 of 1,000, so that one flow in 100 of this kind goes without the note. What else gets it: the
//! tests see no structure in the output of a good compressor either. Those that announce themselves in their first bytes
//! are known by them, and deflate by being undone; the rest is not told from a cipher.
//!
//! That first bytes which can be printed, or bits that are not even, tell plain protocols from fully encrypted ones is
//! published of a censor (Wu et al., USENIX Security 2023).

use crate::flow::{Datagram, Dir, Head};
use crate::packet::Transport;
use flate2::{Decompress, FlushDecompress};
use std::cell::RefCell;

/// Bytes of both sides together, below which chance hides too much.
const ENOUGH: usize = 512;
/// Bytes of a side from which each of 256 values is expected five times, as chi-square wants it.
const ENOUGH_FOR_BYTES: usize = 1280;
/// Chi-square of 15 and of 255 degrees of freedom that random bytes exceed once in 1,000.
const HALVES: f64 = 37.7;
const WHOLES: f64 = 330.5;
/// Standard deviations that the number of set bits exceeds as seldom.
const BITS: f64 = 3.3;
/// So many printable bytes in a row are text: random ones are by 2^-28.
const TEXT: usize = 20;
/// So many first bytes that are all printable are a greeting: random ones are by 1 in 2,600 (95 of 256 values).
const GREETING: usize = 8;
/// Bytes that must come out when compressed data are undone. Of random ones 256 come out once in some 1,000 attempts.
const INFLATED: usize = 1024;
/// Bytes that may stand before compressed data: gzip's header has ten.
const HEADER: usize = 16;
/// How compressed data, images and archives begin.
const BEGINNINGS: &[&[u8]] = &[
    b"\x1f\x8b\x08",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ",
    b"\x5d\0\0",
    b"BZh",
    b"\x04\x22\x4d\x18",
    b"PK\x03\x04",
    b"\x89PNG",
    b"\xff\xd8\xff",
];

/// Whether the flow was seen enough of, and nothing in it is structure.
pub fn is_fully_encrypted(head: &Head<'_>) -> bool {
    if head.held() < ENOUGH {
        return false;
    }
    let visible = |dir| match head.transport() {
        Transport::Udp => head.sent_by(dir).filter(is_said).map(|d| d.bytes.len()).sum(),
        Transport::Tcp => head.stream(dir).bytes().len(),
    };
    let bytes: usize = Dir::BOTH.into_iter().map(visible).sum();
    bytes >= ENOUGH && Dir::BOTH.into_iter().all(|dir| Side::of(head, dir).shows_nothing())
}

/// Whether what lies behind the first `header` bytes of a side's datagrams is as even as random bytes, and nothing in it stays.
pub(super) fn is_noise_behind(head: &Head<'_>, dir: Dir, header: usize) -> bool {
    let pieces = head.sent_by(dir).filter_map(|d| Some((d.bytes.get(header..)?, d.len - header))).collect();
    let side = Side { pieces, datagrams: true, agreeing: 0 };
    side.is_even() && !side.has_constant()
}

/// Whether a datagram says something: keepalives of a byte do not.
fn is_said(datagram: &Datagram<'_>) -> bool {
    datagram.len > 1
}

/// What was seen of one side.
struct Side<'a> {
    /// The visible bytes of its datagrams, with their true lengths; of TCP the stream's.
    pieces: Vec<(&'a [u8], usize)>,
    /// Datagrams: each is a message of its own.
    datagrams: bool,
    /// In how many bits of a position all datagrams of a long flow agree, at most.
    agreeing: u32,
}

impl<'a> Side<'a> {
    fn of(head: &Head<'a>, dir: Dir) -> Self {
        let datagrams = head.transport() == Transport::Udp;
        let pieces: Vec<(&[u8], usize)> = match datagrams {
            true => head.sent_by(dir).filter(is_said).map(|d| (d.bytes, d.len)).collect(),
            false => vec![(head.stream(dir).bytes(), head.stream(dir).bytes().len())],
        };
        let tally = head.tally(dir).filter(|tally| tally.packets >= 7);
        let constant = |at| tally.map_or(0, |tally| tally.constant_bits(at).count_ones());
        let shortest = tally.map_or(0, |tally| tally.lengths.range.0 as usize);
        let agreeing = (0..shortest.min(crate::flow::tally::WATCHED)).map(constant).max().unwrap_or(0);
        Self { pieces, datagrams, agreeing }
    }

    fn shows_nothing(&self) -> bool {
        let first = self.pieces.iter().map(|(bytes, _)| *bytes).find(|bytes| !bytes.is_empty()).unwrap_or_default();
        let begins = BEGINNINGS.iter().any(|start| first.starts_with(start));
        !begins
            && !has_text(first)
            && !(self.datagrams && (self.has_constant() || self.has_length()))
            && self.is_even()
            && (self.datagrams || !has_frames(first))
            && !inflates(first)
    }

    /// Whether the bytes are as evenly spread as random ones.
    fn is_even(&self) -> bool {
        let (mut count, mut values) = (0, [0u32; 256]);
        for (bytes, _) in &self.pieces {
            count += bytes.len();
            for byte in *bytes {
                values.get_mut(usize::from(*byte)).into_iter().for_each(|seen| *seen += 1);
            }
        }
        let (mut low, mut high) = ([0; 16], [0; 16]);
        for (value, seen) in values.iter().enumerate() {
            low.get_mut(value & 15).into_iter().for_each(|sum| *sum += seen);
            high.get_mut(value >> 4).into_iter().for_each(|sum| *sum += seen);
        }
        let ones = |half: &[u32; 16]| (0u32..).zip(half).map(|(value, seen)| value.count_ones() * seen).sum::<u32>();
        let (ones, all) = (ones(&low) + ones(&high), count as f64);
        if (f64::from(ones) - 4.0 * all).abs() > BITS * (2.0 * all).sqrt() {
            return false;
        }
        // Below five in each cell chi-square says nothing.
        count < 80
            || (chi_square(&low) < HALVES
                && chi_square(&high) < HALVES
                && (count < ENOUGH_FOR_BYTES || chi_square(&values) < WHOLES))
    }

    /// Whether a position has the same byte in all of at least four datagrams, or half of its bits in all of many: by
    /// chance 64 positions do by 2^-18, and by 2^-12.
    fn has_constant(&self) -> bool {
        let shortest = self.pieces.iter().map(|(bytes, _)| bytes.len()).min().unwrap_or(0);
        let same = |at: &usize| {
            let mut values = self.pieces.iter().filter_map(|(bytes, _)| bytes.get(*at));
            values.next().is_some_and(|first| values.all(|value| value == first))
        };
        let few = self.pieces.len() >= 4 && (0..shortest.min(64)).any(|at| same(&at));
        few || self.agreeing >= 4
    }

    /// Whether two of the first bytes say the length, give or take a constant, of datagrams of three lengths.
    fn has_length(&self) -> bool {
        let mut lengths: Vec<usize> = self.pieces.iter().map(|(_, len)| *len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths.len() >= 3
            && (0..6).any(|at| {
                [u16::from_be_bytes, u16::from_le_bytes].iter().any(|read| {
                    let mut rest = self.pieces.iter().map(|(bytes, len)| {
                        let value = bytes.get(at..).and_then(|b| b.first_chunk()).map(|b| i32::from(read(*b)));
                        value.map(|value| value - *len as i32)
                    });
                    rest.next().flatten().is_some_and(|first| rest.all(|other| other == Some(first)))
                })
            })
    }
}

/// How far the counts of equally likely values are from being equal.
fn chi_square(counts: &[u32]) -> f64 {
    let expected = counts.iter().sum::<u32>() as f64 / counts.len() as f64;
    counts.iter().map(|&seen| (f64::from(seen) - expected).powi(2)).sum::<f64>() / expected
}

/// Whether it begins as text, or has a run of it.
fn has_text(bytes: &[u8]) -> bool {
    let printable = |b: &u8| matches!(b, b' '..=b'~');
    if bytes.get(..GREETING).is_some_and(|start| start.iter().all(printable)) {
        return true;
    }
    // A run starts behind the last byte that is none, so that few bytes are looked at.
    let mut rest = bytes;
    while let Some(run) = rest.get(..TEXT) {
        let Some(last) = run.iter().rposition(|b| !printable(b)) else { return true };
        rest = rest.get(last + 1..).unwrap_or_default();
    }
    false
}

/// Whether lengths of two or four bytes in front of each part lead through a stream, three at least, to its very end.
fn has_frames(stream: &[u8]) -> bool {
    let read = |bytes: &[u8], width: usize, little: bool| -> Option<usize> {
        let field = bytes.get(..width)?;
        let fold = |n: usize, b: &u8| n << 8 | usize::from(*b);
        Some(if little { field.iter().rev().fold(0, fold) } else { field.iter().fold(0, fold) })
    };
    [2, 4].iter().any(|&width| {
        [false, true].iter().any(|&little| {
            [0, width].iter().any(|&inclusive| {
                let (mut at, mut frames) = (0, 0);
                while let Some(len) = stream.get(at..).and_then(|rest| read(rest, width, little)) {
                    let next = at + width + len - inclusive.min(len);
                    if len < inclusive.max(1) || next > stream.len() {
                        return false;
                    }
                    (at, frames) = (next, frames + 1);
                }
                frames >= 3 && at == stream.len()
            })
        })
    })
}

/// Whether deflate's data (RFC 1951) begin among the first bytes: random ones break its rules before that many bytes
/// have come out.
fn inflates(bytes: &[u8]) -> bool {
    // Its window of 32 KiB is cleared when it is made.
    thread_local!(static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false)));
    let mut out = [0; INFLATED];
    INFLATE.with_borrow_mut(|inflate| {
        (0..=HEADER).filter_map(|at| bytes.get(at..)).any(|rest| {
            inflate.reset(false);
            // An error only ends what came out so far.
            let _ = inflate.decompress(rest, &mut out, FlushDecompress::None);
            inflate.total_out() >= INFLATED as u64
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::Time;
    use crate::protocol::replay;
    use std::io::Write;

    /// A small generator (xorshift), so that the payloads are the same in every run.
    fn random(seed: u64, len: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    fn stream(client: &[u8], server: &[u8]) -> bool {
        let mut buf = HeadBuf::new(Transport::Tcp);
        for (dir, bytes) in [(Dir::Originator, client), (Dir::Responder, server)] {
            buf.stream_mut(dir).open(0);
            buf.stream_mut(dir).push(1, 1, Time(0), bytes.len(), bytes);
        }
        is_fully_encrypted(&buf.view(None, true))
    }

    fn datagrams(payloads: &[Vec<u8>]) -> bool {
        let mut buf = HeadBuf::new(Transport::Udp);
        for (n, payload) in payloads.iter().enumerate() {
            let dir = if n % 2 == 0 { Dir::Originator } else { Dir::Responder };
            buf.push_datagram(n as u64, Time(0), dir, payload.len(), payload);
        }
        is_fully_encrypted(&buf.view(None, true))
    }

    #[test]
    fn random_bytes_show_nothing() {
        let streams = (0..300).filter(|&n| stream(&random(n, 700), &random(n + 1000, 3000))).count();
        assert!(streams >= 294, "{streams} of 300 streams");
        let flow =
            |n: u64| (0..20).map(|k| random(n * 64 + k, 60 + (n * 7 + k * 31) as usize % 400)).collect::<Vec<_>>();
        let flows = (0..300).filter(|&n| datagrams(&flow(n))).count();
        assert!(flows >= 294, "{flows} of 300 flows");
        assert!(!stream(&random(1, 100), &random(2, 100)), "too few");
    }

    #[test]
    fn text_is_structure() {
        let text = include_bytes!("uniform.rs");
        assert!(!stream(&random(1, 700), &text[..3000]));
        let greeting = [&b"hello you"[..], &random(3, 3000)].concat();
        assert!(!stream(&greeting, &random(4, 3000)));
        let base64: Vec<u8> = random(5, 3000)
            .iter()
            .map(|b| b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[usize::from(b & 63)])
            .collect();
        assert!(!stream(&base64, &random(6, 3000)));
    }

    #[test]
    fn compressed_data_is_structure() {
        let text = include_bytes!("uniform.rs");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(text).unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        raw.write_all(text).unwrap();
        for compressed in [gzip.finish().unwrap(), raw.finish().unwrap()] {
            assert!(compressed.len() > 1500 && !stream(&random(1, 700), &compressed));
            assert!(!stream(&random(1, 700), &[&[1, 2, 3], &compressed[..]].concat()), "behind a short header");
        }
    }

    #[test]
    fn headers_counters_and_lengths_are_structure() {
        let with = |header: &dyn Fn(u64, usize) -> Vec<u8>| {
            let payload = |n: u64| {
                let body = random(n + 1, 60 + n as usize * 31 % 400);
                [header(n, body.len()), body].concat()
            };
            datagrams(&(0..20).map(payload).collect::<Vec<_>>())
        };
        assert!(with(&|_, _| Vec::new()));
        assert!(!with(&|_, _| vec![0x48]));
        assert!(!with(&|n, _| (n as u32).to_be_bytes().to_vec()));
        assert!(!with(&|_, len| (len as u16).to_be_bytes().to_vec()));
        let framed: Vec<u8> = (0..8).flat_map(|n| [&300u16.to_be_bytes()[..], &random(n, 300)].concat()).collect();
        assert!(!stream(&random(1, 700), &framed));
    }

    #[test]
    fn nothing_in_testdata_is_called_so_but_what_is() {
        let mut called = std::collections::BTreeSet::new();
        for path in replay::captures() {
            for flow in replay::flows(&path) {
                if is_fully_encrypted(&flow.buf.view(None, true)) {
                    called.insert(path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned());
                }
            }
        }
        // OpenVPN with a static key has no header at all, and tinc encrypts its own. FTP carried a file of random bytes.
        let headless = ["ftp", "openvpn", "openvpn-static-key", "tinc"];
        assert!(called.iter().all(|name| headless.contains(&name.as_str())), "{called:?}");
        assert!(called.contains("openvpn-static-key"), "{called:?}");
    }
}
