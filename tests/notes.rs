//! What is said beside a verdict: that a flow shows no structure, and lore, marked as what it is.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

fn printed(args: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = Command::new(env!("CARGO_BIN_EXE_portproof"))
        .current_dir(root)
        .env("XDG_DATA_HOME", root.join("testdata"))
        .args(args)
        .output()
        .unwrap();
    let text = String::from_utf8(run.stdout).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_flow_without_structure_is_unknown_and_said_to_be_so() {
    let capture = "testdata/openvpn-static-key/udp.pcap";
    let note = "fully encrypted: no structure found";
    assert!(printed(&["read", capture]).contains(note));
    assert!(printed(&["read", "--by", "flow", capture]).contains(note));
    let records = printed(&["read", "--output", "jsonl", capture]);
    assert!(records.contains(&format!(r#""note":"{note}""#)) && records.contains(&format!(r#""notes":["{note}"]"#)));
    assert!(records.contains(r#""protocol":"unknown""#));
    assert!(printed(&["explain", capture, "--flow", "1"]).contains("Fully encrypted, no structure found"));
    assert!(!printed(&["read", "--output", "jsonl", "testdata/demo/1197.pcap"]).contains(note));
}

#[test]
fn lore_stands_beside_the_verdict_as_no_evidence() {
    let capture = "testdata/demo/1197.pcap";
    assert!(printed(&["read", capture]).contains("lore, not evidence: PIA"));
    assert!(printed(&["read", "--output", "jsonl", capture]).contains(r#""lore_not_evidence":[{"actual_use":"#));
    assert!(printed(&["explain", capture, "--port", "1197/udp"]).contains("Lore, not evidence - "));
}
