//! `portproof registry`, as a user runs it, on good files and on every kind of bad one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failure of a helper is a failure of the test")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use portproof::registry::Registry;
use portproof::registry::entry::COLUMNS;
use tempfile::TempDir;

/// A user with an empty data directory.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portproof"));
        command.args(args).env("XDG_DATA_HOME", self.0.path()).output().unwrap()
    }

    fn registry(&self, args: &[&str]) -> (i32, String, String) {
        let output = self.run(&[&["registry"], args].concat());
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The refusal of a file.
    fn refusal(&self, bytes: &[u8]) -> String {
        let path = self.file("refused.csv", bytes);
        let (code, out, err) = self.registry(&["update", path.to_str().unwrap()]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(!self.0.path().join("portproof").exists(), "a refused file leaves nothing");
        let shown = format!("portproof: {}", path.display());
        err.trim_end().strip_prefix(&shown).unwrap_or_else(|| panic!("{err}")).to_owned()
    }
}

/// The embedded registry as IANA's CSV would have it, row by row.
fn csv() -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned).join(",")];
    for row in Registry::embedded().all() {
        let ports = match row.ports {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        };
        let mut transports: Vec<&str> = row.transports.names().collect();
        if transports.is_empty() {
            transports.push("");
        }
        for transport in transports {
            let fields = [
                row.name,
                &ports,
                transport,
                row.description,
                row.assignee,
                row.contact,
                row.registered,
                row.modified,
                row.reference,
                row.service_code,
                row.unauthorised,
                row.note,
            ];
            rows.push(fields.map(quoted).join(","));
        }
    }
    rows.join("\r\n") + "\r\n"
}

fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.to_owned() }
}

/// The line of the row that starts with this text, counted from 1.
fn line_of(csv: &str, start: &str) -> usize {
    1 + csv.split('\n').position(|line| line.starts_with(start)).unwrap()
}

#[test]
fn an_update_is_used_from_then_on_and_reset_on_demand() {
    let user = User::new();
    let (code, out, _) = user.registry(&["info"]);
    assert_eq!(code, 0);
    assert!(out.contains("came with the program") && out.contains("IANA, 2026-08-17"), "{out}");

    let newer = csv().replace(
        "carrius-rshell,1197,udp,Carrius Remote Access,[Gerry_Dubois],[Gerry_Dubois],2005-08,",
        "carrius-rshell,1197,udp,Carrius Something Else,[Gerry_Dubois],[Gerry_Dubois],2005-08,2026-11-01",
    );
    let file = user.file("newer.csv", newer.as_bytes());
    let file = file.to_str().unwrap();
    let (code, out, err) = user.registry(&["diff", file]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("From 2026-08-17 (in use) to 2026-11-01:"), "{out}");
    let line = "~ 1197/udp carrius-rshell  description: \"Carrius Remote Access\" is now \"Carrius Something Else\"";
    assert!(out.contains(line), "{out}");
    assert!(out.contains("0 added, 0 removed, 2 fields changed; 0 rows"), "{out}");

    let (code, out, err) = user.registry(&["update", file]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains(line) && out.contains("now of 2026-11-01 (was 2026-08-17)"), "{out}");
    let page = String::from_utf8(user.run(&["port", "1197/udp"]).stdout).unwrap();
    assert!(page.contains("Carrius Something Else") && page.contains("Registry: IANA, 2026-11-01."), "{page}");
    let (_, out, _) = user.registry(&["info"]);
    assert!(out.contains("portproof/registry.bin") && out.contains("IANA, 2026-11-01"), "{out}");
    let (code, out, _) = user.registry(&["update", file]);
    assert_eq!(code, 0);
    assert!(out.contains("is the registry in use (2026-11-01)"), "{out}");

    let (code, out, _) = user.registry(&["reset"]);
    assert_eq!(code, 0);
    assert!(out.contains("again the one of 2026-08-17"), "{out}");
    let page = String::from_utf8(user.run(&["port", "1197"]).stdout).unwrap();
    assert!(page.contains("Carrius Remote Access") && page.contains("2026-08-17"), "{page}");
    assert!(user.registry(&["reset"]).1.contains("nothing to reset"));
}

