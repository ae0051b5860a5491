//! OpenVPN over the captures at hand: found as they are and after every change, and nothing else taken for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::flows::{self, Flow, Outcome, Piece};
use common::mutate;
use portproof::flow::Dir;
use portproof::protocol::evidence::{PRIOR, probability};
use portproof::protocol::{self, Bits, Protocol};
use std::collections::{BTreeMap, BTreeSet};

/// Evidence from which a protocol is named: the floor of "likely" less the prior.
const LIKELY: f64 = 14.0;

fn openvpn() -> &'static dyn Protocol {
    protocol::ALL[protocol::index("openvpn").unwrap()]
}

fn judge(flow: &Flow, pieces: &[Piece]) -> Outcome {
    flows::assess(openvpn(), flow.transport, pieces)
}

/// All flows with payload, with the label of the truth file ("" where it has none).
fn labelled() -> Vec<(Flow, String)> {
    let mut found = Vec::new();
    for kind in ["lab", "real"] {
        let Some(dir) = flows::corpus(kind) else { continue };
        let truth = flows::truth(kind);
        let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for flow in files.iter().flat_map(|file| flows::read(file)) {
            if flow.pieces.iter().any(|p| p.len > 0) {
                let label = truth.iter().find(|t| t.is_of(&flow)).map_or("", |t| t.label.as_str()).to_owned();
                found.push((flow, label));
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
    ("30 bytes visible", |p| mutate::cut(p, 30)),
    ("22 bytes visible", |p| mutate::cut(p, 22)),
    ("one in 20 lost", |p| mutate::lossy(p, 20)),
    ("disorder of 16", |p| mutate::disordered(p, 16)),
    ("each twice", mutate::doubled),
    ("first lost", |p| mutate::without_start(p, 1)),
    ("first 3 lost", |p| mutate::without_start(p, 3)),
    ("first 7 lost", |p| mutate::without_start(p, 7)),
    ("first 30 lost", |p| mutate::without_start(p, 30)),
    ("first 100 lost", |p| mutate::without_start(p, 100)),
    ("first 100 lost, originator only", |p| mutate::one_way(&mutate::without_start(p, 100), Dir::Originator)),
    ("first 100 lost, 22 bytes visible", |p| mutate::cut(&mutate::without_start(p, 100), 22)),
    ("first 100 lost, disorder of 16", |p| mutate::disordered(&mutate::without_start(p, 100), 16)),
    ("sixteen packets", |p| p.iter().take(16).cloned().collect()),
];

#[test]
#[ignore = "prints"]
fn survey() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let change = std::env::var("CHANGE").unwrap_or("as it is".into());
    let change = CHANGES.iter().find(|c| c.0 == change).unwrap().1;
    for (flow, label) in labelled().iter().filter(|(f, _)| f.capture.contains(&only)) {
        let out = judge(flow, &change(&flow.pieces));
        if label != "openvpn" && out.bits() <= 6.0 && std::env::var("ALL").is_err() {
            continue;
        }
        let f = out.finding.clone().unwrap_or_default();
        let name = format!("{} {}", flow.capture, flow.responder.port);
        let (server, spoke, implied) = (f.server, f.spoke, f.implied);
        println!(
            "{label:9} {name:50} {:24} {server:?} spoke {spoke:?} implied {implied:?} excluded {} {} of {} {:?}",
            out.variant(),
            out.excluded,
            out.payloads,
            flow.pieces.len(),
            out.steps
        );
        if std::env::var("WHY").is_ok() {
            for e in &f.evidence {
                println!("      {:30} {:>5} {:?} {}", e.family.id, e.bits.to_string(), e.frames, e.text);
            }
        }
    }
}

/// In which flows, changed or not, each kind of evidence was seen: its cap, OpenVPN's flows and others.
#[derive(Default)]
struct Families {
    seen: BTreeMap<&'static str, (f64, [BTreeSet<usize>; 2])>,
    flows: [BTreeSet<usize>; 2],
}

impl Families {
    fn count(&mut self, flow: usize, label: &str, outcome: &Outcome) {
        if matches!(label, "scan" | "unscored") || outcome.payloads == 0 {
            return;
        }
        let side = usize::from(label != "openvpn");
        self.flows[side].insert(flow);
        for e in outcome.finding.iter().flat_map(|f| &f.evidence).filter(|e| e.bits > Bits::ZERO) {
            let (_, flows) =
                self.seen.entry(e.family.id).or_insert_with(|| (e.family.cap.as_f64(), Default::default()));
            flows[side].insert(flow);
        }
    }

    /// The bound is of the likelihood ratio of what OpenVPN always shows: the others' share is at most that of three flows
    /// more (95 %).
    fn print(&self) {
        let [ours, others] = self.flows.each_ref().map(BTreeSet::len);
        println!("{ours} flows of OpenVPN, {others} others");
        println!("| kind | cap | OpenVPN | others | others alone allow |\n| --- | --- | --- | --- | --- |");
        for (id, (cap, flows)) in &self.seen {
            let [right, wrong] = flows.each_ref().map(BTreeSet::len);
            let bound = (others as f64 / (wrong as f64 + 3.0)).log2();
            println!("| {} | {cap:.0} | {right} | {wrong} | {bound:.1} |", id.trim_start_matches("openvpn."));
        }
    }
}

/// Prints how many OpenVPN flows are named after each change, and fails on any other flow that is.
#[test]
fn nothing_else_is_openvpn() {
    let flows = labelled();
    let mut wrong = Vec::new();
    // Of the flows in each band, how many are OpenVPN.
    let mut bands = ["none", "suspected", "likely", "confident", "certain"].map(|band| (band, 0, 0, 0.0));
    let mut families = Families::default();
    for (name, change) in CHANGES {
        let (mut found, mut of, mut others, mut missed) = (0, 0, 0, Vec::new());
        for (place, (flow, label)) in flows.iter().enumerate() {
            let pieces = change(&flow.pieces);
            let outcome = judge(flow, &pieces);
            let named = outcome.bits() >= LIKELY;
            families.count(place, label, &outcome);
            let band = [6.0, LIKELY, 20.0, 30.0].iter().filter(|floor| outcome.bits() >= **floor).count();
            if !matches!(label.as_str(), "scan" | "unscored") && pieces.iter().any(|p| p.len > 0) {
                bands[band].1 += u32::from(label == "openvpn");
                bands[band].2 += 1;
                bands[band].3 += probability(PRIOR + outcome.finding.as_ref().map_or(Bits::ZERO, |f| f.bits()));
            }
            match label.as_str() {
                "openvpn" if pieces.iter().any(|p| p.len > 0) => {
                    of += 1;
                    found += u32::from(named);
                    if !named {
                        missed.push(format!("{} {:.0}", flow.capture, outcome.bits()));
                    }
                    if outcome.excluded {
                        wrong.push(format!("{name}: {} is excluded", flow.capture));
                    }
                }
                "openvpn" | "scan" | "unscored" => {}
                _ => {
                    others += 1;
                    if named {
                        wrong.push(format!("{name}: {} {} {}", flow.capture, outcome.variant(), outcome.bits()));
                    }
                }
            }
        }
        println!("{name:34} {found}/{of} named, {others} others");
        if std::env::var("MISSED").is_ok() {
            println!("    {missed:?}");
        }
    }
    families.print();
    println!("| band | flows | OpenVPN | predicted |\n| --- | --- | --- | --- |");
    for (band, right, of, predicted) in bands {
        println!("| {band} | {of} | {right} | {predicted:.1} |");
        // Where the evidence names it, it is right no seldomer than it claims.
        assert!(!["likely", "confident", "certain"].contains(&band) || f64::from(right) >= predicted - 0.5, "{band}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
