//! A capture through the pipeline: the capture thread reads and parses, workers recognise, the merge judges.

use super::duplicate::Duplicates;
use super::merge::{self, Merged};
use super::select::{self, Network};
use super::shard::{Harvest, Hashed, Shard};
use super::{Control, Hidden, HiddenCounts, Options};
use crate::capture::{Block, CaptureError, Programs, Source};
use crate::flow::FlowKey;
use crate::packet::{Fate, Frame, Other, Packet, Parser, Time};
use crate::registry::Registry;
use crate::verdict::{Counts, FlowRecord, IpProto, Rows};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use foldhash::fast::RandomState;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Batches that may wait in a worker's channel.
const QUEUE: usize = 64;

/// One judged capture.
#[derive(Debug)]
pub struct Captured {
    /// Its name as given.
    pub name: String,
    flows_kept: Vec<Merged>,
    /// One row per port (or endpoint).
    pub rows: Rows,
    /// Traffic without ports.
    pub ipprotos: Vec<IpProto>,
    /// Frames by fate.
    pub counts: Counts,
    /// Flows, those judged early included.
    pub flows: u64,
    /// Flows judged early because there was no room for more: they are in the rows, but have no record of their own.
    pub evicted: u64,
    /// Flows judged on fewer packets than usual because the heads' memory was full.
    pub hurried: u64,
    /// First and last packet.
    pub span: Option<(Time, Time)>,
    /// What was wrong with the capture.
    pub fault: Option<CaptureError>,
    /// What ended parts of it, where several captures were merged.
    pub faults: Vec<CaptureError>,
    /// Whether it was ended before its end.
    pub interrupted: bool,
    /// What a filter expression left out although it asked for its port.
    pub hidden: HiddenCounts,
    local: Vec<Network>,
}

impl Captured {
    /// The judged flows, by first frame.
    pub fn records<'a>(&'a self, registry: &'a Registry) -> impl Iterator<Item = FlowRecord<'a>> {
        (1..).zip(&self.flows_kept).map(|(id, merged)| {
            let mut flow = merge::record(id, merged, registry);
            flow.direction = (!self.local.is_empty()).then(|| select::direction(&self.local, &flow));
            flow
        })
    }
}

/// Reads and judges a capture.
pub fn read_capture(
    file: impl Source + 'static,
    name: &str,
    options: &Options,
    registry: &Registry,
    control: &Control,
) -> Captured {
    let hasher = RandomState::default();
    let mut intake = Intake::new(Box::new(file), options, control, &hasher);
    let harvests = if options.workers == 0 { vec![alone(&mut intake)] } else { threaded(&mut intake) };
    let mut rows = Rows::new(options.by_endpoint);
    let (mut flows, mut evicted, mut hurried) = (Vec::new(), 0, 0);
    for harvest in harvests {
        flows.extend(harvest.flows);
        hurried += harvest.hurried;
        for ended in harvest.evicted {
            rows.add(&merge::record(0, &merge::alone(ended, registry), registry));
            evicted += 1;
        }
    }
    intake.counts.dropped_interface = intake.file.dropped();
    let flows_kept = merge::merge(flows, registry);
    for (id, merged) in (1..).zip(&flows_kept) {
        rows.add(&merge::record(id, merged, registry));
    }
    Captured {
        name: name.to_string(),
        flows: flows_kept.len() as u64 + evicted,
        flows_kept,
        rows,
        ipprotos: intake.ipprotos(),
        counts: intake.counts,
        evicted,
        hurried,
        span: intake.span,
        fault: intake.fault,
        faults: intake.file.faults(),
        interrupted: intake.interrupted,
        hidden: intake.hidden.map(|hidden| hidden.seen).unwrap_or_default(),
        local: options.local.clone(),
    }
}

/// The capture thread's side: frames to packets, and the counters.
struct Intake<'a> {
    file: Box<dyn Source>,
    parser: Parser,
    options: &'a Options,
    control: &'a Control,
    hasher: &'a RandomState,
    counts: Counts,
    others: BTreeMap<Other, (u64, u64)>,
    span: Option<(Time, Time)>,
    fault: Option<CaptureError>,
    interrupted: bool,
    parsed: Vec<Packet>,
    duplicates: Duplicates,
    start: Option<Time>,
    programs: Option<Programs>,
    hidden: Option<Hidden>,
}

