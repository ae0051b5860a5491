//! Live capture between network namespaces, confined, a forbidden system call being deadly.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod corpus;
mod net;

use net::{Net, Running, Said, datagram, frames, testdata};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

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

/// The community IDs of flows for which a comparison of clocks speaks.
fn by_clock(lines: &[Value]) -> Vec<String> {
    let compares = |item: &Value| item["id"].as_str().is_some_and(|id| id.ends_with(".clock"));
    let flows = lines.iter().filter(|line| line["evidence"].as_array().is_some_and(|all| all.iter().any(compares)));
    flows.map(|flow| flow["community_id"].to_string()).collect()
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
        let from_file = read(&path);
        let (mut live, mut file) = (verdicts(&said.lines()), verdicts(&from_file));
        // A replay has other times than the capture: a name that rests on a clock may be missing.
        for id in by_clock(&from_file) {
            if live.iter().any(|flow| flow.starts_with(&id) && flow.contains(" \"unknown\" ")) {
                live.retain(|flow| !flow.starts_with(&id));
                file.retain(|flow| !flow.starts_with(&id));
            }
        }
        if live != file {
            differ.push(format!("{}\n  live {live:#?}\n  read {file:#?}", path.display()));
        }
        replayed += 1;
    }
    println!("{replayed} captures replayed");
    assert!(differ.is_empty() && replayed > 50, "{replayed} replayed, {} differ:\n{}", differ.len(), differ.join("\n"));
}

/// Three packets from another port are told for what the session is that they go on from.
#[test]
fn a_session_that_moves_is_linked() {
    let Some(net) = Net::new() else { return };
    let frames = frames(&testdata().join("openvpn/float-data.pcap"));
    let live = net.live(JSONL);
    net.send(|sender| frames.iter().take(24 + 3).for_each(|frame| sender.sendpacket(&frame[..]).unwrap()));
    let said = live.interrupt();
    assert_eq!(said.code(), 0, "{}", said.err);
    let lines = said.lines();
    // Which of the two flows is told first, and so gets number 1, depends on the workers.
    let moved =
        |line: &&Value| line["type"] == "flow" && line["packets"]["client"] == 3 && line["packets"]["server"] == 0;
    let last = lines.iter().rfind(moved).unwrap();
    assert_eq!((&last["protocol"], &last["band"]), (&"openvpn".into(), &"confident".into()), "{last}");
    let linked = last["evidence"].as_array().unwrap().iter().any(|e| e["id"] == "flow.moved");
    assert!(linked, "{last}");
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
    let live = net.live(&[JSONL, &["-c", "1000", "--fanout", "2"]].concat());
    net.send(|sender| {
        (0..3000).for_each(|n| sender.sendpacket(&datagram(40000 + n % 50, 9, b"x")[..]).unwrap());
    });
    assert_eq!(count(&live.wait().packets(), "received"), 1000);
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

/// A directory that anybody may write to.
fn open_directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    dir
}

