//! Look-ups in the embedded registry, against what IANA's file says of these ports.

use std::{env, fs, path::PathBuf};

use portproof::registry::{Claim, Proto, Registry, Row, State, Transports, encode, import};
use sha2::{Digest, Sha256};

fn claim(port: u16, proto: Proto) -> &'static Claim {
    Registry::embedded().claim(port, proto)
}

fn state(port: u16, proto: Proto) -> State {
    claim(port, proto).state
}

#[test]
fn a_plain_assignment() {
    let claim = claim(1197, Proto::Udp);
    assert_eq!(claim.state, State::Assigned);
    assert_eq!(claim.services, ["carrius-rshell"]);
    let row = Registry::embedded().rows(1197).next().unwrap();
    assert_eq!(
        (row.description, row.assignee, row.contact),
        ("Carrius Remote Access", "[Gerry_Dubois]", "[Gerry_Dubois]")
    );
    assert_eq!((row.registered, row.modified), ("2005-08", ""));
    assert_eq!(row.transports, Transports::TCP.with(Transports::UDP));
}

#[test]
fn a_named_row_without_transport_counts_for_any() {
    assert_eq!(claim(6400, Proto::Tcp).services, ["boe-cms"]);
    assert_eq!(claim(6400, Proto::Udp).services, ["boe-cms"]);
}

#[test]
fn a_named_range_counts_for_each_of_its_ports() {
    for port in [6000, 6031, 6063] {
        assert_eq!(claim(port, Proto::Tcp).services, ["x11"], "{port}");
    }
    assert_eq!(claim(6064, Proto::Tcp).services, ["ndl-ahp-svc"]);
    assert_eq!(claim(7351, Proto::Udp).services, ["swx"]);
}

#[test]
fn a_range_that_overlaps_another_row() {
    // 7748-7776 and 7983-7997 are Unassigned, and 7775/tcp and 7997/tcp have rows of their own inside.
    assert_eq!(claim(7775, Proto::Tcp).services, ["inetfs"]);
    assert_eq!(claim(7997, Proto::Tcp).services, ["pushns"]);
    assert_eq!(state(7774, Proto::Tcp), State::Unassigned);
    assert_eq!(state(7776, Proto::Tcp), State::Unassigned);
}

#[test]
fn several_names_on_one_key_are_all_shown() {
    assert_eq!(claim(80, Proto::Tcp).services, ["http", "www", "www-http"]);
    assert_eq!(claim(3478, Proto::Udp).services, ["stun", "turn", "stun-behavior"]);
    assert_eq!(claim(44818, Proto::Tcp).services, ["EtherNet-IP-2", "EtherNet/IP-2"]);
}

#[test]
fn a_historic_alias_comes_last() {
    let services = &claim(210, Proto::Tcp).services;
    assert_eq!(*services, ["z39-50", "z39.50"]);
}

#[test]
fn a_name_without_a_port_is_no_claim() {
    let registry = Registry::embedded();
    assert!(registry.by_service("jmap").all(|row| row.ports.is_none()));
    let portless = registry.all().filter(|row| row.ports.is_none());
    assert_eq!(portless.map(|row| row.transports.names().count().max(1)).sum::<usize>(), 1_070);
}

#[test]
fn unnamed_rows_are_states() {
    assert_eq!(state(4, Proto::Udp), State::Unassigned);
    assert_eq!(state(24, Proto::Tcp), State::Reserved);
    assert_eq!(state(114, Proto::Tcp), State::Unassigned);
    assert!(claim(4, Proto::Udp).services.is_empty());
}

#[test]
fn de_assigned_ports() {
    for port in [2, 359, 585, 659, 1301, 4501, 5030] {
        assert_eq!(state(port, Proto::Udp), State::DeAssigned, "{port}");
    }
    // A row with a name, described "De-Registered"; the TCP row is still assigned and says more.
    let sua = claim(14001, Proto::Udp);
    assert_eq!((sua.state, sua.other_transports.to_string().as_str()), (State::AssignedOtherTransport, "tcp, sctp"));
}

