//! Weaker views: flows of which the first packets, one side or the rest of each packet is missing keep their name or
//! lose it, and get no other.
//!
//! `cargo test --release --test views -- --nocapture` prints for each protocol how many flows keep it. With
//! `PORTPROOF_VIEWS=real` those of the corpus's captures of others are counted, too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod corpus;
#[path = "common/rewrite.rs"]
mod rewrite;

use portproof::capture::CaptureFile;
use portproof::packet::{Endpoint, Packet, Parser, Transport, Tunnel, TunnelView};
use portproof::pipeline::{Control, Options, read_capture};
use portproof::protocol::evidence::goes_along;
use portproof::registry::Registry;
use rewrite::{Raw, frames, open, pcapng};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A flow, whichever end comes first.
type Key = (Transport, Endpoint, Endpoint, Option<Tunnel>);

/// What a flow is called in the whole capture, and who serves.
type Whole = BTreeMap<Key, (&'static str, Endpoint)>;

/// A frame and what it holds: the flow, the sender, how many bytes of payload, and how many packets with payload the
/// flow has had before.
struct Placed {
    frame: Raw,
    packet: Option<(Key, Endpoint, u32, usize)>,
}

/// Whether a frame is in the view of its flow, which has so many packets with payload in all and this server.
type Keeps = fn(&(Key, Endpoint, u32, usize), usize, Endpoint) -> bool;

/// A snaplen that keeps all of an Ethernet frame.
const ALL: usize = usize::MAX;

/// What is missing: a name, what stays, and how many bytes of each frame.
const VIEWS: &[(&str, Keeps, usize)] = &[
    ("from 3", |(.., nth), _, _| *nth >= 2, ALL),
    ("from 5", |(.., nth), _, _| *nth >= 4, ALL),
    ("from 9", |(.., nth), _, _| *nth >= 8, ALL),
    ("half", |(.., nth), count, _| *nth >= count / 2, ALL),
    ("client", |(_, from, ..), _, server| *from != server, ALL),
    ("server", |(_, from, ..), _, server| *from == server, ALL),
    ("96", |_, _, _| true, 96),
    ("client 5", |(_, from, _, nth), _, server| *from != server && *nth >= 4, ALL),
    ("server 5", |(_, from, _, nth), _, server| *from == server && *nth >= 4, ALL),
    ("96 5", |(.., nth), _, _| *nth >= 4, 96),
];

fn key(transport: Transport, a: Endpoint, b: Endpoint, tunnel: Option<Tunnel>) -> Key {
    (transport, a.min(b), a.max(b), tunnel)
}

fn judged(frames: &[&Raw]) -> Whole {
    let frames: Vec<Raw> = frames.iter().map(|frame| (*frame).clone()).collect();
    let options = Options { workers: 0, ..Options::default() };
    let captured =
        read_capture(open(pcapng(&frames, false)).unwrap(), "v", &options, Registry::embedded(), &Control::default());
    let flows = captured.records(Registry::embedded()).filter(|flow| flow.bytes != (0, 0));
    flows.map(|f| (key(f.transport, f.client, f.server, f.tunnel), (f.protocol(), f.server))).collect()
}

/// The frames of a capture with what they hold, and how many packets with payload each flow has.
fn placed(frames: Vec<Raw>) -> Option<(Vec<Placed>, BTreeMap<Key, usize>)> {
    let mut file = open(pcapng(&frames, false)).ok()?;
    let (mut block, mut parser) = (Default::default(), Parser::with_tunnels(TunnelView::Inner));
    let (mut found, mut counts, mut packets) = (Vec::new(), BTreeMap::new(), Vec::<Packet>::new());
    while file.next_block(&mut block).ok()? {
        for reference in &block.frames {
            packets.clear();
            parser.parse(&block.frame(reference), reference.start, &mut packets);
            let packet = packets.first().map(|packet| {
                let key = key(packet.transport, packet.source, packet.destination, packet.tunnel);
                let count = counts.entry(key).or_insert(0);
                let place = *count;
                *count += usize::from(packet.wire_len > 0);
                (key, packet.source, packet.wire_len, place)
            });
            found.push(packet);
        }
    }
    let found = frames.into_iter().zip(found).map(|(frame, packet)| Placed { frame, packet }).collect();
    Some((found, counts))
}

/// What a part of a flow rightly is, and the whole is not: whole, in a weaker view.
const PART: &[(&str, &str)] = &[
    // Version 0 of GTP has users' packets on the same port.
    ("gtp-c", "gtp-u"),
    // A client of HTTP that was answered by SSH.
    ("ssh", "http"),
];

/// Per protocol and view: flows that keep the name, and flows of which something is seen.
type Table = BTreeMap<&'static str, Vec<(u64, u64)>>;

fn measure(path: &Path, table: &mut Table, wrong: &mut Vec<String>) -> Option<()> {
    let (frames, error) = frames(CaptureFile::open(path).ok()?);
    if error.is_some() {
        return None;
    }
    let (placed, counts) = placed(frames)?;
    let whole = judged(&placed.iter().map(|p| &p.frame).collect::<Vec<_>>());
    let names: BTreeSet<&str> = whole.values().map(|(name, _)| *name).collect();
    if names.iter().all(|name| *name == "unknown") {
        return None;
    }
    for (n, (view, keeps, snaplen)) in VIEWS.iter().enumerate() {
        let is_kept = |p: &&Placed| {
            let Some(packet) = &p.packet else { return true };
            let server = whole.get(&packet.0).map_or(packet.1, |(_, server)| *server);
            keeps(packet, counts[&packet.0], server)
        };
        let cut = |p: &Placed| {
            let mut frame = p.frame.clone();
            frame.data.truncate(*snaplen);
            frame
        };
        let frames: Vec<Raw> = placed.iter().filter(is_kept).map(cut).collect();
        let now = judged(&frames.iter().collect::<Vec<_>>());
        for (key, (then, _)) in whole.iter().filter(|(_, (name, _))| *name != "unknown") {
            let Some((now, _)) = now.get(key) else { continue };
            let row = table.entry(then).or_insert_with(|| vec![(0, 0); VIEWS.len()]);
            let same = now == then
                || goes_along(now, then)
                || goes_along(then, now)
                || corpus::LATER.contains(&(then, now))
                || PART.contains(&(then, now));
            row[n].0 += u64::from(same);
            row[n].1 += 1;
            if !same && *now != "unknown" {
                wrong.push(format!("{} {view}: {key:?} is called {now}, whole {then}", path.display()));
            }
            if !same && std::env::var("PORTPROOF_VIEWS").is_ok_and(|v| v.contains(then)) {
                println!("{} {view}: {key:?} loses {then}", path.display());
            }
        }
    }
    Some(())
}

#[test]
fn flows_that_are_seen_in_part_keep_their_name_or_have_none() {
    let asked = std::env::var("PORTPROOF_VIEWS").unwrap_or_default();
    let parts: &[&str] = if asked.contains("real") { &["lab", "real"] } else { &["lab"] };
    let (mut table, mut wrong) = (Table::new(), Vec::new());
    for path in corpus::captures(parts) {
        let limit = if asked.contains("real") { 3_000_000 } else { 100_000 };
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() < limit) {
            measure(&path, &mut table, &mut wrong);
        }
    }
    let heads = VIEWS.iter().map(|(name, ..)| format!("{name:>9}")).collect::<String>();
    println!("{:<18}{heads}", "protocol");
    for (name, row) in &table {
        let cells = row.iter().map(|(kept, of)| format!("{:>9}", format!("{kept}/{of}"))).collect::<String>();
        println!("{name:<18}{cells}");
    }
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
    for (n, (view, ..)) in VIEWS.iter().enumerate() {
        let (kept, of) = table.values().map(|row| row[n]).fold((0, 0), |(a, b), (kept, of)| (a + kept, b + of));
        println!("{view}: {kept} of {of}");
        assert!(kept * 3 > of * 2, "only {kept} of {of} flows keep their name in the view {view}");
    }
}