/// Waits until something is so. Gives up after a while, with whatever fails then.
fn until(so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn packets_of_flows_in_question_are_saved_from_the_first_on() {
    let Some(net) = Net::new() else { return };
    let dir = open_directory();
    let path = dir.path().join("saved.pcapng");
    let (mismatch, fine) = (frames(&testdata().join("demo/1197.pcap")), frames(&testdata().join("demo/2797.pcap")));
    let save = |what: &[&str]| {
        let live = net.live(&[JSONL, &["-w", path.to_str().unwrap()], what].concat());
        net.send(|sender| mismatch.iter().chain(&fine).for_each(|frame| sender.sendpacket(&frame[..]).unwrap()));
        let said = live.interrupt();
        assert_eq!(said.code(), 0, "{}", said.err);
        (frames(&path), std::fs::read(&path).unwrap())
    };
    let (saved, bytes) = save(&[]);
    assert!(saved == mismatch, "{} saved of {}", saved.len(), mismatch.len());
    let comment = b"portproof: mismatch, openvpn (certain) on 1197/udp: ";
    assert!(bytes.windows(comment.len()).any(|window| window == comment));
    let port = read(&path).into_iter().find(|line| line["type"] == "port").unwrap();
    assert_eq!((&port["port"], &port["verdict"]), (&1197.into(), &"mismatch".into()));
    let (saved, bytes) = save(&["--write-what", "all"]);
    assert!(saved == [mismatch.clone(), fine.clone()].concat(), "{} saved", saved.len());
    assert!(bytes.windows(comment.len()).any(|window| window == comment));
    assert_eq!(save(&["--write-what", "unknown"]).0.len(), 0);
}

#[test]
fn a_full_disk_is_said_and_judging_goes_on() {
    let Some(net) = Net::new() else { return };
    let dir = open_directory();
    let at = dir.path().to_str().unwrap();
    assert!(
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k,mode=777", "none", at]).status().unwrap().success()
    );
    let live = net.live(&[JSONL, &["-w", dir.path().join("f").to_str().unwrap(), "--write-what", "all"]].concat());
    net.send(|sender| (0..2000).for_each(|_| sender.sendpacket(&datagram(40000, 9, &[7; 200])[..]).unwrap()));
    let said = live.interrupt();
    assert!(Command::new("umount").arg(at).status().unwrap().success());
    assert_eq!((said.code(), taken(&said)), (2, 2000), "{}", said.err);
    assert!(said.err.contains("No space left on device; no more packets are saved"), "{}", said.err);
}

#[test]
fn what_the_unprivileged_user_cannot_write_is_said_at_the_start() {
    let Some(net) = Net::new() else { return };
    let dir = tempfile::tempdir().unwrap();
    let said = net.run(&["-i", "v1", "-w", dir.path().join("f").to_str().unwrap()]);
    assert_eq!(said.code(), 2);
    assert!(said.err.contains(&format!("\n  chown nobody {}\n", dir.path().display())), "{}", said.err);
    let said = net.run(&["-i", "v1", "--out", dir.path().join("missing/f").to_str().unwrap()]);
    assert!(
        said.err.ends_with(
            "/missing cannot be written to by user nobody, whom the program becomes: No such file or directory\n"
        ),
        "{}",
        said.err
    );
    // To what lies in a directory that is closed to all others no chown helps.
    let open = dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let said = net.run(&["-i", "v1", "-w", open.join("f").to_str().unwrap()]);
    let closed = format!("\nnor can {} be passed through; name another directory\n", dir.path().display());
    assert!(said.code() == 2 && said.err.ends_with(&closed), "{}", said.err);
    let said = net.run(&["-i", "v9"]);
    assert_eq!(said.code(), 2);
    assert!(said.err.starts_with("portproof: v9: "), "{}", said.err);
    assert!(said.err.contains("portproof -D lists what there is, --wait-interface waits"), "{}", said.err);
    let said = net.run(&["-D"]);
    assert!(said.code() == 0 && said.out.lines().any(|line| line.starts_with("v1 ")), "{}", said.out);
    let said = net.run(&["-i", "v1", "-w", "-"]);
    assert!(said.code() == 2 && said.err.contains("standard output is for the verdicts"), "{}", said.err);
}

#[test]
fn several_threads_share_an_interface() {
    let Some(net) = Net::new() else { return };
    let live = net.live(&[JSONL, &["--fanout", "3"]].concat());
    net.send(|sender| {
        for n in 0..30_000u32 {
            let (there, payload) = (datagram(40000 + (n % 50) as u16, 9, &n.to_be_bytes()), n);
            // Both directions of a flow must reach the same thread.
            let mut back = datagram(9, 40000 + (payload % 50) as u16, &n.to_be_bytes());
            back[26..34].rotate_left(4);
            sender.sendpacket(&there[..]).unwrap();
            sender.sendpacket(&back[..]).unwrap();
        }
    });
    let said = live.interrupt();
    assert_eq!((said.code(), taken(&said)), (0, 60_000), "{}", said.err);
    let summary = said.lines().into_iter().rfind(|line| line["type"] == "summary").unwrap();
    assert_eq!(summary["flows"], 50);
}

#[test]
fn an_interface_is_waited_for() {
    let Some(net) = Net::new() else { return };
    let mut waiting = net.start(&["-i", "v9", "--wait-interface", "-o", "jsonl"]);
    waiting.says("; waiting for it");
    assert!(
        net.ip(&["link", "add", "v9", "type", "veth", "peer", "name", "v8"]) && net.ip(&["link", "set", "v9", "up"])
    );
    waiting.says("capturing on");
    let said = waiting.interrupt();
    assert_eq!(said.code(), 0);
    assert!(said.err.contains("v9: "), "{}", said.err);
}

#[test]
fn signals_ask_for_a_summary_and_for_new_files() {
    let Some(net) = Net::new() else { return };
    let dir = open_directory();
    let (path, moved) = (dir.path().join("out"), dir.path().join("out.1"));
    let live = net.live(&[JSONL, &["--out", path.to_str().unwrap(), "--every", "1h"]].concat());
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    live.signal("USR1");
    until(|| text(&path).contains("\"so_far\":true"));
    assert!(text(&path).contains("\"so_far\":true"));
    std::fs::rename(&path, &moved).unwrap();
    live.signal("HUP");
    until(|| path.exists());
    let said = live.interrupt();
    assert_eq!((said.code(), said.out.as_str()), (0, ""), "{}", said.err);
    assert!(text(&path).lines().count() == 1 && text(&path).contains("\"summary\"") && !text(&path).contains("so_far"));
    assert_eq!(text(&moved).lines().count(), 1);
}

#[test]
fn announced_ports_and_probes_are_told_while_it_runs() {
    let Some(net) = Net::new() else { return };
    let dir = open_directory();
    let path = dir.path().join("out");
    let live = net.live(&["-i", "v1", "--every", "500ms", "--out", path.to_str().unwrap()]);
    let text = || std::fs::read_to_string(&path).unwrap_or_default();
    let frames = frames(&testdata().join("ftp/transfers.pcap"));
    net.send(|sender| frames.iter().for_each(|frame| sender.sendpacket(&frame[..]).unwrap()));
    // Three control connections, and three for data on ports of their own.
    let row = |text: &str| text.lines().any(|line| line.contains(" 21/tcp ") && line.contains(" 3/6 "));
    until(|| row(&text()));
    net.send(|sender| (1..=300).for_each(|port| sender.sendpacket(&datagram(40000, port, b"x")[..]).unwrap()));
    until(|| text().contains(" knocked at 300 udp ports of "));
    assert!(row(&text()) && text().contains(" knocked at 300 udp ports of "), "{}", text());
    assert_eq!(live.interrupt().code(), 0);
}

#[test]
fn probes_are_marked_though_their_flows_had_to_go() {
    let Some(net) = Net::new() else { return };
    let live = net.live(&[JSONL, &["--max-flows", "64"]].concat());
    net.send(|sender| (1..=20_000).for_each(|port| sender.sendpacket(&datagram(40000, port, b"x")[..]).unwrap()));
    let said = live.interrupt();
    let lines = said.lines();
    let summary = lines.iter().rfind(|line| line["type"] == "summary").unwrap();
    assert!(summary["evicted"].as_u64().unwrap() > 15_000, "{summary}");
    let probes = lines.iter().filter(|line| line["type"] == "port").map(|line| line["probes"].as_u64().unwrap());
    assert_eq!(probes.sum::<u64>(), 20_000);
}

#[test]
fn it_ends_while_packets_go_on_coming() {
    let Some(net) = Net::new() else { return };
    for signal in ["INT", "TERM"] {
        // What is in the buffer is judged first; unoptimised, that takes its time.
        let live = net.live(&[JSONL, &["--buffer", "1"]].concat());
        let (over, begun) = (AtomicBool::new(false), AtomicBool::new(false));
        let start = Instant::now();
        let most = Duration::from_secs(60);
        let said = std::thread::scope(|scope| {
            scope.spawn(|| {
                net.send(|sender| {
                    for n in 0..u32::MAX {
                        sender.sendpacket(&datagram(1024 + (n % 500) as u16, 9, b"and on and on")[..]).unwrap();
                        begun.store(n > 1000, Ordering::Relaxed);
                        if over.load(Ordering::Relaxed) || start.elapsed() > most {
                            break;
                        }
                    }
                });
            });
            until(|| begun.load(Ordering::Relaxed));
            live.signal(signal);
            let said = live.wait();
            over.store(true, Ordering::Relaxed);
            said
        });
        // Half a second on a machine that has nothing else to do.
        assert!(start.elapsed() < most, "it went on as long as packets came");
        assert_eq!(said.code(), 0, "{}", said.err);
        taken(&said);
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let Some(net) = Net::new() else { return };
    let live = net.live(JSONL);
    // Both are there when it goes on.
    live.signal("STOP");
    live.signal("INT");
    live.signal("TERM");
    live.signal("CONT");
    let said = live.wait();
    assert_eq!((said.code(), said.out.as_str()), (130, ""), "{}", said.err);
}

/// Nobody reads what it writes: it waits and says so, until it is told again.
#[test]
fn a_second_signal_ends_it_though_its_output_is_not_read() {
    let Some(net) = Net::new() else { return };
    let mut command = net.command(env!("CARGO_BIN_EXE_portproof"));
    command.args(["live", "-i", "v1", "-o", "jsonl", "--grace", "1h"]).env("PORTPROOF_SANDBOX", "kill");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut says = |text: &str| {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(errors.read_line(&mut line).unwrap() > 0, "it ended without {text:?}");
        }
    };
    let signal = |name: &str| {
        assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
    };
    says("capturing on");
    // Their records come to more than a pipe holds.
    net.send(|sender| (1..=2000).for_each(|port| sender.sendpacket(&datagram(40000, port, b"x")[..]).unwrap()));
    signal("INT");
    says("a second signal ends at once");
    signal("TERM");
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // What was written is whole up to the last line.
    let whole = text.rsplit_once('\n').unwrap().0;
    assert!(whole.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
}

/// The program as a file of its own, which may have capabilities, and that everybody can start.
fn copied() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("portproof");
    std::fs::copy(env!("CARGO_BIN_EXE_portproof"), &program).unwrap();
    (dir, program)
}

#[test]
fn one_capability_is_enough() {
    let Some(net) = Net::new() else { return };
    if Command::new("setcap").arg("-h").output().is_err() || Command::new("setpriv").arg("--help").output().is_err() {
        println!("skipped: setcap or setpriv is not installed");
        return;
    }
    let (_dir, program) = copied();
    let path = program.to_str().unwrap();
    let as_nobody = || {
        let mut command = net.command("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "--bounding-set=-all,+net_raw",
            path,
            "live",
            "--grace=1h",
        ]);
        command.args(JSONL).env("PORTPROOF_SANDBOX", "kill");
        command
    };
    let refused = as_nobody().output().unwrap();
    let err = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{err}");
    // The line that it names is the line that helps.
    let line = err.lines().find_map(|line| line.trim().strip_prefix("sudo ")).expect(&err).to_owned();
    assert_eq!(line, format!("setcap cap_net_raw=ep {path}"));
    let mut words = line.split(' ');
    if !Command::new(words.next().unwrap()).args(words).status().unwrap().success() {
        println!("skipped: files in {} cannot have capabilities", std::env::temp_dir().display());
        return;
    }
    let mut live = Running::start(as_nobody());
    live.says("capturing on v1; confined: no capabilities, Landlock, seccomp");
    let frames = frames(&testdata().join("demo/1197.pcap"));
    net.send(|sender| frames.iter().for_each(|frame| sender.sendpacket(&frame[..]).unwrap()));
    let said = live.interrupt();
    assert_eq!((said.code(), taken(&said)), (0, frames.len() as u64), "{}", said.err);
    assert!(said.lines().iter().any(|line| line["type"] == "port" && line["verdict"] == "mismatch"), "{}", said.out);
}

