//! Connections joined in the middle: what their messages prove is named, and nothing gets another name than from its start.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;

use portproof::capture::CaptureFile;
use portproof::packet::Transport;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::protocol::evidence::goes_along;
use portproof::registry::Registry;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;

fn judged(bytes: Vec<u8>) -> Option<Captured> {
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).ok()?;
    let options = Options { workers: 0, ..Options::default() };
    Some(read_capture(file, "test", &options, Registry::embedded(), &Control::default()))
}

/// A little-endian pcap without its first frames; none if nothing is left or it is another format.
fn from_frame(capture: &[u8], first: usize) -> Option<Vec<u8>> {
    if !capture.starts_with(&[0xd4, 0xc3, 0xb2, 0xa1]) {
        return None;
    }
    let mut at = 24;
    for _ in 1..first {
        at += 16 + u32::from_le_bytes(capture.get(at + 8..at + 12)?.try_into().ok()?) as usize;
    }
    capture.get(at..).filter(|rest| !rest.is_empty()).map(|rest| [&capture[..24], rest].concat())
}

/// The names of all TCP flows with payload, by their ends.
fn names(captured: &Captured) -> BTreeMap<String, &'static str> {
    let flows = captured.records(Registry::embedded());
    flows
        .filter(|f| f.transport == Transport::Tcp && f.bytes != (0, 0))
        .map(|f| {
            let (a, b) = (f.client.min(f.server), f.client.max(f.server));
            (format!("{a:?} {b:?} {:?}", f.tunnel), f.protocol())
        })
        .collect()
}

#[test]
fn messages_are_recognised_without_the_start() {
    for (capture, first, name) in [
        ("http2/nginx-h2c.pcap", 6, "http2"),
        ("postgresql/psql.pcap", 10, "postgresql"),
        ("mysql/mariadb.pcap", 9, "mysql"),
        ("ssh/openssh.pcap", 8, "ssh"),
        // With a publication and its acknowledgement, and with nothing but pings.
        ("mqtt/subscription.pcap", 18, "mqtt"),
        ("mqtt/subscription.pcap", 58, "mqtt"),
        ("rdp/xrdp.pcap", 32, "rdp"),
        ("kafka/librdkafka.pcap", 4, "kafka"),
        ("mongodb/pymongo.pcap", 4, "mongodb"),
        ("ftp/transfers.pcap", 12, "ftp"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(capture);
        let cut = from_frame(&std::fs::read(path).unwrap(), first).unwrap();
        let names = names(&judged(cut).unwrap());
        assert!(names.values().any(|n| *n == name), "{capture} from frame {first}: {names:?}");
    }
}

#[test]
fn no_connection_gets_another_name_without_its_start() {
    let (mut cut, mut named, mut wrong) = (0, 0, Vec::new());
    for path in corpus::captures(&["lab", "real"]) {
        let capture = std::fs::read(&path).unwrap();
        if capture.len() > 60_000 {
            continue;
        }
        let Some(whole) = judged(capture.clone()).map(|c| names(&c)).filter(|n| !n.is_empty()) else { continue };
        for first in [5, 9, 14] {
            let Some(part) = from_frame(&capture, first).and_then(judged) else { continue };
            for (ends, now) in names(&part) {
                let Some(&then) = whole.get(&ends) else { continue };
                cut += 1;
                named += usize::from(now != "unknown");
                let right =
                    now == "unknown" || now == then || goes_along(now, then) || corpus::LATER.contains(&(then, now));
                if !right && then != "unknown" {
                    wrong.push(format!("{} from frame {first}: {ends} is called {now}, whole {then}", path.display()));
                }
            }
        }
    }
    println!("{named} of {cut} connections without their first frames have a name, and none another one");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cut > 100, "only {cut}");
}
