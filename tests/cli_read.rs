//! `portproof read` and `explain` as a script or a terminal sees them: exit codes, streams, widths.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use unicode_width::UnicodeWidthStr;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portproof"));
    command.current_dir(root().join("testdata")).args(args).stdin(Stdio::null());
    // Neither the user's registry nor the terminal of whoever runs the tests may matter.
    command.env("XDG_DATA_HOME", root().join("testdata"));
    for name in ["COLUMNS", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A file of the first bytes of a capture, in a directory of its own.
fn cut(dir: &Path, capture: &str, bytes: usize) -> PathBuf {
    let whole = std::fs::read(root().join("testdata").join(capture)).unwrap();
    let path = dir.join("cut.pcap");
    std::fs::write(&path, &whole[..bytes]).unwrap();
    path
}

const FOUR: [&str; 4] = ["demo/1196.pcap", "demo/1197.pcap", "demo/2797.pcap", "demo/2897.pcap"];

#[test]
fn the_first_screen() {
    let output = run(&[&["read"], &FOUR[..3]].concat());
    let text = out(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(code(&output), 0);
    assert!(lines[0].starts_with("VERDICT  PORT     CLAIM"), "{text}");
    let row = |port: &str| *lines.iter().find(|line| line.contains(port)).unwrap();
    assert!(row("1196/udp").starts_with("mismatch ") && row("1196/udp").contains("netmagic       openvpn"), "{text}");
    assert!(row("1197/udp").starts_with("mismatch "), "{text}");
    assert!(row("2797/udp").starts_with("match ") && row("2797/udp").contains("esp-in-udp"), "{text}");
    assert!(text.contains("\n2 mismatch, 1 match.\n3 captures"), "{text}");
    assert!(lines.last().unwrap().starts_with("Next: portproof explain demo/1196.pcap --port 1196/udp"), "{text}");
    assert!(err(&output).is_empty());
}

#[test]
fn no_line_is_wider_than_the_terminal_and_colour_is_asked_for() {
    for by in ["port", "endpoint", "flow"] {
        for columns in ["40", "80", "120", "200"] {
            let mut command = command(
                &[&["read", "--all", "--by", by, "ike/main-mode.pcap", "openvpn/plain-ipv6.pcap"], &FOUR[..]].concat(),
            );
            let text = out(&command.env("COLUMNS", columns).output().unwrap());
            let width: usize = columns.parse().unwrap();
            // The command to copy is one line whatever its length.
            for line in text.lines().filter(|line| !line.starts_with("Next: ")) {
                assert!(line.width() <= width, "{by} at {columns}: {line}");
            }
            assert!(!text.contains('\x1b'));
        }
    }
    let plain = out(&run(&["read", FOUR[0]]));
    let forced = out(&command(&["read", FOUR[0]]).env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(forced.contains("\x1b[1;31mmismatch\x1b[0m"));
    let always = out(&command(&["read", "--color", "always", FOUR[0]]).env("NO_COLOR", "1").output().unwrap());
    assert_eq!(forced, always);
    let refused = out(&command(&["read", FOUR[0]]).env("NO_COLOR", "1").env("CLICOLOR_FORCE", "1").output().unwrap());
    assert_eq!(plain, refused);
}

#[test]
fn json_lines_are_json_and_the_counts_add_up() {
    let output = run(&[&["read", "--output", "jsonl", "--by", "flow"], &FOUR[..]].concat());
    let lines: Vec<serde_json::Value> = out(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).count();
    assert_eq!((of("flow"), of("port"), of("summary")), (4, 4, 1));
    let summary = lines.last().unwrap();
    let packets = |name: &str| summary["packets"][name].as_u64().unwrap();
    let fates = ["classified", "other", "malformed", "filtered", "dropped_queue"].map(packets);
    assert_eq!(packets("received"), fates.iter().sum::<u64>());
    let side = |flow: &serde_json::Value, side: &str| flow["packets"][side].as_u64().unwrap();
    let flows = lines.iter().filter(|line| line["type"] == "flow");
    assert_eq!(flows.map(|flow| side(flow, "client") + side(flow, "server")).sum::<u64>(), packets("classified"));
    let openvpn = lines.iter().find(|line| line["type"] == "flow" && line["server"]["port"] == 1197).unwrap();
    assert_eq!((&openvpn["verdict"], &openvpn["protocol"]), (&"mismatch".into(), &"openvpn".into()));
    assert!(openvpn["confidence"].as_f64().unwrap() < 1.0);
    // The fields of the contract, in its order.
    let line = out(&output).lines().next().unwrap().to_owned();
    let order = [
        "type",
        "schema",
        "event",
        "flow_id",
        "capture",
        "community_id",
        "transport",
        "client",
        "server",
        "server_by",
        "answered",
        "first",
        "last",
        "packets",
        "bytes",
        "tunnel",
        "vlan",
        "protocol",
        "variant",
        "also",
        "band",
        "confidence",
        "decided_at",
        "evidence",
        "claim",
        "verdict",
        "reason",
        "match_by",
    ];
    let places: Vec<_> = order.iter().map(|name| line.find(&format!("\"{name}\":")).expect(name)).collect();
    assert!(places.is_sorted(), "{line}");
}

#[test]
fn verdicts_choose_rows_and_the_exit_code() {
    assert_eq!(code(&run(&["read", "--fail-on", "mismatch,contradicted", FOUR[1]])), 1);
    assert_eq!(code(&run(&["read", "--fail-on", "contradicted", FOUR[1]])), 0);
    assert_eq!(code(&run(&["read", "--fail-on", "mismatches", FOUR[1]])), 2);
    let text = out(&run(&[&["read", "--only", "match"], &FOUR[..]].concat()));
    assert!(text.contains("2797/udp") && !text.contains("1197/udp"), "{text}");
    let text = out(&run(&[&["read", "--top", "1"], &FOUR[..]].concat()));
    assert!(text.contains("\n+ 3 ports beyond the first 1\n"), "{text}");
}

#[test]
fn faults_are_one_line_and_the_rest_is_judged() {
    let dir = tempfile::tempdir().unwrap();
    let damaged = cut(dir.path(), FOUR[1], 6000);
    let damaged = damaged.to_str().unwrap();
    let output = run(&["read", damaged]);
    assert_eq!(code(&output), 3);
    assert_eq!(err(&output).lines().count(), 1, "{}", err(&output));
    assert!(err(&output).contains("cut.pcap: packet ") && err(&output).contains(", byte "), "{}", err(&output));
    assert!(out(&output).contains("1197/udp"));

    let text = dir.path().join("text.pcap");
    std::fs::write(&text, "no capture").unwrap();
    let empty = dir.path().join("empty.pcap");
    std::fs::write(&empty, "").unwrap();
    for wrong in [text.to_str().unwrap(), empty.to_str().unwrap(), "missing.pcap"] {
        let output = run(&["read", wrong, FOUR[1]]);
        assert_eq!((code(&output), err(&output).lines().count()), (2, 1), "{wrong}: {}", err(&output));
        assert!(out(&output).contains("1197/udp"), "the others are judged");
    }
    // The first of 2, 1, 3, 0.
    assert_eq!(code(&run(&["read", "--fail-on", "mismatch", "missing.pcap", damaged])), 2);
    assert_eq!(code(&run(&["read", "--fail-on", "mismatch", damaged])), 1);
}

#[test]
fn nothing_matched_is_said() {
    let output = run(&["read", "--ports", "9,1194-1196", FOUR[1]]);
    assert_eq!((code(&output), err(&output).lines().count()), (0, 1), "{}", err(&output));
    assert!(err(&output).starts_with("portproof: 0 packets matched"), "{}", err(&output));
    assert!(out(&output).contains("60 filtered out"), "{}", out(&output));
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let mut child = command(&["read", "--output", "jsonl", FOUR[0]])
        .args(std::iter::repeat_n(FOUR[1], 200))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!((child.wait().unwrap().code(), errors.as_str()), (Some(0), ""));
}

#[test]
fn output_follows_the_order_of_the_arguments() {
    let args = |order: [usize; 4]| [vec!["read", "-o", "jsonl"], order.map(|n| FOUR[n]).to_vec()].concat();
    let ports = |text: String| -> Vec<u64> {
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["type"] == "port").map(|line| line["port"].as_u64().unwrap()).collect()
    };
    assert_eq!(ports(out(&run(&args([3, 1, 0, 2])))), [2897, 1197, 1196, 2797]);
    let one = [vec!["-r", FOUR[1]], vec!["--workers", "1"]].concat();
    let four = [vec!["-r", FOUR[1]], vec!["--workers", "4", "--batch", "1"]].concat();
    let read = |more: &[&str]| out(&run(&[&["read", "-o", "jsonl"], more].concat()));
    assert_eq!(read(&one), read(&four));
}

#[test]
fn standard_input_is_read() {
    let file = std::fs::File::open(root().join("testdata").join(FOUR[1])).unwrap();
    let output = command(&["read", "-o", "jsonl", "-"]).stdin(file).output().unwrap();
    assert!(out(&output).contains("\"capture\":\"-\"") && code(&output) == 0, "{}", err(&output));
    // A pipe that has a name.
    let mut child = command(&["read", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let capture = std::fs::read(root().join("testdata").join(FOUR[1])).unwrap();
    child.stdin.take().unwrap().write_all(&capture).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(out(&output).contains("1197/udp") && code(&output) == 0, "{}", err(&output));
}

#[test]
fn explain_says_all() {
    let output = command(&["explain", FOUR[1], "--port", "1197/udp"]).env("COLUMNS", "80").output().unwrap();
    let text = out(&output);
    assert_eq!(code(&output), 0, "{}", err(&output));
    for said in [
        "(certain): mismatch",
        "The claim",
        "carrius-rshell",
        "Who serves",
        "It answered",
        "frames 1, 2",
        "[openvpn.session-id-echo]",
        "together",
        "-10.0  prior",
        "How the verdict follows",
        "So: mismatch.",
        "Lore, not evidence",
    ] {
        assert!(text.contains(said), "{said:?} is missing in\n{text}");
    }
    assert!(text.lines().all(|line| line.width() <= 80), "{text}");
    assert_eq!(out(&run(&["explain", FOUR[1], "--flow", "1"])).lines().next(), text.lines().next());

    for (wrong, said) in [(["--port", "9/udp"], "nothing is served on 9/udp"), (["--flow", "9"], "there is no flow 9")]
    {
        let output = run(&["explain", FOUR[1], wrong[0], wrong[1]]);
        assert_eq!(code(&output), 2);
        assert!(err(&output).contains(said), "{}", err(&output));
    }
    assert_eq!(code(&run(&["explain", FOUR[1]])), 2);
}

/// The capture comes through a pipe that stays open, so the read is under way for as long as the test wants.
#[cfg(unix)]
#[test]
fn an_interrupted_read_judges_what_it_has() {
    let capture = std::fs::read(root().join("testdata").join(FOUR[1])).unwrap();
    let (header, packets) = capture.split_at(24);
    let mut child =
        command(&["read", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(header).unwrap();
    // More than a pipe holds: once this is written the program reads, and listens to signals.
    for _ in 0..(1 << 20) / packets.len() {
        input.write_all(packets).unwrap();
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    // A signal does not wake a read; more input does, until nobody reads it.
    while input.write_all(packets).is_ok() {}
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 3, "{}", err(&output));
    assert!(err(&output).starts_with("portproof: interrupted after "), "{}", err(&output));
    assert!(out(&output).contains("1197/udp"), "{}", out(&output));
}

#[test]
fn help_tells_verdicts_and_exit_codes() {
    let text = out(&run(&["--help"]));
    for said in ["explain", "mismatch", "insufficient", "Exit codes:", "portproof read trace.pcap"] {
        assert!(text.contains(said), "{said}");
    }
    assert_eq!(code(&run(&["read", "--help"])), 0);
}
