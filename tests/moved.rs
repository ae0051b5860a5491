//! Traffic moved onto other ports keeps its name: nothing depends on the port.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;

use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::registry::Registry;
use std::collections::BTreeSet;
use std::io::Cursor;

fn judged(bytes: Vec<u8>) -> Captured {
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).unwrap();
    let options = Options { workers: 0, ..Options::default() };
    read_capture(file, "test", &options, Registry::embedded(), &Control::default())
}

fn names(captured: &Captured) -> Vec<(&'static str, Option<String>)> {
    let variant =
        |r: &portproof::verdict::FlowRecord<'_>| r.decision.and_then(|d| d.variant.as_ref().map(|v| v.to_string()));
    captured.records(Registry::embedded()).map(|r| (r.protocol(), variant(&r))).collect()
}

/// Puts `to` in the place of port `from` in all plain IPv4 frames (Ethernet or raw) of a little-endian pcap.
fn moved(capture: &[u8], from: u16, to: u16) -> Option<Vec<u8>> {
    let link = u32::from_le_bytes(capture.get(20..24)?.try_into().ok()?);
    let ip_at = match link {
        1 => 14,
        101 => 0,
        _ => return None,
    };
    let (mut bytes, mut at) = (capture.to_vec(), 24);
    while let Some(len) = capture.get(at + 8..at + 12) {
        let frame = at + 16;
        let ip = frame + ip_at;
        at = frame + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        let plain = link == 101 || capture.get(frame + 12..frame + 14) == Some(&[8, 0]);
        let Some(&first) = capture.get(ip).filter(|first| plain && **first >> 4 == 4) else { continue };
        let ports = ip + usize::from(first & 15) * 4;
        for port in [ports, ports + 2] {
            if port + 2 <= at && matches!(capture[ip + 9], 6 | 17) && capture[port..port + 2] == from.to_be_bytes() {
                bytes[port..port + 2].copy_from_slice(&to.to_be_bytes());
            }
        }
    }
    Some(bytes)
}

#[test]
fn a_name_does_not_depend_on_the_port() {
    let mut tried = 0;
    for path in corpus::captures(&["lab"]) {
        let capture = std::fs::read(&path).unwrap();
        if !capture.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) || capture.len() > 400_000 {
            continue;
        }
        let original = judged(capture.clone());
        let ports: BTreeSet<u16> = original.records(Registry::embedded()).map(|r| r.server.port).collect();
        let used: BTreeSet<u16> = original.records(Registry::embedded()).map(|r| r.client.port).collect();
        let [port] = ports.into_iter().collect::<Vec<_>>()[..] else { continue };
        // A port that is in use already would join flows that are two.
        for to in [1194, 1197, 2797, 4500, 53].into_iter().filter(|to| !used.contains(to)) {
            let Some(capture) = moved(&capture, port, to) else { continue };
            assert_eq!(names(&judged(capture)), names(&original), "{} moved to {to}", path.display());
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} moves");
}

/// The same with captures of others: many more, so small ones only, and each is moved to one port.
#[test]
fn nor_does_it_in_captures_of_others() {
    let Some(real) = corpus::folder().map(|folder| folder.join("real")).filter(|folder| folder.is_dir()) else {
        println!("skipped: captures of others, no corpus; set PORTPROOF_CORPUS");
        return;
    };
    let mut tried = 0;
    for (n, path) in corpus::captures(&["real"]).into_iter().filter(|path| path.starts_with(&real)).enumerate() {
        let capture = std::fs::read(&path).unwrap();
        if !capture.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) || capture.len() > 20_000 {
            continue;
        }
        let to = [1194, 1197, 2797, 4500][n % 4];
        let original = judged(capture.clone());
        let ports: BTreeSet<u16> = original.records(Registry::embedded()).map(|r| r.server.port).collect();
        let used: BTreeSet<u16> = original.records(Registry::embedded()).map(|r| r.client.port).collect();
        let [port] = ports.into_iter().collect::<Vec<_>>()[..] else { continue };
        if used.contains(&to) || used.contains(&port) {
            continue;
        }
        let Some(capture) = moved(&capture, port, to) else { continue };
        let moved = judged(capture);
        // What is not moved (IPv6, VLAN tags, fragments) would make two flows of one.
        if moved.flows != original.flows {
            continue;
        }
        assert_eq!(names(&moved), names(&original), "{} moved to {to}", path.display());
        tried += 1;
    }
    assert!(tried > 500, "only {tried} moves");
}
