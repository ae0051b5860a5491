//! How many packets each variant of OpenVPN takes, measured on testdata: the table of `docs/recognition.md`.
//!
//! Run with `PORTPROOF_BLESS=1` to write the table anew; without, the committed one must be current.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::flows::{self, Flow, Outcome, Piece};
use common::mutate;
use portproof::flow::Dir;
use portproof::packet::Transport;
use portproof::protocol;
use std::fmt::Write;
use std::path::{Path, PathBuf};

const START: &str = "<!-- openvpn table -->\n";
const END: &str = "<!-- end of openvpn table -->\n";

/// The floors of the bands as sums of evidence: odds less the prior.
const BANDS: [f64; 3] = [14.0, 20.0, 30.0];

fn captures() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["testdata/openvpn", "testdata/openvpn-static-key"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        found.extend(std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()));
    }
    found.retain(|p| p.extension().is_some_and(|e| e == "pcap"));
    found.sort();
    found
}

/// The flow with the most packets.
fn main_flow(path: &Path) -> Flow {
    flows::read(path).into_iter().max_by_key(|f| f.pieces.iter().filter(|p| p.len > 0).count()).unwrap()
}

/// Payload bytes that are left of an Ethernet frame of `snaplen` bytes; TCP with the time stamp option.
fn visible(flow: &Flow, snaplen: usize) -> usize {
    let ip = if flow.originator.ip.to_std().is_ipv4() { 20 } else { 40 };
    let transport = if flow.transport == Transport::Tcp { 32 } else { 8 };
    snaplen.saturating_sub(14 + ip + transport)
}

fn judge(flow: &Flow, pieces: &[Piece]) -> Outcome {
    flows::assess(protocol::ALL[protocol::index("openvpn").unwrap()], flow.transport, pieces)
}

/// "1 1 2": payloads until likely, confident and certain; "s" for suspected only, "-" for nothing.
fn needed(outcome: &Outcome) -> String {
    let reached = |floor: f64| outcome.steps.iter().find(|s| s.1 >= floor).map(|s| s.0);
    match BANDS.map(reached) {
        [None, ..] if outcome.bits() >= 6.0 => "suspected".to_owned(),
        [None, ..] => "-".to_owned(),
        bands => bands.map(|n| n.map_or("-".to_owned(), |n| n.to_string())).join(" / "),
    }
}

fn table() -> String {
    let mut text = String::from(
        "| capture | variant | both sides | second half | originator only | responder only | snaplen 96 | snaplen 64 | evidence in bits after packet |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for path in captures() {
        let flow = main_flow(&path);
        let whole = judge(&flow, &flow.pieces);
        let cut = |snaplen| needed(&judge(&flow, &mutate::cut(&flow.pieces, visible(&flow, snaplen))));
        let way = |dir| needed(&judge(&flow, &mutate::one_way(&flow.pieces, dir)));
        let steps: Vec<String> = whole.steps.iter().map(|s| format!("{}: {}", s.0, s.1)).collect();
        writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            path.file_stem().unwrap().to_string_lossy(),
            whole.variant(),
            needed(&whole),
            needed(&judge(&flow, &mutate::without_start(&flow.pieces, flow.pieces.len() / 2))),
            way(Dir::Originator),
            way(Dir::Responder),
            cut(96),
            cut(64),
            steps.join(", ")
        )
        .unwrap();
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recognition.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(START).unwrap();
    let (committed, after) = rest.split_once(END).unwrap();
    let current = table();
    println!("{current}");
    if std::env::var_os("PORTPROOF_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{START}{current}{END}{after}")).unwrap();
    } else {
        assert_eq!(committed, current, "run with PORTPROOF_BLESS=1");
    }
}

/// What protocols.md promises of whole sessions: certain after two packets, the client's first one enough to be confident.
#[test]
fn handshakes_are_certain_at_the_second_packet() {
    for path in captures() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !["plain", "tls-", "softether", "reneg", "cert"].iter().any(|p| name.starts_with(p))
            || name.ends_with("no-reply")
        {
            continue;
        }
        let flow = main_flow(&path);
        let outcome = judge(&flow, &flow.pieces);
        let at = |floor: f64| outcome.steps.iter().find(|s| s.1 >= floor).map(|s| s.0).unwrap();
        assert_eq!(at(BANDS[1]), 1, "{name} {outcome:?}");
        assert!(at(BANDS[2]) <= 3, "{name} {:?}", outcome.steps);
        let finding = outcome.finding.unwrap();
        assert_eq!((finding.server, finding.spoke), (Some(Dir::Responder), [true, true]), "{name}");
    }
}

