//! What workers say of flows: how they ended, and in a live run how far they are.

use super::announced::Heard;
use super::board::Id;
use crate::flow::Flow;
use crate::protocol::Decision;
use std::sync::Arc;

/// A flow that is over, or that the capture's end cut off.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Counters.
    pub flow: Flow,
    /// What recognition concluded; `None` when there was no payload.
    pub decision: Option<Arc<Decision>>,
    /// Whether the exchange was seen whole.
    pub complete: bool,
    /// Per direction: payload was sent, but the deciding bytes are missing.
    pub lossy: [bool; 2],
    /// What it announced of ports for other flows.
    pub heard: Option<Box<Heard>>,
}

impl Ended {
    /// A flow of which nothing but its counters is known.
    pub(super) fn counted(flow: Flow) -> Self {
        Self { flow, decision: None, complete: false, lossy: [false; 2], heard: None }
    }

    /// What recognition concluded, to be changed.
    pub(super) fn decision_mut(&mut self) -> Option<&mut Decision> {
        self.decision.as_mut().map(Arc::make_mut)
    }
}

/// News of a flow for who watches a live run.
#[derive(Clone, Debug)]
pub enum Change {
    /// What the flow comes to so far, or, if it is over, in the end.
    Judged(Ended, Standing),
    /// It goes on, with these counters.
    Counted(Flow),
    /// It announced more.
    Announced(Id, Heard),
}

/// How far a flow is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Recognisers are still being asked.
    Open,
    /// Decided or given up; packets are counted.
    Decided,
    /// Over, or forced out for want of room.
    Over,
}
