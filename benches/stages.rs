//! What each stage costs, on the project's own captures. `cargo bench --bench stages`.

#![allow(clippy::unwrap_used, clippy::expect_used)] // A failure here is a failure of the bench.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use portproof::capture::{Block, CaptureFile};
use portproof::flow::{Dir, FlowKey, HeadBuf, Keyed, Table};
use portproof::packet::{Endpoint, Ip, Packet, Parser, Payload, Time, Transport};
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::protocol::{ALL, Protocol, index};
use portproof::registry::Registry;
use portproof::report::{Jsonl, Report};
use std::hash::BuildHasher;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

fn main() {
    divan::main();
}

/// The frames of all captures of testdata with Ethernet, as one capture file.
static CAPTURE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut paths: Vec<PathBuf> = entries(root).flat_map(entries).collect();
    paths.sort();
    let mut all: Vec<u8> = Vec::new();
    for bytes in paths.iter().filter_map(|p| std::fs::read(p).ok()) {
        let Some((header, frames)) = bytes.split_at_checked(24) else { continue };
        if header.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) && header.ends_with(&[1, 0, 0, 0]) {
            all.extend_from_slice(if all.is_empty() { &bytes } else { frames });
        }
    }
    all
});

fn open() -> CaptureFile {
    CaptureFile::from_reader("testdata".into(), Box::new(Cursor::new(&**CAPTURE))).expect("a capture")
}

/// All packets of [`CAPTURE`], with payloads of their own.
fn packets() -> Vec<(Packet, Vec<u8>)> {
    let (mut file, mut block, mut parser, mut parsed) = (open(), Block::default(), Parser::new(), Vec::new());
    let mut packets = Vec::new();
    while file.next_block(&mut block).unwrap_or(false) {
        for reference in &block.frames {
            parser.parse(&block.frame(reference), reference.start, &mut parsed);
            for packet in parsed.drain(..) {
                let payload = match &packet.payload {
                    Payload::Block(range) => {
                        block.bytes.get(range.start as usize..range.end as usize).unwrap_or_default().to_vec()
                    }
                    Payload::Joined(joined) => joined.bytes.to_vec(),
                };
                packets.push((packet, payload));
            }
        }
    }
    packets
}

#[divan::bench]
fn framing(bencher: Bencher<'_, '_>) {
    bencher.counter(BytesCount::new(CAPTURE.len())).bench(|| {
        let (mut file, mut block, mut frames) = (open(), Block::default(), 0);
        while file.next_block(&mut block).unwrap_or(false) {
            frames += block.frames.len();
        }
        frames
    });
}

#[divan::bench]
fn framing_and_headers(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(packets().len())).bench(|| {
        let (mut file, mut block, mut parser, mut parsed) = (open(), Block::default(), Parser::new(), Vec::new());
        let mut count = 0;
        while file.next_block(&mut block).unwrap_or(false) {
            for reference in &block.frames {
                parser.parse(&block.frame(reference), reference.start, &mut parsed);
                count += parsed.drain(..).count();
            }
        }
        count
    });
}

