//! For tests: the flows of a small capture file as heads, and who recognises them.

use super::evidence::{Candidate, compete};
use super::{ALL, Assessment, Band, Finding, Protocol, ProtocolSet};
use crate::flow::{Dir, HeadBuf};
use crate::packet::{Time, Transport};
use etherparse::{NetSlice, SlicedPacket, TransportSlice};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A flow of a capture, with its head after the last packet.
pub(crate) struct Flow {
    /// Both ends as text, the originator first.
    pub(crate) name: String,
    ends: [(Vec<u8>, u16); 2],
    pub(crate) buf: HeadBuf,
}

/// Where the project's own captures of `name` lie.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The project's own captures of all protocols.
pub(crate) fn captures() -> Vec<PathBuf> {
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let files = entries(testdata("")).flat_map(entries);
    files.filter(|f| f.extension().is_some_and(|e| e == "pcap")).collect()
}

/// All flows of a pcap file (Ethernet, Linux cooked or raw IP; little-endian, micro- or nanoseconds).
pub(crate) fn flows(path: &Path) -> Vec<Flow> {
    let mut flows = Vec::new();
    each_frame(path, |number, time, link, frame| {
        take(&mut flows, number, time, link, frame);
    });
    flows
}

fn each_frame(path: &Path, mut with: impl FnMut(u64, Time, u32, &[u8])) {
    let file = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let nanoseconds = match word(0) {
        0xa1b2_c3d4 => 1000,
        0xa1b2_3c4d => 1,
        _ => return,
    };
    let (link, mut at, mut number) = (word(20), 24, 0);
    while at + 16 <= file.len() {
        let time = Time(i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * nanoseconds);
        let end = (at + 16 + word(at + 8) as usize).min(file.len());
        number += 1;
        with(number, time, link, &file[at + 16..end]);
        at = end;
    }
}

/// Takes a frame; the place of its flow, if it belongs to one.
fn take(flows: &mut Vec<Flow>, number: u64, time: Time, link: u32, frame: &[u8]) -> Option<usize> {
    let sliced = match link {
        1 => SlicedPacket::from_ethernet(frame),
        113 => SlicedPacket::from_linux_sll(frame),
        _ => SlicedPacket::from_ip(frame),
    };
    let Ok(sliced) = sliced else { return None };
    let (from, to) = match sliced.net {
        Some(NetSlice::Ipv4(ip)) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source().to_vec(), ip.header().destination().to_vec()),
        _ => return None,
    };
    let (transport, ports) = match &sliced.transport {
        Some(TransportSlice::Udp(u)) => (Transport::Udp, (u.source_port(), u.destination_port())),
        Some(TransportSlice::Tcp(t)) => (Transport::Tcp, (t.source_port(), t.destination_port())),
        _ => return None,
    };
    let (from, to) = ((from, ports.0), (to, ports.1));
    let same = |f: &Flow| {
        f.buf.view(None, false).transport() == transport
            && (f.ends == [from.clone(), to.clone()] || f.ends == [to.clone(), from.clone()])
    };
    let at = flows.iter().position(same).unwrap_or_else(|| {
        let name = format!("{:?}:{} {:?}:{}", from.0, from.1, to.0, to.1);
        flows.push(Flow { name, ends: [from.clone(), to.clone()], buf: HeadBuf::new(transport) });
        flows.len() - 1
    });
    let flow = &mut flows[at];
    let dir = if flow.ends[0] == from { Dir::Originator } else { Dir::Responder };
    match &sliced.transport {
        Some(TransportSlice::Udp(u)) => {
            flow.buf.push_datagram(number, time, dir, u.payload().len(), u.payload());
        }
        Some(TransportSlice::Tcp(t)) => {
            if t.syn() {
                flow.buf.stream_mut(dir).open(t.sequence_number());
            } else {
                flow.buf.stream_mut(dir).push(t.sequence_number(), number, time, t.payload().len(), t.payload());
            }
        }
        _ => {}
    }
    Some(at)
}

/// What `protocol` finds in the complete head of `flow`.
pub(crate) fn finding(protocol: &dyn Protocol, flow: &Flow) -> Option<Finding> {
    match protocol.assess(&flow.buf.view(None, true)) {
        Assessment::Recognised(finding) => Some(finding),
        _ => None,
    }
}

/// The name that a flow gets from all recognisers, and its band.
pub(crate) fn named(flow: &Flow) -> Option<(&'static str, Band)> {
    let findings = || ALL.iter().filter_map(|p| finding(*p, flow).map(|f| (p.name(), f)));
    let candidates: Vec<_> = findings().map(|(name, f)| Candidate { name, bits: f.bits() }).collect();
    let outcome = compete(&candidates)?;
    Some((candidates[outcome.winner].name, Band::of(outcome.odds)?))
}

