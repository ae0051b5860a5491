//! A capture through the pipeline: the capture thread reads and parses, workers recognise, the merge judges.

use super::intake::Intake;
use super::merge::{self, Merged};
use super::probing;
use super::select::{self, Network};
use super::shard::{Harvest, Hashed, Shard};
use super::shed::Shed;
use super::{Control, HiddenCounts, Options};
use crate::capture::{Block, CaptureError, Source};
use crate::packet::{FragmentCounts, Time, TunnelCounts};
use crate::registry::Registry;
use crate::verdict::{Counts, FlowRecord, IpProto, Rows};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use foldhash::quality::RandomState;
use std::sync::Arc;

/// Batches that may wait in a worker's channel.
pub(super) const QUEUE: usize = 64;

/// The same where the capture is a file: each may hold a block, and more of them make nothing faster.
const AHEAD: usize = 8;

/// Batches in its channel from which on a worker is busy, and tells which flows are decided.
pub(super) const BUSY: usize = QUEUE / 4;

/// Batches in its channel from which on a worker is late, and packets of decided flows are shed.
const LATE: usize = QUEUE * 3 / 4;

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
    /// What became of fragmented datagrams.
    pub fragments: FragmentCounts,
    /// Tunnels opened.
    pub tunnels: TunnelCounts,
    /// Flows, those judged early included.
    pub flows: u64,
    /// Flows judged early because there was no room for more: they are in the rows, but have no record of their own.
    pub evicted: u64,
    /// Flows judged on fewer packets than usual because the heads' memory was full: they went on after that.
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
    watch_capture(file, name, options, registry, control, |_| {})
}

/// Reads and judges a capture, and judges what was seen so far whenever [`Options::every`] has passed in packet time, as
/// if the capture had ended there.
pub fn watch_capture(
    file: impl Source + 'static,
    name: &str,
    options: &Options,
    registry: &Registry,
    control: &Control,
    mut so_far: impl FnMut(Captured),
) -> Captured {
    let hasher = RandomState::default();
    let mut intake = Intake::new(Box::new(file), options, control, &hasher);
    let mut early = Early { rows: Rows::new(options.by_endpoint), flows: 0, hurried: 0 };
    let mut report = |intake: &mut Intake<'_>, harvests| {
        let flows = early.take(harvests);
        so_far(judge(intake, flows, early.clone(), name, registry));
    };
    let harvests = match options.workers {
        0 => vec![alone(&mut intake, registry, &mut report)],
        _ => threaded(&mut intake, registry, &mut report),
    };
    let flows = early.take(harvests);
    let captured = judge(&intake, flows, early, name, registry);
    Captured { fault: intake.fault, faults: intake.file.faults(), ..captured }
}

/// Takes a harvest of what was seen so far.
type SoFar<'r> = dyn FnMut(&mut Intake<'_>, Vec<Harvest>) + 'r;

/// Flows judged early, in this harvest or an earlier one.
#[derive(Clone)]
struct Early {
    rows: Rows,
    flows: u64,
    hurried: u64,
}

impl Early {
    /// Takes them out of a harvest, and gives the other flows.
    fn take(&mut self, harvests: Vec<Harvest>) -> Vec<Merged> {
        let mut flows = Vec::new();
        self.hurried = harvests.iter().map(|harvest| harvest.hurried).sum();
        for harvest in harvests {
            // With one worker there is nothing to copy.
            match flows.is_empty() {
                true => flows = harvest.flows,
                false => flows.extend(harvest.flows),
            }
            self.rows.absorb(harvest.rows);
            self.flows += harvest.evicted;
        }
        flows
    }
}

fn judge(intake: &Intake<'_>, flows: Vec<Merged>, early: Early, name: &str, registry: &Registry) -> Captured {
    let mut flows_kept = merge::merge(flows, registry);
    let mut rows = early.rows;
    rows.probers = probing::find(&mut flows_kept);
    for (id, merged) in (1..).zip(&flows_kept) {
        rows.add(&merge::record(id, merged, registry));
    }
    let dropped = intake.file.dropped();
    let counts = Counts { dropped_interface: dropped.interface, dropped_kernel: dropped.kernel, ..intake.counts };
    Captured {
        name: name.to_string(),
        flows: flows_kept.len() as u64 + early.flows,
        flows_kept,
        rows,
        ipprotos: intake.ipprotos(),
        counts,
        fragments: intake.parser.fragments(),
        tunnels: intake.parser.tunnels().clone(),
        evicted: early.flows,
        hurried: early.hurried,
        span: intake.span,
        fault: None,
        faults: Vec::new(),
        interrupted: intake.interrupted,
        hidden: intake.hidden.as_ref().map(|hidden| hidden.seen).unwrap_or_default(),
        local: intake.options.local.clone(),
    }
}

/// Everything in this thread.
fn alone(intake: &mut Intake<'_>, registry: &Registry, so_far: &mut SoFar<'_>) -> Harvest {
    let mut shard = Shard::new(intake.options, 1, registry);
    let mut block = Block::default();
    let mut packets: Vec<Hashed> = Vec::new();
    while intake.next_block(&mut block) {
        let mut at = 0;
        loop {
            at = intake.parse(&block, at, |packet| {
                packets.push(packet);
                true
            });
            for batch in packets.chunks(intake.options.batch.max(1)) {
                shard.take(batch, &block.bytes);
            }
            packets.clear();
            if at >= block.frames.len() {
                break;
            }
            let harvest = shard.so_far();
            so_far(intake, vec![harvest]);
        }
    }
    intake.finish(|packet| {
        packets.push(packet);
        true
    });
    shard.take(&packets, &[]);
    shard.finish()
}

