//! After a stop the capture is read out and closed before anybody has judged what it held, and every count is exact.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/talk.rs"]
mod talk;

use portproof::capture::{Block, CaptureError, Dropped, FrameRef, Source};
use portproof::packet::{LinkType, Time};
use portproof::pipeline::{Board, Control, Event, Observer, Options, watch_live};
use portproof::registry::Registry;
use portproof::verdict::{FlowRecord, Verdict};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
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
    closed: Arc<AtomicBool>,
}

impl Interface {
    fn new(closed: &Arc<AtomicBool>) -> Self {
        let (client, server) = (|n: u16| (1, 1024 + n), (2, 53));
        let all = BEFORE + UNANSWERED + ANSWERED;
        let questions = |clients: std::ops::Range<u16>| clients.map(|n| ([client(n), server], QUESTION));
        let answers = |clients: std::ops::Range<u16>| clients.map(|n| ([server, client(n)], ANSWER));
        let before = questions(0..BEFORE).chain(answers(0..BEFORE));
        let knocks = (0..KNOCKED).map(|n| ([(9, 40_000), (2, 2000 + n)], &b"anybody?"[..]));
        let after = questions(0..all).chain(answers(BEFORE + UNANSWERED..all)).chain(knocks);
        let frames = (1..).zip(before.chain(after)).map(|(n, (ends, payload))| datagram(n, ends, payload)).collect();
        let early = 2 * usize::from(BEFORE);
        Self { frames, early, read: 0, stopped: false, closed: Arc::clone(closed) }
    }
}

impl Source for Interface {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.frames.clear();
        block.bytes.clear();
        let end = if self.stopped { self.frames.len() } else { self.early };
        for frame in self.frames.get(self.read..end.min(self.read + 100)).unwrap_or_default() {
            self.read += 1;
            block.frames.push(FrameRef {
                number: self.read as u64,
                time: Time(1_700_000_000_000_000_000 + 1000 * self.read as i64),
                link: LinkType(1),
                wire_len: frame.len() as u32,
                start: block.bytes.len() as u32,
                len: frame.len() as u32,
            });
            block.bytes.extend(frame);
        }
        if block.frames.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(!block.frames.is_empty() || !self.stopped)
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
}

impl Drop for Interface {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
    }
}

/// Stops the run when it has heard of all flows, and then hears nothing more until the capture is closed.
struct Stops<'c> {
    control: &'c Control,
    closed: Arc<AtomicBool>,
    decided: u16,
    /// Flows that it was told the end of.
    ended: u64,
}

impl Observer for Stops<'_> {
    fn flow(&mut self, _: &FlowRecord<'_>, event: Event) -> io::Result<()> {
        self.ended += u64::from(event == Event::End);
        self.decided += u16::from(event == Event::New);
        if self.decided == BEFORE && !self.control.stopped() {
            self.control.stop();
            let since = Instant::now();
            while !self.closed.load(Ordering::SeqCst) {
                assert!(since.elapsed() < Duration::from_secs(60), "the capture waits for those who judge");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Flows to port 53 by verdict, flows hurried, flows told, flows marked as probes.
fn ended(grace: Duration, max_flows: usize) -> (Vec<(Verdict, u64)>, u64, u64, u64) {
    let (control, closed) = (Control::default(), Arc::default());
    let interface = Interface::new(&closed);
    let sent = interface.frames.len() as u64;
    let options = Options { grace, workers: 2, batch: 16, max_flows, ..Options::default() };
    let mut stops = Stops { control: &control, closed, decided: 0, ended: 0 };
    let watched = watch_live(vec![interface], &options, Registry::embedded(), &control, None, &mut stops).unwrap();
    let board = &watched.board;
    let counts = board.taken.counts;
    assert_eq!((counts.received, counts.classified), (sent, sent));
    let (flows, knocked) = (u64::from(BEFORE + UNANSWERED + ANSWERED), u64::from(KNOCKED));
    assert_eq!(board.flows(), flows + knocked);
    let (dns, others): (Vec<_>, Vec<_>) = board.rows().iter().partition(|row| row.key.port == 53);
    let row = dns.first().unwrap();
    assert_eq!((row.totals().0, row.totals().1), (flows, sent - knocked));
    assert_eq!(others.iter().map(|row| row.totals().0).sum::<u64>(), knocked);
    assert_eq!(row.answered, u64::from(BEFORE + ANSWERED));
    let verdicts = row.verdicts.iter().map(|(verdict, flows)| (*verdict, *flows)).collect();
    (verdicts, board.hurried, stops.ended, others.iter().map(|row| row.probes).sum())
}

#[test]
fn the_capture_is_closed_before_all_is_judged() {
    let [before, unanswered, answered, knocked] = [BEFORE, UNANSWERED, ANSWERED, KNOCKED].map(u64::from);
    let verdicts = vec![(Verdict::Match, before + answered), (Verdict::Insufficient, unanswered)];
    let told = before + unanswered + answered + knocked;
    assert_eq!(ended(Duration::from_secs(3600), 100_000), (verdicts, 0, told, knocked));
}

#[test]
fn without_time_the_rest_is_counted_and_what_is_known_stays() {
    let [before, unanswered, answered, knocked] = [BEFORE, UNANSWERED, ANSWERED, KNOCKED].map(u64::from);
    let rest = unanswered + answered;
    let verdicts = vec![(Verdict::Match, before), (Verdict::Insufficient, rest)];
    let hurried = rest + knocked;
    assert_eq!(ended(Duration::ZERO, 100_000), (verdicts.clone(), hurried, before + hurried, knocked));
    // Those that had to go for want of room have no record of their own, unless they were told before.
    let few = ended(Duration::ZERO, 200);
    assert_eq!((few.0, few.1), (verdicts, hurried));
    assert!((200..=200 + before).contains(&few.2), "{}", few.2);
}
