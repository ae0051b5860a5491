//! Never fewer packets than Wireshark's reader or libpcap find, where those are installed and there are captures to compare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Test helpers: a panic is a failed test.

mod corpus;

use portproof::capture::{Block, CaptureFile};
use std::collections::HashMap;
use std::path::Path;
use std::process::Command;

/// Captures in which Wireshark finds more, always for the same reason: a plain pcap file is damaged after two packets, and
/// Wireshark takes it for one with longer packet headers. What it finds then are not packets (they claim lengths of
/// many megabytes and times of 1970); libpcap stops at the damage as we do.
const GUESSED: [&str; 4] = [
    "ndpi-ossfuzz__sample-21cff4abc294",
    "ndpi-ossfuzz__sample-5f3722c37299",
    "ndpi-ossfuzz__sample-bf4f1c69a97d",
    "ndpi-ossfuzz__sample-c6694464b8bf",
];

fn ours(path: &Path) -> u64 {
    let (mut block, mut found) = (Block::default(), 0);
    let Ok(mut file) = CaptureFile::open(path) else { return 0 };
    while let Ok(true) = file.next_block(&mut block) {
        found += block.frames.len() as u64;
    }
    found
}

/// Packets by path, as capinfos counts them; it says on stderr how far it got with a damaged file.
fn capinfos(paths: &[String]) -> Option<HashMap<String, u64>> {
    let output = Command::new("capinfos").args(["-T", "-r", "-B", "-c"]).args(paths).output().ok()?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut counts: HashMap<String, u64> = out
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(path, count)| Some((path.to_string(), count.trim().parse().ok()?)))
        .collect();
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        if let Some((_, rest)) = line.split_once("An error occurred after reading ")
            && let Some((count, path)) = rest.split_once(" packets from \"")
        {
            counts.insert(path.trim_end_matches(['.', '"']).to_string(), count.parse().unwrap());
        }
    }
    Some(counts)
}

fn tcpdump(path: &str) -> Option<u64> {
    let output = Command::new("tcpdump").args(["-nn", "--count", "-r", path]).output().ok()?;
    String::from_utf8_lossy(&output.stdout).split(' ').next()?.parse().ok()
}

#[test]
fn never_fewer_packets_than_the_peers() {
    let paths: Vec<String> =
        corpus::captures(&["real", "hostile"]).iter().map(|path| path.display().to_string()).collect();
    let Some(wireshark) = capinfos(&paths) else {
        println!("skipped: capinfos is not installed");
        return;
    };
    assert!(wireshark.len() > paths.len() / 2, "capinfos said nothing");
    let mut fewer = Vec::new();
    for path in &paths {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let found = ours(Path::new(path));
        let theirs = wireshark.get(path).copied().unwrap_or(0);
        // libpcap never gets further in files that Wireshark reads whole; in the others it may.
        let libpcap = if theirs > found || !wireshark.contains_key(path) { tcpdump(path).unwrap_or(0) } else { 0 };
        if found < libpcap || found < theirs && !GUESSED.contains(&name) {
            fewer.push(format!("{name}: {found}, Wireshark {theirs}, libpcap {libpcap}"));
        }
    }
    assert!(fewer.is_empty(), "{fewer:#?}");
}
