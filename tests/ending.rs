//! How a live run ends: every count is exact, however little time there is to judge.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/talk.rs"]
mod talk;

use portproof::capture::{Block, CaptureError, Dropped, FrameRef, Rotation, Saver, Source};
use portproof::packet::{LinkType, Time};
use portproof::pipeline::{Board, Control, Event, Keeping, Observer, Options, Wanted, watch_live};
use portproof::registry::Registry;
use portproof::report::Jsonl;
use portproof::verdict::{FlowRecord, LeftOut, Verdict};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use talk::{ANSWER, QUESTION, datagram};

/// Flows that are decided before the stop; each has one packet more after it.
const BEFORE: u16 = 10;
/// Flows that begin after it, many more than the lanes hold: with a question only, and with an answer.
const UNANSWERED: u16 = 6_000;
const ANSWERED: u16 = 100;
/// Ports that somebody knocks at after it.
const KNOCKED: u16 = 300;

/// An interface: some packets come at once, the others lie in the kernel's ring when it is stopped.
struct Interface {
    frames: Vec<Vec<u8>>,
    /// How many come before the stop.
    early: usize,
    read: usize,
    stopped: bool,
    skims: bool,
    /// It ends by itself, after somebody has asked the run to end.
    ends: Option<Arc<AtomicBool>>,
}

impl Interface {
    fn new() -> Self {
        let (client, server) = (|n: u16| (1, 1024 + n), (2, 53));
        let all = BEFORE + UNANSWERED + ANSWERED;
        let questions = |clients: std::ops::Range<u16>| clients.map(|n| ([client(n), server], QUESTION));
        let answers = |clients: std::ops::Range<u16>| clients.map(|n| ([server, client(n)], ANSWER));
        let before = questions(0..BEFORE).chain(answers(0..BEFORE));
        let knocks = (0..KNOCKED).map(|n| ([(9, 40_000), (2, 2000 + n)], &b"anybody?"[..]));
        let after = questions(0..all).chain(answers(BEFORE + UNANSWERED..all)).chain(knocks);
        let frames = (1..).zip(before.chain(after)).map(|(n, (ends, payload))| datagram(n, ends, payload)).collect();
        let early = 2 * usize::from(BEFORE);
        Self { frames, early, read: 0, stopped: false, skims: false, ends: None }
    }
}

impl Source for Interface {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        block.bytes.clear();
        let end = if self.stopped { self.frames.len() } else { self.early };
        for frame in self.frames.get(self.read..end.min(self.read + 100)).unwrap_or_default() {
            self.read += 1;
            let time = Time(1_700_000_000_000_000_000 + 1000 * self.read as i64);
            if self.skims {
                block.skimmed.count(time, frame.len() as u32, frame.len() as u32);
                continue;
            }
            block.frames.push(FrameRef {
                number: self.read as u64,
                time,
                link: LinkType(1),
                wire_len: frame.len() as u32,
                start: block.bytes.len() as u32,
                len: frame.len() as u32,
            });
            block.bytes.extend(frame);
        }
        let skimmed = block.skimmed.frames > 0;
        if block.frames.is_empty() && !skimmed {
            std::thread::sleep(Duration::from_millis(1));
            if let Some(asked) = &self.ends {
                while !asked.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(1));
                }
                return Ok(false);
            }
        }
        Ok(!block.frames.is_empty() || skimmed || !self.stopped)
    }

    fn bytes_read(&self) -> u64 {
        0
    }

    fn dropped(&self) -> Dropped {
        Dropped::default()
    }

    fn stop(&mut self) -> bool {
        self.stopped = true;
        true
    }

    fn skim(&mut self) {
        self.skims = true;
    }
}

/// Stops the run when it has heard of all flows.
struct Stops<'c> {
    control: &'c Control,
    stopped: Arc<AtomicBool>,
    decided: u16,
    /// Flows that it was told the end of.
    ended: u64,
}

