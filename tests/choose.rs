//! Choosing what is judged, from where, and where to: filters, hosts, times, directories, merges, copies, CSV, files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[path = "common/rewrite.rs"]
mod rewrite;

use rewrite::{Raw, ether_type, ethernet, ipv4, pcap, testdata, udp};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portproof"));
    command.current_dir(root().join("testdata")).arg("read").args(args).stdin(Stdio::null());
    command.env("XDG_DATA_HOME", root().join("testdata")).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The records of a run in JSON Lines.
fn records(args: &[&str]) -> Vec<Value> {
    let output = run(&[&["--output", "jsonl"], args].concat());
    assert!(matches!(code(&output), 0 | 3), "{args:?}: {}", err(&output));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The frames by fate of a run; they add up.
fn counts(args: &[&str]) -> Value {
    let packets = records(args).pop().unwrap()["packets"].clone();
    let fates = ["classified", "other", "malformed", "filtered", "dropped_queue"];
    let sum: u64 = fates.iter().map(|fate| packets[fate].as_u64().unwrap()).sum();
    assert_eq!(packets["received"], sum, "{args:?}: {packets}");
    packets
}

/// Frames that were not left out.
fn taken(args: &[&str]) -> u64 {
    let counts = counts(args);
    counts["received"].as_u64().unwrap() - counts["filtered"].as_u64().unwrap()
}

fn write(dir: &Path, name: &str, frames: &[Raw]) -> String {
    let path = dir.join(name);
    std::fs::write(&path, pcap(frames, false, true)).unwrap();
    path.display().to_string()
}

/// The frame with a VLAN tag.
fn tagged(frame: &Raw, vlan: u16) -> Raw {
    let ip = frame.ip().unwrap();
    let tag = [&vlan.to_be_bytes()[..], &ether_type(ip).to_be_bytes(), ip].concat();
    frame.with(1, ethernet(0x8100, &tag))
}

/// How many frames tcpdump takes; none where it is not installed.
fn tcpdump(path: &str, expression: &str) -> Option<u64> {
    let output = Command::new("tcpdump").args(["-n", "-r", path, "-w", "-", expression]).output().ok()?;
    let written = output.status.success().then_some(output.stdout)?;
    let mut at = 24;
    let mut frames = 0;
    while let Some(length) = written.get(at + 8..at + 12) {
        at += 16 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        frames += 1;
    }
    Some(frames)
}

#[test]
fn an_expression_takes_the_frames_that_tcpdump_takes() {
    let mut paths: Vec<PathBuf> =
        ["1196", "1197", "2797", "2897"].iter().map(|port| root().join(format!("testdata/demo/{port}.pcap"))).collect();
    let named = std::env::var_os("PORTPROOF_CORPUS").map(PathBuf::from);
    let corpus = root().join(named.unwrap_or_else(|| "../shared/captures".into()));
    paths.extend(["ike-nat-udp4500.pcap", "neg-dns-udp53.pcap"].map(|name| corpus.join("lab").join(name)));
    let expressions = [
        "udp port 1197",
        "tcp",
        "greater 300",
        "less 100",
        "not port 2897 and ip[8] > 63",
        "net 10.200.0.0/16 and udp",
    ];
    for path in paths.iter().filter(|path| path.is_file()).map(|path| path.display().to_string()) {
        for expression in expressions {
            let Some(expected) = tcpdump(&path, expression) else {
                println!("skipped: no tcpdump");
                return;
            };
            assert_eq!(taken(&[&path, "--filter", expression]), expected, "{path} {expression}");
        }
    }
}

#[test]
fn an_expression_may_follow_the_files() {
    let both = ["demo/1197.pcap", "demo/2897.pcap"];
    let expected = counts(&both[..1])["received"].as_u64().unwrap();
    assert_eq!(taken(&[&both[..], &["udp", "port", "1197"]].concat()), expected);
    assert_eq!(taken(&[&both[..], &["--", "udp port 1197"]].concat()), expected);
    assert_eq!(taken(&[&both[..], &["--filter", "udp port 1197"]].concat()), expected);
    let wrong: [(&[&str], &str); 4] = [
        (&["demo/1197.pcap", "udp", "prot", "1197"], "syntax error"),
        (&["demo/1197.pcap", "upd", "port", "1197"], "upd is no file"),
        (&["demo/1197.pcap", "udp", "demo/2897.pcap"], "captures come before"),
        (&["demo/1197.pcap", "udp", "--filter", "tcp"], "two filter expressions"),
    ];
    for (args, text) in wrong {
        let output = run(args);
        assert_eq!((code(&output), output.stdout.len()), (2, 0), "{args:?}");
        assert!(err(&output).contains(text), "{args:?}: {}", err(&output));
    }
}

#[test]
fn nothing_matched_is_said_aloud() {
    for choice in [&["udp", "port", "9"][..], &["--ports", "9"], &["--host", "192.0.2.1"], &["--since", "+10h"]] {
        let output = run(&[&["demo/1197.pcap"], choice].concat());
        assert!(err(&output).contains("0 packets matched"), "{choice:?}: {}", err(&output));
        assert_eq!(code(&output), 0);
    }
    assert!(!err(&run(&["demo/1197.pcap"])).contains("matched"));
}

#[test]
fn what_a_port_filter_cannot_see_is_hinted() {
    let dir = tempfile::tempdir().unwrap();
    let frames: Vec<Raw> = testdata("demo/1197.pcap").iter().map(|frame| tagged(frame, 7)).collect();
    let path = write(dir.path(), "tagged.pcap", &frames);
    let output = run(&[&path, "udp", "port", "1197"]);
    assert!(err(&output).contains(&format!("{} VLAN-tagged frames", frames.len())), "{}", err(&output));
    assert!(!err(&run(&[&path, "udp", "port", "1198"])).contains("hint"));
    assert!(!err(&run(&["demo/1197.pcap", "udp", "port", "1197"])).contains("hint"));
    assert_eq!(taken(&[&path, "vlan and udp port 1197"]), frames.len() as u64);
}

#[test]
fn hosts_times_and_directions() {
    let all = taken(&["demo/1197.pcap"]);
    assert_eq!(taken(&["demo/1197.pcap", "--host", "10.200.18.0/24"]), all);
    assert_eq!(taken(&["demo/1197.pcap", "--host", "10.200.19.0/24", "--host", "10.200.18.1"]), all);
    assert_eq!(taken(&["demo/1197.pcap", "--host", "10.200.19.0/24"]), 0);
    assert_eq!(code(&run(&["demo/1197.pcap", "--host", "10.200.18.1/24"])), 2);

    // Cut in two, nothing is lost and nothing is taken twice.
    let times: Vec<i64> = testdata("demo/1197.pcap").iter().map(|frame| frame.time).collect();
    let half = format!("+{}us", (times[times.len() / 2] - times[0]) / 1000);
    let before = taken(&["demo/1197.pcap", "--until", &half]);
    assert!(before > 0 && before < all);
    assert_eq!(before + taken(&["demo/1197.pcap", "--since", &half]), all);
    assert_eq!(taken(&["demo/1197.pcap", "--since", "2020-01-01T00:00:00Z"]), all);
    assert_eq!(taken(&["demo/1197.pcap", "--until", "2020-01-01T00:00:00Z"]), 0);

    let direction = |local: &[&str]| records(&[&["demo/1197.pcap"], local].concat())[0]["direction"].clone();
    let server = "10.200.18.1";
    assert_eq!(direction(&["--local", server]), "inbound");
    assert_eq!(direction(&["--local", "10.200.18.2"]), "outbound");
    assert_eq!(direction(&["--local", "10.0.0.0/8"]), "internal");
    assert_eq!(direction(&["--local", "192.0.2.0/24"]), "external");
    assert_eq!(direction(&[]), Value::Null);
}

#[test]
fn layers_of_a_tunnel_are_chosen() {
    let dir = tempfile::tempdir().unwrap();
    // RFC 7348: flags with the VNI bit, reserved, VNI 42, reserved.
    let wrapped = |frame: &Raw| {
        let vxlan = [&[8, 0, 0, 0, 0, 0, 42, 0][..], &frame.data].concat();
        let outer = ipv4([192, 0, 2, 1], [192, 0, 2, 2], 1, 0, 17, &udp(50_000, 4789, &vxlan));
        frame.with(1, ethernet(0x0800, &outer))
    };
    let frames: Vec<Raw> = testdata("demo/1197.pcap").iter().map(wrapped).collect();
    let path = write(dir.path(), "vxlan.pcap", &frames);
    let ports = |layers: &str| -> Vec<u64> {
        let records = records(&[&path, "--tunnel", layers]);
        records.iter().filter(|r| r["type"] == "port").map(|r| r["port"].as_u64().unwrap()).collect()
    };
    assert_eq!((ports("inner"), ports("outer"), ports("both")), (vec![1197], vec![4789], vec![1197, 4789]));
    assert_eq!(taken(&[&path, "--tunnel", "both"]), frames.len() as u64);
}

#[test]
fn directories_are_read_and_what_is_no_capture_is_skipped() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("deep")).unwrap();
    let frames = testdata("demo/1197.pcap");
    let first = write(dir.path(), "b.pcap", &frames);
    let second = write(&dir.path().join("deep"), "a.cap", &frames);
    std::fs::write(dir.path().join("notes.txt"), "no capture, but text that is long enough").unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    std::os::unix::fs::symlink(dir.path(), dir.path().join("deep/loop")).unwrap();
    let path = dir.path().display().to_string();
    let records = records(&[&path, "--jobs", "2"]);
    let captures: Vec<&str> =
        records.iter().filter(|r| r["type"] == "port").map(|r| r["capture"].as_str().unwrap()).collect();
    assert_eq!(captures, [first, second]);
    let summary = records.last().unwrap();
    assert_eq!((&summary["skipped"], &summary["captures"]), (&2.into(), &2.into()));
    // Named, what is no capture is an error.
    assert_eq!(code(&run(&[&path])), 0);
    assert_eq!(code(&run(&[&path, &format!("{path}/notes.txt")])), 2);
}

