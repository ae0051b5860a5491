//! ESP in UDP and TCP, and IKE, on all captures at hand: what has to be found, also after changes, and what must not be.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;
#[path = "common/rewrite.rs"]
mod rewrite;

use common::flows::{self, Flow, Outcome, Piece};
use common::mutate;
use portproof::flow::Dir;
use portproof::packet::Transport;
use portproof::pipeline::{Control, Options, read_capture};
use portproof::protocol::{self, Protocol};
use portproof::registry::Registry;
use portproof::verdict::Verdict;

fn recogniser(name: &str) -> &'static dyn Protocol {
    protocol::ALL[protocol::index(name).unwrap()]
}

fn judge(name: &str, flow: &Flow, pieces: &[Piece]) -> Outcome {
    flows::assess(recogniser(name), flow.transport, pieces)
}

/// Whether a UDP payload is IKE, with or without the marker: the length field says so.
fn is_ike(piece: &Piece) -> bool {
    let at = if piece.data.starts_with(&[0; 4]) { 4 } else { 0 };
    let field = |from: usize, to: usize| piece.data.get(at + from..at + to);
    let length = field(24, 28).map(|b| u32::from_be_bytes(b.try_into().unwrap()) as usize);
    length == Some(piece.len - at) && field(17, 18).is_some_and(|v| matches!(v, [0x10 | 0x20]))
}

/// Whether a flow has enough to be found: three ESP packets each way, or three of an AEAD cipher or eight others
/// in one direction.
fn suffices(pieces: &[Piece], aead: bool) -> bool {
    let esp = |dir: Dir| {
        let legal = |p: &&Piece| p.dir == dir && p.len >= 20 && !is_ike(p) && p.data.len() >= 8;
        pieces.iter().filter(legal).count()
    };
    let (a, b) = (esp(Dir::Originator), esp(Dir::Responder));
    a.min(b) >= 3 || a.max(b) >= if aead { 3 } else { 8 }
}

/// ESP-in-UDP flows that the truth files name, with whether their cipher is AEAD.
fn positives() -> Vec<(Flow, bool)> {
    let mut found = Vec::new();
    for kind in ["lab", "real"] {
        let Some(dir) = flows::corpus(kind) else { continue };
        let truth: Vec<_> = flows::truth(kind).into_iter().filter(|t| t.label == "esp-in-udp").collect();
        let mut names: Vec<_> = truth.iter().map(|t| t.capture.clone()).collect();
        names.dedup();
        for name in names {
            let all = flows::read(&dir.join(name));
            for flow in all.into_iter().filter(|f| truth.iter().any(|t| t.is_of(f))) {
                let outcome = judge("esp-in-udp", &flow, &flow.pieces);
                let aead = matches!(outcome.variant(), "aead" | "non-ike-marker" | "null");
                if flow.pieces.iter().any(|p| p.len >= 20 && !is_ike(p)) {
                    found.push((flow, aead));
                }
            }
        }
    }
    found
}

