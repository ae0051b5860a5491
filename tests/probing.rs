//! Who knocks at many doors is told from who has a bad day, and no probe makes a service.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use portproof::capture::CaptureFile;
use portproof::pipeline::{Captured, Control, Options, read_capture};
use portproof::registry::Registry;
use portproof::verdict::{Reason, Verdict};
use std::io::Cursor;
use std::path::Path;

const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;
const RST_ACK: u8 = 0x14;
const ACK: u8 = 0x10;

type End = ([u8; 4], u16);

const SCANNER: [u8; 4] = [10, 0, 0, 66];

/// A capture of raw IPv4 packets that are written one after the other, a millisecond apart.
struct Pcap {
    bytes: Vec<u8>,
    frames: u32,
}

impl Pcap {
    fn new() -> Self {
        Self { bytes: Vec::from(*b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\xff\xff\0\0\x65\0\0\0"), frames: 0 }
    }

    fn ip(&mut self, protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) {
        let length = 20 + payload.len();
        let mut ip = vec![0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0, 0, 64, protocol, 0, 0];
        ip.extend(from.iter().chain(&to));
        ip.extend(payload);
        let header = [self.frames / 1000, self.frames % 1000 * 1000, length as u32, length as u32];
        self.bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        self.bytes.extend(ip);
        self.frames += 1;
    }

    fn udp(&mut self, from: End, to: End, payload: &[u8]) {
        let mut bytes: Vec<u8> =
            [from.1, to.1, 8 + payload.len() as u16, 0].iter().flat_map(|w| w.to_be_bytes()).collect();
        bytes.extend(payload);
        self.ip(17, from.0, to.0, &bytes);
    }

    fn tcp(&mut self, from: End, to: End, flags: u8, numbers: (u32, u32), payload: &[u8]) {
        let mut bytes: Vec<u8> = [from.1, to.1].iter().flat_map(|w| w.to_be_bytes()).collect();
        bytes.extend([numbers.0, numbers.1].iter().flat_map(|w| w.to_be_bytes()));
        bytes.extend([0x50, flags, 4, 0, 0, 0, 0, 0]);
        bytes.extend(payload);
        self.ip(6, from.0, to.0, &bytes);
    }

    /// A whole exchange over TCP.
    fn talk(&mut self, client: End, server: End) {
        self.tcp(client, server, SYN, (100, 0), &[]);
        self.tcp(server, client, SYN_ACK, (500, 101), &[]);
        self.tcp(client, server, ACK, (101, 501), b"hello\r\n");
        self.tcp(server, client, ACK, (501, 108), b"what?\r\n");
    }

    /// `router` says that a datagram from `from` to `to` was not delivered.
    fn unreachable(&mut self, router: [u8; 4], from: End, to: End) {
        let mut bytes = vec![3, 3, 0, 0, 0, 0, 0, 0, 0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0];
        bytes.extend(from.0.iter().chain(&to.0));
        bytes.extend([from.1, to.1, 16, 0].iter().flat_map(|w| w.to_be_bytes()));
        self.ip(1, router, from.0, &bytes);
    }

    fn judged(self) -> Captured {
        judged(self.bytes, 0)
    }
}

fn judged(bytes: Vec<u8>, workers: usize) -> Captured {
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(bytes))).unwrap();
    let options = Options { workers, ..Options::default() };
    read_capture(file, "test", &options, Registry::embedded(), &Control::default())
}

fn host(n: u8) -> [u8; 4] {
    [192, 0, 2, n]
}

#[test]
fn many_ports_of_one_host() {
    let mut pcap = Pcap::new();
    for port in 1..=100 {
        pcap.tcp((SCANNER, 40_000), (host(1), port), SYN, (7, 0), &[]);
        match port {
            // An open port: the scanner's own system resets what it did not ask for.
            22 | 80 => {
                pcap.tcp((host(1), port), (SCANNER, 40_000), SYN_ACK, (1, 8), &[]);
                pcap.tcp((SCANNER, 40_000), (host(1), port), 0x04, (8, 0), &[]);
            }
            90.. => {}
            _ => pcap.tcp((host(1), port), (SCANNER, 40_000), RST_ACK, (0, 8), &[]),
        }
    }
    let scan = pcap.judged();
    let [prober] = &scan.rows.probers[..] else { panic!("{:?}", scan.rows.probers) };
    assert_eq!((prober.source.to_string().as_str(), prober.hosts, prober.ports), ("10.0.0.66", 1, 100));
    assert_eq!((prober.answered, prober.refused, prober.silent, prober.flows), (2, 87, 11, 100));
    assert!(scan.rows.iter().all(|row| row.verdict() == Verdict::Insufficient && row.probes == 1));
    assert!(scan.counts.adds_up());
}

