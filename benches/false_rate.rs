//! How often generated flows that are no OpenVPN get its name, beside the rate that was derived.
//!
//! `cargo bench --bench false_rate [-- FLOWS]`: that many flows (default 10 million). Half of them are of eleven kinds with
//! a derived rate, ten packets each (of five kinds twenty), half of them in each direction. The other half are the
//! look-alikes that were made for ESP and that no rule here was made with: a hold-out. It prints and asserts nothing: some
//! kinds are OpenVPN's data channel by their layout, at a known rate.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)] // A measuring program: a panic is a failed run.

use portproof::flow::{Dir, HeadBuf};
use portproof::packet::{Time, Transport};
use portproof::protocol::evidence::PRIOR;
use portproof::protocol::{ALL, Assessment, Band, Finding, Protocol, index};
use std::collections::BTreeMap;
use std::time::Instant;

#[path = "../tests/common/mod.rs"]
mod common;

use common::{lookalikes, mutate};

/// xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

struct Kind {
    name: &'static str,
    /// Share of the flows that may be called likely, as a power of two, and why.
    derived: &'static str,
    /// Packets of a flow.
    packets: u32,
    /// Lengths: multiples of this, and so many bytes more.
    lengths: (usize, usize),
    /// Writes the fixed part of packet `n` of a direction whose seed is `own`; `shared` is the flow's.
    fixed: fn(bytes: &mut [u8], n: u32, own: u64, shared: u64),
}

/// Opcodes with key ID 0, as they open packets.
const OPCODES: [u8; 8] = [0x20, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50, 0x58];

const KINDS: [Kind; 11] = [
    Kind {
        name: "random bytes",
        derived: "2^-48 (a reset by chance)",
        packets: 10,
        lengths: (1, 14),
        fixed: |_, _, _, _| {},
    },
    Kind {
        name: "4 constant bytes a side, random",
        derived: "2^-24 (lengths of whole blocks behind 48..4f and a small peer ID)",
        packets: 10,
        lengths: (1, 14),
        fixed: |bytes, _, own, _| bytes[..4].copy_from_slice(&(own as u32).to_be_bytes()),
    },
    Kind {
        name: "4 constant bytes a side, counter",
        derived: "2^-12 (one side 48..4f, clear or by xorptrpos, and a small peer ID; not both sides legal: 2^-14)",
        packets: 10,
        lengths: (1, 14),
        fixed: |bytes, n, own, _| {
            bytes[..4].copy_from_slice(&(own as u32).to_be_bytes());
            bytes[4..8].copy_from_slice(&(n + 1).to_be_bytes());
        },
    },
    Kind {
        name: "the same 4 bytes both sides, counter",
        derived: "2^-12 (48..4f, clear or by xorptrpos, and a small peer ID)",
        packets: 10,
        lengths: (1, 14),
        fixed: |bytes, n, _, shared| {
            bytes[..4].copy_from_slice(&(shared as u32).to_be_bytes());
            bytes[4..8].copy_from_slice(&(n + 1).to_be_bytes());
        },
    },
    Kind {
        name: "opcode of a flow, random",
        derived: "2^-40 (a reset by chance)",
        packets: 10,
        lengths: (1, 14),
        fixed: |bytes, _, _, shared| bytes[0] = OPCODES[(shared % 8) as usize],
    },
    Kind {
        name: "opcodes at random, 8 constant bytes a side",
        derived: "2^-17 (first bytes of resets under a mask: 2^-2.4; lengths of resets: 2^-13; all others legal: 2^-1.6)",
        packets: 10,
        lengths: (1, 14),
        fixed: |bytes, n, own, _| {
            bytes[0] = OPCODES[((own >> (n % 16)) % 8) as usize];
            bytes[1..9].copy_from_slice(&own.to_be_bytes());
        },
    },
    Kind {
        name: "the same 4 bytes both sides, counter, 20 packets of 40 bytes and more",
        derived: "2^-7.7 (48..4f: 2^-5; the shortest of twenty a ping's, which saves it from starting at 1: 2^-2.7)",
        packets: 20,
        lengths: (1, 40),
        fixed: |bytes, n, _, shared| {
            bytes[..4].copy_from_slice(&(shared as u32).to_be_bytes());
            bytes[4..8].copy_from_slice(&(n + 1).to_be_bytes());
        },
    },
    Kind {
        name: "the same, joined in the middle",
        derived: "2^-5 (48..4f: a random peer ID of point-to-point mode)",
        packets: 20,
        lengths: (1, 40),
        fixed: |bytes, n, own, shared| {
            bytes[..4].copy_from_slice(&(shared as u32).to_be_bytes());
            bytes[4..8].copy_from_slice(&((own >> 40) as u32 + n + 2).to_be_bytes());
        },
    },
    Kind {
        name: "4 constant bytes a side, 16 values in any order, 20 packets",
        derived: "2^-17 (48..4f and a small peer ID on either side: 2^-12; ten values and none twice: 2^-5); 2^-40 for a masked counter",
        packets: 20,
        lengths: (1, 40),
        fixed: |bytes, n, own, _| {
            bytes[..4].copy_from_slice(&(own as u32).to_be_bytes());
            bytes[4..8].copy_from_slice(&[0, 0, 0, (own >> (n * 5 % 61)) as u8 & 15]);
        },
    },
    Kind {
        name: "the same at the end, 20 packets of two lengths",
        derived: "2^-17, the same read in reverse; 2^-40 for a masked counter",
        packets: 20,
        lengths: (120, 40),
        fixed: |bytes, n, own, _| {
            bytes[0] = own as u8;
            let trailer = [(own >> (n * 5 % 61)) as u8 & 15, 0, 0, 0, own as u8, (own >> 8) as u8, (own >> 16) as u8];
            let end = bytes.len();
            bytes[end - 7..].copy_from_slice(&trailer);
        },
    },
    Kind {
        name: "random bytes, 20 packets of lengths 4 modulo 16",
        derived: "2^-17 (pings of 68 bytes by chance: 2^-12; at one interval of a second or more: 2^-5)",
        packets: 20,
        lengths: (16, 68),
        fixed: |_, _, _, _| {},
    },
];

