//! The stories that the program must tell right, on captures of real peers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod corpus;

use portproof::capture::CaptureFile;
use portproof::packet::Transport;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::registry::Registry;
use portproof::verdict::{PortRow, Reason, Rows, Verdict};
use std::path::{Path, PathBuf};

fn captured(path: &Path) -> Captured {
    let file = CaptureFile::open(path).unwrap();
    let options = Options { workers: 0, ..Options::default() };
    read_capture(file, "test", &options, Registry::embedded(), &Control::default())
}

fn demo(port: u16) -> Captured {
    captured(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/demo/{port}.pcap")))
}

fn row(rows: &Rows, port: u16, transport: Transport) -> &PortRow {
    rows.iter().find(|row| row.key.port == port && row.key.transport == transport).expect("a row")
}

/// What the row shows: verdict, protocol, reason.
fn shown(captured: &Captured, port: u16, transport: Transport) -> (Verdict, &'static str, Option<Reason>) {
    let (observed, only_likely) = row(&captured.rows, port, transport).shown().expect("an observation");
    assert!(!only_likely);
    (observed.verdict, observed.protocol, observed.reason)
}

/// A lab capture, if the corpus is there.
fn lab(name: &str) -> Option<PathBuf> {
    let path = corpus::folder().map(|folder| folder.join("lab").join(name)).filter(|path| path.is_file());
    if path.is_none() {
        println!("skipped: {name}, no corpus; set PORTPROOF_CORPUS");
    }
    path
}

#[test]
fn the_five_ports_of_the_demo() {
    assert_eq!(shown(&demo(1196), 1196, Transport::Udp), (Verdict::Mismatch, "openvpn", None));
    assert_eq!(shown(&demo(1197), 1197, Transport::Udp), (Verdict::Mismatch, "openvpn", None));
    assert_eq!(shown(&demo(2797), 2797, Transport::Udp), (Verdict::Match, "esp-in-udp", None));
    // Citrix's claim has no public format; what was captured there is the other RTMP.
    assert_eq!(shown(&demo(2897), 2897, Transport::Tcp), (Verdict::Mismatch, "rtmp", None));
    assert_eq!(shown(&demo(3197), 3197, Transport::Tcp), (Verdict::Match, "edp", None));
}

#[test]
fn a_port_shared_by_openvpn_and_tls_is_mixed() {
    let (Some(openvpn), Some(tls)) = (lab("ovpn-tlscrypt-v6-tcp443.pcap"), lab("neg-tls-tcp443.pcap")) else { return };
    let mut rows = captured(&openvpn).rows;
    rows.absorb(captured(&tls).rows);
    let row = row(&rows, 443, Transport::Tcp);
    assert!(row.mixed());
    assert_eq!(row.verdict(), Verdict::Mismatch);
    assert!(row.verdicts.contains_key(&Verdict::Match));
}

#[test]
fn keepalives_alone_are_insufficient() {
    let Some(path) = lab("neg-ff-keepalive-udp2797.pcap") else { return };
    let keepalives = captured(&path);
    let (verdict, _, reason) = shown(&keepalives, 2797, Transport::Udp);
    assert_eq!((verdict, reason), (Verdict::Insufficient, Some(Reason::KeepaliveOnly)));
}

#[test]
fn a_scanner_that_is_answered_shows_the_service() {
    let Some(path) = lab("scan-ovpn-udp1194.pcap") else { return };
    assert_eq!(shown(&captured(&path), 1194, Transport::Udp), (Verdict::Match, "openvpn", None));
}

#[test]
fn scans_of_closed_ports_show_nothing() {
    for name in ["scan-syn-tcp.pcap", "scan-hping-syn-tcp.pcap", "scan-udp-udp.pcap"] {
        let Some(path) = lab(name) else { return };
        let scan = captured(&path);
        assert!(scan.rows.iter().all(|row| row.verdict() == Verdict::Insufficient), "{name}");
    }
}

#[test]
fn a_reset_without_an_answer_is_no_service() {
    let Some(path) = lab("ovpn-fail-noreply-udp1197.pcap") else { return };
    let asked = captured(&path);
    assert_eq!(shown(&asked, 1197, Transport::Udp), (Verdict::Insufficient, "openvpn", Some(Reason::Unanswered)));
}

#[test]
fn dns_away_from_home_is_named_for_what_it_is() {
    let Some(path) = lab("neg-dns-udp4500.pcap") else { return };
    assert_eq!(shown(&captured(&path), 4500, Transport::Udp).0, Verdict::Mismatch);
}

#[test]
fn reports_that_nobody_answers_are_judged_all_the_same() {
    let one_way = |name: &str| captured(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name));
    assert_eq!(shown(&one_way("sflow/openvswitch.pcap"), 6343, Transport::Udp), (Verdict::Match, "sflow", None));
    // Exporters made 2055 theirs, which is registered for something else.
    let export = one_way("netflow/softflowd-v9.pcap");
    assert_eq!(shown(&export, 2055, Transport::Udp), (Verdict::Mismatch, "netflow", None));
    // A hello of OpenVPN asks for an answer.
    let (verdict, _, reason) = shown(&one_way("openvpn/tls-auth-no-reply.pcap"), 1197, Transport::Udp);
    assert_eq!((verdict, reason), (Verdict::Insufficient, Some(Reason::Unanswered)));
}
