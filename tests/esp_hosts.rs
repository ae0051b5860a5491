//! What the whole program makes of ESP between two hosts: IKE on another port, raw ESP and AH, and captures made on the
//! endpoint itself.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test: a panic is a failure.

mod common;
#[path = "common/rewrite.rs"]
mod rewrite;

use common::esp::{SHAPELESS, SIZES, SUITES, Sender, Suite, ipv4, noise, session};
use common::flows;
use common::mutate::Random;
use portproof::flow::Dir;
use portproof::packet::TunnelKind;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::protocol::Band;
use portproof::registry::Registry;
use portproof::verdict::Verdict;
use rewrite::Raw;
use std::path::Path;
use std::process::Command;

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 0, 2];
const C: [u8; 4] = [10, 0, 0, 3];

/// An Ethernet frame around an IP packet.
fn frame(time: i64, ip: &[u8]) -> Raw {
    let data = rewrite::ethernet(rewrite::ether_type(ip), ip);
    Raw { time, link: 1, wire: data.len() as u32, data }
}

/// A flow's payloads as frames between two hosts, one a millisecond from `start` on.
fn between(ends: [([u8; 4], u16); 2], payloads: &[(Dir, Vec<u8>)], start: i64) -> Vec<Raw> {
    let one = |(n, (dir, data)): (usize, &(Dir, Vec<u8>))| {
        let [from, to] = if *dir == Dir::Originator { ends } else { [ends[1], ends[0]] };
        let udp = rewrite::udp(from.1, to.1, data);
        frame(start + n as i64 * 1_000_000, &rewrite::ipv4(from.0, to.0, n as u16 + 1, 0, 17, &udp))
    };
    payloads.iter().enumerate().map(one).collect()
}

/// The payloads of IKE's first exchanges, from a bundled capture.
fn ike() -> Vec<(Dir, Vec<u8>)> {
    let flow = flows::read(Path::new("testdata/ike/main-mode.pcap")).remove(0);
    flow.pieces.into_iter().map(|p| (p.dir, p.data)).collect()
}

fn esp(suite: Suite, count: usize) -> Vec<(Dir, Vec<u8>)> {
    session(suite, 4, 5000, count).into_iter().map(|p| (p.dir, p.data)).collect()
}

fn judged(frames: &[Raw]) -> Captured {
    let file = rewrite::open(rewrite::pcap(frames, false, true)).unwrap();
    let options = Options { workers: 0, ..Options::default() };
    read_capture(file, "test", &options, Registry::embedded(), &Control::default())
}

/// Protocol, band and evidence families of the flow to port 2797.
fn on_2797(frames: &[Raw]) -> (&'static str, Option<Band>, Vec<&'static str>) {
    let captured = judged(frames);
    let record = captured.records(Registry::embedded()).find(|r| r.server.port == 2797).unwrap();
    let decision = record.decision.unwrap();
    (record.protocol(), decision.band, decision.evidence.iter().map(|e| e.family.id).collect())
}

fn suite(name: &str) -> Suite {
    *SUITES.iter().chain(SHAPELESS).find(|s| s.name == name).unwrap()
}

/// The chain of IKE and ESP: IKE on its own port, ESP on another, between the same two hosts.
#[test]
fn ike_between_the_same_hosts_strengthens_esp() {
    let with = |ike: &[(Dir, Vec<u8>)], host: [u8; 4], cipher: &str| {
        let mut frames = between([(A, 500), (host, 500)], ike, 0);
        frames.extend(between([(A, 40_000), (B, 2797)], &esp(suite(cipher), 40), 1_000_000_000));
        on_2797(&frames)
    };
    let request: Vec<_> = ike().into_iter().filter(|(dir, _)| *dir == Dir::Originator).collect();
    let cbc = "AES-CBC + SHA256-128";
    assert_eq!(with(&[], B, cbc).1, Some(Band::Likely));
    let (name, band, evidence) = with(&ike(), B, cbc);
    assert_eq!((name, band, evidence.contains(&"flow.herald")), ("esp-in-udp", Some(Band::Certain), true));
    // IKE with another host, or unanswered, says nothing of these two.
    assert_eq!(with(&ike(), C, cbc).1, Some(Band::Likely));
    assert_eq!(with(&request, B, cbc).1, Some(Band::Likely));
    // What is only suspected by itself gets its name.
    for cipher in SHAPELESS {
        assert_eq!(with(&[], B, cipher.name).0, "unknown", "{}", cipher.name);
        let (name, band, _) = with(&ike(), B, cipher.name);
        assert_eq!(name, "esp-in-udp", "{}", cipher.name);
        assert!(band < Some(Band::Certain), "{}", cipher.name);
    }
}

