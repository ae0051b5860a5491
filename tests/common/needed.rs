//! After how many packets a flow is likely, confident and certain: what the tables in `docs/recognition.md` are made of.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test helper: a panic is a failed test.

use super::flows::{self, Flow, Outcome, Piece};
use portproof::packet::Transport;
use portproof::protocol;
use std::path::{Path, PathBuf};

/// The floors of the bands as sums of evidence: odds less the prior.
pub const BANDS: [f64; 3] = [14.0, 20.0, 30.0];

/// The captures in folders of testdata, sorted.
pub fn captures(folders: &[&str]) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut found: Vec<PathBuf> = files.map(|e| e.unwrap().path()).collect();
    found.retain(|p| p.extension().is_some_and(|e| e == "pcap"));
    found.sort();
    found
}

/// The flow with the most packets.
pub fn main_flow(path: &Path) -> Flow {
    flows::read(path).into_iter().max_by_key(|f| f.pieces.iter().filter(|p| p.len > 0).count()).unwrap()
}

/// Payload bytes that are left of an Ethernet frame of `snaplen` bytes; TCP with the time stamp option.
pub fn visible(flow: &Flow, snaplen: usize) -> usize {
    let ip = if flow.originator.ip.to_std().is_ipv4() { 20 } else { 40 };
    let transport = if flow.transport == Transport::Tcp { 32 } else { 8 };
    snaplen.saturating_sub(14 + ip + transport)
}

/// What the recogniser `name` says of a flow's pieces.
pub fn judge(name: &str, flow: &Flow, pieces: &[Piece]) -> Outcome {
    flows::assess(protocol::ALL[protocol::index(name).unwrap()], flow.transport, pieces)
}

/// "1 / 1 / 2": payloads until likely, confident and certain; "suspected" for that only, "-" for nothing.
pub fn needed(outcome: &Outcome) -> String {
    let reached = |floor: f64| outcome.steps.iter().find(|s| s.1 >= floor).map(|s| s.0);
    match BANDS.map(reached) {
        [None, ..] if outcome.bits() >= 6.0 => "suspected".to_owned(),
        [None, ..] => "-".to_owned(),
        bands => bands.map(|n| n.map_or("-".to_owned(), |n| n.to_string())).join(" / "),
    }
}

/// Compares the part of docs/recognition.md between two markers with `current`, or writes it anew with `PORTPROOF_BLESS=1`.
pub fn check(name: &str, current: &str) {
    let (start, end) = (format!("<!-- {name} table -->\n"), format!("<!-- end of {name} table -->\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recognition.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&start).unwrap();
    let (committed, after) = rest.split_once(&end).unwrap();
    println!("{current}");
    if std::env::var_os("PORTPROOF_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{start}{current}{end}{after}")).unwrap();
    } else {
        assert_eq!(committed, current, "run with PORTPROOF_BLESS=1");
    }
}
