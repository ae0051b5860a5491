//! Flows on ports that another flow announced are named, and filed under the service that announced them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::registry::Registry;
use portproof::verdict::Verdict;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;

fn bytes(capture: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(capture)).unwrap()
}

fn judged(bytes: Vec<u8>, workers: usize) -> Captured {
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).unwrap();
    read_capture(file, "test", &Options { workers, ..Options::default() }, Registry::embedded(), &Control::default())
}

/// (flow, its protocol, the announcing flow, its frame) of all that were announced.
fn announced(captured: &Captured) -> Vec<(u64, &'static str, u64, u64)> {
    let records = captured.records(Registry::embedded());
    records.filter_map(|r| r.announced.map(|by| (r.id, r.protocol(), by.by, by.frame))).collect()
}

/// The rows as port, transport and names.
fn rows(captured: &Captured) -> Vec<(String, BTreeSet<&'static str>)> {
    let key = |row: &portproof::verdict::PortRow| format!("{}/{}", row.key.port, row.key.transport);
    captured.rows.iter().map(|row| (key(row), row.observed.iter().map(|o| o.protocol).collect())).collect()
}

/// A little-endian pcap without the frames that `unwanted` says, numbered from 1.
fn without(capture: &[u8], unwanted: impl Fn(usize) -> bool) -> Vec<u8> {
    let (mut kept, mut at, mut number) = (capture[..24].to_vec(), 24, 0);
    while let Some(len) = capture.get(at + 8..at + 12) {
        let end = at + 16 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        number += 1;
        if !unwanted(number) {
            kept.extend(&capture[at..end]);
        }
        at = end;
    }
    kept
}

#[test]
fn data_of_ftp_are_filed_under_the_control_connection() {
    let captured = judged(bytes("ftp/transfers.pcap"), 0);
    // Passive, extended passive and active.
    let expected = [(2, "ftp-data", 1, 14), (4, "ftp-data", 3, 49), (6, "ftp-data", 5, 87)];
    assert_eq!(announced(&captured), expected);
    assert_eq!(rows(&captured), [("21/tcp".to_owned(), BTreeSet::from(["ftp", "ftp-data"]))]);
    let row = captured.rows.iter().next().unwrap();
    assert_eq!((row.verdict(), row.mixed(), row.shown().unwrap().0.protocol), (Verdict::Match, false, "ftp"));
    assert_eq!(announced(&judged(bytes("ftp/transfers.pcap"), 3)), expected);
}

#[test]
fn nothing_is_announced_without_the_announcement() {
    let capture = without(&bytes("ftp/transfers.pcap"), |frame| matches!(frame, 14 | 49 | 87));
    let captured = judged(capture, 0);
    assert_eq!(announced(&captured), []);
    assert_eq!(rows(&captured).len(), 4);
    assert!(captured.records(Registry::embedded()).all(|r| r.protocol() != "ftp-data"));
}

#[test]
fn the_answer_of_tftp_from_a_new_port_belongs_to_the_request() {
    let captured = judged(bytes("tftp/tftpd-hpa.pcap"), 0);
    assert_eq!(announced(&captured), [(2, "tftp", 1, 1)]);
    assert_eq!(rows(&captured), [("1198/udp".to_owned(), BTreeSet::from(["tftp"]))]);
    // The request was never answered on its own port, but it was.
    assert_eq!(captured.rows.iter().next().unwrap().answered, 2);
}

#[test]
fn media_of_a_call_are_filed_under_sip() {
    let captured = judged(bytes("sip/call.pcap"), 0);
    let names: BTreeSet<_> = announced(&captured).into_iter().map(|(_, name, by, _)| (name, by)).collect();
    assert_eq!(names, BTreeSet::from([("rtp", 1), ("rtcp", 1)]));
    assert_eq!(rows(&captured), [("5060/udp".to_owned(), BTreeSet::from(["sip", "rtp", "rtcp"]))]);
    assert_eq!(captured.rows.iter().next().unwrap().shown().unwrap().0.protocol, "sip");
}

