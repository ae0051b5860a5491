//! The name of a flow must not depend on who was asked and when: it is the one that it gets when all are asked every time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::capture::{Block, CaptureFile};
use crate::packet::{Endpoint, Packet, Parser, Tunnel};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A flow that is judged twice: as in a run, and by asking everybody whenever somebody is asked there.
struct Judged {
    own: Undecided,
    all: Undecided,
    originator: Endpoint,
    names: Option<[Name; 2]>,
}

type Name = Option<(&'static str, Band)>;

impl Judged {
    fn new(packet: &Packet) -> Self {
        let [own, all] = [Undecided::new(packet.transport), Undecided::new(packet.transport)];
        Self { own, all, originator: packet.source, names: None }
    }

    fn take(&mut self, packet: &Packet, data: &[u8]) {
        if self.names.is_some() {
            return;
        }
        let dir = if packet.source == self.originator { Dir::Originator } else { Dir::Responder };
        let (frame, time, len) = (packet.frame, packet.time, packet.wire_len as usize);
        let assessed = self.own.assessed;
        let [done, _] = [&mut self.own, &mut self.all].map(|flow| match packet.tcp {
            Some(tcp) => {
                if tcp.syn {
                    flow.open(dir, tcp.sequence);
                }
                let sequence = tcp.sequence.wrapping_add(u32::from(tcp.syn));
                if len == 0 { Progress::Open } else { flow.segment(frame, time, dir, sequence, len, data) }
            }
            None => flow.datagram(frame, time, dir, len, data),
        });
        if self.own.assessed != assessed {
            let nth = self.all.head.count(dir).saturating_sub(1);
            let tail = if data.len() == len { data.get(len.saturating_sub(16)..).unwrap_or_default() } else { &[] };
            let newest = Datagram { frame, time, dir, nth, len, bytes: data, tail };
            ask_all(&mut self.all, packet.tcp.is_none().then_some(&newest), false);
        }
        if done == Progress::Done {
            self.finish(false);
        }
    }

    fn finish(&mut self, ended: bool) {
        let assessed = self.own.assessed;
        self.own.look(ended);
        if self.own.assessed != assessed {
            ask_all(&mut self.all, None, ended);
        }
        let own = self.own.conclude(ended, ask::everybody);
        if own.protocol.is_none() {
            ask_all(&mut self.all, None, ended);
        }
        let all = self.all.decide(ended);
        self.names = Some([own, all].map(|decision| decision.protocol.zip(decision.band)));
    }
}

/// Asks everybody, whatever was found or excluded before.
fn ask_all(flow: &mut Undecided, newest: Option<&Datagram<'_>>, ended: bool) {
    (flow.excluded, flow.waiting) = Default::default();
    flow.findings.clear();
    let mut whom = ask::everybody();
    // It stops whenever one is certain and done.
    while flow.ask(&mut whom, newest, ended) {}
}

/// The names of the flows of a capture.
fn judged(path: &Path) -> Vec<(String, [Name; 2])> {
    let (mut block, mut packets, mut parser) = (Block::default(), Vec::new(), Parser::new());
    let mut flows: HashMap<(Transport, Option<Tunnel>, Endpoint, Endpoint), Judged> = HashMap::new();
    let Ok(mut file) = CaptureFile::open(path) else { return Vec::new() };
    while let Ok(true) = file.next_block(&mut block) {
        for reference in &block.frames {
            packets.clear();
            parser.parse(&block.frame(reference), reference.start, &mut packets);
            for packet in &packets {
                let (low, high) = (packet.source.min(packet.destination), packet.source.max(packet.destination));
                let flow =
                    flows.entry((packet.transport, packet.tunnel, low, high)).or_insert_with(|| Judged::new(packet));
                flow.take(packet, packet.payload.of(&block.bytes));
            }
        }
    }
    for flow in flows.values_mut().filter(|flow| flow.names.is_none()) {
        flow.finish(true);
    }
    let name = |key: &(Transport, Option<Tunnel>, Endpoint, Endpoint)| {
        format!("{}:{}-{}:{}", key.2.ip, key.2.port, key.3.ip, key.3.port)
    };
    flows.iter().map(|(key, flow)| (name(key), flow.names.unwrap_or_default())).collect()
}

/// The captures of testdata, and of the corpus those that are small.
fn captures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = std::env::var_os("PORTPROOF_CORPUS").map_or_else(|| root.join("../shared/captures"), PathBuf::from);
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut paths: Vec<_> = entries(root.join("testdata")).flat_map(entries).collect();
    if !corpus.is_dir() {
        println!("skipped: the captures of the corpus, no {}", corpus.display());
    }
    paths.extend(["lab", "real"].into_iter().flat_map(|part| entries(corpus.join(part))));
    let small = |path: &PathBuf| std::fs::metadata(path).is_ok_and(|file| file.len() < 100_000);
    paths.retain(|path| path.extension().is_some_and(|e| e != "jsonl") && small(path));
    paths.sort();
    paths
}

#[test]
fn a_name_does_not_depend_on_who_was_asked() {
    let (mut named, mut wrong) = (0, Vec::new());
    for path in captures() {
        for (flow, [own, all]) in judged(&path) {
            named += u64::from(all.is_some());
            if own != all {
                wrong.push(format!("{} {flow}: called {own:?}, by everybody {all:?}", path.display()));
            }
        }
    }
    assert!(named > 300, "only {named}");
    assert!(wrong.is_empty(), "{} of {named}: {wrong:#?}", wrong.len());
}