impl<'a> Intake<'a> {
    fn new(file: Box<dyn Source>, options: &'a Options, control: &'a Control, hasher: &'a RandomState) -> Self {
        Self {
            file,
            parser: Parser::with_tunnels(options.tunnels),
            options,
            control,
            hasher,
            counts: Counts::default(),
            others: BTreeMap::new(),
            span: None,
            fault: None,
            interrupted: false,
            parsed: Vec::new(),
            duplicates: Duplicates::default(),
            start: None,
            programs: options.filter.clone().map(Programs::new),
            hidden: options.filter.as_ref().and_then(Hidden::by),
        }
    }

    /// Reads the next block; false at the end, at a fault, or when asked to stop.
    fn next_block(&mut self, block: &mut Block) -> bool {
        if self.control.stopped() {
            self.interrupted = true;
            return false;
        }
        let before = self.file.bytes_read();
        let more = self.file.next_block(block);
        self.control.bytes.fetch_add(self.file.bytes_read() - before, Ordering::Relaxed);
        match more {
            Ok(more) => more,
            Err(fault) => {
                self.fault = Some(fault);
                false
            }
        }
    }

    /// Parses all frames of a block and hands each packet, with its hash, to `give`.
    fn parse(&mut self, block: &Block, mut give: impl FnMut(Hashed)) {
        for reference in &block.frames {
            let frame = block.frame(reference);
            self.counts.received += 1;
            self.counts.truncated += u64::from((frame.data.len() as u32) < frame.wire_len);
            self.span = Some(match self.span {
                None => (frame.time, frame.time),
                Some((first, last)) => (first.min(frame.time), last.max(frame.time)),
            });
            if !self.chosen(&frame) {
                self.counts.filtered += 1;
                continue;
            }
            match self.parser.parse(&frame, reference.start, &mut self.parsed) {
                Fate::Flows => {
                    let (mut taken, mut again) = (false, false);
                    for mut packet in self.parsed.drain(..) {
                        if wanted(self.options, &packet) {
                            let payload = packet.payload.of(&block.bytes);
                            packet.duplicate = self.duplicates.seen(&packet, payload);
                            taken = true;
                            again |= packet.duplicate;
                            give((self.hasher.hash_one(FlowKey::of(&packet).0), packet));
                        }
                    }
                    self.counts.duplicates += u64::from(again);
                    if taken {
                        self.counts.classified += 1;
                    } else {
                        self.counts.filtered += 1;
                    }
                }
                Fate::Other(kind) => {
                    self.counts.other += 1;
                    let (packets, bytes) = self.others.entry(kind).or_default();
                    *packets += 1;
                    *bytes += u64::from(frame.wire_len);
                }
                Fate::Malformed(_) => self.counts.malformed += 1,
            }
        }
        self.control.frames.fetch_add(block.frames.len() as u64, Ordering::Relaxed);
    }

    /// Whether time and filter take the frame.
    fn chosen(&mut self, frame: &Frame<'_>) -> bool {
        let start = *self.start.get_or_insert(frame.time);
        if !self.options.window.contains(frame.time, start) {
            return false;
        }
        let taken = self.programs.as_mut().is_none_or(|programs| programs.takes(frame));
        if !taken && let Some(hidden) = &mut self.hidden {
            hidden.refused(frame);
        }
        taken
    }

    /// Hands on what the parser still holds: the starts of datagrams whose other fragments never came. Their frames are
    /// counted already, and their bytes lie in no block.
    fn finish(&mut self, mut give: impl FnMut(Hashed)) {
        self.parser.finish(&mut self.parsed);
        for packet in self.parsed.drain(..) {
            if wanted(self.options, &packet) {
                give((self.hasher.hash_one(FlowKey::of(&packet).0), packet));
            }
        }
    }