fn main() {
    let flows: u64 = std::env::args().filter_map(|a| a.replace('_', "").parse().ok()).next().unwrap_or(10_000_000);
    let openvpn = ALL[index("openvpn").unwrap()];
    println!("{flows} flows");
    println!("| kind | flows | suspected | likely | confident | certain | likely or more | derived | s |");
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    let share = flows / 2 / KINDS.len() as u64;
    std::thread::scope(|scope| {
        let runs: Vec<_> =
            KINDS.iter().zip(1..).map(|(kind, seed)| scope.spawn(move || run(openvpn, kind, share, seed))).collect();
        runs.into_iter().for_each(|run| println!("{}", run.join().unwrap()));
    });
    println!();
    println!("| look-alike of ESP | flows | suspected | likely | confident | certain | taken for |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let kinds = lookalikes::KINDS;
    let share = flows / 2 / kinds.len() as u64;
    std::thread::scope(|scope| {
        let held = |half: usize| move || (half..kinds.len()).step_by(2).map(|k| hold_out(openvpn, k, share)).collect();
        let halves: Vec<_> = [0, 1].map(|half| scope.spawn(held(half))).into_iter().collect();
        let lines: Vec<Vec<String>> = halves.into_iter().map(|half| half.join().unwrap()).collect();
        lines.concat().iter().for_each(|line| println!("{line}"));
    });
}

/// The table's line for `share` flows of ESP's `k`th look-alike: 16 to 47 packets, one in three flows in one direction only,
/// one in two from the middle.
fn hold_out(protocol: &dyn Protocol, k: usize, share: u64) -> String {
    let (kind, mut random) = (&lookalikes::KINDS[k], mutate::Random(k as u64 + 1));
    let (mut bands, mut variants) = ([0u64; 5], BTreeMap::<String, u64>::new());
    for _ in 0..share {
        let session = [random.next(), random.next(), random.next(), random.next()];
        let first = if random.below(2) == 0 { 1 } else { random.next() as u32 >> 8 };
        let (packets, one_way) = (16 + random.below(32) as u32, random.below(3) == 0);
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..packets {
            let side = if one_way { 0 } else { n as usize % 2 };
            let turn = if one_way { n } else { n / 2 };
            let payload = (kind.make)(&session, side, first.wrapping_add(turn), &mut random);
            let time = Time(1_800_000_000_000_000_000 + i64::from(n) * 20_000_000);
            buf.push_datagram(u64::from(n) + 1, time, Dir::BOTH[side], payload.len(), &payload);
        }
        if let Assessment::Recognised(finding) = protocol.assess(&buf.view(None, true)) {
            let at = band(&finding);
            bands[at] += 1;
            if at >= 2 {
                *variants.entry(finding.variant.unwrap_or_default().into_owned()).or_default() += 1;
            }
        }
    }
    let [_, suspected, likely, confident, certain] = bands;
    let taken: Vec<String> = variants.iter().map(|(name, n)| format!("{name} {n}")).collect();
    format!("| {} | {share} | {suspected} | {likely} | {confident} | {certain} | {} |", kind.name, taken.join(", "))
}

/// 0 for nothing, 1 suspected, 2 likely, 3 confident, 4 certain.
fn band(finding: &Finding) -> usize {
    match Band::of(PRIOR + finding.bits()) {
        Some(Band::Certain) => 4,
        Some(Band::Confident) => 3,
        Some(Band::Likely) => 2,
        None => usize::from(finding.bits().as_f64() >= 6.0),
    }
}

/// The table's line for `share` flows of `kind`.
fn run(protocol: &dyn Protocol, kind: &Kind, share: u64, seed: u64) -> String {
    let (started, mut bands, mut random) = (Instant::now(), [0u64; 5], Random(seed << 32 | 0x55ed));
    for _ in 0..share {
        bands[judge(protocol, kind, &mut random)] += 1;
    }
    let [_, suspected, likely, confident, certain] = bands;
    let rate = (likely + confident + certain) as f64 / share as f64;
    let observed = if rate > 0.0 { format!("2^{:.1}", rate.log2()) } else { "0".to_owned() };
    let (name, derived, seconds) = (kind.name, kind.derived, started.elapsed().as_secs_f64());
    format!(
        "| {name} | {share} | {suspected} | {likely} | {confident} | {certain} | {observed} | {derived} | {seconds:.0} |"
    )
}

/// The highest band that a new flow of `kind` reaches: 0 for nothing, 1 suspected, 2 likely, 3 confident, 4 certain.
fn judge(protocol: &dyn Protocol, kind: &Kind, random: &mut Random) -> usize {
    let mut buf = HeadBuf::new(Transport::Udp);
    let (shared, own) = (random.next(), [random.next(), random.next()]);
    let mut payload = [0; 320];
    let (mut highest, mut now) = (0, 1_800_000_000_000_000_000);
    for n in 0..kind.packets {
        let dir = Dir::BOTH[(n % 2) as usize];
        let (step, least) = kind.lengths;
        let len = least + (random.next() >> 16) as usize % (240 / step) * step;
        random.fill(&mut payload[..len]);
        (kind.fixed)(&mut payload[..len], n / 2, *dir.of(&own), shared);
        // Up to a second between packets.
        now += (random.next() >> 16) as i64 % 1_000_000_000;
        buf.push_datagram(u64::from(n) + 1, Time(now), dir, len, &payload[..len]);
        // As the pipeline asks: at once, and then seldom.
        let last = n + 1 == kind.packets;
        if (last || matches!(n + 1, 1 | 2 | 3 | 4 | 6 | 8 | 12 | 16))
            && let Assessment::Recognised(finding) = protocol.assess(&buf.view(None, last))
        {
            highest = highest.max(band(&finding));
        }
    }
    highest
}