#[test]
fn media_of_a_stream_are_filed_under_rtsp_over_another_transport() {
    let captured = judged(bytes("rtsp/gstreamer.pcap"), 0);
    let names: BTreeSet<_> = announced(&captured).into_iter().map(|(_, name, by, _)| (name, by)).collect();
    assert_eq!(names, BTreeSet::from([("rtp", 1), ("rtcp", 1)]));
    assert_eq!(rows(&captured), [("8554/tcp".to_owned(), BTreeSet::from(["rtsp", "rtp", "rtcp"]))]);
    assert_eq!(captured.rows.iter().next().unwrap().verdict(), Verdict::Match);
}

#[test]
fn what_its_bytes_exclude_is_not_named_by_an_announcement() {
    let mut capture = bytes("sip/call.pcap");
    let mut at = 24;
    while let Some(len) = capture.get(at + 8..at + 12) {
        let end = at + 16 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        // Ethernet, IPv4 and UDP without options; of RTP and RTCP the version is spoilt.
        let payload = &mut capture[at + 16 + 42..end];
        if payload.first().is_some_and(|byte| byte >> 6 == 2) {
            payload.iter_mut().for_each(|byte| *byte ^= 0x5a);
        }
        at = end;
    }
    let captured = judged(capture, 0);
    let records = captured.records(Registry::embedded());
    assert_eq!(records.filter(|r| r.protocol() == "rtp").count(), 0);
}

/// A capture of Ethernet, IPv4 and TCP in which the payload of frame `number` comes in two segments, the first of `at` bytes.
fn in_two_segments(capture: &[u8], number: usize, at: usize) -> Vec<u8> {
    let (mut out, mut place, mut frame) = (capture[..24].to_vec(), 24, 0);
    while let Some(len) = capture.get(place + 8..place + 12) {
        let end = place + 16 + u32::from_le_bytes(len.try_into().unwrap()) as usize;
        frame += 1;
        if frame != number {
            out.extend(&capture[place..end]);
            place = end;
            continue;
        }
        let (header, packet) = (&capture[place..place + 8], &capture[place + 16..end]);
        assert_eq!((packet[12..14].to_vec(), packet[14], packet[23]), (vec![8, 0], 0x45, 6));
        let payload = 34 + usize::from(packet[46] >> 4) * 4;
        for (from, to) in [(payload, payload + at), (payload + at, packet.len())] {
            let mut segment = [&packet[..payload], &packet[from..to]].concat();
            let (total, skipped) = ((segment.len() - 14) as u16, (from - payload) as u32);
            segment[16..18].copy_from_slice(&total.to_be_bytes());
            let sequence = u32::from_be_bytes(packet[38..42].try_into().unwrap()).wrapping_add(skipped);
            segment[38..42].copy_from_slice(&sequence.to_be_bytes());
            let lengths = (segment.len() as u32).to_le_bytes();
            out.extend([header, &lengths, &lengths, &segment].concat());
        }
        place = end;
    }
    out
}

#[test]
fn an_announcement_in_two_segments_is_read() {
    let capture = bytes("ftp/transfers.pcap");
    for at in [3, 20, 40] {
        let captured = judged(in_two_segments(&capture, 14, at), 0);
        let expected = [(2, "ftp-data", 1, 15), (4, "ftp-data", 3, 50), (6, "ftp-data", 5, 88)];
        assert_eq!(announced(&captured), expected, "at {at}");
    }
}

#[test]
fn a_control_connection_joined_in_the_middle_announces() {
    // From the reply that names the port, and from the command before it.
    for first in [14, 12] {
        let captured = judged(without(&bytes("ftp/transfers.pcap"), |frame| frame < first), 0);
        let found = announced(&captured);
        assert_eq!(found[0].1, "ftp-data", "from frame {first}: {found:?}");
        assert_eq!((found.len(), found[0].2, found[0].3), (3, 1, 15 - first as u64), "from frame {first}: {found:?}");
        assert_eq!(rows(&captured).len(), 1);
    }
}
