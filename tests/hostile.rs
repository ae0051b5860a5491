//! Captures made to do harm, through the program: it ends as it should, says each fault in one line, and stays small.
#![allow(clippy::unwrap_used)] // Test helpers: a panic is a failed test.

mod corpus;

use std::path::Path;
use std::process::{Command, Stdio};

/// Most memory the program may take, KiB.
const MEMORY_KIB: u64 = 200 << 10;

/// Whether GNU time is there, which tells the most memory that its child had. Without it the rest is still tested.
fn gnu_time() -> bool {
    Command::new("time").args(["-q", "-f", "%M", "true"]).output().is_ok_and(|out| out.status.success())
}

/// Exit code, lines on standard error, and the most memory taken where it can be told.
fn run(path: &Path, measured: bool) -> (i32, Vec<String>, Option<u64>) {
    let program = env!("CARGO_BIN_EXE_portproof");
    let mut command = Command::new(program);
    if measured {
        command = Command::new("time");
        command.args(["-q", "-f", "peak %M", program]);
    }
    let out = command.args(["read", "--all"]).arg(path).stdin(Stdio::null()).output().unwrap();
    let mut lines: Vec<String> = String::from_utf8_lossy(&out.stderr).lines().map(String::from).collect();
    let peak = lines.last().and_then(|line| line.strip_prefix("peak ")?.parse().ok());
    if peak.is_some() {
        lines.pop();
    }
    (out.status.code().unwrap_or(-1), lines, peak)
}

#[test]
fn hostile_captures_end_well_in_bounded_memory() {
    let Some(folder) = corpus::folder().map(|folder| folder.join("hostile")).filter(|folder| folder.is_dir()) else {
        println!("skipped: no hostile captures; set PORTPROOF_CORPUS");
        return;
    };
    let (measured, mut wrong) = (gnu_time(), Vec::new());
    let mut most = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let (code, lines, peak) = run(&path, measured);
        most = most.max(peak.unwrap_or(0));
        // A fault names the file; what else is said is no fault.
        let about = format!("portproof: {}: ", path.display());
        let faults = lines.iter().filter(|line| line.starts_with(&about)).count();
        let fine = match code {
            0 => faults == 0 && lines.len() <= 1,
            // One fault ends a capture, so there is one line.
            3 => faults == 1 && lines.len() <= 2,
            // Only for what is no capture, is empty, or is of a kind that is not read: nothing came out of it.
            2 => faults == 1 && lines.len() == 1 && portproof::capture::CaptureFile::open(&path).is_err(),
            _ => false,
        };
        if !fine || peak.is_some_and(|peak| peak > MEMORY_KIB) {
            wrong.push(format!("{}: exit {code}, {peak:?} KiB, {lines:?}", path.display()));
        }
    }
    println!("at most {most} KiB");
    assert!(wrong.is_empty(), "{} files: {wrong:#?}", wrong.len());
}