    fn ipprotos(&self) -> Vec<IpProto> {
        let named = |(kind, &(packets, bytes)): (&Other, &(u64, u64))| IpProto {
            protocol: kind.to_string(),
            number: kind.ip_protocol(),
            packets,
            bytes,
        };
        self.others.iter().map(named).collect()
    }
}

/// Whether ports and hosts take the packet.
fn wanted(options: &Options, packet: &Packet) -> bool {
    options.ports.as_ref().is_none_or(|ports| ports.takes(packet)) && select::concerns(&options.hosts, packet)
}

/// Everything in this thread.
fn alone(intake: &mut Intake<'_>) -> Harvest {
    let mut shard = Shard::new(intake.options, 1);
    let mut block = Block::default();
    let mut packets: Vec<Hashed> = Vec::new();
    while intake.next_block(&mut block) {
        intake.parse(&block, |packet| packets.push(packet));
        for batch in packets.chunks(intake.options.batch.max(1)) {
            shard.take(batch, &block.bytes);
        }
        packets.clear();
    }
    intake.finish(|packet| packets.push(packet));
    shard.take(&packets, &[]);
    shard.finish()
}

/// Packets of one shard and the block they lie in.
struct Batch {
    block: Arc<Block>,
    packets: Vec<Hashed>,
}

/// This thread reads and parses; each worker owns a shard.
fn threaded(intake: &mut Intake<'_>) -> Vec<Harvest> {
    let workers = intake.options.workers;
    std::thread::scope(|scope| {
        let (spent, emptied) = unbounded();
        let mut lanes = Vec::with_capacity(workers);
        let mut handles = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (sender, receiver) = bounded::<Batch>(QUEUE);
            let shard = Shard::new(intake.options, workers);
            let spent = spent.clone();
            handles.push(scope.spawn(move || work(shard, &receiver, &spent)));
            lanes.push(sender);
        }
        feed(intake, &lanes, &emptied);
        drop(lanes);
        // A worker that panicked is a bug; its panic goes on here rather than a result that lacks its flows.
        handles.into_iter().map(|h| h.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

fn feed(intake: &mut Intake<'_>, lanes: &[Sender<Batch>], emptied: &Receiver<Vec<Hashed>>) {
    let batch = intake.options.batch.max(1);
    let mut blocks: Vec<Arc<Block>> = Vec::new();
    let mut filling: Vec<Vec<Hashed>> = lanes.iter().map(|_| Vec::with_capacity(batch)).collect();
    loop {
        // A block is free again when no batch holds it any more.
        let free = blocks.iter().position(|b| Arc::strong_count(b) == 1);
        let mut block = free.map_or_else(Arc::default, |n| blocks.swap_remove(n));
        let Some(writable) = Arc::get_mut(&mut block) else { return };
        let more = intake.next_block(writable);
        let send = |lane: usize, packets: Vec<Hashed>| {
            if let Some(sender) = lanes.get(lane) {
                // Fails only if the worker is gone, and then its panic is reported at the join.
                let _ = sender.send(Batch { block: Arc::clone(&block), packets });
            }
        };
        let give = |packet: Hashed| {
            // The table uses the hash's low and top bits; the lane comes from the middle.
            let lane = (((packet.0 >> 32) as usize & 0xffff) * lanes.len()) >> 16;
            if let Some(packets) = filling.get_mut(lane) {
                packets.push(packet);
                if packets.len() >= batch {
                    let fresh = emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(batch));
                    send(lane, std::mem::replace(packets, fresh));
                }
            }
        };
        if more {
            intake.parse(&block, give);
        } else {
            intake.finish(give);
        }
        for (lane, packets) in filling.iter_mut().enumerate().filter(|(_, packets)| !packets.is_empty()) {
            let fresh = emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(batch));
            send(lane, std::mem::replace(packets, fresh));
        }
        if !more {
            return;
        }
        blocks.push(block);
    }
}

fn work(mut shard: Shard, batches: &Receiver<Batch>, spent: &Sender<Vec<Hashed>>) -> Harvest {
    for mut batch in batches {
        shard.take(&batch.packets, &batch.block.bytes);
        batch.packets.clear();
        // Nobody may be left who wants it; then it is freed.
        let _ = spent.send(batch.packets);
    }
    shard.finish()
}