type Change = (&'static str, fn(&[Piece]) -> Vec<Piece>);

const CHANGES: &[Change] = &[
    ("as it is", |p| p.to_vec()),
    ("originator only", |p| mutate::one_way(p, Dir::Originator)),
    ("responder only", |p| mutate::one_way(p, Dir::Responder)),
    ("54 bytes visible", |p| mutate::cut(p, 54)),
    ("22 bytes visible", |p| mutate::cut(p, 22)),
    ("one in 20 lost", |p| mutate::lossy(p, 20)),
    ("disorder of 16", |p| mutate::disordered(p, 16)),
    ("each twice", mutate::doubled),
    ("first lost", |p| mutate::without_start(p, 1)),
    ("first 7 lost", |p| mutate::without_start(p, 7)),
    ("first 100 lost", |p| mutate::without_start(p, 100)),
    ("six packets", |p| p.iter().take(6).cloned().collect()),
    ("sixteen packets", |p| p.iter().take(16).cloned().collect()),
];

#[test]
fn found_after_every_change() {
    let (mut missed, mut table) = (Vec::new(), Vec::new());
    for (name, change) in CHANGES {
        for without_ike in [false, true] {
            let (mut wanted, mut found) = (0, 0);
            for (flow, aead) in positives() {
                let left: Vec<Piece> = flow.pieces.iter().filter(|p| !without_ike || !is_ike(p)).cloned().collect();
                let changed = change(&left);
                // One stack in that capture uses one IV for all packets: what is visible of its bodies is a constant.
                let fixed_iv = flow.capture == "ndpi__ipsec_isakmp_esp.pcap" && without_ike;
                if !suffices(&changed, aead) || (name.ends_with("visible") && fixed_iv) {
                    continue;
                }
                let outcome = judge("esp-in-udp", &flow, &changed);
                wanted += 1;
                found += usize::from(outcome.bits() >= 14.0);
                if outcome.bits() < 14.0 {
                    let texts: Vec<_> = outcome
                        .finding
                        .iter()
                        .flat_map(|f| &f.evidence)
                        .map(|e| (e.family.id, e.bits.as_f64()))
                        .collect();
                    missed.push(format!(
                        "{name}, without IKE {without_ike}: {} {} {texts:?}",
                        flow.capture,
                        outcome.bits()
                    ));
                }
            }
            table.push(format!("{name:18} without IKE {without_ike:5}: {found} of {wanted}"));
        }
    }
    println!("{}", table.join("\n"));
    assert!(missed.is_empty(), "{} missed:\n{}", missed.len(), missed.join("\n"));
}

/// Everything but ESP: as it is, one direction only, joined in the middle, cut. Nothing of it may be taken for ESP, and
/// nothing but IKE for IKE.
#[test]
fn nothing_else_is_named() {
    let (mut claims, mut judged) = (Vec::new(), 0u64);
    for kind in ["lab", "real"] {
        let Some(dir) = flows::corpus(kind) else { return };
        let truth = flows::truth(kind);
        let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for flow in paths.iter().flat_map(|path| flows::read(path)) {
            let label = truth.iter().find(|t| t.is_of(&flow)).map_or("none", |t| t.label.as_str());
            if label == "unscored" {
                continue;
            }
            for (name, change) in CHANGES {
                let changed = change(&flow.pieces);
                for protocol in ["esp-in-udp", "esp-in-tcp", "ike"] {
                    let right = match protocol {
                        "ike" => ["ike", "esp-in-udp", "scan", "none"].contains(&label),
                        _ => label == protocol,
                    };
                    judged += 1;
                    let outcome = judge(protocol, &flow, &changed);
                    if !right && outcome.bits() >= 14.0 {
                        let items = outcome.finding.iter().flat_map(|f| &f.evidence);
                        let items: Vec<_> = items.map(|e| format!("{} {}", e.family.id, e.bits)).collect();
                        claims.push(format!("{protocol} in {} ({label}), {name}: {items:?}", flow.capture));
                    }
                }
            }
        }
    }
    println!("{judged} judgements, {} false", claims.len());
    assert!(claims.is_empty(), "{}", claims.join("\n"));
}

/// The flow as a capture of its own, with other ports: 40001 for who spoke first, `port` for the other.
fn moved(flow: &Flow, pieces: &[Piece], port: u16) -> Vec<rewrite::Raw> {
    let frame = |piece: &Piece| {
        let mut payload = piece.data.clone();
        payload.resize(piece.len, 0);
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let ip = match piece.dir {
            Dir::Originator => rewrite::ipv4(a, b, 0, 0, 17, &rewrite::udp(40_001, port, &payload)),
            Dir::Responder => rewrite::ipv4(b, a, 0, 0, 17, &rewrite::udp(port, 40_001, &payload)),
        };
        let mut data = rewrite::ethernet(0x0800, &ip);
        let wire = data.len() as u32;
        data.truncate(42 + piece.data.len());
        rewrite::Raw { time: piece.time.0, link: 1, wire, data }
    };
    assert_eq!(flow.transport, Transport::Udp);
    pieces.iter().map(frame).collect()
}

/// Without IKE, on other ports, through the whole program: the name stays, and the verdict follows the port.
#[test]
fn found_without_ike_on_any_port() {
    let mut judged = 0;
    for (flow, aead) in positives() {
        let left: Vec<Piece> = flow.pieces.iter().filter(|p| !is_ike(p)).cloned().collect();
        if !suffices(&left, aead) {
            continue;
        }
        for (port, verdict) in [(2797, Verdict::Match), (1197, Verdict::Mismatch), (53, Verdict::Mismatch)] {
            let capture = rewrite::pcap(&moved(&flow, &left, port), false, true);
            let options = Options { workers: 0, ..Options::default() };
            let file = rewrite::open(capture).unwrap();
            let captured = read_capture(file, "test", &options, Registry::embedded(), &Control::default());
            let records: Vec<_> = captured.records(Registry::embedded()).collect();
            assert!(!records.is_empty());
            for record in records {
                assert_eq!(record.protocol(), "esp-in-udp", "{} moved to {port}", flow.capture);
                let both = left.iter().any(|p| p.dir != left[0].dir);
                if both && record.server.port == port {
                    assert_eq!(record.judgement.verdict, verdict, "{} moved to {port}", flow.capture);
                }
                judged += 1;
            }
        }
    }
    println!("{judged} flows moved and judged");
}

/// ESP and IKE in TCP: the bundled capture, and those of the corpus.
fn in_tcp() -> Vec<Flow> {
    let mut paths = vec![std::path::PathBuf::from("testdata/esp-in-tcp/rfc8229.pcap")];
    if let Some(dir) = flows::corpus("lab") {
        paths.extend(["ike-rfc8229-tcp2797.pcap", "ike-rfc8229-tcp4500.pcap"].map(|name| dir.join(name)));
    }
    paths.iter().flat_map(|path| flows::read(path)).filter(|f| f.transport == Transport::Tcp).collect()
}

/// In TCP a change leaves what its stream leaves: up to the first gap all is in order.
#[test]
fn esp_in_tcp_is_found_after_every_change() {
    let mut table = Vec::new();
    for (name, change) in CHANGES {
        for flow in in_tcp() {
            let changed = change(&flow.pieces);
            let bytes: usize = changed.iter().map(|p| p.len).sum();
            let outcome = judge("esp-in-tcp", &flow, &changed);
            table.push((*name, flow.capture.clone(), bytes, outcome.bits()));
        }
    }
    table.iter().for_each(|row| println!("{row:?}"));
    for (name, capture, _, bits) in table.into_iter().filter(|row| row.2 >= 1000) {
        assert!(bits >= 20.0, "{name} {capture}: {bits}");
    }
}

/// A stream that was joined anywhere in its first part is found too.
#[test]
fn esp_in_tcp_is_found_from_the_middle() {
    for flow in in_tcp() {
        let payloads = flow.pieces.iter().filter(|p| p.len > 0).count();
        // Behind the handshake.
        for first in (3..payloads / 2).step_by(7) {
            for dir in [None, Some(Dir::Originator), Some(Dir::Responder)] {
                let mut rest = mutate::without_start(&flow.pieces, first);
                rest.retain(|p| dir.is_none_or(|dir| p.dir == dir));
                let bytes: usize = rest.iter().map(|p| p.len).sum();
                let outcome = judge("esp-in-tcp", &flow, &rest);
                if bytes >= 1000 {
                    assert!(outcome.bits() >= 14.0, "{} from {first} {dir:?}: {:?}", flow.capture, outcome.finding);
                }
            }
        }
    }
}

/// IKE, bundled and in the corpus, after every change that leaves one whole message.
#[test]
fn ike_is_found_after_every_change() {
    let mut found: Vec<Flow> = ["main-mode", "sa-init"]
        .iter()
        .flat_map(|name| flows::read(&std::path::Path::new("testdata/ike").join(format!("{name}.pcap"))))
        .collect();
    if let Some(dir) = flows::corpus("real") {
        let truth: Vec<_> = flows::truth("real").into_iter().filter(|t| t.label == "ike").collect();
        let mut names: Vec<_> = truth.iter().map(|t| t.capture.clone()).collect();
        names.dedup();
        let all = names.iter().flat_map(|name| flows::read(&dir.join(name)));
        found.extend(all.filter(|f| truth.iter().any(|t| t.is_of(f))));
    }
    let (mut judged, mut missed) = (0, Vec::new());
    for flow in &found {
        for (name, change) in CHANGES {
            let changed = change(&flow.pieces);
            // 20 bytes show the header up to the flags.
            let shown = |p: &&Piece| is_ike(p) || (p.data.len() < p.len && p.data.len() >= 24);
            if changed.iter().filter(shown).count() == 0 {
                continue;
            }
            judged += 1;
            let outcome = judge("ike", flow, &changed);
            if outcome.bits() < 14.0 {
                missed.push(format!("{name} {} {} {:?}", flow.capture, outcome.bits(), outcome.finding));
            }
        }
    }
    println!("{judged} judged, {} flows", found.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// As `Sa::hides_the_rest` has it.
fn is_noise(bytes: &[u8]) -> bool {
    let (total, ones) = (bytes.len() as i64, bytes.iter().map(|b| i64::from(b.count_ones())).sum::<i64>());
    let most = (0..=255).map(|v| bytes.iter().filter(|b| **b == v).count() as i64).max().unwrap_or(0);
    total >= 32 && (ones - 4 * total).pow(2) <= 72 * total && most <= 12 + 3 * total / 256
}

/// Of all other traffic, how many directions have a second counter where an AEAD cipher has its IV: what the weight of an
/// IV that counts rests on. A word that stays, two packets, eight bytes that less the counter are the same small number.
#[test]
fn no_other_traffic_counts_twice_there() {
    let (mut directions, mut counting, mut noise, mut twice) = (0, 0, 0, Vec::new());
    for kind in ["lab", "real", "hostile"] {
        let Some(dir) = flows::corpus(kind) else { return };
        let truth = flows::truth(kind);
        let mut paths: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for flow in paths.iter().flat_map(|path| flows::read(path)).filter(|f| f.transport == Transport::Udp) {
            let label = truth.iter().find(|t| t.is_of(&flow)).map_or("none", |t| t.label.as_str());
            if ["esp-in-udp", "unscored"].contains(&label) {
                continue;
            }
            for dir in Dir::BOTH {
                let word = |p: &Piece, at: usize| Some(u32::from_be_bytes(*p.data.get(at..)?.first_chunk()?));
                let sent: Vec<_> = flow
                    .pieces
                    .iter()
                    .filter(|p| p.dir == dir)
                    .filter_map(|p| Some((word(p, 0)?, word(p, 4)?, word(p, 8)?, word(p, 12)?, p.data.get(16..)?)))
                    .collect();
                directions += usize::from(sent.len() >= 2);
                let pairs = || sent.windows(2).filter(|w| w[0].0 == w[1].0 && w[0].1 != w[1].1);
                if let Some(pair) = pairs().find(|w| w[1].1.wrapping_sub(w[0].1) <= 64) {
                    counting += 1;
                    noise += usize::from(is_noise(&[pair[0].4, pair[1].4].concat()));
                }
                let salt = |p: &(u32, u32, u32, u32, &[u8])| {
                    (u64::from(p.2) << 32 | u64::from(p.3)).wrapping_sub(u64::from(p.1)) as i64
                };
                if pairs().any(|w| salt(&w[0]) == salt(&w[1]) && salt(&w[0]).abs() <= 16) {
                    twice.push(format!("{} {label}", flow.capture));
                }
            }
        }
    }
    println!(
        "{directions} directions, {counting} with a word and a counter behind it, {noise} with noise behind those"
    );
    println!("with a second counter: {twice:?}");
    assert!(directions > 2000 && noise * 2 < counting && twice.is_empty(), "{twice:?}");
}

/// The bundled captures: protocol, variant and least evidence of the flow with the most packets.
#[test]
fn bundled_captures_are_named() {
    let cases = [
        ("esp-in-tcp", "rfc8229", "aead", 30.0),
        ("esp-in-udp", "kernel-3des-md5", "cbc", 14.0),
        ("esp-in-udp", "kernel-cbc-sha256", "cbc", 14.0),
        ("esp-in-udp", "kernel-gcm", "aead", 30.0),
        ("esp-in-udp", "kernel-non-ike-marker", "non-ike-marker", 30.0),
        ("esp-in-udp", "kernel-null", "null", 30.0),
        ("esp-in-udp", "kernel-v6-gcm", "aead", 30.0),
        ("esp-in-udp", "strongswan-ikev1", "-", 30.0),
        ("esp-in-udp", "strongswan-ikev2", "aead", 30.0),
        ("esp-in-udp", "strongswan-nat", "aead", 30.0),
        ("ike", "main-mode", "v1", 30.0),
        ("ike", "sa-init", "v2", 30.0),
    ];
    for (name, file, variant, bits) in cases {
        let path = std::path::Path::new("testdata").join(name).join(format!("{file}.pcap"));
        let flow = flows::read(&path).into_iter().max_by_key(|f| f.pieces.len()).unwrap();
        let outcome = judge(name, &flow, &flow.pieces);
        assert_eq!(outcome.variant(), variant, "{file}");
        assert!(outcome.bits() >= bits, "{file} {}", outcome.bits());
        let finding = outcome.finding.unwrap();
        assert_eq!(finding.spoke, [true, true], "{file}");
        assert!(!finding.links.is_empty() && !finding.details.is_empty(), "{file}");
        if bits < 20.0 {
            assert!(outcome_is_no_more_than_likely(&finding), "{file}");
        }
    }
}

fn outcome_is_no_more_than_likely(finding: &portproof::protocol::Finding) -> bool {
    finding.bits().as_f64() < 20.0
}

/// A flow that floats from 500 to 4500 is one IKE SA: both parts export the same mark.
#[test]
fn the_float_to_another_port_is_linked() {
    let all = flows::read(std::path::Path::new("testdata/esp-in-udp/strongswan-nat.pcap"));
    let links = |name: &str, flow: &Flow| judge(name, flow, &flow.pieces).finding.map(|f| f.links).unwrap_or_default();
    let (first, second) = (links("ike", &all[0]), links("esp-in-udp", &all[1]));
    assert!(first.iter().any(|l| second.contains(l)), "{first:?} {second:?}");
}
