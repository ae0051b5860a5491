//! ESP in UDP and TCP, and IKE, on all captures at hand: what has to be found, also after changes, and what must not be.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::flows::{self, Flow, Outcome, Piece};
use common::mutate;
use portproof::flow::Dir;
use portproof::protocol::{self, Protocol};

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

/// Whether a flow has what issue 5 asks to be found: three ESP packets each way, or three of an AEAD cipher or eight others
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