/// Nothing is lifted that does not look like ESP by itself.
#[test]
fn ike_between_the_same_hosts_names_nothing_else() {
    let random = &mut Random(3);
    let noises: Vec<_> = (0..40).map(|n| (Dir::BOTH[n % 2], noise(40 + random.below(300), random))).collect();
    let mut frames = between([(A, 500), (B, 500)], &ike(), 0);
    frames.extend(between([(A, 40_000), (B, 2797)], &noises, 1_000_000_000));
    let captured = judged(&frames);
    let record = captured.records(Registry::embedded()).find(|r| r.server.port == 2797).unwrap();
    assert_eq!(record.protocol(), "unknown");
}

#[test]
fn raw_esp_and_ah_are_counted_apart() {
    let mut random = Random(5);
    let mut sender = Sender::new(SUITES[0], &mut random, 1);
    // AH as RFC 4302 section 2 has it: next header, length, reserved, SPI, number, a 12-byte ICV.
    let ah = |next: u8, behind: &[u8]| [&[next, 4, 0, 0, 1, 2, 3, 4, 0, 0, 0, 1][..], &[7; 12], behind].concat();
    let mut packets = Vec::new();
    for n in 0..7 {
        let inner = ipv4(84, &mut random);
        packets.push(rewrite::ipv4(A, B, n, 0, 50, &sender.packet(&inner, &mut random)));
    }
    for n in 10..13 {
        let inner = rewrite::ipv4(A, B, n, 0, 1, &[8, 0, 0, 0, 0, 0, 0, 0]);
        packets.push(rewrite::ipv4(A, B, n, 0, 51, &ah(4, &inner)));
    }
    packets.push(rewrite::ipv4(A, B, 20, 0, 51, &ah(17, &rewrite::udp(40_000, 1197, &[1; 20]))));
    let frames: Vec<Raw> = packets.iter().enumerate().map(|(n, p)| frame(n as i64, p)).collect();
    let captured = judged(&frames);
    let counted: Vec<_> = captured.ipprotos.iter().map(|p| (p.protocol.as_str(), p.number, p.packets)).collect();
    assert_eq!(counted, [("esp", Some(50), 7), ("ah", Some(51), 3)]);
    // Behind AH in transport mode the ports are in clear: a flow, and the header is counted as taken off.
    assert_eq!((captured.flows, captured.tunnels.get(&TunnelKind::Ah)), (1, Some(&1)));
    assert!(captured.counts.adds_up());
}

/// ESP of a tunnel to `A`, with what it decrypts to behind each packet that comes in where `seen` says so. `raw`: without
/// UDP.
fn endpoint(suite: Suite, raw: bool, seen: bool) -> Vec<Raw> {
    let mut random = Random(8);
    let mut senders = [Sender::new(suite, &mut random, 1), Sender::new(suite, &mut random, 1)];
    let mut frames = Vec::new();
    for n in 0..120usize {
        let (from, to) = if n % 2 == 0 { (B, A) } else { (A, B) };
        let inner = ipv4(SIZES[n / 2 % SIZES.len()], &mut random);
        let sealed = senders[n % 2].packet(&inner, &mut random);
        let (protocol, payload) = if raw { (50, sealed) } else { (17, rewrite::udp(4500, 4500, &sealed)) };
        let time = n as i64 * 5_000_000;
        frames.push(frame(time, &rewrite::ipv4(from, to, n as u16, 0, protocol, &payload)));
        if n % 2 == 0 && seen {
            frames.push(frame(time + 20_000, &inner));
        }
    }
    frames
}

