//! Frames of fragments, which are wanted or not with the datagram that is put together from them.
//!
//! They wait until a packet names them. What is not named goes when room is needed, the oldest first; what is named goes
//! soon afterwards: a datagram may carry packets of several flows.

use crate::capture::{Block, FrameRef};
use crate::packet::Frame;
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What keeping a frame costs beside its bytes.
const OVERHEAD: usize = 64;
/// How long a frame is there for other packets after one has named it.
const NAMED: Duration = Duration::from_secs(5);

/// A copy of a frame.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    reference: FrameRef,
    data: Arc<[u8]>,
}

impl Copied {
    pub(super) fn new(block: &Block, reference: &FrameRef) -> Self {
        Self { reference: *reference, data: block.frame(reference).data.into() }
    }

    pub(super) fn frame(&self) -> Frame<'_> {
        let FrameRef { number, time, link, wire_len, .. } = self.reference;
        Frame { number, time, link, wire_len, data: &self.data }
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.data.len() + OVERHEAD
    }
}

/// Frames of fragments.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// By number, and whether they were named.
    frames: HashMap<u64, (Copied, bool)>,
    /// As they came. Those that are gone stay in it for a while.
    order: VecDeque<u64>,
    named: VecDeque<(Instant, u64)>,
    bytes: usize,
}

impl Pieces {
    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn add(&mut self, piece: Copied) {
        let number = piece.reference.number;
        self.bytes += piece.size();
        self.order.push_back(number);
        self.frames.insert(number, (piece, false));
        if self.order.len() > 2 * self.frames.len() + 64 {
            self.order.retain(|number| self.frames.contains_key(number));
        }
    }

    /// The frame of this number, which a packet names.
    pub(super) fn name(&mut self, number: u64) -> Option<Copied> {
        let (piece, named) = self.frames.get_mut(&number)?;
        if !std::mem::replace(named, true) {
            self.named.push_back((Instant::now(), number));
        }
        Some(piece.clone())
    }

    /// Lets go of the oldest; false: there is none.
    pub(super) fn forget_oldest(&mut self) -> bool {
        while let Some(number) = self.order.pop_front() {
            if self.remove(number) {
                return true;
            }
        }
        false
    }

    /// Lets go of what was named some time ago.
    pub(super) fn tick(&mut self) {
        while let Some(&(_, number)) = self.named.front().filter(|(since, _)| since.elapsed() >= NAMED) {
            self.named.pop_front();
            self.remove(number);
        }
    }

    fn remove(&mut self, number: u64) -> bool {
        let removed = self.frames.remove(&number);
        self.bytes -= removed.as_ref().map_or(0, |(piece, _)| piece.size());
        removed.is_some()
    }
}
