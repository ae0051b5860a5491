//! OpenVPN's captures as a bad capture has them: whatever was lost, cut, doubled or out of order, the flows have their
//! names or none, and no wrapping of the control channel is taken for another.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::mutate::Random;
use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::registry::Registry;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

/// A record of a little-endian pcap: its header and the frame.
type Record = Vec<u8>;

fn records(capture: &[u8]) -> Vec<Record> {
    let (mut out, mut at) = (Vec::new(), 24);
    while let Some(len) = capture.get(at + 8..at + 12) {
        let end = at + 16 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        out.push(capture[at..end].to_vec());
        at = end;
    }
    out
}

/// The address that an Ethernet frame comes from.
fn source(record: &Record) -> &[u8] {
    if record[28..30] == [8, 0] { &record[42..46] } else { &record[38..54] }
}

fn cut(records: &[Record], snaplen: usize) -> Vec<Record> {
    let cut = |record: &Record| {
        let mut record = record.clone();
        record.truncate(16 + snaplen);
        let visible = (record.len() as u32 - 16).to_le_bytes();
        record[8..12].copy_from_slice(&visible);
        record
    };
    records.iter().map(cut).collect()
}

/// Shuffled by up to 16 places; the times stay in order.
fn disordered(records: &[Record]) -> Vec<Record> {
    let (mut random, mut out) = (Random(16), records.to_vec());
    for chunk in out.chunks_mut(16) {
        let times: Vec<[u8; 8]> = chunk.iter().map(|r| r[..8].try_into().unwrap()).collect();
        for n in (1..chunk.len()).rev() {
            chunk.swap(n, random.below(n + 1));
        }
        chunk.iter_mut().zip(times).for_each(|(record, time)| record[..8].copy_from_slice(&time));
    }
    out
}

fn lossy(records: &[Record], seed: u64) -> Vec<Record> {
    let mut random = Random(seed);
    records.iter().filter(|_| random.below(20) != 0).cloned().collect()
}

fn way(records: &[Record], first: bool) -> Vec<Record> {
    let from = |record: &&Record| (source(record) == source(&records[0])) == first;
    records.iter().filter(from).cloned().collect()
}

type Change = (&'static str, fn(&[Record]) -> Vec<Record>);

const CHANGES: &[Change] = &[
    ("5 % lost", |r| lossy(r, 20)),
    ("5 % lost, others", |r| lossy(r, 21)),
    ("each twice", |r| r.iter().flat_map(|record| [record.clone(), record.clone()]).collect()),
    ("out of order", disordered),
    ("5 % lost, each twice, out of order", |r| {
        disordered(&lossy(r, 22).into_iter().flat_map(|record| [record.clone(), record]).collect::<Vec<_>>())
    }),
    ("one side", |r| way(r, true)),
    ("the other side", |r| way(r, false)),
    ("96 bytes", |r| cut(r, 96)),
    ("64 bytes", |r| cut(r, 64)),
    ("64 bytes of one side", |r| cut(&way(r, true), 64)),
    ("second half", |r| r[r.len() / 2..].to_vec()),
    ("second half, 96 bytes, out of order", |r| disordered(&cut(&r[r.len() / 2..], 96))),
];

fn judged(head: &[u8], records: &[Record]) -> Captured {
    let bytes = [head, &records.concat()].concat();
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).unwrap();
    let options = Options { workers: 0, ..Options::default() };
    read_capture(file, "test", &options, Registry::embedded(), &Control::default())
}

/// Names of the flows, and how the control channels are wrapped.
fn names(captured: &Captured) -> (BTreeSet<&'static str>, BTreeSet<String>) {
    let (mut names, mut wraps) = (BTreeSet::new(), BTreeSet::new());
    for record in captured.records(Registry::embedded()).filter(|r| r.protocol() != "unknown") {
        names.insert(record.protocol());
        let variant = record.decision.and_then(|d| d.variant.as_deref()).unwrap_or_default();
        let under = variant.rsplit(' ').next().unwrap_or_default();
        if record.protocol() == "openvpn" && ["plain", "tls-"].iter().any(|wrap| under.starts_with(wrap)) {
            wraps.insert(under.to_owned());
        }
    }
    (names, wraps)
}

#[test]
fn a_bad_capture_makes_no_other_protocol_of_it() {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for folder in ["openvpn", "openvpn-static-key"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
        let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "pcap"));
        paths.sort();
        for path in paths {
            let capture = std::fs::read(&path).unwrap();
            assert_eq!(capture[20..24], [1, 0, 0, 0], "{}: Ethernet", path.display());
            let all = records(&capture);
            let (known, wraps) = names(&judged(&capture[..24], &all));
            for (change, apply) in CHANGES {
                let changed = apply(&all);
                let (names, under) = names(&judged(&capture[..24], &changed));
                tried += 1;
                if !names.is_subset(&known) || !under.is_subset(&wraps) {
                    wrong.push(format!("{}, {change}: {names:?} {under:?}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(tried > 500, "{tried}");
}
