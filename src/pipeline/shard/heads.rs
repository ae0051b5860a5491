//! The heads of a worker's undecided flows, and the memory they may hold.

use super::slot::{Closed, Slot, Stage};
use crate::flow::{Dir, Flow, FlowKey, Table};
use crate::packet::Time;
use crate::pipeline::Options;
use crate::pipeline::claimed::Claimed;
use crate::pipeline::undecided::Undecided;
use crate::protocol::{Decision, ProtocolSet};
use crate::registry::Registry;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many heads wait for another flow at a time, and how large they may be, bytes.
const SPARE: usize = 256;
const SPARE_BYTES: usize = 8192;

/// Where a flow lies that was opened, its first frame, and when its latest packet came that counts here.
#[derive(Clone, Copy, Debug)]
struct Opened {
    place: usize,
    first_frame: u64,
    last: Time,
}

#[derive(Clone, Debug)]
pub(super) struct Heads<'a> {
    claimed: Claimed<'a>,
    nothing: Nothing,
    /// Bytes held, and how many may be.
    pub(super) memory: usize,
    limit: usize,
    /// The flows that were opened, those first that were silent longest.
    opened: VecDeque<Opened>,
    /// Heads that no flow needs any more, in the boxes in which they go back into a slot.
    #[allow(clippy::vec_box)]
    spare: Vec<Box<Undecided>>,
}

impl<'a> Heads<'a> {
    pub(super) fn new(options: &Options, shards: usize, registry: &'a Registry) -> Self {
        Self {
            claimed: Claimed::new(registry, options.exhaustive),
            nothing: Nothing::default(),
            memory: 0,
            limit: options.head_memory / shards.max(1),
            opened: VecDeque::new(),
            spare: Vec::new(),
        }
    }

    /// Keeps the payload of the flow's first packet until there is more.
    pub(super) fn wait(&mut self, slot: &mut Slot, payload: &[u8]) {
        self.memory += payload.len();
        slot.stage = Stage::Waiting(payload.into());
    }

    /// A head for a flow, with what waited for it.
    pub(super) fn open(&mut self, slot: &mut Slot) {
        let transport = slot.flow.key.transport;
        let mut undecided = match self.spare.pop() {
            Some(mut spare) => {
                spare.reuse(transport);
                spare
            }
            None => Box::new(Undecided::new(transport)),
        };
        for dir in Dir::BOTH {
            if let Some(sequence) = slot.flow.syn(dir) {
                undecided.open(dir, sequence);
            }
        }
        if let Stage::Waiting(payload) = &slot.stage {
            self.memory = self.memory.saturating_sub(payload.len());
            let Flow { first_frame, first, bytes: [len, _], .. } = slot.flow;
            undecided.datagram(first_frame, first, Dir::Originator, len as usize, payload);
        }
        self.account(&mut undecided);
        slot.stage = Stage::Open(undecided);
    }

