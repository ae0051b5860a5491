//! How often traffic that resembles ESP is taken for it: `cargo bench --bench false_rate_esp [-- FLOWS]`, ten million flows
//! by default. Printed beside the rate that follows from the rules.

#![allow(missing_docs, clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::lookalikes::{KINDS, Kind};
use common::mutate::Random;
use portproof::flow::{Dir, HeadBuf};
use portproof::packet::{Time, Transport};
use portproof::protocol::{self, Assessment, Band, Protocol, evidence::PRIOR};

/// Counts per kind: flows, and those named likely, confident, certain.
type Counts = Vec<[u64; 4]>;

/// One flow: 16 to 47 packets, one in three flows in one direction only, one in two from the middle.
fn judge(protocol: &dyn Protocol, kind: &Kind, random: &mut Random) -> Option<Band> {
    let session = [random.next(), random.next(), random.next(), random.next()];
    let first = if random.below(2) == 0 { 1 } else { random.next() as u32 >> 8 };
    let (packets, one_way) = (16 + random.below(32) as u32, random.below(3) == 0 && !kind.needs_both);
    let mut buf = HeadBuf::new(Transport::Udp);
    for n in 0..packets {
        let side = if one_way { 0 } else { n as usize % 2 };
        let turn = if one_way { n } else { n / 2 };
        let payload = (kind.make)(&session, side, first.wrapping_add(turn), random);
        let time = Time(i64::from(n) * 20_000_000);
        buf.push_datagram(u64::from(n) + 1, time, Dir::BOTH[side], payload.len(), &payload);
    }
    match protocol.assess(&buf.view(None, true)) {
        Assessment::Recognised(finding) => Band::of(PRIOR + finding.bits()),
        Assessment::NotNow | Assessment::Never | Assessment::Until(_) | Assessment::Excluded => None,
    }
}

fn run(seed: u64, flows: u64) -> Counts {
    let protocol = protocol::ALL[protocol::index("esp-in-udp").unwrap()];
    let mut random = Random(seed);
    let mut counts = vec![[0; 4]; KINDS.len()];
    for n in 0..flows {
        let at = n as usize % KINDS.len();
        let place = match judge(protocol, &KINDS[at], &mut random) {
            None => 0,
            Some(Band::Likely) => 1,
            Some(Band::Confident) => 2,
            Some(Band::Certain) => 3,
        };
        counts[at][0] += 1;
        if place > 0 {
            counts[at][place] += 1;
        }
    }
    counts
}

fn main() {
    let wanted = std::env::args().skip(1).find_map(|a| a.parse::<u64>().ok()).unwrap_or(10_000_000);
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let mut total: Counts = vec![[0; 4]; KINDS.len()];
    std::thread::scope(|scope| {
        let parts: Vec<_> = (0..workers).map(|w| scope.spawn(move || run(w + 1, wanted / workers))).collect();
        for part in parts {
            let counts = part.join().unwrap();
            for (sum, more) in total.iter_mut().zip(counts) {
                sum.iter_mut().zip(more).for_each(|(s, m)| *s += m);
            }
        }
    });
    println!("{:52} {:>9} {:>7} {:>9} {:>7}", "look-alike", "flows", "likely", "confident", "certain");
    for (kind, [flows, likely, confident, certain]) in KINDS.iter().zip(&total) {
        println!("{:52} {flows:>9} {likely:>7} {confident:>9} {certain:>7}", kind.name);
    }
    let sum = |at: usize| total.iter().map(|c| c[at]).sum::<u64>();
    println!("{:52} {:>9} {:>7} {:>9} {:>7}", "all", sum(0), sum(1), sum(2), sum(3));
    println!();
    println!(
        "Derived: a counter behind a constant word over 4-aligned noise passes only when all lengths of each direction"
    );
    println!(
        "fall into one class modulo 8: 2^-(n-1) for n lengths of one direction, 2^-14 for two directions of eight and"
    );
    println!(
        "2^-15 for one of sixteen, the shortest here; averaged over 16 to 47 packets about 2^-19 of the flows of that kind."
    );
}
