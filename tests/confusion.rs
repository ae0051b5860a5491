//! The confusion matrix: what every capture is of, against what its flows are called.
//!
//! `cargo test --test confusion -- --nocapture` prints it. A capture in testdata/NAME is of NAME; one of the corpus's lab
//! is what `lab-truth.tsv` says. Off the diagonal nothing may stand but what belongs to it: companions, a carrier with
//! what it carries, and flows that are left unnamed.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;

use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::protocol::evidence::goes_along;
use portproof::protocol::index;
use portproof::registry::Registry;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a capture holds beside what it is of: truth, other.
const BESIDE: &[(&str, &str)] = &[
    // The session that a protocol announces, or through which it is reached.
    ("ftp", "ftp-data"),
    ("sip", "rtp"),
    ("sip", "rtcp"),
    ("sip", "sdp"),
    ("rtsp", "rtp"),
    ("rtsp", "rtcp"),
    ("rtp", "rtcp"),
    ("h323", "tpkt"),
    ("bittorrent", "utp"),
    ("utp", "bittorrent"),
    // What OpenVPN's port-share hands on.
    ("openvpn", "tls"),
    ("openvpn", "http"),
    // Tunnels that are opened: the flows inside have names of their own.
    ("vxlan", "dns"),
    ("geneve", "dns"),
    ("gtp-u", "dns"),
    ("teredo", "dns"),
];

/// Truth, then the name given, then how many flows.
type Matrix = BTreeMap<String, BTreeMap<&'static str, u64>>;

fn judged(path: &Path) -> Option<Captured> {
    let file = CaptureFile::open(path).ok()?;
    let options = Options { workers: 0, ..Options::default() };
    Some(read_capture(file, "test", &options, Registry::embedded(), &Control::default()))
}

/// Adds the flows of a capture that carry payload of their own, those inside tunnels left out.
fn count(matrix: &mut Matrix, truth: &str, path: &Path, port: Option<u16>) {
    let Some(captured) = judged(path) else { return };
    for flow in captured.records(Registry::embedded()) {
        let here = port.is_none_or(|port| port == 0 || port == flow.server.port || port == flow.client.port);
        if here && flow.tunnel.is_none() && flow.bytes != (0, 0) {
            *matrix.entry(truth.to_owned()).or_default().entry(flow.protocol()).or_default() += 1;
        }
    }
}

fn right(truth: &str, name: &str) -> bool {
    name == truth || name == "unknown" || goes_along(name, truth) || BESIDE.contains(&(truth, name))
}

fn print(title: &str, matrix: &Matrix) {
    println!("{title}: what it is, how many flows have that name, and what the others are called");
    for (truth, names) in matrix {
        let own = names.get(truth.as_str()).copied().unwrap_or(0);
        let others: Vec<String> =
            names.iter().filter(|(name, _)| *name != truth).map(|(name, flows)| format!("{name} {flows}")).collect();
        println!("  {truth:<20} {own:>6}  {}", others.join(", "));
    }
}

fn assert_diagonal(matrix: &Matrix) {
    for (truth, names) in matrix {
        for (name, flows) in names {
            assert!(right(truth, name), "{flows} flows of {truth} are called {name}");
        }
    }
}

#[test]
fn testdata_is_called_what_it_is() {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut matrix = Matrix::new();
    for path in corpus::captures(&[]).into_iter().filter(|path| path.starts_with(&testdata)) {
        let truth = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let truth = if truth == "openvpn-static-key" { "openvpn".to_owned() } else { truth };
        if index(&truth).is_some() {
            count(&mut matrix, &truth, &path, None);
        }
    }
    print("testdata", &matrix);
    assert!(matrix.len() > 100, "only {} protocols", matrix.len());
    assert_diagonal(&matrix);
    for (truth, names) in &matrix {
        let own = names.get(truth.as_str()).copied().unwrap_or(0);
        let beside: u64 = names.iter().filter(|(name, _)| goes_along(truth, name)).map(|(_, flows)| flows).sum();
        assert!(own + beside > 0, "no flow of {truth} has its name: {names:?}");
    }
}

#[test]
fn the_lab_is_called_what_it_is() {
    let Some(folder) = corpus::folder().filter(|folder| folder.join("lab-truth.tsv").is_file()) else {
        println!("skipped: the lab's captures, no corpus; set PORTPROOF_CORPUS");
        return;
    };
    let truths = std::fs::read_to_string(folder.join("lab-truth.tsv")).unwrap();
    let mut matrix = Matrix::new();
    for line in truths.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (capture, port, label): (PathBuf, u16, &str) =
            (folder.join("lab").join(columns[0]), columns[3].parse().unwrap(), columns[6]);
        // Scans, and captures that may be called one thing or another, have no diagonal.
        if !matches!(label, "scan" | "unscored") {
            count(&mut matrix, label, &capture, Some(port));
        }
    }
    print("lab", &matrix);
    assert!(matrix.len() > 20, "only {} labels", matrix.len());
    assert_diagonal(&matrix);
}
