//! What README.md shows is what the program prints, and docs/protocols.md is what it recognises.
//!
//! `PORTPROOF_BLESS=1 cargo test --test readme` writes both anew.
#![allow(clippy::unwrap_used)]

use portproof::protocol::ALL;
use portproof::protocol::announce::ANNOUNCED_ONLY;
use portproof::registry::claims;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn check(file: &str, expected: &str) {
    let path = root().join(file);
    if std::env::var_os("PORTPROOF_BLESS").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), expected, "{file} is not current");
}

/// Runs a command line of the README as a shell would.
fn run(line: &str) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_portproof")).parent().unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .current_dir(root())
        .env("PATH", path)
        .env("COLUMNS", "80")
        // The registry of the user who runs the tests must not matter.
        .env("XDG_DATA_HOME", root().join("testdata"))
        .args(["-c", line])
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_readme_shows_real_output() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let (mut shown, mut commands) = (String::new(), 0);
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        writeln!(shown, "{line}").unwrap();
        if line != "```console" {
            continue;
        }
        for line in lines.by_ref().take_while(|line| *line != "```") {
            if let Some(command) = line.strip_prefix("$ ") {
                write!(shown, "{line}\n{}", run(command)).unwrap();
                commands += 1;
            }
        }
        shown.push_str("```\n");
    }
    assert!(commands >= 3, "the README shows {commands} commands");
    check("README.md", &shown);
}

const AFTER_THE_TABLE: &str = "
## Announced ports

FTP's control connection, SIP's and MGCP's session descriptions, RTSP's SETUP and TFTP's request say on which ports something
follows. A flow there is filed under the service that announced it: in that service's row, with its claim and its verdict, and
in the JSON Lines with the announcing flow's number and frame under `announced`. ftp-data has no shape of its own and is named
by its announcement alone, unless both sides speak something else there. Announcements inside TLS are not seen.

## What cannot be told

- discard (RFC 863): the server never sends a byte, and the client may send anything.
- rexec and rsh send the same frame; both are called rsh.
- SRTP has RTP's header and is called rtp; that its payload is encrypted shows only in the signalling.
- echo over UDP or TCP is likely at best: loops, mirrors and terminals send back what they get, too.
- SoftEther's VPN runs in TLS, or in datagrams that look like noise; its NAT traversal is recognised.
- mosh, fastd, WireGuard, nebula: what is inside is encrypted; the envelope is what is named.
";

#[test]
fn the_table_of_protocols_is_current() {
    let mut table = String::from(
        "# What is recognised\n\nOn any port, by the bytes. The last column lists the registered services whose claim \
         the protocol satisfies;\n\"in\" marks those for which it shows only the envelope. Where no service is registered \
         it says where the protocol is met.\n\n\
         | protocol | specified in | satisfies |\n| --- | --- | --- |\n",
    );
    let recognised = ALL.iter().map(|protocol| (protocol.name(), protocol.reference()));
    for (name, reference) in recognised.chain(ANNOUNCED_ONLY.iter().copied()) {
        let mut services: Vec<String> = claims::all()
            .iter()
            .filter(|row| row.satisfied_by.contains(&name))
            .map(|row| {
                let transport = row.proto.map_or(String::new(), |p| format!("/{}", p.name()));
                let mark = if row.wrapper.contains(&name) { "in " } else { "" };
                if row.service == claims::UNREGISTERED {
                    row.note.to_owned()
                } else {
                    format!("{mark}{}{transport}", row.service)
                }
            })
            .collect();
        services.sort_by_key(|s| s.starts_with("in "));
        writeln!(table, "| {name} | {reference} | {} |", services.join(", ")).unwrap();
    }
    table.push_str(AFTER_THE_TABLE);
    check("docs/protocols.md", &table);
}
