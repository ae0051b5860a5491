//! The capture thread's side of the pipeline: frames are read, chosen, parsed and counted, each with exactly one fate.

use super::decrypted::Decrypted;
use super::duplicate::Duplicates;
use super::select;
use super::shard::Hashed;
use super::{Control, End, Hidden, Options};
use crate::capture::{Block, CaptureError, FrameRef, Programs, Skimmed, Source};
use crate::flow::FlowKey;
use crate::packet::{Fate, Frame, Other, Packet, Parser, Time};
use crate::verdict::{Counts, IpProto};
use foldhash::quality::RandomState;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::atomic::Ordering;

/// The capture thread's side: frames to packets, and the counters.
pub(super) struct Intake<'a> {
    pub(super) file: Box<dyn Source>,
    pub(super) parser: Parser,
    pub(super) options: &'a Options,
    control: &'a Control,
    hasher: &'a RandomState,
    pub(super) counts: Counts,
    others: BTreeMap<Other, (u64, u64)>,
    pub(super) span: Option<(Time, Time)>,
    pub(super) fault: Option<CaptureError>,
    pub(super) interrupted: bool,
    /// There is no time left: frames are counted and not looked at.
    late: bool,
    parsed: Vec<Packet>,
    duplicates: Duplicates,
    decrypted: Decrypted,
    due: Option<Time>,
    start: Option<Time>,
    programs: Option<Programs>,
    pub(super) hidden: Option<Hidden>,
    /// Takes each frame with a fragment before the packets that come of it are given.
    pub(super) fragment: Option<Box<TakesFrame<'a>>>,
}

/// Takes a frame of a block.
type TakesFrame<'a> = dyn FnMut(&Block, &FrameRef) + 'a;

impl<'a> Intake<'a> {
    pub(super) fn new(
        file: Box<dyn Source>,
        options: &'a Options,
        control: &'a Control,
        hasher: &'a RandomState,
    ) -> Self {
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
            late: false,
            parsed: Vec::new(),
            duplicates: Duplicates::default(),
            decrypted: Decrypted::default(),
            due: None,
            start: None,
            programs: options.filter.clone().map(Programs::new),
            hidden: options.filter.as_ref().and_then(Hidden::by),
            fragment: None,
        }
    }

    /// Reads the next block; false at the end, at a fault, or when asked to stop.
    pub(super) fn next_block(&mut self, block: &mut Block) -> bool {
        if self.control.stopped() {
            self.interrupted = true;
            self.late = self.control.end(self.options) >= End::Late;
            // What is saved is wanted whether or not there is time to judge it.
            if self.late && self.options.keep.is_none_or(|wanted| !wanted.all) {
                self.file.skim();
            }
            if !self.file.stop() {
                return false;
            }
        }
        let before = self.file.bytes_read();
        let more = self.file.next_block(block);
        self.control.bytes.fetch_add(self.file.bytes_read() - before, Ordering::Relaxed);
        self.skimmed(&block.skimmed);
        match more {
            Ok(more) => more,
            Err(fault) => {
                self.fault = Some(fault);
                false
            }
        }
    }

    /// Whether a report of what came before `time` is due. It is then due again a period later.
    fn is_due(&mut self, time: Time) -> bool {
        let Some(every) = self.options.every else { return false };
        let due = *self.due.get_or_insert(Time(time.0.saturating_add(every)));
        if time < due {
            return false;
        }
        let periods = time.since(due) / every.max(1) + 1;
        self.due = Some(Time(due.0.saturating_add(periods.saturating_mul(every))));
        true
    }

    /// Parses the frames of a block from the one at `from` on, and hands each packet, with its hash, to `give`, which says
    /// whether it took it: a frame of which no packet was taken was shed. It stops before the frame at which a report is
    /// due; the result is that frame's place, or the number of frames.
    pub(super) fn parse(&mut self, block: &Block, from: usize, mut give: impl FnMut(Hashed) -> bool) -> usize {
        for (at, reference) in block.frames.iter().enumerate().skip(from) {
            if self.is_due(reference.time) {
                return at;
            }
            self.counts.received += 1;
            self.counts.bytes += u64::from(reference.wire_len);
            self.counts.truncated += u64::from(reference.len < reference.wire_len);
            self.spans((reference.time, reference.time));
            if self.late {
                self.counts.dropped_queue += 1;
                continue;
            }
            let frame = block.frame(reference);
            if !self.chosen(&frame) {
                self.counts.filtered += 1;
                continue;
            }
            let fate = self.parser.parse(&frame, reference.start, &mut self.parsed);
            if let Some(fragment) = self.fragment.as_mut().filter(|_| self.parser.is_fragment()) {
                fragment(block, reference);
            }
            if let Some(outer) = self.parser.outer() {
                self.decrypted.take(outer, frame.time, &block.bytes);
                self.counts.decrypted = self.decrypted.twice;
            }
            let (mut theirs, mut taken, mut again) = (false, false, false);
            for mut packet in self.parsed.drain(..) {
                if wanted(self.options, &packet) {
                    let (key, from_low) = FlowKey::of(&packet);
                    if !packet.refused {
                        let payload = packet.payload.of(&block.bytes);
                        packet.duplicate = self.duplicates.seen(&key, from_low, &packet, payload);
                    }
                    // Of an earlier fragment that was given up, the frame was counted then.
                    let own = packet.frame == reference.number;
                    theirs |= own;
                    again |= packet.duplicate;
                    taken |= own & give((self.hasher.hash_one(key), packet));
                }
            }
            match fate {
                Fate::Flows => {
                    self.counts.duplicates += u64::from(again);
                    match (theirs, taken) {
                        (true, true) => self.counts.classified += 1,
                        (true, false) => self.counts.dropped_queue += 1,
                        (false, _) => self.counts.filtered += 1,
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
        block.frames.len()
    }

    /// Takes frames that nobody looks at any more.
    fn skimmed(&mut self, skimmed: &Skimmed) {
        self.counts.received += skimmed.frames;
        self.counts.bytes += skimmed.bytes;
        self.counts.truncated += skimmed.truncated;
        self.counts.dropped_queue += skimmed.frames;
        if let Some(span) = skimmed.span {
            self.spans(span);
        }
    }

    /// Notes that frames of this time came.
    fn spans(&mut self, (first, last): (Time, Time)) {
        self.span = Some(self.span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
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
    pub(super) fn finish(&mut self, mut give: impl FnMut(Hashed) -> bool) {
        self.parser.finish(&mut self.parsed);
        for packet in self.parsed.drain(..) {
            if wanted(self.options, &packet) {
                give((self.hasher.hash_one(FlowKey::of(&packet).0), packet));
            }
        }
    }

    pub(super) fn ipprotos(&self) -> Vec<IpProto> {
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
