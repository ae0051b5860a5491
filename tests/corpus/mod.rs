//! The captures at hand: those in testdata always, those of others where `PORTPROOF_CORPUS` (default
//! `../shared/captures`) points to them.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// What begins as one protocol and goes on as another, by request of the first or inside it: whole, without its start.
pub(crate) const LATER: &[(&str, &str)] = &[
    ("http", "tls"),
    ("http", "http2"),
    ("http", "smtp"),
    ("socks", "http"),
    ("socks", "tls"),
    ("socks", "rdp"),
    ("socks", "smtp"),
    ("rdp", "tls"),
    ("smtp", "tls"),
    ("imap", "tls"),
    ("pop3", "tls"),
    ("ftp", "tls"),
    ("irc", "tls"),
    ("xmpp", "tls"),
    ("ldap", "tls"),
    ("netbios-ssn", "smb"),
    ("mysql", "tls"),
    ("postgresql", "tls"),
    // A test of evasion: an HTTP request that is answered by a line of SIP, then one of HTTP.
    ("http", "sip"),
];

/// The corpus folder, if it is there.
pub(crate) fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("PORTPROOF_CORPUS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"));
    folder.is_dir().then_some(folder)
}

/// All files below testdata that are captures, and those of the named parts of the corpus. Says what it skips.
pub(crate) fn captures(parts: &[&str]) -> Vec<PathBuf> {
    let mut found = below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"));
    found.retain(|path| path.extension().is_some_and(|e| e == "pcap" || e == "pcapng"));
    match folder() {
        Some(folder) => found.extend(parts.iter().flat_map(|part| below(&folder.join(part)))),
        None => println!("skipped: captures of {parts:?}, no corpus; set PORTPROOF_CORPUS"),
    }
    found
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}
