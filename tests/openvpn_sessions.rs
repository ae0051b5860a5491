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

/// What links the flows of `captured` to others, and its weight in bits.
fn moves(captured: &Captured) -> Vec<Vec<(String, f64)>> {
    let said = |d: &portproof::protocol::Decision| {
        let moved = d.evidence.iter().filter(|e| e.family.id == "flow.moved");
        moved.map(|e| (e.text.to_string(), e.bits.as_f64())).collect()
    };
    captured.records(Registry::embedded()).map(|r| r.decision.map_or(Vec::new(), said)).collect()
}

#[test]
fn packet_ids_that_go_on_link_the_flows_of_a_session() {
    let captured = judged(capture("float-data"));
    assert_eq!(flows(&captured).len(), 2);
    let told = moves(&captured);
    assert!(told.iter().all(|items| items.len() == 1), "{told:?}");
    let later = captured.records(Registry::embedded()).next().unwrap().client.port.to_string();
    assert!(
        told[0][0].0.starts_with("after packet ID 111 ")
            && told[0][0].0.ends_with("goes on with 112, under the same header: one session"),
        "{told:?}"
    );
    assert!(told[1][0].0.contains("packet ID 112 goes on where 111 ") && told[1][0].0.contains(&later), "{told:?}");
}

/// Three packets of one side are likely by themselves; the session they belong to lends what it has more. If more than a
/// replay window lies between the two, each is on its own.
#[test]
fn a_flow_is_what_the_session_is_that_it_goes_on_from() {
    let whole = judged(capture("float-data"));
    let count = whole.records(Registry::embedded()).next().map(|r| r.packets.0 + r.packets.1).unwrap();
    let from = |first: u64, last: u64| {
        let mut n = 0;
        judged(only(&capture("float-data"), |_| {
            n += 1;
            n <= count && n <= first || n > count && n <= count + last
        }))
    };
    let alone = from(0, 3);
    assert_eq!(flows(&alone), [("openvpn", Some(Band::Likely))]);
    let linked = from(count, 3);
    assert_eq!(flows(&linked), [("openvpn", Some(Band::Confident)); 2], "{:?}", moves(&linked));
    assert!(moves(&linked)[1][0].1 > 0.0);
    for name in ["float", "float-asymmetric"] {
        let apart = judged(only(&capture(name), |payload| matches!(payload[0] >> 3, 6 | 9)));
        assert_eq!(moves(&apart).concat(), [], "{name}");
    }
}

/// The packet with the client key shows tls-crypt-v2 by itself, if the resets were missed.
#[test]
fn the_client_key_that_is_sent_again_is_enough() {
    let mut sent = 0;
    let key = |payload: &[u8]| {
        sent += u32::from(payload[0] == 0x58);
        payload[0] == 0x58 && sent == 1
    };
    let captured = judged(only(&capture("tls-crypt-v2-cookie"), key));
    assert_eq!(flows(&captured), [("openvpn", Some(Band::Confident))]);
    let variant = captured.records(Registry::embedded()).next().and_then(|r| r.decision?.variant.clone());
    assert_eq!(variant.as_deref(), Some("tls-crypt-v2"));
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