impl Observer for Stops<'_> {
    fn flow(&mut self, _: &FlowRecord<'_>, event: Event) -> io::Result<()> {
        self.ended += u64::from(event == Event::End);
        self.decided += u16::from(event == Event::New);
        if self.decided == BEFORE {
            self.control.stop();
            self.stopped.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// What became of the flows.
#[derive(PartialEq, Eq, Debug)]
struct Came {
    /// Flows to port 53 by verdict.
    dns: Vec<(Verdict, u64)>,
    hurried: u64,
    /// Flows that the observer was told the end of.
    told: u64,
    /// Flows that are marked as probes.
    probes: u64,
    /// Packets that were given to no flow.
    shed: u64,
}

const NONE: Duration = Duration::ZERO;
const ENOUGH: Duration = Duration::from_secs(3600);

fn ended(interface: Interface, grace: Duration, haste: Duration, max_flows: usize) -> Came {
    ended_by(interface, [grace, haste, ENOUGH], max_flows).0
}

/// The same with a time for the rows, and what they have no room for.
fn ended_by(interface: Interface, [grace, haste, filing]: [Duration; 3], max_flows: usize) -> (Came, LeftOut) {
    let control = Control::default();
    let (sent, bytes) = (interface.frames.len() as u64, interface.frames.iter().map(Vec::len).sum::<usize>() as u64);
    let options = Options { grace, haste, filing, workers: 2, batch: 16, max_flows, ..Options::default() };
    let stopped = interface.ends.clone().unwrap_or_default();
    let mut stops = Stops { control: &control, stopped, decided: 0, ended: 0 };
    let watched = watch_live(vec![interface], &options, Registry::embedded(), &control, None, &mut stops).unwrap();
    let board = &watched.board;
    let counts = board.taken.counts;
    assert_eq!((counts.received, counts.classified + counts.dropped_queue, counts.bytes), (sent, sent, bytes));
    let (dns, others): (Vec<_>, Vec<_>) = board.rows().iter().partition(|row| row.key.port == 53);
    let row = dns.first().unwrap();
    let sum = |of: fn((u64, u64, u64)) -> u64| board.rows().iter().map(|row| of(row.totals())).sum::<u64>();
    let in_rows = (board.flows() - board.left.flows, counts.classified - board.left.packets);
    assert_eq!((sum(|totals| totals.0), sum(|totals| totals.1)), in_rows);
    // Rows that say nothing may be left out where others may not.
    let mut out = Vec::new();
    let left_out = Jsonl::new(&mut out, None).rows("v0", board.rows(), || false).unwrap();
    let silent = board.rows().iter().filter(|row| row.verdict() == Verdict::Insufficient).count();
    let lines = board.rows().len() + board.rows().probers.len() - silent;
    assert_eq!((left_out as usize, out.iter().filter(|byte| **byte == b'\n').count()), (silent, lines));
    let came = Came {
        dns: row.verdicts.iter().map(|(verdict, flows)| (*verdict, *flows)).collect(),
        hurried: board.hurried,
        told: stops.ended,
        probes: others.iter().map(|row| row.probes).sum(),
        shed: counts.dropped_queue,
    };
    (came, board.left)
}

#[test]
fn with_time_all_is_judged() {
    let [before, unanswered, answered, probes] = [BEFORE, UNANSWERED, ANSWERED, KNOCKED].map(u64::from);
    let dns = vec![(Verdict::Match, before + answered), (Verdict::Insufficient, unanswered)];
    let told = before + unanswered + answered + probes;
    assert_eq!(ended(Interface::new(), ENOUGH, NONE, 100_000), Came { dns, hurried: 0, told, probes, shed: 0 });
}

#[test]
fn with_little_time_the_rest_is_counted_and_what_is_known_stays() {
    let [before, unanswered, answered, knocked] = [BEFORE, UNANSWERED, ANSWERED, KNOCKED].map(u64::from);
    let dns = vec![(Verdict::Match, before), (Verdict::Insufficient, unanswered + answered)];
    let hurried = unanswered + answered + knocked;
    // What nobody knew of has no record of its own.
    let came = Came { dns, hurried, told: before, probes: 0, shed: 0 };
    assert_eq!(ended(Interface::new(), NONE, ENOUGH, 100_000), came);
    assert_eq!(ended(Interface::new(), NONE, ENOUGH, 200), came);
}

#[test]
fn without_time_the_ring_is_read_and_not_looked_at() {
    let interface = Interface::new();
    let shed = (interface.frames.len() - interface.early) as u64;
    let dns = vec![(Verdict::Match, u64::from(BEFORE))];
    assert_eq!(ended(interface, NONE, NONE, 100_000), Came { dns, hurried: 0, told: 0, probes: 0, shed });
}

/// A run that a count or a time limit ended judges all it has, and a signal shortens that as well.
#[test]
fn a_signal_also_hurries_what_has_ended_by_itself() {
    let mut interface = Interface::new();
    (interface.early, interface.ends) = (interface.frames.len(), Some(Arc::default()));
    let came = ended(interface, NONE, ENOUGH, 100_000);
    // Those that nobody answered wait for the end.
    assert!(came.hurried >= u64::from(UNANSWERED) && came.shed == 0, "{came:?}");
}

#[test]
fn what_there_is_no_time_to_put_into_rows_is_counted() {
    let mut interface = Interface::new();
    (interface.early, interface.ends) = (interface.frames.len(), Some(Arc::default()));
    let (came, left) = ended_by(interface, [NONE; 3], 100_000);
    // How many were told before depends on the machine; that rows and what is left add up does not.
    assert!(left.packets >= left.flows && came.hurried >= left.flows, "{left:?}");
    assert!(came.dns.first().is_some_and(|(verdict, flows)| *verdict == Verdict::Match && *flows >= BEFORE.into()));
}

/// What waits for a judgement that never comes counts as unknown.
#[test]
fn packets_that_wait_for_a_judgement_are_saved() {
    let (control, interface) = (Control::default(), Interface::new());
    // The flows of before are no mismatch, with the packet that each has after the stop.
    let unknown = (interface.frames.len() - interface.early) as u64 - u64::from(BEFORE);
    let dir = tempfile::tempdir().unwrap();
    let saver = Saver::create(&dir.path().join("saved"), Rotation::default(), Time(0)).unwrap();
    let wanted = Wanted { unknown: true, ..Wanted::default() };
    let keeping = Some(Keeping::new(saver, wanted, 64 << 20));
    let options = Options { grace: NONE, haste: ENOUGH, keep: Some(wanted), ..Options::default() };
    let mut stops = Stops { control: &control, stopped: Arc::default(), decided: 0, ended: 0 };
    let watched = watch_live(vec![interface], &options, Registry::embedded(), &control, keeping, &mut stops).unwrap();
    let keeping = watched.board.keeping.unwrap();
    assert_eq!((keeping.saved, keeping.overflowed), (unknown, 0));
}