    /// The head of an open flow, which one that waited gets now.
    pub(super) fn of<'s>(&mut self, slot: &'s mut Slot) -> Option<&'s mut Undecided> {
        if let Stage::Waiting(_) = slot.stage {
            self.open(slot);
        }
        match &mut slot.stage {
            Stage::Open(undecided) => Some(undecided),
            _ => None,
        }
    }

    /// Notes that an open flow lies at `place`.
    pub(super) fn note(&mut self, place: usize, slot: &Slot) {
        self.opened.push_back(Opened { place, first_frame: slot.flow.first_frame, last: slot.flow.last });
    }

    /// The flow that was silent longest of all that are open, about, if the heads hold too much.
    pub(super) fn excess(&mut self, table: &Table<Slot>) -> Option<usize> {
        let flow = |opened: &Opened| {
            let slot = table.get(opened.place).filter(|slot| slot.is_open());
            slot.map(|slot| &slot.flow).filter(|flow| flow.first_frame == opened.first_frame)
        };
        // Entries of flows that were closed in the meantime are dropped now and then.
        if self.opened.len() > 2 * table.len() + 64 {
            self.opened.retain(|opened| flow(opened).is_some());
        }
        while self.memory > self.limit {
            let oldest = self.opened.pop_front()?;
            match flow(&oldest) {
                // It was not silent since it came to the front of the queue.
                Some(flow) if flow.last > oldest.last => self.opened.push_back(Opened { last: flow.last, ..oldest }),
                Some(_) => return Some(oldest.place),
                None => {}
            }
        }
        None
    }

    /// Concludes what an open flow is by what was seen, and takes its head back.
    pub(super) fn conclude(&mut self, slot: &mut Slot, ended: bool) {
        let Some(undecided) = self.of(slot) else { return };
        undecided.look(ended);
        slot.overhear();
        let Stage::Open(mut undecided) = std::mem::replace(&mut slot.stage, Stage::Silent) else { return };
        slot.stage = Stage::Closed(self.judge(&mut undecided, &slot.flow.key, ended));
        self.take_back(undecided);
    }

    /// What the flow is by all assessments.
    pub(super) fn judge(&mut self, undecided: &mut Undecided, key: &FlowKey, ended: bool) -> Closed {
        let decision = undecided.conclude(ended, || self.claimed.of(key));
        self.closed(undecided, decision)
    }

    pub(super) fn closed(&mut self, undecided: &Undecided, decision: Decision) -> Closed {
        let lossy = Dir::BOTH.map(|dir| undecided.lossy(dir));
        Closed {
            decision: self.nothing.share(decision),
            complete: undecided.complete(),
            lossy,
            early: false,
            wanted: false,
        }
    }

    /// Counts what the head has grown by since the last time.
    pub(super) fn account(&mut self, undecided: &mut Undecided) {
        let (before, now) = undecided.memory();
        self.memory = (self.memory + now).saturating_sub(before);
    }

    /// Takes a head back that no flow needs any more.
    pub(super) fn take_back(&mut self, mut undecided: Box<Undecided>) {
        let (counted, held) = undecided.memory();
        self.memory = self.memory.saturating_sub(counted);
        if self.spare.len() < SPARE && held <= SPARE_BYTES {
            self.spare.push(undecided);
        }
    }

    /// Frees what waits for another flow.
    pub(super) fn trim(&mut self) {
        self.spare.clear();
    }
}

/// Decisions that say nothing but who excluded himself: flows in which nobody found anything have them in common, and where
/// such flows are many they must not cost much memory.
#[derive(Clone, Debug, Default)]
struct Nothing(HashMap<(ProtocolSet, Option<&'static str>), Arc<Decision>>);

impl Nothing {
    /// How many are remembered.
    const MOST: usize = 4096;

    fn share(&mut self, decision: Decision) -> Arc<Decision> {
        if !decision.says_nothing() {
            return Arc::new(decision);
        }
        let full = self.0.len() >= Self::MOST;
        match self.0.entry((decision.excluded, decision.note)) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(_) if full => Arc::new(decision),
            Entry::Vacant(place) => Arc::clone(place.insert(Arc::new(decision))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoint, Ip, Packet, Payload};
    use crate::pipeline::shard::Shard;

    #[test]
    fn a_flow_of_one_datagram_holds_that_alone() {
        let end = |last| Endpoint { ip: Ip::v4([10, 0, 0, last]), port: 1197 };
        let packet = |frame| {
            let packet =
                Packet { frame, wire_len: 4, payload: Payload::Block(0..4), ..Packet::between(end(1), end(2)) };
            (7, packet)
        };
        let mut shard = Shard::new(&Options::default(), 1, Registry::embedded());
        shard.take(&[packet(1)], b"abcd");
        assert_eq!(shard.heads.memory, 4);
        shard.take(&[packet(2)], b"abcd");
        assert!(shard.heads.memory > size_of::<Undecided>());
        let flows = shard.finish().flows;
        let ended = &flows[0].ended;
        assert_eq!((flows.len(), ended.flow.packets, ended.decision.is_some()), (1, [2, 0], true));
    }
}