#[test]
fn an_older_file_is_refused_unless_asked_for() {
    let user = User::new();
    // Without the rows' newest dates the file is of an earlier day.
    let older =
        csv().replace("2026-08-1", "2026-01-1").replace("2026-08-0", "2026-01-0").replace("2026-07-", "2026-01-");
    let reason = user.refusal(older.as_bytes());
    assert!(reason.contains("older than the registry in use (2026-08-17); --allow-older takes it"), "{reason}");
    let file = user.file("older.csv", older.as_bytes());
    let (code, _, err) = user.registry(&["update", "--allow-older", file.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (_, out, err) = user.registry(&["info"]);
    assert!(out.contains("portproof/registry.bin") && err.is_empty(), "{out}{err}");
}

#[test]
fn a_damaged_store_is_said_and_not_used() {
    let user = User::new();
    fs::create_dir(user.0.path().join("portproof")).unwrap();
    user.file("portproof/registry.bin", b"PPUSER\0\x01 and then nonsense");
    let output = user.run(&["port", "1197"]);
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(err.contains("registry.bin is damaged; using the registry that came with the program"), "{err}");
    assert_eq!((output.status.code(), err.lines().count()), (Some(0), 1));
}

#[test]
fn what_is_not_iana_s_registry_is_refused() {
    let user = User::new();
    assert!(user.refusal(b"").contains(": refused: "));
    assert!(user.refusal(b"hello\n").contains(":1: refused: the header is not"));
    assert!(
        user.refusal(&[0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]).contains(":1: refused: byte 0 of the file is not UTF-8")
    );
    assert!(user.refusal(b"<html><body/></html>").contains("not a registry"));
    assert!(user.refusal(&vec![b'x'; (16 << 20) + 1]).contains("more than the 16777216 taken at most"));
    let missing = user.0.path().join("missing.csv");
    let (code, _, err) = user.registry(&["update", missing.to_str().unwrap()]);
    assert!(code == 2 && err.contains("No such file"), "{err}");
    assert!(!Path::new("missing.csv").exists());
}

#[test]
fn a_cut_file_is_refused() {
    let user = User::new();
    let whole = csv();
    // In a row, and after a row.
    let mid = whole.len() / 2;
    assert!(user.refusal(&whole.as_bytes()[..mid]).contains("the file is cut"));
    let end = mid + whole[mid..].find("\r\n").unwrap() + 2;
    assert!(user.refusal(&whole.as_bytes()[..end]).contains("-49151 have no row: the file is cut"));
    // In the last rows, the names without a port.
    assert!(user.refusal(&whole.as_bytes()[..whole.len() - 5]).contains("the last line has no end"));
    // Every port has its row, but names are gone.
    let rows = whole.matches("\r\n").count() - 1;
    let kept: Vec<&str> = whole.split_inclusive("\r\n").take(13_465).collect();
    let reason = user.refusal(kept.concat().as_bytes());
    assert!(rows >= 14_000 && reason.contains("rows are fewer than 14000"), "{reason}");
}

#[test]
fn each_fault_in_a_row_is_refused_with_its_line() {
    let user = User::new();
    let whole = csv();
    let row = "carrius-rshell,1197,udp,Carrius Remote Access,[Gerry_Dubois],[Gerry_Dubois],2005-08,,,,,\r\n";
    let line = line_of(&whole, "carrius-rshell,1197,udp");
    let edits = [
        ("carrius-rshell,1197,udq,,,,,,,,,\r\n", "unknown transport \"udq\""),
        ("carrius-rshell,11g7,udp,,,,,,,,,\r\n", "\"11g7\" is no port"),
        ("carrius-rshell,1197,udp,,,,2005-13,,,,,\r\n", "\"2005-13\" is no date"),
        ("carrius-rshell,1197,udp,,,,,,,,\r\n", "11 columns instead of 12"),
        ("carrius-rshell,1197,udp,,,,,,,,,,\r\n", "13 columns instead of 12"),
        ("carrius-rshell,1197,udp,a\u{1b}[2J,,,,,,,,\r\n", "control character U+001B in the description"),
        ("carrius-rshell,1197,udp,a\u{9b}2J,,,,,,,,\r\n", "control character U+009B in the description"),
        ("carrius-rshell,1197,tcp,,,,,,,,,\r\n", "1197/tcp carrius-rshell stands here a second time"),
        ("carrius-rshell,1195,udp,,,,,,,,,\r\n", "port 1195 after port 1197: the rows are out of order"),
        ("carrius-rshell,1197-65535,udp,,,,,,,,,\r\n", "port 65535 is above 49151"),
    ];
    assert!(whole.contains(row));
    for (edited, expected) in edits {
        let reason = user.refusal(whole.replace(row, edited).as_bytes());
        assert!(reason.starts_with(&format!(":{line}: refused: ")), "{reason}");
        assert!(reason.contains(expected), "{reason}");
    }
}

#[test]
fn what_only_the_whole_shows_is_refused() {
    let user = User::new();
    let whole = csv();
    // A gap: both rows of 1200 are gone.
    let without: Vec<&str> = whole.split_inclusive("\r\n").filter(|row| !row.starts_with("scol,1200,")).collect();
    let line = line_of(&without.concat(), "caiccipc,1202");
    let reason = user.refusal(without.concat().as_bytes());
    assert!(reason.contains("ports 1200-1200 have no row"), "{reason} {line}");
    // A sentinel renamed.
    let reason = user.refusal(whole.replace("esp-encap,2797,udp", "esp-encapp,2797,udp").as_bytes());
    assert!(reason.contains("2797/udp esp-encap is missing"), "{reason}");
    // Another encoding: Latin-1.
    let mut latin = whole.clone().into_bytes();
    let at = whole.find("carrius-rshell,1197,udp,C").unwrap() + 24;
    latin[at] = 0xe9;
    let reason = user.refusal(&latin);
    let line = line_of(&whole, "carrius-rshell,1197,udp");
    assert!(reason.starts_with(&format!(":{line}: refused: byte {at} of the file is not UTF-8")), "{reason}");
}

#[test]
fn a_registry_that_cannot_be_kept_is_said() {
    let user = User::new();
    let newer = user.file("newer.csv", csv().replace("2026-08-17", "2026-11-01").as_bytes());
    user.file("portproof", b"not a directory");
    let (code, _, err) = user.registry(&["update", newer.to_str().unwrap()]);
    assert_eq!((code, err.lines().count()), (2, 1));
    assert!(err.contains("cannot keep the registry"), "{err}");
    let (code, out, err) = user.registry(&["info"]);
    assert!(code == 0 && err.is_empty() && out.contains("came with the program"), "{out}{err}");
}

#[test]
fn the_xml_is_taken_too() {
    let captures =
        std::env::var_os("PORTPROOF_CORPUS").map_or_else(|| PathBuf::from("../shared/captures"), PathBuf::from);
    let xml = captures.join("../registry/service-names-port-numbers.xml");
    let Ok(text) = fs::read_to_string(&xml) else {
        println!("skipped: {} is not there", xml.display());
        return;
    };
    let user = User::new();
    let (code, out, err) = user.registry(&["diff", xml.to_str().unwrap()]);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("0 added, 0 removed, 0 fields changed; 0 rows"), "{out}");
    let stamp = "<updated>2026-08-17</updated>";
    let newer = user.file("newer.xml", text.replacen(stamp, "<updated>2026-10-09</updated>", 1).as_bytes());
    assert_eq!(user.registry(&["update", newer.to_str().unwrap()]).0, 0);
    assert!(user.registry(&["info"]).1.contains("IANA, 2026-10-09"));
    user.registry(&["reset"]);
    fs::remove_dir(user.0.path().join("portproof")).unwrap();
    assert!(
        user.refusal(text.replacen(stamp, "<updated>2020-01-01</updated>", 1).as_bytes())
            .contains("is newer than the file")
    );
    assert!(user.refusal(&text.as_bytes()[..text.len() / 2]).contains("refused: "));
    let bad = text.replacen("<protocol>udp</protocol>", "<protocol>tpu</protocol>", 1);
    let line = line_of(&bad, "    <protocol>tpu") - 1;
    let reason = user.refusal(bad.as_bytes());
    assert!(reason.starts_with(&format!(":{line}: refused: unknown transport \"tpu\"")), "{reason}");
}

/// A capture of one UDP datagram from 10.0.0.2:40000 to 10.0.0.1:1197, little-endian pcap, Ethernet.
fn capture() -> Vec<u8> {
    let mut pcap = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
    frame.extend([0x9c, 0x40, 4, 0xad, 0, 12, 0, 0, 1, 2, 3, 4]);
    pcap.extend([0; 8]);
    pcap.extend(
        [(frame.len() as u8, 0), (frame.len() as u8, 0)].iter().flat_map(|(len, zero)| [*len, *zero, *zero, *zero]),
    );
    pcap.extend(frame);
    pcap
}

#[test]
fn reading_captures_uses_the_updated_registry() {
    let user = User::new();
    let newer = csv().replace("2026-08-17", "2026-11-01").replace("carrius-rshell,1197,udp,", "other-name,1197,udp,");
    // The sentinel must stay: the name is added to it.
    let newer = newer.replace("other-name,1197,udp,", "carrius-rshell,1197,udp,,,,,,,,,\r\nother-name,1197,udp,");
    let newer = user.file("newer.csv", newer.as_bytes());
    assert_eq!(user.registry(&["update", newer.to_str().unwrap()]).0, 0);
    let pcap = user.file("a.pcap", &capture());
    let output = user.run(&["read", "--output", "jsonl", pcap.to_str().unwrap()]);
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains(r#""services":["carrius-rshell","other-name"]"#), "{out}");
    assert!(out.contains(r#""registry":"2026-11-01""#), "{out}");
}
