//! What a worker holds of a flow.

use crate::flow::{Dir, Flow, FlowKey, Keyed};
use crate::packet::Packet;
use crate::pipeline::announced::Heard;
use crate::pipeline::ended::Ended;
use crate::pipeline::undecided::Undecided;
use crate::protocol::Decision;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) flow: Flow,
    pub(super) stage: Stage,
    pub(super) heard: Option<Box<Heard>>,
    /// Who watches a live run knows of it, as it was when it had so many packets.
    pub(super) told: Option<u64>,
}

/// How far recognition came.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// No payload yet.
    Silent,
    /// The first packet of a UDP flow, and no payload since. Nobody is asked before the next, so that this is all it costs.
    Waiting(Box<[u8]>),
    /// Recognisers are being asked.
    Open(Box<Undecided>),
    /// Decided or given up: nobody is asked any more.
    Closed(Closed),
}

#[derive(Clone, Debug)]
pub(super) struct Closed {
    pub(super) decision: Arc<Decision>,
    pub(super) complete: bool,
    pub(super) lossy: [bool; 2],
    /// It was judged for want of memory, and nothing came since.
    pub(super) early: bool,
    /// Its packets are to be saved.
    pub(super) wanted: bool,
}

impl Keyed for Slot {
    fn key(&self) -> &FlowKey {
        &self.flow.key
    }
}

impl Slot {
    pub(super) fn new(key: FlowKey, packet: &Packet, from_low: bool) -> Self {
        Self { flow: Flow::new(key, packet, from_low), stage: Stage::Silent, heard: None, told: None }
    }

    /// Notes that whoever watches is told of the flow as it is now.
    pub(super) fn tell(&mut self) {
        self.told = Some(self.packets());
    }

    /// Whether there is nothing new to tell.
    pub(super) fn is_told(&self) -> bool {
        self.told == Some(self.packets())
    }

    /// Whether nobody was told of it, and its packets that nobody was told of.
    pub(super) fn untold(&self) -> (bool, u64) {
        let told = self.told.unwrap_or(0);
        (told == 0, self.packets() - told)
    }

    fn packets(&self) -> u64 {
        self.flow.packets.iter().sum()
    }

    /// Reads a little of each part, so that it comes into the caches; what it gives means nothing.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        self.flow.touch() ^ u64::from(self.heard.is_some()) ^ u64::from(self.told.is_some())
    }

    /// The same for the head, if there is one.
    #[inline]
    pub(super) fn touch_head(&self) -> u64 {
        match &self.stage {
            Stage::Waiting(payload) => payload.first().copied().map_or(0, u64::from),
            Stage::Open(undecided) => undecided.touch(),
            _ => 0,
        }
    }

    /// The same for the head's streams.
    #[inline]
    pub(super) fn touch_streams(&self) -> u64 {
        match &self.stage {
            Stage::Open(undecided) => undecided.touch_streams(),
            _ => 0,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Waiting(_) | Stage::Open(_))
    }

    /// Once the flow is called something that announces ports: reads what the payloads announce that were kept until then.
    pub(super) fn overhear(&mut self) -> bool {
        let (None, Stage::Open(undecided)) = (&self.heard, &self.stage) else { return false };
        self.heard = undecided.reader().map(|reader| Box::new(Heard::so_far(undecided, reader)));
        self.heard.is_some()
    }

    /// Reads what a payload announces, if the flow announces anything. How many announcements are new.
    pub(super) fn listen(&mut self, packet: &Packet, dir: Dir, payload: &[u8]) -> usize {
        let first = self.overhear();
        let Some(heard) = &mut self.heard else { return 0 };
        // The packet may be among what was kept.
        let known = first && heard.has(packet.frame);
        let said = if known { 0 } else { heard.listen(packet, dir, payload) };
        if first { heard.len() } else { said }
    }

    /// What the flow came to.
    pub(super) fn ended(self) -> Ended {
        let Self { flow, stage, heard, .. } = self;
        let Stage::Closed(closed) = stage else {
            return Ended { flow, decision: None, complete: false, lossy: [false; 2], heard };
        };
        let complete = closed.complete && !flow.cut();
        Ended { flow, decision: Some(closed.decision), complete, lossy: closed.lossy, heard }
    }
}