/// Asserts that `protocol` and no other names a flow of its own capture with certainty, or with `at_least`.
pub(crate) fn expect(protocol: &dyn Protocol, file: &str, at_least: Band) -> Finding {
    let flows = flows(&testdata(protocol.name()).join(file));
    let best = flows.iter().filter(|f| named(f).is_some_and(|(n, b)| n == protocol.name() && b >= at_least));
    let found = best.filter_map(|f| finding(protocol, f)).max_by_key(Finding::bits);
    found.unwrap_or_else(|| {
        let seen: Vec<_> = flows.iter().map(|f| (&f.name, named(f), finding(protocol, f))).collect();
        panic!("{} not found in {file}: {seen:#?}", protocol.name())
    })
}

#[test]
fn each_capture_gets_its_own_name_only() {
    let mut wrong = Vec::new();
    for protocol in ALL {
        let Ok(files) = std::fs::read_dir(testdata(protocol.name())) else { continue };
        for file in files.flatten().filter(|f| f.path().extension().is_some_and(|e| e == "pcap")) {
            let flows = flows(&file.path());
            let names: Vec<_> = flows.iter().filter_map(named).map(|(n, _)| n).collect();
            // What can be suspected at most must at least not be called something else.
            let bare = file.file_name().to_string_lossy().starts_with("static-key");
            let suspected = names.is_empty() && (bare || flows.iter().any(|f| finding(*protocol, f).is_some()));
            if !names.contains(&protocol.name()) && !suspected {
                wrong.push((file.path(), names));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Prints what every flow of the lab's captures is called; those of no known protocol must have no name.
#[test]
fn no_random_flow_of_the_corpus_gets_a_name() {
    let root = std::env::var("PORTPROOF_CORPUS").unwrap_or_else(|_| "../shared/captures".into());
    let Ok(files) = std::fs::read_dir(Path::new(&root).join("lab")) else {
        eprintln!("skipped: no corpus");
        return;
    };
    let mut paths: Vec<_> = files.flatten().map(|f| f.path()).collect();
    paths.sort();
    let mut wrong = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let structured =
            !["neg-random", "neg-tiny", "neg-zeros", "neg-counter", "neg-opcode", "neg-ascii", "neg-ff", "neg-tcp-"]
                .iter()
                .any(|p| file.starts_with(p));
        let names: Vec<_> = flows(&path).iter().map(named).collect();
        // Bytes laid out just like ESP in CBC mode: no recogniser can know better, and the truth file does not score it.
        let structured = structured || file.starts_with("neg-counter-be-16");
        println!("{file} {names:?}");
        if !structured && names.iter().any(Option::is_some) {
            wrong.push((file, names));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whoever excluded itself must still do so when packets are added.
#[test]
fn excluded_stays_excluded_when_packets_are_added() {
    let (mut excluded, mut wrong) = (0, BTreeMap::new());
    for path in captures() {
        let mut flows: Vec<Flow> = Vec::new();
        let mut gone: Vec<ProtocolSet> = Vec::new();
        each_frame(&path, |number, time, link, frame| {
            // Beyond that nothing new comes in captures that are cut to their first packets.
            if number > 40 {
                return;
            }
            let Some(at) = take(&mut flows, number, time, link, frame) else { return };
            gone.resize(flows.len(), ProtocolSet::EMPTY);
            for (n, protocol) in ALL.iter().enumerate() {
                let assessment = protocol.assess(&flows[at].buf.view(None, false));
                match (gone[at].contains(n), matches!(assessment, Assessment::Excluded)) {
                    (true, false) => {
                        wrong.entry((path.clone(), protocol.name())).or_insert(number);
                    }
                    (false, true) => {
                        excluded += 1;
                        gone[at].insert(n);
                    }
                    _ => {}
                }
            }
        });
    }
    assert!(wrong.is_empty(), "excluded, and then not: {wrong:#?}");
    assert!(excluded > 1000, "only {excluded}");
}

/// The two directions of a connection reach a capture in either order, and the server's bytes may come alone first.
#[test]
fn who_is_excluded_before_the_other_side_spoke_is_not_found_later() {
    let (mut excluded, mut wrong) = (0, Vec::new());
    for path in captures() {
        for flow in flows(&path) {
            let streams = Dir::BOTH.map(|dir| flow.buf.stream(dir).view());
            if streams.iter().any(|s| !s.start_seen() || s.bytes().is_empty()) {
                continue;
            }
            for (protocol, first) in ALL.iter().flat_map(|p| Dir::BOTH.map(|dir| (p, dir))) {
                let bytes = first.of(&streams).bytes();
                let gone = (1..=32).chain([bytes.len()]).any(|n| {
                    let mut alone = HeadBuf::new(Transport::Tcp);
                    Dir::BOTH.iter().for_each(|dir| alone.stream_mut(*dir).open(0));
                    let part = &bytes[..n.min(bytes.len())];
                    alone.stream_mut(first).push(1, 1, Time(0), part.len(), part);
                    matches!(protocol.assess(&alone.view(None, false)), Assessment::Excluded)
                });
                excluded += usize::from(gone);
                if gone && finding(*protocol, &flow).is_some_and(|f| f.bits() > super::Bits::whole(12)) {
                    wrong.push((path.clone(), protocol.name(), first));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "excluded by one side alone, and then found: {wrong:#?}");
    assert!(excluded > 1000, "only {excluded}");
}
