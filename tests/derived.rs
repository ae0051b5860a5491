//! What is said of a capture does not depend on how it was taken: the same flows under every link type, in every tunnel,
//! format and fragment size get the same verdicts, and what was cut, lost or put out of order never gets a wrong name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Test helpers: a panic is a failed test.

mod common;
mod corpus;
#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/wrap.rs"]
mod wrap;

use common::mutate::Random;
use portproof::packet::{Endpoint, Transport, TunnelView};
use portproof::pipeline::{Control, Options, read_capture};
use portproof::protocol::evidence::goes_along;
use portproof::registry::Registry;
use rewrite::{Raw, compressed, frames, ipv4, open, parts, pcap, pcapng};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use wrap::{links, tunnels};

/// What is said of a flow: its protocol, variant and verdict.
type Said = (Transport, Endpoint, Endpoint, &'static str, String, &'static str);

/// What is said of each flow, in a fixed order.
fn said(bytes: Vec<u8>, tunnels: TunnelView) -> Vec<Said> {
    let options = Options { workers: 0, tunnels, ..Options::default() };
    let captured = read_capture(open(bytes).unwrap(), "derived", &options, Registry::embedded(), &Control::default());
    let mut all: Vec<Said> = captured
        .records(Registry::embedded())
        .map(|flow| {
            let variant = flow.decision.and_then(|d| d.variant.as_deref()).unwrap_or_default().to_owned();
            let verdict = flow.judgement.verdict.name();
            (flow.transport, flow.client, flow.server, flow.protocol(), variant, verdict)
        })
        .collect();
    all.sort();
    all
}

/// The IPv4 packets of a capture without link headers; `None` if it has none or other things too.
fn packets(path: &Path) -> Option<Vec<Raw>> {
    let mut all = frames(portproof::capture::CaptureFile::open(path).ok()?).0;
    for frame in &mut all {
        let ip = match frame.link {
            1 => frame.ip()?.to_vec(),
            101 => frame.data.clone(),
            113 => frame.data.get(16..)?.to_vec(),
            276 => frame.data.get(20..)?.to_vec(),
            _ => return None,
        };
        // Whole UDP and TCP over IPv4 that is in no tunnel and no fragment.
        let whole = ip.len() > 20 && ip[0] >> 4 == 4 && [ip[2], ip[3]] == (ip.len() as u16).to_be_bytes();
        if !whole || ip[6] & 0x3f != 0 || ip[7] != 0 || !matches!(ip[9], 6 | 17) {
            return None;
        }
        *frame = frame.with(101, ip);
    }
    let tunnel = ["vxlan", "geneve", "gtp-u", "teredo"].iter().any(|name| path.display().to_string().contains(name));
    (!all.is_empty() && !tunnel).then_some(all)
}

fn wrapped(packets: &[Raw], link: u32, wrap: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Raw> {
    packets.iter().map(|packet| packet.with(link, wrap(&packet.data))).collect()
}

/// The captures that are derived from. The largest ones take long and are of the same kinds.
fn bases() -> Vec<(PathBuf, Vec<Raw>)> {
    let small = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|metadata| metadata.len() < 400_000);
    let all = corpus::captures(&["lab"]).into_iter().filter(small);
    let all: Vec<_> = all.filter_map(|path| packets(&path).map(|packets| (path, packets))).collect();
    assert!(all.len() > 50, "captures are missing");
    all
}

/// One of the ways to write a capture: its name, and the file.
type Derived = (String, Box<dyn Fn(&[Raw]) -> Vec<u8>>);

fn fragmented(packets: &[Raw], size: usize, backwards: bool) -> Vec<Raw> {
    let mut out = Vec::new();
    for (id, packet) in (1..).zip(packets) {
        let (source, destination, protocol, payload) = parts(&packet.data);
        let count = payload.len().div_ceil(size);
        let mut fragments: Vec<Raw> = payload
            .chunks(size)
            .enumerate()
            .map(|(n, piece)| {
                let flags = (n * size / 8) as u16 | u16::from(n + 1 < count) << 13;
                packet.with(101, ipv4(source, destination, id, flags, protocol, piece))
            })
            .collect();
        if backwards {
            fragments.reverse();
        }
        out.extend(fragments);
    }
    out
}

fn derivations() -> Vec<Derived> {
    let mut all: Vec<Derived> = Vec::new();
    for (name, link, wrap) in links() {
        all.push((name.to_string(), Box::new(move |p| pcapng(&wrapped(p, link, &wrap), false))));
    }
    for (n, (_, name, protocol, wrap)) in tunnels().into_iter().enumerate() {
        let outer = move |ip: &[u8]| ipv4([192, 0, 2, 1], [192, 0, 2, 2], 1, 0, protocol, &wrap(ip));
        all.push((format!("{name} ({n})"), Box::new(move |p| pcapng(&wrapped(p, 101, &outer), false))));
    }
    for (size, backwards) in [(64, false), (256, true)] {
        let write = move |p: &[Raw]| pcap(&fragmented(p, size, backwards), false, true);
        all.push((format!("fragments of {size}"), Box::new(write)));
    }
    for big in [false, true] {
        all.push((format!("pcap, µs, {big}"), Box::new(move |p| pcap(p, big, false))));
        all.push((format!("pcap, ns, {big}"), Box::new(move |p| pcap(p, big, true))));
    }
    all.push(("pcapng, big".into(), Box::new(|p| pcapng(p, true))));
    for n in 0..compressed(&[]).len() {
        let name = compressed(&[])[n].0;
        all.push((name.into(), Box::new(move |p| compressed(&pcapng(p, false)).swap_remove(n).1)));
    }
    all
}