/// How a capture is changed before it is judged.
type Change = fn(&Flow) -> Vec<Piece>;

/// The rows of the plan: variant by variant, what must be reached with which packets. The docs say where and why less is
/// reached than was planned.
#[test]
fn every_row_of_the_plan_is_reached() {
    let whole: Change = |f| f.pieces.clone();
    let client: Change = |f| mutate::one_way(&f.pieces, Dir::Originator);
    let server: Change = |f| mutate::one_way(&f.pieces, Dir::Responder);
    let at_96: Change = |f| mutate::cut(&f.pieces, visible(f, 96));
    let at_64: Change = |f| mutate::cut(&f.pieces, visible(f, 64));
    let [likely, confident, certain] = BANDS;
    // Capture, change, floor of the band, payloads that are enough.
    let rows: &[(&str, &str, Change, f64, u64)] = &[
        ("plain-udp", "start", whole, confident, 1),
        ("plain-udp", "start", whole, certain, 2),
        ("plain-udp", "client only", client, confident, 1),
        ("plain-udp", "server only", server, certain, 2),
        ("plain-udp", "64 bytes", at_64, certain, 2),
        ("plain-v1-reset", "start", whole, certain, 2),
        ("tls-auth-sha1-2.4", "start", whole, certain, 2),
        ("tls-auth-sha1-2.4", "client only", client, confident, 1),
        ("tls-auth-sha1-2.4", "server only", server, confident, 1),
        ("tls-auth-sha1-2.4", "96 bytes", at_96, certain, 2),
        ("tls-auth-sha1-2.4", "64 bytes", at_64, confident, 6),
        ("tls-crypt-udp", "client only", client, certain, 2),
        ("tls-crypt-udp", "server only", server, certain, 2),
        ("tls-crypt-udp", "64 bytes", at_64, certain, 2),
        ("tls-crypt-v2-udp", "client only", client, confident, 1),
        ("tls-crypt-v2-udp", "server only", server, certain, 2),
        ("tls-crypt-v2-udp", "64 bytes", at_64, certain, 2),
        ("plain-tcp", "start", whole, certain, 2),
        ("plain-tcp", "96 bytes", at_96, certain, 2),
        ("data-v2-tcp", "mid-session", whole, certain, 8),
        ("data-v2-tcp", "mid-session, 96 bytes", at_96, certain, 16),
        ("data-v2-udp", "mid-session", whole, confident, 6),
        ("data-v2-udp", "mid-session, 64 bytes", at_64, confident, 6),
        ("data-v2-udp", "one side", server, likely, 3),
        ("data-v2-cbc", "mid-session", whole, confident, 12),
        ("data-v2-cbc", "one side", client, likely, 6),
        ("data-epoch-udp", "mid-session", whole, certain, 6),
        ("data-epoch-udp", "one side", server, confident, 3),
        ("data-epoch-udp", "mid-session, 64 bytes", at_64, confident, 6),
        ("data-epoch-asymmetric", "mid-session", whole, confident, 6),
        ("data-v2-p2p", "mid-session", whole, likely, 16),
        ("scramble-obfuscate-udp", "start", whole, confident, 4),
        ("scramble-xormask-udp", "start", whole, certain, 4),
        ("scramble-xorptrpos-udp", "start", whole, certain, 2),
        ("scramble-reverse-udp", "start", whole, certain, 2),
        ("scramble-xormask-data", "mid-session", whole, likely, 16),
        ("scramble-obfuscate-data", "mid-session", whole, likely, 32),
        ("static-key-bf", "mid-session", whole, likely, 256),
    ];
    let paths = captures();
    let mut short = Vec::new();
    for (name, what, change, floor, enough) in rows {
        let path = paths.iter().find(|p| p.file_stem().is_some_and(|s| s == *name)).unwrap();
        let flow = main_flow(path);
        let steps = judge(&flow, &change(&flow)).steps;
        if !steps.iter().any(|(n, bits)| n <= enough && bits >= floor) {
            short.push(format!("{name}, {what}: {floor} bits within {enough} packets, but {steps:?}"));
        }
    }
    assert!(short.is_empty(), "{short:#?}");
}