#[test]
fn memory_does_not_grow_with_the_flows() {
    const PORTS: u32 = 15_000;
    let Some(net) = Net::new() else { return };
    let limits = ["--max-flows", "1000", "--udp-idle", "1s", "--buffer", "4", "--workers", "1"];
    let live = net.live(&[JSONL, &limits].concat());
    // Each time the same ports, with another server: none of the flows was there before.
    let send = |servers: std::ops::Range<u8>| {
        net.send(|sender| {
            for (server, port) in servers.flat_map(|server| (0..PORTS).map(move |port| (server, port))) {
                let mut frame = datagram(1024 + port as u16, 1197, &[0x80 | server; 32]);
                frame[33] = server;
                sender.sendpacket(&frame[..]).unwrap();
            }
        });
    };
    send(1..3);
    let before = live.resident();
    send(3..7);
    let after = live.resident();
    let said = live.interrupt();
    println!("{before} KiB after {} flows, {after} KiB after {}", 2 * PORTS, 6 * PORTS);
    assert_eq!((said.code(), taken(&said)), (0, u64::from(6 * PORTS)), "{}", said.err);
    // A flow that is kept costs about 1 KiB in each of two places.
    assert!(after < before + u64::from(PORTS), "{before} KiB, then {after} KiB");
}
