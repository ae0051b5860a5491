//! `portproof watch` on a terminal: whatever ends it, the terminal is as it was before.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod namespace;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
const SHOW: &str = "\x1b[?25h";

/// Only what differs from the screen before is written, so text with blanks in it may not be found as it stands.
const DRAWN: &str = "packets/s";

/// The program on a terminal that `script` makes.
struct Session {
    script: Child,
    output: Receiver<Vec<u8>>,
    seen: String,
}

impl Session {
    fn start() -> Self {
        let program = env!("CARGO_BIN_EXE_portproof");
        let line = format!("stty rows 24 cols 80; {program} watch -i lo; echo code=$?; stty -a");
        let mut script = Command::new("script")
            .args(["-qfec", &line, "/dev/null"])
            .env("PORTPROOF_SANDBOX", "kill")
            .env("SHELL", "/bin/sh")
            .env("TERM", "xterm-256color")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, output) = channel();
        let mut stdout = script.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer.iter().take(n).copied().collect()).is_err() {
                    break;
                }
            }
        });
        let mut session = Self { script, output, seen: String::new() };
        session.until(DRAWN);
        assert!(session.seen.contains(ENTER), "{:?}", session.seen);
        session
    }

    /// Reads until a text was seen.
    fn until(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let Ok(bytes) = self.output.recv_timeout(Duration::from_secs(30)) else {
                panic!("no {text:?} in {:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn press(&mut self, keys: &[u8]) {
        self.script.stdin.as_mut().unwrap().write_all(keys).unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = descendant(self.script.id(), "portproof").expect("the program");
        assert!(Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status().unwrap().success());
    }

    /// Waits for the end: the exit code, and the terminal put back.
    fn ended(mut self, code: &str) {
        self.until("isig");
        let after = self.seen.rsplit(ENTER).next().unwrap().to_owned();
        assert!(after.contains(LEAVE) && after.contains(SHOW), "{after:?}");
        let end = after.rsplit(LEAVE).next().unwrap();
        assert!(end.contains(&format!("code={code}\r\n")), "{end:?}");
        self.until("iexten");
        let modes = self.seen.rsplit("code=").next().unwrap();
        let on = |mode: &str| modes.split_whitespace().any(|word| word.trim_end_matches(';') == mode);
        assert!(on("icanon") && on("echo") && on("isig"), "{modes:?}");
        drop(self.script.stdin.take());
        self.script.wait().unwrap();
    }
}

/// The process of this name among the children of `pid`, and theirs.
fn descendant(pid: u32, name: &str) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find_map(|child: u32| {
        let own = std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap_or_default();
        if own.trim_end() == name { Some(child) } else { descendant(child, name) }
    })
}

#[test]
fn the_terminal_is_put_back() {
    if !namespace::alone("the_terminal_is_put_back") {
        return;
    }
    if Command::new("script").arg("--version").output().is_err() {
        println!("skipped: script is not installed");
        return;
    }
    let mut quit = Session::start();
    quit.press(b"?");
    quit.until("┐");
    quit.press(b"xq");
    quit.until("No flow was seen.");
    quit.ended("0");
    let mut interrupted = Session::start();
    interrupted.press(b"\x03");
    interrupted.ended("0");
    for signal in ["TERM", "HUP", "INT"] {
        let session = Session::start();
        session.signal(signal);
        session.ended("0");
    }
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_portproof")).args(["watch", "-i", "lo"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("needs a terminal"), "{output:?}");
}
