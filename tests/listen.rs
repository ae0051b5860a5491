//! `portproof listen` and the helper that attributes flows, in a network namespace where nobody else listens.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod namespace;

use portproof::packet::{Endpoint, Ip, Transport};
use portproof::process::helper::{Helper, Side};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

fn listen(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_portproof"))
        .env("XDG_DATA_HOME", "/nonexistent")
        .env("COLUMNS", "80")
        .arg("listen")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_listens_is_listed_with_its_process() {
    if !namespace::alone("what_listens_is_listed_with_its_process") {
        return;
    }
    assert!(listen(&[]).starts_with("Nothing listens here."));
    let _udp = UdpSocket::bind("0.0.0.0:1197").unwrap();
    let _tcp = TcpListener::bind("0.0.0.0:2897").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:4242").unwrap();
    connected.connect("127.0.0.1:4243").unwrap();

    let records: Vec<Value> =
        listen(&["--output", "jsonl"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ports: Vec<_> = records.iter().map(|record| (record["port"].as_u64(), record["transport"].as_str())).collect();
    assert_eq!(ports, [(Some(1197), Some("udp")), (Some(2897), Some("tcp"))]);
    let first = &records[0];
    assert_eq!(first["processes"][0]["pid"], std::process::id());
    assert_eq!(first["addresses"][0], "0.0.0.0");
    assert_eq!(first["claim"]["services"][0], "carrius-rshell");
    assert!(first["lore"].as_array().unwrap().iter().any(|lore| lore["protocol"] == "openvpn"));
    // Nobody looked at the traffic, so nothing is said of it.
    assert!(first.get("verdict").is_none());

    let table = listen(&[]);
    assert!(table.contains("carrius-rshell") && table.contains(&format!("[{}]", std::process::id())), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    let csv = listen(&["--output", "csv", "--ports", "2897/tcp"]);
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(csv.lines().nth(1).unwrap().starts_with("2897,tcp,0.0.0.0,"), "{csv}");
}

#[test]
fn the_helper_attributes_flows_of_this_machine_only() {
    if !namespace::alone("the_helper_attributes_flows_of_this_machine_only") {
        return;
    }
    let server = UdpSocket::bind("127.0.0.1:1197").unwrap();
    let anywhere = UdpSocket::bind("0.0.0.0:2797").unwrap();
    let client = UdpSocket::bind("127.0.0.1:4242").unwrap();
    let connected = UdpSocket::bind("127.0.0.1:4343").unwrap();
    connected.connect(server.local_addr().unwrap()).unwrap();
    let end = |ip: [u8; 4], port| Endpoint { ip: Ip::v4(ip), port };
    let (own, foreign) = ([127, 0, 0, 1], [192, 0, 2, 1]);

    let mut helper = Helper::start(env!("CARGO_BIN_EXE_portproof").as_ref(), &["--kill"]).unwrap();
    // It has become another user and kept two capabilities (2 and 19 of capabilities(7)), no new privileges, and a filter.
    assert_eq!(helper.ask(Transport::Udp, end(foreign, 1), end(foreign, 2)), None);
    let status = std::fs::read_to_string(format!("/proc/{}/status", helper.pid())).unwrap();
    let has = |line: &str| status.lines().any(|known| known == line);
    assert!(has("Uid:\t65534\t65534\t65534\t65534"), "{status}");
    assert!(has("CapEff:\t0000000000080004") && has("CapPrm:\t0000000000080004"), "{status}");
    assert!(has("NoNewPrivs:\t1") && has("Seccomp:\t2"), "{status}");
    let mut ask = |server, client| helper.ask(Transport::Udp, server, client);
    let found = ask(end(own, 1197), end(foreign, 9)).unwrap();
    assert_eq!((found.side, found.owners[0].pid), (Side::Server, std::process::id()));
    assert_eq!(ask(end(own, 2797), end(foreign, 9)).unwrap().side, Side::Server);
    // The other end is far away, this one is the client's.
    assert_eq!(ask(end(foreign, 53), end(own, 4242)).unwrap().side, Side::Client);
    assert_eq!(ask(end(foreign, 53), end(own, 4343)), None, "it is connected elsewhere");
    assert_eq!(ask(end(foreign, 53), end(own, 9)), None);
    // A socket on all addresses takes nothing that is sent to others.
    assert_eq!(ask(end(foreign, 2797), end(foreign, 9)), None);
    drop((anywhere, client));
    assert!(helper.works());
}

#[test]
fn what_is_looked_at_has_a_verdict() {
    if !namespace::alone("what_is_looked_at_has_a_verdict") {
        return;
    }
    let server = UdpSocket::bind("0.0.0.0:1197").unwrap();
    let _silent = UdpSocket::bind("0.0.0.0:2797").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_portproof"))
        .env("PORTPROOF_SANDBOX", "kill")
        .args(["listen", "--observe", "1h", "--output", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("looking at any for ") && line.contains("confined: user nobody"), "{line}");
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        client.send_to(namespace::QUESTION, ("127.0.0.1", 1197)).unwrap();
        server.recv(&mut [0; 512]).unwrap();
        server.send_to(namespace::ANSWER, client.local_addr().unwrap()).unwrap();
        client.recv(&mut [0; 512]).unwrap();
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&records[0]["port"], &records[0]["verdict"]), (&1197.into(), &"mismatch".into()), "{text}");
    assert_eq!(
        (&records[0]["protocol"], &records[0]["processes"][0]["pid"]),
        (&"dns".into(), &std::process::id().into())
    );
    assert_eq!((&records[1]["port"], &records[1]["verdict"]), (&2797.into(), &Value::Null), "{text}");
}