/// A slot as large as a decided flow's.
struct Slot(FlowKey, #[allow(dead_code)] [u8; 100]);

impl Keyed for Slot {
    fn key(&self) -> &FlowKey {
        &self.0
    }
}

fn key(n: u32) -> FlowKey {
    let end = |ip: [u8; 4], port| Endpoint { ip: Ip::v4(ip), port };
    FlowKey { low: end(n.to_be_bytes(), 9), high: end([255; 4], 53), transport: Transport::Udp, tunnel: None }
}

/// Look-ups in a table of so many flows, in random order; half of the keys are there.
#[divan::bench(args = [1_000, 1_000_000, 10_000_000], sample_count = 5)]
fn table(bencher: Bencher<'_, '_>, flows: u32) {
    let hasher = foldhash::quality::RandomState::default();
    let mut table = Table::default();
    for n in 0..flows {
        table.insert(hasher.hash_one(key(n)), Slot(key(n), [0; 100]));
    }
    let keys: Vec<(u64, FlowKey)> = (0..1_000_000_u64)
        .map(|n| key((n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32 % (2 * flows)))
        .map(|key| (hasher.hash_one(key), key))
        .collect();
    bencher
        .counter(ItemsCount::new(keys.len()))
        .bench_local(|| keys.iter().filter(|(hash, key)| table.find(*hash, key).is_some()).count());
}

/// Keeping the head of one UDP flow of a hundred payloads.
#[divan::bench(args = [22, 1400])]
fn head(bencher: Bencher<'_, '_>, len: usize) {
    let payload: Vec<u8> = (0..len).map(|n| (n * 167) as u8).collect();
    bencher.counter(ItemsCount::new(100_usize)).bench_local(|| {
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..100 {
            buf.push_datagram(n, Time(0), Dir::Originator, len, black_box(&payload));
        }
        buf
    });
}

/// The heads that recognisers are asked about: of UDP and TCP, of random bytes and of one byte repeated.
fn heads() -> Vec<HeadBuf> {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut heads = Vec::new();
    for repeated in [false, true] {
        let payloads: Vec<Vec<u8>> =
            (0..12).map(|n| (0..200 + 8 * n).map(|_| if repeated { 0x48 } else { random() }).collect()).collect();
        let (mut udp, mut tcp) = (HeadBuf::new(Transport::Udp), HeadBuf::new(Transport::Tcp));
        for dir in Dir::BOTH {
            tcp.stream_mut(dir).open(0);
        }
        let mut sent = [1_u32; 2];
        for (n, payload) in payloads.iter().enumerate() {
            let dir = if n % 3 == 0 { Dir::Originator } else { Dir::Responder };
            udp.push_datagram(n as u64, Time(0), dir, payload.len(), payload);
            let sequence = dir.of_mut(&mut sent);
            tcp.stream_mut(dir).push(*sequence, n as u64, Time(0), payload.len(), payload);
            *sequence += payload.len() as u32;
        }
        heads.extend([udp, tcp]);
    }
    heads
}

fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|p| p.name())
}

/// Each recogniser on heads of other traffic, the usual case.
#[divan::bench(args = names(), sample_count = 10)]
fn recogniser(bencher: Bencher<'_, '_>, name: &str) {
    let heads = heads();
    let protocol: &dyn Protocol = *index(name).and_then(|n| ALL.get(n)).expect("its name");
    bencher
        .counter(ItemsCount::new(heads.len()))
        .bench_local(|| heads.iter().map(|h| protocol.assess(&h.view(None, false))).collect::<Vec<_>>());
}

fn judged() -> Captured {
    let options = Options { workers: 0, ..Options::default() };
    read_capture(open(), "testdata", &options, Registry::embedded(), &Control::default())
}

/// The verdict on each flow of testdata that was recognised before; the best is taken, so that all are made.
#[divan::bench]
fn verdict(bencher: Bencher<'_, '_>) {
    let captured = judged();
    let flows = captured.records(Registry::embedded()).count();
    bencher
        .counter(ItemsCount::new(flows))
        .bench_local(|| captured.records(Registry::embedded()).map(|flow| flow.judgement.verdict).max());
}

/// The records of these flows as JSON Lines, verdicts included.
#[divan::bench]
fn report(bencher: Bencher<'_, '_>) {
    let captured = judged();
    let flows = captured.records(Registry::embedded()).count();
    bencher.counter(ItemsCount::new(flows)).bench_local(|| {
        let mut report = Jsonl::new(std::io::sink(), None);
        captured
            .records(Registry::embedded())
            .try_for_each(|flow| report.flow("testdata", &flow))
            .expect("a sink takes all");
    });
}

/// Everything, in one thread, on all of testdata.
#[divan::bench(sample_count = 10)]
fn whole(bencher: Bencher<'_, '_>) {
    bencher.counter(ItemsCount::new(packets().len())).bench_local(|| judged().flows);
}