#[test]
fn one_port_of_many_hosts() {
    let mut pcap = Pcap::new();
    for n in 1..=9 {
        pcap.tcp((SCANNER, 40_000 + u16::from(n)), (host(n), 1194), SYN, (7, 0), &[]);
    }
    let scan = pcap.judged();
    assert_eq!((scan.rows.probers[0].hosts, scan.rows.probers[0].port), (9, Some(1194)));
    let mut pcap = Pcap::new();
    for n in 1..=8 {
        pcap.tcp((SCANNER, 40_000 + u16::from(n)), (host(n), 1194), SYN, (7, 0), &[]);
    }
    assert!(pcap.judged().rows.probers.is_empty(), "eight failures come to odds of 65,536, less than 99,000");
}

#[test]
fn who_is_mostly_let_in_does_not_probe() {
    let mut pcap = Pcap::new();
    for n in 1..=60 {
        match n % 4 {
            0 => pcap.tcp((SCANNER, 40_000), (host(n), 443), SYN, (7, 0), &[]),
            _ => pcap.talk((SCANNER, 40_000), (host(n), 443)),
        }
    }
    assert!(pcap.judged().rows.probers.is_empty());
}

#[test]
fn peers_that_are_gone_are_no_scan() {
    let mut pcap = Pcap::new();
    for n in 1..=60 {
        pcap.tcp((SCANNER, 40_000), (host(n), 20_000 + 137 * u16::from(n)), SYN, (7, 0), &[]);
        pcap.udp((SCANNER, 40_000), (host(n), 20_001 + 137 * u16::from(n)), b"d1:ad2:id20:");
    }
    assert!(pcap.judged().rows.probers.is_empty());
}

#[test]
fn the_ends_of_old_connections_are_no_scan() {
    let mut pcap = Pcap::new();
    for n in 1..=60 {
        pcap.tcp((SCANNER, 40_000), (host(n), 443), 0x11, (7, 9), &[]);
        pcap.tcp((host(n), 443), (SCANNER, 40_000), 0x04, (9, 0), &[]);
    }
    assert!(pcap.judged().rows.probers.is_empty());
}

#[test]
fn a_capture_of_one_side_only_is_no_scan() {
    let mut pcap = Pcap::new();
    for n in 1..=60 {
        // A resolver's questions, as long as the names in them.
        pcap.udp((SCANNER, 40_000 + u16::from(n)), (host(n), 53), &vec![b'a'; 20 + usize::from(n)]);
    }
    assert!(pcap.judged().rows.probers.is_empty());
    let mut pcap = Pcap::new();
    for n in 1..=60 {
        pcap.udp((SCANNER, 40_000), (host(n), 53), b"always the same");
    }
    assert_eq!(pcap.judged().rows.probers[0].silent, 60);
}

#[test]
fn an_icmp_error_refuses_the_port_that_it_quotes() {
    let mut pcap = Pcap::new();
    pcap.udp((SCANNER, 4000), (host(1), 1197), &[0x38; 14]);
    pcap.unreachable(host(1), (SCANNER, 4000), (host(1), 1197));
    pcap.udp((SCANNER, 4001), (host(1), 1197), &[0x38; 14]);
    // Of a flow that was not seen there is nothing to say.
    pcap.unreachable(host(1), (SCANNER, 4002), (host(1), 1197));
    // The client does not want the answer that it got: the server did not refuse.
    pcap.udp((SCANNER, 4003), (host(1), 1197), &[0x38; 14]);
    pcap.udp((host(1), 1197), (SCANNER, 4003), &[7; 40]);
    pcap.unreachable(SCANNER, (host(1), 1197), (SCANNER, 4003));
    for workers in [0, 3] {
        let seen = judged(pcap.bytes.clone(), workers);
        let reasons: Vec<_> = seen.records(Registry::embedded()).map(|r| r.judgement.reason).collect();
        assert_eq!(reasons[..2], [Some(Reason::Refused), Some(Reason::Unanswered)]);
        assert_ne!(reasons[2], Some(Reason::Refused));
        assert_eq!((reasons.len(), seen.counts.other, seen.counts.classified), (3, 3, 4));
        assert!(seen.counts.adds_up());
    }
}

