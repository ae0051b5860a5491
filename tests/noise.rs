//! Bytes of no protocol: no recogniser may name them, whatever their kind, length, number and transport.
//!
//! `PORTPROOF_SWEEP=N` tries N times as many flows, with other seeds.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::mutate::Random;
use flate2::{Compression, write::DeflateEncoder};
use portproof::flow::{Dir, HeadBuf};
use portproof::packet::{Time, Transport};
use portproof::protocol::evidence::PRIOR;
use portproof::protocol::{ALL, Assessment, Band};
use std::collections::BTreeMap;
use std::io::Write;

/// Flows of each kind, transport and way of being seen.
const FLOWS: u64 = 150;

/// Makes the `n`th payload of a side. `flow` is the flow's own number, the same for all its payloads.
type Make = fn(flow: u64, dir: Dir, n: usize, len: usize, random: &mut Random) -> Vec<u8>;

fn noise(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

/// Words of letters, with numbers and line ends between them.
fn prose(random: &mut Random, len: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < len {
        let mut word: Vec<u8> = (0..1 + random.below(9)).map(|_| b'a' + random.below(26) as u8).collect();
        match random.below(16) {
            0 => word = random.below(100_000).to_string().into_bytes(),
            1 => word[0] = word[0].to_ascii_uppercase(),
            _ => {}
        }
        text.extend(word);
        text.push(b"     ,\n\t"[random.below(8)]);
    }
    text.truncate(len);
    text
}

fn base64(random: &mut Random, len: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..len).map(|_| DIGITS[random.below(64)]).collect()
}

fn deflated(random: &mut Random, len: usize) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&prose(random, 3 * len)).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(len.max(1));
    bytes
}

/// A byte of the flow and the side. Not the same for both: that would be an echo.
fn own_byte(flow: u64, dir: Dir) -> u8 {
    (flow as u8).wrapping_add(*dir.of(&[0, 77]))
}

/// `number` in front, then `rest`, in all `len` bytes.
fn behind(number: &[u8], rest: Vec<u8>, len: usize) -> Vec<u8> {
    [number, &rest].concat().into_iter().take(len).collect()
}

const KINDS: &[(&str, Make)] = &[
    ("random bytes", |_, _, _, len, r| noise(r, len)),
    ("letters and numbers", |_, _, _, len, r| prose(r, len)),
    ("base64", |_, _, _, len, r| base64(r, len)),
    ("deflated", |_, _, _, len, r| deflated(r, len)),
    ("one byte all over", |flow, dir, _, len, _| vec![own_byte(flow, dir); len]),
    ("zeros", |_, dir, n, len, _| vec![0; len + n + *dir.of(&[0, 1])]),
    ("a byte that counts", |flow, dir, n, len, _| vec![own_byte(flow, dir).wrapping_add(n as u8); len]),
    ("bytes that count", |flow, dir, n, len, _| {
        (0..len).map(|at| own_byte(flow, dir).wrapping_add((at + n) as u8)).collect()
    }),
    ("a big-endian number, zeros", |_, dir, n, len, _| {
        behind(&(n as u32 + *dir.of(&[0, 1000])).to_be_bytes(), vec![0; len], len)
    }),
    ("a little-endian number, zeros", |_, dir, n, len, _| {
        behind(&(n as u32 + *dir.of(&[0, 1000])).to_le_bytes(), vec![0; len], len)
    }),
    ("a 16-bit number, noise", |_, _, n, len, r| behind(&(n as u16).to_be_bytes(), noise(r, len), len)),
    ("a 32-bit number, noise", |_, _, n, len, r| behind(&(n as u32).to_be_bytes(), noise(r, len), len)),
    ("a 32-bit number, text", |_, _, n, len, r| behind(&(n as u32).to_be_bytes(), prose(r, len), len)),
    ("the length in two bytes, noise", |_, _, _, len, r| behind(&(len as u16).to_be_bytes(), noise(r, len), len)),
    ("the length in four bytes, zeros", |_, dir, _, len, _| {
        let len = len + *dir.of(&[0, 1]);
        behind(&(len as u32).to_be_bytes(), vec![0; len], len)
    }),
    ("the length behind two bytes, zeros", |flow, dir, n, len, _| {
        let [a, b] = (len as u16).to_be_bytes();
        behind(&[own_byte(flow, dir), (n % 16) as u8, a, b], vec![0; len], len)
    }),
    ("small numbers", |_, _, _, len, r| (0..len).map(|_| r.below(4) as u8).collect()),
    ("few bits set", |_, _, _, len, r| (0..len).map(|_| 1 << r.below(8)).collect()),
];

/// How a flow is seen.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Seen {
    Udp,
    Connection,
    Middle,
}

/// Who is at least likely in a flow of `make`, by itself and whatever the others say, at any of several moments.
fn named(kind: Make, seen: Seen, seed: u64) -> Vec<&'static str> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
    let flow = random.next() >> 8;
    let transport = if seen == Seen::Udp { Transport::Udp } else { Transport::Tcp };
    let mut buf = HeadBuf::new(transport);
    if seen == Seen::Connection {
        Dir::BOTH.iter().for_each(|&dir| buf.stream_mut(dir).open(0));
    }
    let (count, longest) = (1 << random.below(7), [8, 60, 300, 1500][random.below(4)]);
    let (same, sides) = (random.below(4) == 0, 1 + random.below(3).min(1));
    let (mut sent, mut at, mut likely) = ([0; 2], [1; 2], Vec::new());
    for n in 0..count {
        let dir = Dir::BOTH[n % sides];
        let len = if same { longest } else { 1 + random.below(longest) };
        let bytes = kind(flow, dir, *dir.of(&sent), len, &mut random);
        *dir.of_mut(&mut sent) += 1;
        match seen {
            Seen::Udp => {
                buf.push_datagram(n as u64 + 1, Time(n as i64 * 20_000_000), dir, bytes.len(), &bytes);
            }
            _ => {
                let sequence = dir.of_mut(&mut at);
                buf.stream_mut(dir).push(*sequence, n as u64 + 1, Time(n as i64), bytes.len(), &bytes);
                *sequence += bytes.len() as u32;
            }
        }
        if (n + 1).is_power_of_two() && [1, 4, 64].contains(&(n + 1)) || n + 1 == count {
            for protocol in ALL {
                if let Assessment::Recognised(finding) = protocol.assess(&buf.view(None, n + 1 == count))
                    && Band::of(PRIOR + finding.bits()).is_some()
                {
                    likely.push(protocol.name());
                }
            }
        }
    }
    likely.sort_unstable();
    likely.dedup();
    likely
}

#[test]
fn bytes_of_no_protocol_get_no_name() {
    let times = std::env::var("PORTPROOF_SWEEP").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let (mut flows, mut found) = (0, BTreeMap::<_, Vec<u64>>::new());
    for (name, make) in KINDS {
        for seen in [Seen::Udp, Seen::Connection, Seen::Middle] {
            for seed in 1..=FLOWS * times {
                flows += 1;
                for protocol in named(*make, seen, seed) {
                    found.entry((*name, format!("{seen:?}"), protocol)).or_default().push(seed);
                }
            }
        }
    }
    for ((kind, seen, protocol), seeds) in &found {
        println!("{kind} ({seen}): {protocol} in {}, e.g. {}", seeds.len(), seeds[0]);
    }
    println!("{flows} flows");
    assert!(found.is_empty(), "{found:#?}");
}