#[test]
fn merged_rotated_files_are_one_capture() {
    let dir = tempfile::tempdir().unwrap();
    let frames = testdata("demo/1197.pcap");
    let (start, rest) = frames.split_at(7);
    let (middle, end) = rest.split_at(11);
    // Named in the wrong order.
    let paths = [("x", end), ("y", start), ("z", middle)].map(|(name, part)| write(dir.path(), name, part));
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let flows = |args: &[&str]| -> Vec<Value> {
        let flows = records(args).into_iter().filter(|r| r["type"] == "flow");
        flows.map(|mut flow| (flow["capture"].take(), flow).1).collect()
    };
    let whole = write(dir.path(), "whole", &frames);
    assert_eq!(flows(&[&paths[..], &["--merge"]].concat()), flows(&[&whole]));
    assert_eq!(flows(&paths).len(), 3);
    let refused = run(&["--merge", paths[0], "SOURCES.md"]);
    assert_eq!(code(&refused), 2);
}

#[test]
fn copies_of_packets_are_counted_once_and_retransmissions_are_not_copies() {
    let dir = tempfile::tempdir().unwrap();
    for capture in ["demo/1197.pcap", "demo/2897.pcap"] {
        let frames = testdata(capture);
        let single = write(dir.path(), "single", &frames);
        let flow = |path: &str| records(&[path]).into_iter().find(|r| r["type"] == "flow").unwrap();
        let shown = |flow: &Value| ["packets", "bytes", "protocol", "verdict", "band"].map(|name| flow[name].clone());
        let plain = flow(&single);
        assert_eq!(plain["duplicates"], 0, "{capture}");
        // A mirror port that sends every packet untagged, and 20 microseconds later tagged.
        let late = |frame: Raw, by: i64| Raw { time: frame.time + by, ..frame };
        let mut twice: Vec<Raw> = frames.iter().flat_map(|f| [f.clone(), late(tagged(f, 9), 20_000)]).collect();
        twice.sort_by_key(|frame| frame.time);
        let double = write(dir.path(), "double", &twice);
        let seen = flow(&double);
        assert_eq!(shown(&seen), shown(&plain), "{capture}");
        let n = frames.iter().filter(|frame| frame.ip().is_some()).count();
        assert_eq!(seen["duplicates"], n, "{capture}");
        let counted = counts(&[&double]);
        assert_eq!((&counted["classified"], &counted["duplicates"]), (&(2 * n).into(), &n.into()));
        assert!(err(&run(&[&double])).contains("seen again"));
        // The same two seconds later is a retransmission.
        let mut again: Vec<Raw> = frames.iter().flat_map(|f| [f.clone(), late(f.clone(), 2_000_000_000)]).collect();
        again.sort_by_key(|frame| frame.time);
        let again = flow(&write(dir.path(), "again", &again));
        assert_eq!(again["duplicates"], 0, "{capture}");
    }
}