/// What scanners send to find a service, to the port where it lives.
fn probes() -> Vec<(&'static str, u16, Vec<u8>)> {
    let mut reset = vec![0x38];
    reset.extend([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]);
    let mut ike = vec![0x11; 8];
    ike.extend([0; 8]);
    ike.extend([1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 28]);
    let mut monlist = vec![0x17, 0, 3, 42];
    monlist.extend([0; 4]);
    let mut version = vec![0, 6, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7];
    version.extend(b"version\x04bind\0\0\x10\0\x03");
    let options = b"OPTIONS sip:nm SIP/2.0\r\nVia: SIP/2.0/UDP nm;branch=foo\r\nFrom: <sip:nm@nm>;tag=root\r\n\
        To: <sip:nm2@nm2>\r\nCall-ID: 50000\r\nCSeq: 42 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let snmp = [
        0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x19, 2, 1, 1, 2, 1, 0, 2, 1, 0, 0x30,
        0x0e, 0x30, 0x0c, 6, 8, 0x2b, 6, 1, 2, 1, 1, 5, 0, 5, 0,
    ];
    vec![
        ("openvpn", 1194, reset),
        ("ike", 500, ike),
        ("sip", 5060, options.to_vec()),
        ("ntp", 123, monlist),
        ("memcached", 11211, b"\0\x01\0\0\0\x01\0\0stats\r\n".to_vec()),
        ("dns", 53, version),
        ("snmp", 161, snmp.to_vec()),
    ]
}

#[test]
fn a_probe_without_an_answer_is_never_the_service() {
    for (name, port, payload) in probes() {
        let mut pcap = Pcap::new();
        for n in 1..=20 {
            pcap.udp((SCANNER, 40_000), (host(n), port), &payload);
            pcap.udp((SCANNER, 40_000), (host(n), port), &payload);
        }
        let scan = pcap.judged();
        let row = scan.rows.iter().next().unwrap();
        assert_eq!((scan.rows.len(), row.key.port, row.verdict()), (1, port, Verdict::Insufficient), "{name}");
        assert_eq!((row.probes, scan.rows.probers[0].hosts), (20, 20), "{name}");
        // What was asked for may be named: that is no claim of a service.
        let named = row.observed[0].protocol;
        assert!(named == name || named == "unknown", "{name} is called {named}");
    }
}

#[test]
fn an_answer_to_a_probe_shows_the_service() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/openvpn/certificate-refused.pcap");
    let answered = judged(std::fs::read(path).unwrap(), 0);
    assert!(answered.rows.iter().any(|row| row.observed.iter().any(|o| o.protocol == "openvpn" && row.answered > 0)));
    let mut pcap = Pcap::new();
    for n in 1..=20 {
        pcap.tcp((SCANNER, 40_000), (host(n), 22), SYN, (7, 0), &[]);
    }
    // One host answers with its banner.
    let (scanner, server) = ((SCANNER, 40_001), (host(30), 22));
    pcap.tcp(scanner, server, SYN, (100, 0), &[]);
    pcap.tcp(server, scanner, SYN_ACK, (500, 101), &[]);
    pcap.tcp(scanner, server, ACK, (101, 501), &[]);
    pcap.tcp(server, scanner, ACK, (501, 101), b"SSH-2.0-OpenSSH_9.6\r\n");
    let scan = pcap.judged();
    let row = scan.rows.iter().next().unwrap();
    assert_eq!((row.verdict(), row.probes, row.totals().0), (Verdict::Match, 20, 21));
    assert_eq!((scan.rows.probers[0].answered, scan.rows.probers[0].silent), (1, 20));
}