#[test]
fn link_types_tunnels_fragments_and_formats_change_no_verdict() {
    let derivations = derivations();
    let mut wrong = Vec::new();
    for (path, packets) in bases() {
        let plain = said(pcapng(&packets, false), TunnelView::Inner);
        for (name, write) in &derivations {
            let found = said(write(&packets), TunnelView::Inner);
            if found != plain {
                let shown = |a: &[Said], b: &[Said]| format!("{:?}", a.iter().find(|said| !b.contains(said)));
                let (before, after) = (shown(&plain, &found), shown(&found, &plain));
                wrong.push(format!("{} as {name}: {before} became {after}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ: {wrong:#?}", wrong.len());
}

/// Takes something away from a capture.
type Damage = fn(&[Raw]) -> Vec<Raw>;

/// Ways in which a capture may be worse than the plain one.
fn damages() -> [(&'static str, Damage); 7] {
    [
        ("cut to 64 bytes", |p| cut(p, 64)),
        ("cut to 96 bytes", |p| cut(p, 96)),
        ("5 % lost", |p| {
            let mut random = Random(0x1055);
            p.iter().filter(|_| random.below(20) != 0).cloned().collect()
        }),
        ("reordered by 16", reordered),
        ("duplicated", |p| p.iter().flat_map(|packet| [packet.clone(), packet.clone()]).collect()),
        ("one direction", |p| p.iter().filter(|packet| upwards(packet)).cloned().collect()),
        ("the other direction", |p| p.iter().filter(|packet| !upwards(packet)).cloned().collect()),
    ]
}

/// As a capture on Ethernet has it that keeps so many bytes of a frame.
fn cut(packets: &[Raw], snaplen: usize) -> Vec<Raw> {
    let mut out = packets.to_vec();
    out.iter_mut().for_each(|packet| packet.data.truncate(snaplen - 14));
    out
}

/// Within each run of 16 packets any order; the times stay where they are.
fn reordered(packets: &[Raw]) -> Vec<Raw> {
    let mut random = Random(0xd150);
    let mut out = packets.to_vec();
    for run in out.chunks_mut(16) {
        let times: Vec<i64> = run.iter().map(|packet| packet.time).collect();
        for n in (1..run.len()).rev() {
            run.swap(n, random.below(n + 1));
        }
        run.iter_mut().zip(times).for_each(|(packet, time)| packet.time = time);
    }
    out
}

/// Whether a packet goes from the lower to the higher endpoint: the same for all packets of a direction.
fn upwards(packet: &Raw) -> bool {
    let (source, destination, _, payload) = parts(&packet.data);
    (source, &payload[..2]) < (destination, &payload[2..4])
}

/// What a proxy carries, which shows where its own dialogue is lost: the proxy, and that.
const CARRIED: (&str, &str) = ("socks", "http");

#[test]
fn cut_lossy_disordered_and_one_sided_captures_get_no_wrong_name() {
    let damages = damages();
    let (mut wrong, mut named, mut kept) = (Vec::new(), 0, 0);
    for (path, packets) in bases() {
        // Captures in testdata lie in a folder that is named after what they are.
        let label = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
        let mut right: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
        for (transport, client, server, protocol, ..) in said(pcapng(&packets, false), TunnelView::Inner) {
            right.entry((transport, client.min(server), client.max(server))).or_default().insert(protocol);
        }
        for (name, damage) in &damages {
            for (transport, client, server, protocol, ..) in said(pcapng(&damage(&packets), false), TunnelView::Inner) {
                let known = right.get(&(transport, client.min(server), client.max(server)));
                if known.is_some_and(|names| !names.contains("unknown")) {
                    named += 1;
                    kept += u64::from(protocol != "unknown");
                }
                // The envelope is no wrong name for what it carries.
                let fits = |names: &BTreeSet<&str>| {
                    names.iter().any(|n| *n == protocol || goes_along(protocol, n) || (*n, protocol) == CARRIED)
                };
                if !known.is_some_and(fits) && protocol != "unknown" && protocol != label {
                    wrong.push(format!("{} {name}: {client:?} {server:?} {known:?} became {protocol}", path.display()));
                }
            }
        }
    }
    println!("{kept} of {named} flows keep their name");
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
    assert!(kept * 2 > named, "only {kept} of {named} flows keep their name");
}
