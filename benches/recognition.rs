//! What the whole recognition of a flow costs, over the captures of testdata and, where they are, the corpus's.
//!
//! `cargo bench --bench recognition` prints mean, median, 99th percentile and the dearest flows. Headers are parsed before;
//! timed are the head, all assessments and the conclusion. Each flow counts with the best of five rounds. Beside the dearest
//! flows stand the recognisers that take longest to judge what was kept of them at the end, asked once more.
//! `cargo bench --bench recognition -- TEXT` is about captures with TEXT in their path.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A failure here is a failure of the bench.

use portproof::capture::{Block, CaptureFile};
use portproof::flow::{Dir, Flow, FlowKey, HeadBuf};
use portproof::packet::{Packet, Parser, Payload, Transport};
use portproof::pipeline::undecided::{Progress, Undecided};
use portproof::protocol::{ALL, Protocol};
use std::collections::HashMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const ROUNDS: u32 = 5;

struct Recorded {
    capture: String,
    flow: Flow,
    packets: Vec<(Packet, Dir, Vec<u8>)>,
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() { found.extend(below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The flows of a capture; what can be read of a damaged one.
fn flows(path: &Path) -> Vec<Recorded> {
    let Ok(mut file) = CaptureFile::open(path) else { return Vec::new() };
    let (mut block, mut parser, mut parsed) = (Block::default(), Parser::new(), Vec::new());
    let mut flows: Vec<Recorded> = Vec::new();
    let mut known: HashMap<FlowKey, usize> = HashMap::new();
    while file.next_block(&mut block).unwrap_or(false) {
        for reference in &block.frames {
            parser.parse(&block.frame(reference), reference.start, &mut parsed);
            for packet in parsed.drain(..).filter(|packet| !packet.refused) {
                let payload = match &packet.payload {
                    Payload::Block(range) => block.bytes.get(range.start as usize..range.end as usize),
                    Payload::Joined(joined) => Some(&joined.bytes[..]),
                };
                let payload = payload.unwrap_or_default().to_vec();
                let (key, from_low) = FlowKey::of(&packet);
                let place = *known.entry(key).or_insert_with(|| {
                    let capture = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    flows.push(Recorded { capture, flow: Flow::new(key, &packet, from_low), packets: Vec::new() });
                    flows.len() - 1
                });
                if let Some(recorded) = flows.get_mut(place) {
                    let dir = recorded.flow.dir(from_low);
                    recorded.packets.push((packet, dir, payload));
                }
            }
        }
    }
    flows.retain(|recorded| recorded.packets.iter().any(|(packet, ..)| packet.wire_len > 0));
    flows
}

/// Recognises a flow; the time it took, and the name.
fn recognise(recorded: &Recorded) -> (Duration, &'static str) {
    let start = Instant::now();
    let mut undecided = Undecided::new(recorded.flow.key.transport);
    let mut ended = true;
    for (packet, dir, payload) in &recorded.packets {
        let len = packet.wire_len as usize;
        let progress = match packet.tcp {
            Some(tcp) => {
                if tcp.syn {
                    undecided.open(*dir, tcp.sequence);
                }
                let sequence = tcp.sequence.wrapping_add(u32::from(tcp.syn));
                match len {
                    0 => Progress::Open,
                    _ => undecided.segment(packet.frame, packet.time, *dir, sequence, len, payload),
                }
            }
            None if len == 0 => Progress::Open,
            None => undecided.datagram(packet.frame, packet.time, *dir, len, payload),
        };
        if progress == Progress::Done {
            ended = false;
            break;
        }
    }
    undecided.look(ended);
    let decision = black_box(undecided.conclude(ended, Default::default));
    (start.elapsed(), decision.protocol.unwrap_or("unknown"))
}

/// The recognisers that take longest to judge what is kept of a flow at its end.
fn dearest(recorded: &Recorded) -> String {
    let mut head = HeadBuf::new(recorded.flow.key.transport);
    for (packet, dir, payload) in &recorded.packets {
        let len = packet.wire_len as usize;
        match packet.tcp {
            None if len > 0 => drop(head.push_datagram(packet.frame, packet.time, *dir, len, payload)),
            None => {}
            Some(tcp) => {
                let stream = head.stream_mut(*dir);
                if tcp.syn {
                    stream.open(tcp.sequence);
                }
                let sequence = tcp.sequence.wrapping_add(u32::from(tcp.syn));
                if len > 0 {
                    stream.push(sequence, packet.frame, packet.time, len, payload);
                }
            }
        }
    }
    let ask = |protocol: &&dyn Protocol| {
        let start = Instant::now();
        black_box(protocol.assess(&head.view(None, true)));
        start.elapsed()
    };
    let time = |protocol: &&dyn Protocol| (0..ROUNDS).map(|_| ask(protocol)).min().unwrap_or_default();
    let mut costs: Vec<(Duration, &str)> = ALL.iter().map(|protocol| (time(protocol), protocol.name())).collect();
    costs.sort_by_key(|cost| std::cmp::Reverse(*cost));
    let told = costs.iter().take(3).map(|(time, name)| format!("{name} {:.1}", micros(*time)));
    told.collect::<Vec<String>>().join(", ")
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn main() {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = std::env::var_os("PORTPROOF_CORPUS").map_or_else(|| root.join("../shared/captures"), PathBuf::from);
    for folder in [root.join("testdata"), corpus.join("lab"), corpus.join("real")] {
        let mut paths = below(&folder);
        paths.retain(|path| path.to_string_lossy().contains(&wanted));
        let flows: Vec<Recorded> = paths.iter().flat_map(|path| flows(path)).collect();
        if flows.is_empty() {
            println!("skipped: no captures in {}", folder.display());
            continue;
        }
        let mut costs: Vec<(Duration, &Recorded, &str)> = flows
            .iter()
            .map(|flow| {
                let rounds = (0..ROUNDS).map(|_| recognise(flow));
                let (time, name) = rounds.min_by_key(|(time, _)| *time).unwrap_or_default();
                (time, flow, name)
            })
            .collect();
        costs.sort_by_key(|(time, ..)| std::cmp::Reverse(*time));
        let mean = costs.iter().map(|(time, ..)| micros(*time)).sum::<f64>() / costs.len() as f64;
        let at = |share: f64| costs.get((costs.len() as f64 * share) as usize).map_or(0.0, |(time, ..)| micros(*time));
        println!("{}: {} flows, microseconds a flow", folder.display(), costs.len());
        println!("  mean {mean:.1}, median {:.1}, 99th percentile {:.1}, worst:", at(0.5), at(0.01));
        for (time, recorded, name) in costs.iter().take(10) {
            let payloads = recorded.packets.iter().filter(|(packet, ..)| packet.wire_len > 0).count();
            let transport = if recorded.flow.key.transport == Transport::Udp { "udp" } else { "tcp" };
            println!(
                "  {:>8.1}  {name}, {transport}, {payloads} payloads, {}: {}",
                micros(*time),
                recorded.capture,
                dearest(recorded)
            );
        }
    }
}
