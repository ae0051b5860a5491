//! OpenVPN as several flows show it: a client that floats to another port, and a port that is shared with TLS.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::protocol::Band;
use portproof::registry::Registry;
use std::io::Cursor;
use std::path::Path;

fn capture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/openvpn/{name}.pcap"));
    std::fs::read(path).unwrap()
}

fn judged(bytes: Vec<u8>) -> Captured {
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).unwrap();
    let options = Options { workers: 0, ..Options::default() };
    read_capture(file, "test", &options, Registry::embedded(), &Control::default())
}

/// Protocol and band of each flow, in order of appearance.
fn flows(captured: &Captured) -> Vec<(&'static str, Option<Band>)> {
    captured.records(Registry::embedded()).map(|r| (r.protocol(), r.decision.and_then(|d| d.band))).collect()
}

/// The frames of a little-endian pcap over Ethernet and IPv4 of which `keep` says so, given the UDP payload.
fn only(bytes: &[u8], mut keep: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let (mut out, mut at) = (bytes[..24].to_vec(), 24);
    while let Some(len) = bytes.get(at + 8..at + 12) {
        let end = at + 16 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        if keep(&bytes[at + 16 + 42..end]) {
            out.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    out
}

#[test]
fn a_client_that_floats_stays_in_its_session() {
    for name in ["float", "float-asymmetric"] {
        let seen = flows(&judged(capture(name)));
        assert_eq!(seen, [("openvpn", Some(Band::Certain)); 2], "{name}");
    }
}

#[test]
fn three_packets_after_a_float_are_enough() {
    let whole = judged(capture("float"));
    let (mut later, first) = (0, whole.records(Registry::embedded()).next().unwrap().packets);
    let mut left = first.0 + first.1;
    let cut = only(&capture("float"), |_| {
        later += u64::from(left == 0);
        left = left.saturating_sub(1);
        later <= 6
    });
    assert_eq!(flows(&judged(cut)), [("openvpn", Some(Band::Certain)); 2]);
}

#[test]
fn both_halves_of_a_floated_session_are_found_without_its_handshake() {
    for name in ["float", "float-asymmetric"] {
        let data = only(&capture(name), |payload| matches!(payload[0] >> 3, 6 | 9));
        let seen = flows(&judged(data));
        assert_eq!(seen.len(), 2, "{name}");
        assert!(
            seen.iter().all(|(protocol, band)| *protocol == "openvpn" && *band >= Some(Band::Confident)),
            "{seen:?}"
        );
    }
}

#[test]
fn a_shared_port_shows_both_and_each_flow_by_itself() {
    let captured = judged(capture("port-share"));
    let names: Vec<_> = flows(&captured).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["tls", "tls", "openvpn", "tls"]);
    let rows: Vec<_> = captured.rows.iter().collect();
    assert_eq!(rows.len(), 1);
    let mut observed: Vec<_> = rows[0].observed.iter().map(|o| o.protocol).collect();
    observed.sort_unstable();
    assert_eq!(observed, ["openvpn", "tls"]);
}