/// Packets of one shard and the block they lie in.
pub(super) struct Batch {
    pub(super) block: Arc<Block>,
    pub(super) packets: Vec<Hashed>,
    pub(super) order: Option<Order>,
}

/// What a shard is to do after a batch.
pub(super) enum Order {
    /// Say what was seen so far, this batch included.
    Report(Sender<Harvest>),
    /// End the flows that are idle by now.
    Sweep(Time),
}

/// This thread reads and parses; each worker owns a shard.
fn threaded(intake: &mut Intake<'_>, registry: &Registry, so_far: &mut SoFar<'_>) -> Vec<Harvest> {
    let workers = intake.options.workers;
    std::thread::scope(|scope| {
        let (spent, emptied) = unbounded();
        let mut lanes = Vec::with_capacity(workers);
        let mut handles = Vec::with_capacity(workers);
        for _ in 0..workers {
            let (sender, receiver) = bounded::<Batch>(AHEAD);
            let shard = Shard::new(intake.options, workers, registry);
            let spent = spent.clone();
            handles.push(scope.spawn(move || work(shard, &receiver, &spent)));
            lanes.push(sender);
        }
        feed(intake, lanes, &emptied, so_far, None, &mut |_, _, _| {});
        // A worker that panicked is a bug; its panic goes on here rather than a result that lacks its flows.
        handles.into_iter().map(|h| h.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// What is done when a block is handed on.
pub(super) type After<'f> = dyn FnMut(&mut Intake<'_>, &[Sender<Batch>], &Arc<Block>) + 'f;

/// Reads and parses until the end and hands each packet to the lane of its flow. With `shed`, packets of decided flows are
/// dropped while their worker is late; after a stop it is waited for instead, since nothing more comes meanwhile.
pub(super) fn feed(
    intake: &mut Intake<'_>,
    lanes: Vec<Sender<Batch>>,
    emptied: &Receiver<Vec<Hashed>>,
    so_far: &mut SoFar<'_>,
    shed: Option<&Shed>,
    after: &mut After<'_>,
) {
    let batch = intake.options.batch.max(1);
    let mut blocks: Vec<Arc<Block>> = Vec::new();
    let mut filling: Vec<Vec<Hashed>> = lanes.iter().map(|_| Vec::with_capacity(batch)).collect();
    loop {
        // A block is free again when no batch holds it any more.
        let free = blocks.iter().position(|b| Arc::strong_count(b) == 1);
        let mut block = free.map_or_else(Arc::default, |n| blocks.swap_remove(n));
        let Some(writable) = Arc::get_mut(&mut block) else { return };
        let more = intake.next_block(writable);
        let shed = shed.filter(|_| !intake.interrupted);
        if let Some(shed) = shed {
            shed.press(lanes.iter().any(|lane| lane.len() > BUSY));
        }
        let send = |lane: usize, packets: Vec<Hashed>| {
            if let Some(sender) = lanes.get(lane) {
                // Fails only if the worker is gone, and then its panic is reported at the join.
                let _ = sender.send(Batch { block: Arc::clone(&block), packets, order: None });
            }
        };
        let mut at = 0;
        loop {
            let give = |packet: Hashed| {
                // The table uses the hash's low and top bits; the lane comes from the middle.
                let lane = (((packet.0 >> 32) as usize & 0xffff) * lanes.len()) >> 16;
                let late = || lanes.get(lane).is_some_and(|lane| lane.len() > LATE);
                let opens = packet.1.tcp.is_some_and(|tcp| tcp.syn);
                if shed.is_some_and(|shed| !opens && shed.is_decided(packet.0) && late()) {
                    return false;
                }
                if let Some(packets) = filling.get_mut(lane) {
                    packets.push(packet);
                    if packets.len() >= batch {
                        let fresh = emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(batch));
                        send(lane, std::mem::replace(packets, fresh));
                    }
                }
                true
            };
            if more {
                at = intake.parse(&block, at, give);
            } else {
                intake.finish(give);
            }
            for (lane, packets) in filling.iter_mut().enumerate().filter(|(_, packets)| !packets.is_empty()) {
                let fresh = emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(batch));
                send(lane, std::mem::replace(packets, fresh));
            }
            if !more || at >= block.frames.len() {
                break;
            }
            let harvests = ask(&lanes, &block);
            so_far(intake, harvests);
        }
        if !more {
            return;
        }
        after(intake, &lanes, &block);
        blocks.push(block);
    }
}

/// Asks all workers for what they have seen of what was sent so far.
fn ask(lanes: &[Sender<Batch>], block: &Arc<Block>) -> Vec<Harvest> {
    let (report, harvests) = bounded(lanes.len());
    for lane in lanes {
        // Fails only if the worker is gone, and then its panic is reported at the join.
        let _ = lane.send(Batch {
            block: Arc::clone(block),
            packets: Vec::new(),
            order: Some(Order::Report(report.clone())),
        });
    }
    drop(report);
    harvests.iter().collect()
}

fn work(mut shard: Shard<'_>, batches: &Receiver<Batch>, spent: &Sender<Vec<Hashed>>) -> Harvest {
    for mut batch in batches {
        shard.take(&batch.packets, &batch.block.bytes);
        if let Some(Order::Report(report)) = batch.order {
            // Who asked may be gone with its thread; then nobody wants it.
            let _ = report.send(shard.so_far());
            continue;
        }
        batch.packets.clear();
        // Nobody may be left who wants it; then it is freed.
        let _ = spent.send(batch.packets);
    }
    shard.finish()
}
