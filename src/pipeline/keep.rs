//! Which packets of a live run are saved: those of flows that turn out to be wanted, from their first packet on.
//!
//! Until a flow is judged its packets are held; what does not fit is counted, and missing in the file. Of a packet that was
//! put together from fragments all are saved. A packet that decided something gets a comment that says so.

use super::board::Id;
use super::pieces::{Copied, Pieces};
use crate::capture::{Block, Saver};
use crate::packet::Frame;
use crate::verdict::{FlowRecord, Verdict};
use hashbrown::HashMap;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long every packet waits, where all are saved, for the comment that a decision makes on it.
const DELAY: Duration = Duration::from_secs(1);
/// How long a comment waits at least for its packet; then that was saved without it. Twice as long at most.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// A packet of a flow.
#[derive(Debug)]
pub struct Held {
    pub(super) id: Id,
    pub(super) content: Content,
}

/// What it came in.
#[derive(Debug)]
pub(super) enum Content {
    Frame(Copied),
    /// The frames of these numbers, which are known already.
    Fragments(Box<[u64]>),
}

/// Packets being held and saved.
#[derive(Debug)]
pub struct Keeping {
    saver: Saver,
    pub(super) wanted: Wanted,
    room: usize,
    /// Most flows that wait have one packet.
    held: HashMap<Id, SmallVec<[Copied; 1]>>,
    pieces: Pieces,
    blocks: VecDeque<(Instant, Arc<Block>)>,
    comments: Comments,
    bytes: usize,
    /// Packets saved.
    pub saved: u64,
    /// Packets that were not held for want of room, and are missing if their flow was wanted.
    pub overflowed: u64,
    /// What ended the saving.
    pub failed: Option<io::Error>,
}

/// Comments on packets, by frame. Those of packets that were saved before they were commented on are never taken.
#[derive(Debug)]
struct Comments {
    of: HashMap<u64, String>,
    /// Those that were there at the last turn.
    before: HashMap<u64, String>,
    turned: Instant,
}

impl Comments {
    fn take(&mut self, frame: u64) -> String {
        let before = self.before.remove(&frame);
        self.of.remove(&frame).or(before).unwrap_or_default()
    }

    /// Forgets what nobody took in time.
    fn turn(&mut self, now: Instant) {
        if now.duration_since(self.turned) >= PATIENCE {
            self.before = std::mem::take(&mut self.of);
            self.turned = now;
        }
    }
}

impl Keeping {
    /// Saves what is wanted, and holds at most `room` bytes for flows that are not judged yet.
    pub fn new(saver: Saver, wanted: Wanted, room: usize) -> Self {
        Self {
            saver,
            wanted,
            room,
            held: HashMap::new(),
            pieces: Pieces::default(),
            blocks: VecDeque::new(),
            comments: Comments { of: HashMap::new(), before: HashMap::new(), turned: Instant::now() },
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

    /// Opens the file anew under its name.
    pub fn reopen(&mut self) {
        let done = self.saver.reopen();
        self.failed = self.failed.take().or(done.err());
    }

    /// Takes a packet of a flow: `judged` says whether the flow is wanted, if that is known.
    pub(super) fn packet(&mut self, Held { id, content }: Held, judged: Option<(bool, &FlowRecord<'_>)>) {
        if judged.is_some_and(|(wanted, _)| !wanted) {
            return;
        }
        let flow = judged.map(|(_, flow)| flow);
        match content {
            Content::Frame(frame) => self.frame(id, frame, flow),
            Content::Fragments(numbers) => {
                for number in numbers {
                    match self.pieces.name(number) {
                        Some(piece) => self.frame(id, piece, flow),
                        None => self.overflowed += 1,
                    }
                }
            }
        }
    }

    /// Saves a frame of a flow that is wanted, or holds it where that is not known yet.
    fn frame(&mut self, id: Id, frame: Copied, wanted: Option<&FlowRecord<'_>>) {
        if let Some(flow) = wanted {
            let frame = frame.frame();
            self.save(&frame, &comment(flow, frame.number));
        } else if self.has_room(frame.size()) {
            self.bytes += frame.size();
            self.held.entry(id).or_default().push(frame);
        } else {
            self.overflowed += 1;
        }
    }

    /// Takes a frame with a fragment: packets may name it later.
    pub(super) fn fragment(&mut self, piece: Copied) {
        if self.has_room(piece.size()) {
            self.pieces.add(piece);
        }
    }

    /// Whether there is room for so many bytes. Fragments that nobody has named yet make way.
    fn has_room(&mut self, size: usize) -> bool {
        let over = |keeping: &Self| keeping.bytes + keeping.pieces.bytes() + size > keeping.room;
        while over(self) && self.pieces.forget_oldest() {}
        !over(self)
    }

    /// A flow is judged: what was held of it is saved or let go.
    pub(super) fn judged(&mut self, id: Id, flow: &FlowRecord<'_>) {
        if self.wanted.all {
            for number in flow.decision.iter().flat_map(|d| &d.evidence).flat_map(|e| e.frames.iter()) {
                self.comments.of.insert(*number, comment(flow, *number));
            }
            return;
        }
        let takes = self.wanted.takes(flow);
        for held in self.held.remove(&id).unwrap_or_default() {
            self.bytes -= held.size();
            if takes {
                self.frame(id, held, Some(flow));
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
        self.pieces.tick();
        self.comments.turn(Instant::now());
        if self.failed.is_none() {
            self.failed = self.saver.flush().err();
        }
    }

    /// Saves all that is left. `hurried`: there was no time to judge every flow, and those that nobody was told of are
    /// unknown.
    pub(super) fn finish(&mut self, hurried: bool) {
        while self.release(Duration::ZERO) {}
        if hurried && self.wanted.unknown {
            let held = std::mem::take(&mut self.held);
            let mut left: Vec<_> = held.values().flatten().map(|frame| (frame.frame().number, frame)).collect();
            left.sort_unstable_by_key(|(number, _)| *number);
            left.iter().for_each(|(_, frame)| self.save(&frame.frame(), ""));
            // The process is about to end, and to give back each frame's memory would take longer than to save it.
            std::mem::forget(held);
        }
        self.tick();
    }

    fn release(&mut self, age: Duration) -> bool {
        if self.blocks.front().is_none_or(|(since, _)| since.elapsed() < age) {
            return false;
        }
        let Some((_, block)) = self.blocks.pop_front() else { return false };
        self.bytes -= block.bytes.len();
        for reference in &block.frames {
            let comment = self.comments.take(reference.number);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_that_nobody_takes_are_forgotten() {
        let start = Instant::now();
        let mut comments = Comments { of: HashMap::new(), before: HashMap::new(), turned: start };
        for second in 0..1000 {
            comments.of.insert(second, "nobody takes it".to_owned());
            comments.of.insert(10_000 + second, "taken after five seconds".to_owned());
            if second >= 5 {
                assert_eq!(comments.take(10_000 + second - 5), "taken after five seconds");
            }
            comments.turn(start + Duration::from_secs(second));
            assert!(comments.of.len() + comments.before.len() <= 2 * 10);
        }
    }
}
