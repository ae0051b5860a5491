//! OpenVPN over the captures at hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Tests.

#[path = "common/flows.rs"]
mod flows;

use flows::{assess, corpus, read, truth};
use portproof::protocol::{ALL, Protocol, index};

fn openvpn() -> &'static dyn Protocol {
    ALL[index("openvpn").unwrap()]
}

#[test]
#[ignore = "prints"]
fn survey() {
    let kind = std::env::var("KIND").unwrap_or("lab".into());
    let only = std::env::var("ONLY").unwrap_or_default();
    let Some(dir) = corpus(&kind) else { return };
    let truth = truth(&kind);
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|f| f.to_string_lossy().contains(&only)) {
        for flow in read(file) {
            if flow.pieces.iter().all(|p| p.len == 0) {
                continue;
            }
            let label = truth.iter().find(|t| t.is_of(&flow)).map_or("?", |t| t.label.as_str());
            let out = assess(openvpn(), flow.transport, &flow.pieces);
            if label != "openvpn" && out.bits() <= 6.0 && std::env::var("ALL").is_err() {
                continue;
            }
            let f = out.finding.clone().unwrap_or_default();
            println!(
                "{:9} {:50} {:24} {:?} spoke {:?} impl {:?} settled {} pay {} of {} steps {:?}",
                label,
                format!("{} {}", flow.capture, flow.responder.port),
                out.variant(),
                f.server,
                f.spoke,
                f.implied,
                f.settled,
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
}