#[test]
fn csv_has_a_header_and_a_record_for_each_port() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a \"b\",c.pcap");
    std::fs::copy(root().join("testdata/demo/1197.pcap"), &odd).unwrap();
    let odd = odd.display().to_string();
    let output = run(&[&odd, "demo/2897.pcap", "--output", "csv"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("\r\n") && text.contains("\"\"b\"\","));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| &rows[row][header.iter().position(|column| column == name).unwrap()];
    assert_eq!((rows.len(), cell(0, "capture"), cell(0, "port")), (2, odd.as_str(), "1197"));
    assert_eq!((cell(0, "verdict"), cell(0, "protocol"), cell(0, "band")), ("mismatch", "openvpn", "certain"));
    assert_eq!(cell(0, "claim_services"), "carrius-rshell");
    let lines = |args: &[&str]| {
        let output = run(&[&["demo/1197.pcap", "demo/2897.pcap", "--output", "csv"], args].concat());
        String::from_utf8(output.stdout).unwrap().lines().count()
    };
    assert_eq!((lines(&[]), lines(&["--top", "1"]), lines(&["--only", "match"])), (3, 2, 1));
    assert_eq!(code(&run(&["demo/1197.pcap", "--output", "csv", "--by", "flow"])), 2);
}

#[test]
fn a_report_is_written_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("report");
    let name = path.display().to_string();
    for form in ["table", "jsonl", "csv"] {
        let args = ["demo/1197.pcap", "--output", form, "--color", "never"];
        let output = run(&[&args[..], &["--out", &name]].concat());
        assert_eq!((code(&output), output.stdout.len()), (0, 0), "{}", err(&output));
        assert_eq!(std::fs::read(&path).unwrap(), run(&args).stdout, "{form}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
    let output = run(&["demo/1197.pcap", "--out", &format!("{name}/below")]);
    assert_eq!((code(&output), output.stdout.len()), (2, 0));
    if Path::new("/dev/full").exists() {
        let output = run(&["demo/1197.pcap", "--out", "/dev/full"]);
        assert_eq!(code(&output), 2);
        assert!(err(&output).contains("/dev/full: No space left on device"), "{}", err(&output));
    } else {
        println!("skipped: no /dev/full");
    }
}

#[test]
fn what_was_seen_so_far_is_reported_in_packet_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut frames = testdata("demo/1197.pcap");
    for (second, frame) in (0..).zip(&mut frames) {
        frame.time = 1_700_000_000_000_000_000 + second * 1_000_000_000;
    }
    let path = write(dir.path(), "slow.pcap", &frames);
    let all = records(&[&path, "--every", "10s"]);
    let summaries: Vec<&Value> = all.iter().filter(|r| r["type"] == "summary").collect();
    let received: Vec<u64> = summaries.iter().map(|s| s["packets"]["received"].as_u64().unwrap()).collect();
    let periods = (frames.len() as u64 - 1) / 10;
    let expected: Vec<u64> = (1..=periods).map(|n| n * 10).chain([frames.len() as u64]).collect();
    assert_eq!(received, expected);
    assert!(summaries[..received.len() - 1].iter().all(|s| s["so_far"] == true));
    assert_eq!(summaries[received.len() - 1]["so_far"], Value::Null);
    // Each report is what a capture that ends there gives, for any number of workers.
    let ports = |records: &[Value]| -> Vec<Value> { records.iter().filter(|r| r["type"] == "port").cloned().collect() };
    let first = write(dir.path(), "first.pcap", &frames[..10]);
    let mut alone = ports(&records(&[&first]));
    alone[0]["capture"] = path.clone().into();
    assert_eq!(ports(&all)[0], alone[0]);
    assert_eq!(all, records(&[&path, "--every", "10s", "--workers", "3", "--batch", "1"]));
    // The last word is that of a run without reports on the way.
    let plain = records(&[&path]);
    assert_eq!(all[all.len() - plain.len()..], plain);
    assert_eq!(code(&run(&[&path, &first, "--every", "10s"])), 2);
    assert_eq!(code(&run(&[&path, "--every", "0s"])), 2);
}
