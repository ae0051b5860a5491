//! What must hold for every recogniser in `ALL`, shown on the captures in testdata.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod corpus;

use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::protocol::ALL;
use portproof::protocol::evidence::goes_along;
use portproof::registry::{self, ClaimRow, Registry, claims};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;

fn judged(bytes: Vec<u8>) -> Captured {
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).expect("a capture");
    read_capture(file, "test", &Options { workers: 0, ..Options::default() }, Registry::embedded(), &Control::default())
}

/// The captures of testdata/NAME for each protocol NAME that has a recogniser.
fn own_captures() -> BTreeMap<&'static str, Vec<(String, Vec<u8>)>> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let of = |name: &str| {
        let folder = std::fs::read_dir(testdata.join(name)).into_iter().flatten().flatten();
        let mut paths: Vec<_> =
            folder.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "pcap")).collect();
        paths.sort();
        paths.iter().map(|p| (p.display().to_string(), std::fs::read(p).unwrap())).collect()
    };
    ALL.iter().map(|p| (p.name(), of(p.name()))).collect()
}

/// Byte offsets at which the frames of a little-endian pcap end.
fn frame_ends(bytes: &[u8]) -> Vec<usize> {
    let (mut at, mut ends) = (24, Vec::new());
    while let Some(len) = bytes.get(at + 8..at + 12) {
        at += 16 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        ends.push(at);
    }
    ends
}

fn names(captured: &Captured) -> BTreeSet<&'static str> {
    captured.records(Registry::embedded()).map(|r| r.protocol()).collect()
}

fn shows(captured: &Captured, name: &str) -> bool {
    captured
        .records(Registry::embedded())
        .any(|r| r.protocol() == name || r.decision.is_some_and(|d| d.also.contains(&name)))
}

#[test]
fn names_are_unique_and_references_given() {
    let names: BTreeSet<_> = ALL.iter().map(|p| p.name()).collect();
    assert_eq!(names.len(), ALL.len());
    assert!(ALL.len() <= 256, "ProtocolSet has 256 places");
    for protocol in ALL {
        assert!(protocol.reference().len() > 3, "{}", protocol.name());
        assert!(!protocol.name().contains(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')));
    }
}

#[test]
fn every_protocol_has_a_capture_that_shows_it() {
    let mut missing = Vec::new();
    for (name, captures) in own_captures() {
        if !captures.into_iter().any(|(_, bytes)| shows(&judged(bytes), name)) {
            missing.push(name);
        }
    }
    assert!(missing.is_empty(), "no capture in testdata/NAME shows {missing:?}");
}

#[test]
fn a_prefix_is_never_called_something_else_and_excluded_is_for_ever() {
    for (name, captures) in own_captures() {
        for (path, bytes) in captures {
            let whole = judged(bytes.clone());
            let last: BTreeMap<_, _> = whole
                .records(Registry::embedded())
                .map(|r| (r.client.min(r.server), r.client.max(r.server), r.first))
                .zip(whole.records(Registry::embedded()).map(|r| r.protocol()))
                .collect();
            for end in frame_ends(&bytes).into_iter().take(60) {
                let part = judged(bytes[..end].to_vec());
                for flow in part.records(Registry::embedded()) {
                    let key = (flow.client.min(flow.server), flow.client.max(flow.server), flow.first);
                    let Some(&later) = last.get(&key) else { continue };
                    let now = flow.protocol();
                    assert!(
                        now == "unknown" || now == later || goes_along(now, later) || later == "unknown",
                        "{path}: the first {end} bytes are called {now}, the whole {later}"
                    );
                    let excluded = flow.decision.map(|d| d.excluded).unwrap_or_default();
                    let index = portproof::protocol::index(later);
                    assert!(
                        !index.is_some_and(|n| excluded.contains(n)),
                        "{path}: {later} was excluded after {end} bytes (recogniser of {name})"
                    );
                }
            }
        }
    }
}

/// Every protocol that a claim names is recognised, or listed here as to come.
#[test]
fn claims_name_protocols_that_exist_or_are_to_come() {
    let known: BTreeSet<_> = ALL.iter().map(|p| p.name()).collect();
    let to_come: Vec<_> = registry::protocols().into_iter().filter(|name| !known.contains(name)).collect();
    println!("{} protocols of the claims are recognised; to come: {to_come:?}", known.len());
    for name in ["openvpn", "esp-in-udp", "ike", "tls", "quic", "dns", "http", "ssh", "ntp", "stun", "rtp", "wireguard"]
    {
        assert!(known.contains(name), "{name} has no recogniser");
    }
}

/// A protocol stands in the claims: with the services whose claim it satisfies, or, where no service is registered for it,
/// in a row of service "-" that says where it is met.
#[test]
fn every_protocol_has_a_row_in_the_claims() {
    let named = |row: &ClaimRow, name| row.satisfied_by.contains(&name) || row.companion.contains(&name);
    for protocol in ALL {
        let rows: Vec<_> = claims::all().iter().filter(|row| named(row, protocol.name())).collect();
        assert!(!rows.is_empty(), "{} has no row in the claims", protocol.name());
        let unregistered = rows.iter().any(|row| row.service == claims::UNREGISTERED);
        assert!(!unregistered || rows.len() == 1, "{} has a service, and a row that says it has none", protocol.name());
    }
    assert!(claims::all().iter().all(|row| row.service != claims::UNREGISTERED || !row.note.is_empty()));
}

/// A small generator (xorshift), so that the payloads are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn random_payloads_are_called_nothing() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut bytes = Vec::from(*b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0");
    for flow in 0..3000u32 {
        for n in 0..6u32 {
            let len = 1 + (random.next() % 300) as usize;
            let payload: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
            let (there, back) = ([10, (flow >> 8) as u8, flow as u8, 1], [10, 99, 0, 1]);
            let (from, to) = if n % 2 == 0 { (there, back) } else { (back, there) };
            let ports: [u16; 2] = if n % 2 == 0 { [4000, 5000] } else { [5000, 4000] };
            let mut ip = vec![0x45, 0];
            ip.extend((28 + len as u16).to_be_bytes());
            ip.extend([0, 0, 0, 0, 64, 17, 0, 0]);
            ip.extend(from.iter().chain(&to));
            ports.iter().for_each(|p| ip.extend(p.to_be_bytes()));
            ip.extend((8 + len as u16).to_be_bytes());
            ip.extend([0, 0]);
            ip.extend(payload);
            bytes.extend([flow, n, ip.len() as u32, ip.len() as u32].iter().flat_map(|v| v.to_le_bytes()));
            bytes.extend(ip);
        }
    }
    let captured = judged(bytes);
    assert_eq!(captured.flows, 3000);
    assert_eq!(names(&captured), BTreeSet::from(["unknown"]));
}
