//! A network namespace with a veth pair, a sender, and the program capturing in it. Needs root and iproute2.
#![allow(dead_code)]

use pcap::{Active, Capture};
use portproof::capture::{Block, CaptureFile};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

/// A namespace with the interfaces `v0` and `v1`, both up, between which nothing but what a test sends flows.
pub(crate) struct Net {
    pub(crate) name: String,
}

impl Net {
    /// `None`: there can be none here, which is said.
    pub(crate) fn new() -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            println!("skipped: network namespaces need root");
            return None;
        }
        if Command::new("ip").arg("-V").output().is_err() {
            println!("skipped: network namespaces need iproute2");
            return None;
        }
        let name = format!("portproof-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        if !ip(&["netns", "add", &name]) {
            println!("skipped: this machine makes no network namespaces");
            return None;
        }
        let net = Self { name };
        net.exec("sh", &["-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"]);
        assert!(net.ip(&["link", "add", "v0", "type", "veth", "peer", "name", "v1"]));
        assert!(net.ip(&["link", "set", "v0", "up"]) && net.ip(&["link", "set", "v1", "up"]));
        Some(net)
    }

    /// A second namespace with it, to which `v0` belongs. The interfaces have the addresses 10.9.0.1 (`v1`, of the first)
    /// and 10.9.0.2, with which programs in both can talk.
    pub(crate) fn pair() -> Option<(Self, Self)> {
        let here = Self::new()?;
        let there = Self { name: format!("{}b", here.name) };
        assert!(ip(&["netns", "add", &there.name]) && here.ip(&["link", "set", "v0", "netns", &there.name]));
        for (net, interface, address) in [(&here, "v1", "10.9.0.1/24"), (&there, "v0", "10.9.0.2/24")] {
            assert!(net.ip(&["addr", "add", address, "dev", interface]) && net.ip(&["link", "set", interface, "up"]));
            assert!(net.ip(&["link", "set", "lo", "up"]));
        }
        Some((here, there))
    }

    /// Runs `ip` in the namespace.
    pub(crate) fn ip(&self, args: &[&str]) -> bool {
        ip(&[&["-n", &self.name], args].concat())
    }

    pub(crate) fn exec(&self, program: &str, args: &[&str]) -> bool {
        self.command(program).args(args).status().unwrap().success()
    }

    /// A command in the namespace. The process that is started becomes the program.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Starts `portproof live` with these arguments and waits until it captures. A forbidden system call kills it.
    pub(crate) fn live(&self, args: &[&str]) -> Running {
        let mut running = self.start(args);
        running.says("capturing on");
        running
    }

    /// Starts it and does not wait. At the end it has time to judge all, however slow it is.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(env!("CARGO_BIN_EXE_portproof"));
        command.args(["live", "--grace", "1h"]).args(args).env("PORTPROOF_SANDBOX", "kill");
        // The registry of the user who runs the tests must not matter.
        command.env("XDG_DATA_HOME", Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"));
        Running::start(command)
    }

    /// Runs `portproof live` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        let mut command = self.command(env!("CARGO_BIN_EXE_portproof"));
        let output = command.arg("live").args(args).env("PORTPROOF_SANDBOX", "kill").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { status: output.status, out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs `work` with a sender on `v0`.
    pub(crate) fn send<T: Send>(&self, work: impl FnOnce(&mut Capture<Active>) -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        std::thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let namespace = File::open(path).unwrap();
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                let mut sender = Capture::from_device("v0").unwrap().snaplen(64).buffer_size(1 << 16).open().unwrap();
                // What is sent is not to be received.
                sender.filter("less 1", true).unwrap();
                work(&mut sender)
            });
            sending.join().unwrap()
        })
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        ip(&["netns", "delete", &self.name]);
    }
}

fn ip(args: &[&str]) -> bool {
    Command::new("ip").args(args).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A running program whose output is collected.
pub(crate) struct Running {
    child: Child,
    said: String,
    errors: Option<BufReader<ChildStderr>>,
    output: Option<JoinHandle<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Only of a test that failed is it still there.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program that has ended said.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = child.stdout.take().unwrap();
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let errors = child.stderr.take().map(BufReader::new);
        Self { child, said: String::new(), errors, output: Some(output) }
    }

    /// Waits until it says this on standard error.
    pub(crate) fn says(&mut self, text: &str) {
        while !self.said.contains(text) {
            let read = self.errors.as_mut().unwrap().read_line(&mut self.said).unwrap();
            assert!(read > 0, "it ended with {:?}: {}", self.child.wait(), self.said);
        }
    }

    pub(crate) fn signal(&self, name: &str) {
        let killed = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Its resident size, KiB (proc(5)).
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    pub(crate) fn wait(mut self) -> Said {
        self.errors.take().unwrap().read_to_string(&mut self.said).unwrap();
        let out = self.output.take().unwrap().join().unwrap();
        Said { status: self.child.wait().unwrap(), out, err: std::mem::take(&mut self.said) }
    }

    pub(crate) fn interrupt(self) -> Said {
        self.signal("INT");
        self.wait()
    }
}

impl Said {
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{}: {}", self.status, self.err))
    }

    /// The objects of its JSON Lines.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last summary's counts of packets.
    pub(crate) fn packets(&self) -> serde_json::Value {
        self.lines().iter().rfind(|line| line["type"] == "summary").expect("a summary")["packets"].clone()
    }
}

/// The frames of an Ethernet capture; empty if it is none.
pub(crate) fn frames(path: &Path) -> Vec<Vec<u8>> {
    let mut file = CaptureFile::open(path).unwrap();
    let mut block = Block::default();
    let mut frames = Vec::new();
    while file.next_block(&mut block).unwrap_or(false) {
        for frame in block.frames.iter().map(|frame| block.frame(frame)) {
            if frame.link.0 != 1 || frame.data.len() < frame.wire_len as usize || frame.data.len() > 1514 {
                return Vec::new();
            }
            frames.push(frame.data.to_vec());
        }
    }
    frames
}

pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// A UDP datagram in IPv4 in Ethernet, from 10.0.0.1 to 10.0.0.2.
pub(crate) fn datagram(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let udp_len = 8 + payload.len() as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend((20 + udp_len).to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(from.to_be_bytes());
    frame.extend(to.to_be_bytes());
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}