#[test]
fn another_transport_wins_over_the_reserved_row() {
    let claim = claim(2408, Proto::Udp);
    assert_eq!(claim.state, State::AssignedOtherTransport);
    assert_eq!(claim.services, ["railgun-webaccl"]);
    assert_eq!(claim.other_transports, Transports::TCP);
    let registry = Registry::embedded();
    let ports =
        (0..=49_151).filter(|port| registry.is_assigned(*port, Proto::Tcp) != registry.is_assigned(*port, Proto::Udp));
    let (mut tcp, mut udp) = (0, 0);
    for port in ports {
        tcp += usize::from(state(port, Proto::Tcp) == State::AssignedOtherTransport);
        udp += usize::from(state(port, Proto::Udp) == State::AssignedOtherTransport);
    }
    assert_eq!(tcp + udp, 739);
    // SCTP alone.
    assert_eq!(state(36_412, Proto::Tcp), State::AssignedOtherTransport);
}

#[test]
fn dynamic_ports_are_never_assigned() {
    assert_eq!(state(49_151, Proto::Tcp), State::Reserved);
    assert_eq!(state(49_152, Proto::Tcp), State::Dynamic);
    assert_eq!(state(65_535, Proto::Udp), State::Dynamic);
}

#[test]
fn the_bit_and_the_rows_agree_on_every_port() {
    let registry = Registry::embedded();
    for proto in [Proto::Tcp, Proto::Udp] {
        for port in 0..=u16::MAX {
            assert_eq!(registry.is_assigned(port, proto), state(port, proto) == State::Assigned, "{port}");
        }
    }
}

#[test]
fn the_embedded_file_is_the_reviewed_one() {
    let registry = Registry::embedded();
    assert_eq!((registry.date(), registry.source_rows()), ("2026-08-17", 14_533));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!(hex(registry.source_sha256()), "757d5969a623680753269c420688fc01b050ce8dae9f47d90aab0a057f144dc8");
    assert_eq!(
        hex(&Sha256::digest(registry.as_bytes())),
        "dbd00afda72c7103b7b8ff656c8113b4acbbb21221e2a125b82260a05630e774"
    );
}

/// IANA's file, which is not part of the repository.
fn source(extension: &str) -> Option<Vec<u8>> {
    let captures = env::var_os("PORTPROOF_CORPUS").map_or_else(|| PathBuf::from("../shared/captures"), PathBuf::from);
    let path = captures.join("../registry/service-names-port-numbers").with_extension(extension);
    let bytes = fs::read(&path).ok();
    if bytes.is_none() {
        println!("skipped: {} is not there", path.display());
    }
    bytes
}

#[test]
fn the_embedded_file_is_current() {
    let Some(bytes) = source("csv") else { return };
    let fresh = encode::encode(&import::read(&bytes).unwrap()).unwrap();
    assert!(fresh == Registry::embedded().as_bytes(), "run the example import-registry");
}

#[test]
fn the_xml_says_the_same_as_the_csv() {
    let Some((csv, xml)) = source("csv").zip(source("xml")) else { return };
    let (csv, xml) = (import::read(&csv).unwrap(), import::read(&xml).unwrap());
    assert_eq!(xml.date, "2026-08-17");
    for (from_csv, from_xml) in csv.entries.iter().zip(&xml.entries) {
        assert_eq!(from_csv, from_xml);
    }
    assert_eq!(csv.entries.len(), xml.entries.len());
}

#[test]
fn what_goes_in_comes_out() {
    // Every field of every row, straight from the compact form.
    let registry = Registry::embedded();
    let rows = |wanted: fn(&Row<'_>) -> bool| -> usize {
        registry.all().filter(wanted).map(|row| row.transports.names().count().max(1)).sum()
    };
    assert_eq!(rows(|_| true), 14_533);
    assert_eq!(rows(|row| !row.unauthorised.is_empty()), 112);
    assert_eq!(rows(|row| !row.name.is_empty() && row.ports.is_some()), 11_739);
    assert_eq!(rows(|row| row.name.is_empty() && row.ports.is_some()), 1_724);
    assert_eq!(registry.all().filter(|row| row.name.is_empty() && row.ports.is_none()).count(), 0);
    let references: Vec<_> = registry.by_service("IPSEC-nat-t").map(|row| (row.ports, row.reference)).collect();
    assert_eq!(references, [(Some((4500, 4500)), "[RFC9329]"), (Some((4500, 4500)), "[RFC3948][RFC7296]")]);
}
