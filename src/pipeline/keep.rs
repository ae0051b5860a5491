//! Which packets of a live run are saved: those of flows that turn out to be wanted, from their first packet on.
//!
//! Until a flow is judged its packets are held; what does not fit is counted, and missing in the file. A packet that
//! decided something gets a comment that says so.

use super::board::Id;
use crate::capture::{Block, FrameRef, Saver};
use crate::packet::Frame;
use crate::verdict::{FlowRecord, Verdict};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What holding a packet costs beside its bytes.
const OVERHEAD: usize = 64;
/// How long every packet waits, where all are saved, for the comment that a decision makes on it.
const DELAY: Duration = Duration::from_secs(1);

/// What is saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Every frame, whatever it is.
    pub all: bool,
    /// Flows that are not what the port is assigned to.
    pub mismatch: bool,
    /// Flows that nobody recognised.
    pub unknown: bool,
}

impl Wanted {
    /// Whether a flow that came to this is saved.
    pub fn takes(&self, flow: &FlowRecord<'_>) -> bool {
        let mismatch = matches!(flow.judgement.verdict, Verdict::Mismatch | Verdict::Contradicted);
        self.all || (self.mismatch && mismatch) || (self.unknown && flow.protocol() == "unknown")
    }
}

/// A frame of a flow.
#[derive(Debug)]
pub struct Held {
    pub(super) id: Id,
    pub(super) reference: FrameRef,
    pub(super) data: Box<[u8]>,
}

impl Held {
    fn frame(&self) -> Frame<'_> {
        let FrameRef { number, time, link, wire_len, .. } = self.reference;
        Frame { number, time, link, wire_len, data: &self.data }
    }

    fn size(&self) -> usize {
        self.data.len() + OVERHEAD
    }
}

/// Packets being held and saved.
#[derive(Debug)]
pub struct Keeping {
    saver: Saver,
    pub(super) wanted: Wanted,
    room: usize,
    held: HashMap<Id, Vec<Held>>,
    blocks: VecDeque<(Instant, Arc<Block>)>,
    comments: HashMap<u64, String>,
    bytes: usize,
    /// Packets saved.
    pub saved: u64,
    /// Packets that were not held for want of room, and are missing if their flow was wanted.
    pub overflowed: u64,
    /// What ended the saving.
    pub failed: Option<io::Error>,
}

impl Keeping {
    /// Saves what is wanted, and holds at most `room` bytes for flows that are not judged yet.
    pub fn new(saver: Saver, wanted: Wanted, room: usize) -> Self {
        Self {
            saver,
            wanted,
            room,
            held: HashMap::new(),
            blocks: VecDeque::new(),
            comments: HashMap::new(),
            bytes: 0,
            saved: 0,
            overflowed: 0,
            failed: None,
        }
    }

    /// Whether as many files were written as were asked for.
    pub fn is_over(&self) -> bool {
        self.saver.is_over()
    }

    /// Begins the file anew under its name.
    pub fn reopen(&mut self) {
        let now = jiff::Timestamp::now().as_nanosecond();
        let done = self.saver.reopen(crate::packet::Time(i64::try_from(now).unwrap_or(0)));
        self.failed = self.failed.take().or(done.err());
    }

    /// Takes a frame of a flow: `judged` says whether the flow is wanted, if that is known.
    pub(super) fn frame(&mut self, held: Held, judged: Option<(bool, &FlowRecord<'_>)>) {
        match judged {
            Some((false, _)) => {}
            Some((true, flow)) => {
                let comment = comment(flow, held.reference.number);
                self.save(&held.frame(), &comment);
            }
            None if self.bytes + held.size() > self.room => self.overflowed += 1,
            None => {
                self.bytes += held.size();
                self.held.entry(held.id).or_default().push(held);
            }
        }
    }

    /// A flow is judged: what was held of it is saved or let go.
    pub(super) fn judged(&mut self, id: Id, flow: &FlowRecord<'_>) {
        if self.wanted.all {
            for number in flow.decision.iter().flat_map(|d| &d.evidence).flat_map(|e| &e.frames) {
                self.comments.insert(*number, comment(flow, *number));
            }
            return;
        }
        let takes = self.wanted.takes(flow);
        for held in self.held.remove(&id).unwrap_or_default() {
            self.bytes -= held.size();
            if takes {
                let comment = comment(flow, held.reference.number);
                self.save(&held.frame(), &comment);
            }
        }
    }

    /// Takes a block of which every frame is saved.
    pub(super) fn block(&mut self, block: Arc<Block>) {
        self.bytes += block.bytes.len();
        self.blocks.push_back((Instant::now(), block));
        while self.bytes > self.room && self.release(Duration::ZERO) {}
    }

    /// Saves what waited long enough, and hands it to the file system.
    pub(super) fn tick(&mut self) {
        while self.release(DELAY) {}
        if self.blocks.is_empty() {
            self.comments.clear();
        }
        if self.failed.is_none() {
            self.failed = self.saver.flush().err();
        }
    }

    /// Saves all that is left.
    pub(super) fn finish(&mut self) {
        while self.release(Duration::ZERO) {}
        self.tick();
    }

    fn release(&mut self, age: Duration) -> bool {
        if self.blocks.front().is_none_or(|(since, _)| since.elapsed() < age) {
            return false;
        }
        let Some((_, block)) = self.blocks.pop_front() else { return false };
        self.bytes -= block.bytes.len();
        for reference in &block.frames {
            let comment = self.comments.remove(&reference.number).unwrap_or_default();
            self.save(&block.frame(reference), &comment);
        }
        true
    }

    fn save(&mut self, frame: &Frame<'_>, comment: &str) {
        if self.failed.is_some() || self.saver.is_over() {
            return;
        }
        match self.saver.write(frame, comment) {
            Ok(()) => self.saved += u64::from(!self.saver.is_over()),
            Err(error) => self.failed = Some(error),
        }
    }
}

/// What a frame decided: "portproof: mismatch, openvpn (certain) on 1197/udp: the reset echoes …". Empty: nothing.
fn comment(flow: &FlowRecord<'_>, number: u64) -> String {
    let Some(decision) = flow.decision else { return String::new() };
    let told: Vec<String> =
        decision.evidence.iter().filter(|e| e.frames.contains(&number)).map(|e| e.text.to_string()).collect();
    if told.is_empty() {
        return String::new();
    }
    let (verdict, protocol) = (flow.judgement.verdict, flow.protocol());
    let sure = decision.band.map(|band| format!(" ({})", band.name())).unwrap_or_default();
    format!("portproof: {verdict}, {protocol}{sure} on {}/{}: {}", flow.server.port, flow.transport, told.join("; "))
}
