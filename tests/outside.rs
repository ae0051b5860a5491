//! Who else learns of a live run: which process a flow belongs to, Prometheus, systemd. Confined, a forbidden system
//! call being deadly.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod namespace;

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Starts a run on the loopback interface; gives it with its first line.
fn start(arguments: &[&str], notify: &str) -> (Child, String, BufReader<impl Read>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_portproof"))
        .env("PORTPROOF_SANDBOX", "kill")
        .env("NOTIFY_SOCKET", notify)
        .env("WATCHDOG_USEC", "1000000")
        .args(["live", "-i", "lo", "-o", "jsonl", "--grace", "1h"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    err.read_line(&mut line).unwrap();
    (child, line, err)
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let n = socket.recv(&mut buffer).expect("word from the run");
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}

fn page(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn processes_figures_and_notifications() {
    if !namespace::alone("processes_figures_and_notifications") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let manager = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let notify = dir.path().join("notify");
    let arguments = ["--process", "--metrics", "127.0.0.1:0", "udp"];
    let (mut child, line, mut err) = start(&arguments, notify.to_str().unwrap());
    assert!(line.contains("confined: user nobody") && line.contains("CAP_SYS_PTRACE"), "{line}");
    assert_eq!(heard(&manager), "READY=1");
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();

    let server = UdpSocket::bind("127.0.0.1:53").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        client.send_to(namespace::QUESTION, server.local_addr().unwrap()).unwrap();
        server.recv(&mut [0; 512]).unwrap();
        server.send_to(namespace::ANSWER, client.local_addr().unwrap()).unwrap();
    }
    // The figures are renewed once a second.
    let all = "portproof_packets_total{fate=\"classified\"} 6\n";
    let mut figures = page(&address);
    for _ in 0..200 {
        if figures.contains(all) && figures.contains("protocol=\"dns\"") {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        figures = page(&address);
    }
    assert!(figures.contains(all), "{figures}");
    let row = "portproof_port_flows{port=\"53\",transport=\"udp\",protocol=\"dns\",verdict=\"match\"} 1\n";
    assert!(figures.contains(row) && figures.contains("portproof_flows_open 1\n"), "{figures}");

    // Its helper has the same name; the run itself is the one that was started.
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let (mut out, mut rest) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    err.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{line}{rest}");
    let flows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let dns = flows.iter().find(|record| record["protocol"] == "dns").expect("the flow");
    assert_eq!(dns["process"]["side"], "server", "{dns}");
    assert_eq!(dns["process"]["owners"][0]["pid"], std::process::id(), "{dns}");

    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "STOPPING=1") {
        told.push(heard(&manager));
    }
    assert!(told.iter().filter(|word| *word == "WATCHDOG=1").count() >= 1, "{told:?}");
    assert!(told.iter().any(|word| word.starts_with("STATUS=")), "{told:?}");
}

#[test]
fn a_helper_that_hangs_holds_nothing_up() {
    if !namespace::alone("a_helper_that_hangs_holds_nothing_up") {
        return;
    }
    let (mut child, line, _err) = start(&["--process", "udp"], "");
    assert!(line.contains("CAP_SYS_PTRACE"), "{line}");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let helper: i32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let signal = |name: &str, pid: String| assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    signal("-STOP", helper.to_string());
    let server = UdpSocket::bind("127.0.0.1:53").unwrap();
    // All are open at a time, so that no two have the same port.
    let clients: Vec<UdpSocket> = (0..200).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    for client in &clients {
        client.send_to(namespace::QUESTION, server.local_addr().unwrap()).unwrap();
        server.recv(&mut [0; 512]).unwrap();
        server.send_to(namespace::ANSWER, client.local_addr().unwrap()).unwrap();
    }
    signal("-INT", child.id().to_string());
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    // It comes to its end, with all flows.
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let flows: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ended = flows.iter().filter(|record| record["protocol"] == "dns" && record["event"] == "end");
    assert_eq!(ended.count(), 200);
    // And the helper goes with it, though it was stopped.
    let gone = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        std::fs::read_to_string(format!("/proc/{helper}/stat")).map_or(true, |stat| stat.contains(") Z "))
    });
    assert!(gone);
}
