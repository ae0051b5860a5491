//! Live capture between network namespaces, confined, a forbidden system call being deadly.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod corpus;
mod net;

use net::{Net, Said, datagram, frames, testdata};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const JSONL: &[&str] = &["-i", "v1", "-o", "jsonl"];

/// What the flows came to: port, protocol, variant, verdict of the last record of each.
fn verdicts(lines: &[Value]) -> BTreeSet<String> {
    let mut last: std::collections::BTreeMap<u64, &Value> = Default::default();
    for line in lines.iter().filter(|line| line["type"] == "flow") {
        last.insert(line["flow_id"].as_u64().unwrap(), line);
    }
    let told = |f: &Value| {
        format!("{} {} {} {} {}", f["community_id"], f["server"], f["protocol"], f["variant"], f["verdict"])
    };
    last.values().map(|flow| told(flow)).collect()
}

fn read(path: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_portproof"))
        .env("XDG_DATA_HOME", testdata())
        .args(["read", "-o", "jsonl"])
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn count(packets: &Value, name: &str) -> u64 {
    packets[name].as_u64().unwrap_or_else(|| panic!("{name} in {packets}"))
}

/// What was taken and what the kernel dropped; the fates add up.
fn taken(said: &Said) -> u64 {
    let packets = said.packets();
    let fates = ["classified", "other", "malformed", "filtered", "dropped_queue"].map(|name| count(&packets, name));
    assert_eq!(fates.iter().sum::<u64>(), count(&packets, "received"), "{packets}");
    count(&packets, "received") + count(&packets, "dropped_kernel")
}

/// One capture of each protocol.
fn samples() -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    let mut samples = corpus::captures(&[]);
    samples
        .retain(|path| seen.insert(path.parent().map(Path::to_path_buf)) || path.starts_with(testdata().join("demo")));
    samples
}

#[test]
fn a_replay_comes_to_what_read_says() {
    let Some(net) = Net::new() else { return };
    let (mut replayed, mut differ) = (0, Vec::new());
    for path in samples() {
        let frames = frames(&path);
        if frames.is_empty() || frames.len() > 2000 {
            continue;
        }
        let live = net.live(JSONL);
        net.send(|sender| frames.iter().for_each(|frame| sender.sendpacket(&frame[..]).unwrap()));
        let said = live.interrupt();
        assert_eq!((said.code(), taken(&said)), (0, frames.len() as u64), "{}: {}", path.display(), said.err);
        let (live, file) = (verdicts(&said.lines()), verdicts(&read(&path)));
        if live != file {
            differ.push(format!("{}\n  live {live:#?}\n  read {file:#?}", path.display()));
        }
        replayed += 1;
    }
    println!("{replayed} captures replayed");
    assert!(differ.is_empty() && replayed > 50, "{replayed} replayed, {} differ:\n{}", differ.len(), differ.join("\n"));
}

#[test]
fn what_was_sent_was_received_or_dropped() {
    const SENT: u64 = 300_000;
    let Some(net) = Net::new() else { return };
    let live = net.live(&[JSONL, &["--buffer", "4"]].concat());
    // Stopped for the last part, it cannot but lose packets.
    let send = |count: u64| {
        net.send(|sender| {
            let frames: Vec<Vec<u8>> = (0..64).map(|n| datagram(40000 + n, 9, &[n as u8; 22])).collect();
            frames.iter().cycle().take(count as usize).for_each(|frame| sender.sendpacket(&frame[..]).unwrap());
        })
    };
    send(SENT - 100_000);
    live.signal("STOP");
    send(100_000);
    live.signal("CONT");
    let said = live.interrupt();
    println!("{}", said.packets());
    assert_eq!((said.code(), taken(&said)), (0, SENT), "{}", said.packets());
    assert!(count(&said.packets(), "dropped_kernel") > 0);
}

#[test]
fn a_signal_loses_nothing_that_the_kernel_had() {
    let Some(net) = Net::new() else { return };
    for phase in 0..8 {
        let live = net.live(JSONL);
        net.send(|sender| (0..1000).for_each(|n| sender.sendpacket(&datagram(40000, 9, &[n as u8; 40])[..]).unwrap()));
        std::thread::sleep(Duration::from_millis(phase * 17));
        let said = live.interrupt();
        assert_eq!((said.code(), taken(&said)), (0, 1000), "phase {phase}");
        assert_eq!(count(&said.packets(), "dropped_kernel"), 0);
    }
}

#[test]
fn an_interface_may_go_down_and_come_back_but_not_vanish() {
    let Some(net) = Net::new() else { return };
    let live = net.live(JSONL);
    let send = |count: usize| {
        net.send(|sender| (0..count).for_each(|_| sender.sendpacket(&datagram(40000, 9, b"still here")[..]).unwrap()));
    };
    send(5);
    assert!(net.ip(&["link", "set", "v1", "down"]));
    // The line is written within a tick; only then is it brought up again.
    std::thread::sleep(Duration::from_millis(500));
    assert!(net.ip(&["link", "set", "v1", "up"]));
    send(7);
    assert!(net.ip(&["link", "delete", "v1"]));
    let said = live.wait();
    assert_eq!((said.code(), taken(&said)), (2, 12), "{}", said.err);
    assert!(said.err.contains("v1 is down; the capture goes on"), "{}", said.err);
    assert!(said.err.contains("v1: the interface was deleted; what it had received is judged"), "{}", said.err);
}

#[test]
fn what_was_written_is_whole_after_a_kill() {
    let Some(net) = Net::new() else { return };
    let live = net.live(JSONL);
    let frames = frames(&testdata().join("demo/1197.pcap"));
    net.send(|sender| frames.iter().for_each(|frame| sender.sendpacket(&frame[..]).unwrap()));
    std::thread::sleep(Duration::from_millis(700));
    live.signal("KILL");
    let said = live.wait();
    assert!(said.status.code().is_none() && said.out.ends_with('\n'));
    assert!(said.lines().iter().any(|line| line["protocol"] == "openvpn" && line["event"] == "new"), "{}", said.out);
}

#[test]
fn limits_end_it() {
    let Some(net) = Net::new() else { return };
    let live = net.live(&[JSONL, &["-c", "3"]].concat());
    net.send(|sender| (0..10).for_each(|_| sender.sendpacket(&datagram(40000, 9, b"x")[..]).unwrap()));
    assert_eq!(count(&live.wait().packets(), "received"), 3);
    let said = net.live(&[JSONL, &["--duration", "300ms"]].concat()).wait();
    assert_eq!((said.code(), taken(&said)), (0, 0));
}

#[test]
fn the_kernel_filters() {
    let Some(net) = Net::new() else { return };
    let live = net.live(&[JSONL, &["udp", "port", "1197"]].concat());
    net.send(|sender| {
        for port in [9, 1197, 1198] {
            sender.sendpacket(&datagram(40000, port, b"x")[..]).unwrap();
        }
    });
    assert_eq!(taken(&live.interrupt()), 1);
}