#[test]
fn a_capture_made_on_an_endpoint_is_noticed() {
    for suite in SUITES.iter().filter(|s| s.name != "AES-CBC, fixed IV") {
        for raw in [false, true] {
            let count = |seen| judged(&endpoint(*suite, raw, seen)).counts.decrypted;
            // Of 60 that came in the first one shows no SA yet.
            assert_eq!((count(true), count(false)), (59, 0), "{} {raw}", suite.name);
        }
    }
}

/// The notice is printed once, and the count is in the summary.
#[test]
fn the_notice_is_printed_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, seen| {
        let path = folder.path().join(name);
        std::fs::write(&path, rewrite::pcap(&endpoint(SUITES[0], false, seen), false, true)).unwrap();
        path
    };
    let (endpoint, other) = (write("endpoint.pcap", true), write("other.pcap", false));
    let run = |paths: &[&Path]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portproof"));
        let output = command.args(["read", "--output", "jsonl"]).args(paths).output().unwrap();
        let summary = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        (String::from_utf8(output.stderr).unwrap(), summary["packets"]["decrypted"].as_u64())
    };
    let (said, count) = run(&[&endpoint, &other]);
    assert_eq!(said.matches("seen twice, as ESP and decrypted").count(), 1, "{said}");
    assert_eq!(count, Some(59));
    assert_eq!(run(&[&other]), (String::new(), None));
}

/// Real captures: those made on an endpoint are noticed, with ESP in UDP and without.
#[test]
fn real_captures_of_endpoints_are_noticed() {
    for (name, least) in [("esp-in-udp.pcap", 20), ("esp.pcap", 20), ("ah.pcap", 0)] {
        let captured = judged(&rewrite::testdata(&format!("ipsec-endpoint/{name}")));
        let twice = captured.counts.decrypted;
        assert!(twice >= least && (least > 0 || twice == 0), "{name}: {twice}");
    }
}

/// No capture at hand that was made elsewhere is taken for one.
#[test]
fn only_captures_of_endpoints_are_noticed() {
    let mut paths: Vec<_> = ["lab", "real"].iter().filter_map(|kind| flows::corpus(kind)).collect();
    paths.push(Path::new("testdata/esp-in-udp").to_owned());
    let (mut noticed, mut read) = (Vec::new(), 0);
    for path in paths.iter().flat_map(|p| std::fs::read_dir(p).unwrap()).map(|e| e.unwrap().path()) {
        let Ok(file) = portproof::capture::CaptureFile::open(&path) else { continue };
        let options = Options { workers: 0, ..Options::default() };
        let captured = read_capture(file, "test", &options, Registry::embedded(), &Control::default());
        read += 1;
        if captured.counts.decrypted > 0 {
            noticed.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    println!("{read} captures read, noticed: {noticed:?}");
    assert!(noticed.is_empty(), "{noticed:?}");
}

/// A capture on 2797 confirms what is registered there, and says why; on 1197 the same traffic contradicts it.
#[test]
fn the_verdict_follows_the_port() {
    for (port, verdict, said) in [
        (2797, Verdict::Match, "is what esp-encap means. So: match"),
        (1197, Verdict::Mismatch, "So: mismatch"),
        (53, Verdict::Mismatch, "So: mismatch"),
    ] {
        let frames = between([(A, 40_000), (B, port)], &esp(SUITES[0], 40), 0);
        let captured = judged(&frames);
        let row = captured.rows.iter().find(|row| row.key.port == port).unwrap();
        assert_eq!(row.verdict(), verdict, "{port}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("moved.pcap");
        std::fs::write(&path, rewrite::pcap(&frames, false, true)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portproof"));
        let output = command.args(["explain", "--port", &format!("{port}/udp")]).arg(&path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(said), "{text}");
        assert!(text.contains("explicit IV XOR sequence number is the same in"), "{text}");
    }
}
