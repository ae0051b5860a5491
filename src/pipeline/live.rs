//! A live run: as [`super::run`], but flows are judged while they go on, and whoever watches is told.
//!
//! Workers send what their flows come to; this thread keeps the board and calls the observer.

mod worker;

use super::board::Board;
use super::ended::Change;
use super::event::Event;
use super::intake::Intake;
use super::keep::{Held, Keeping};
use super::pieces::Copied;
use super::run::{Batch, Order, QUEUE, feed};
use super::shard::Shard;
use super::shed::Shed;
use super::taken::Taken;
use super::{Control, End, Options};
use crate::capture::{Block, CaptureError, Source};
use crate::packet::Time;
use crate::registry::Registry;
use crate::verdict::{Counts, FlowRecord, LeftOut, Rows};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use foldhash::quality::RandomState;
use std::io;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};
use worker::Worker;

/// How often the observer is called when nothing happens, and the capture thread says what it took.
const TICK: Duration = Duration::from_millis(100);
/// How often flows that are idle are ended, packet time in nanoseconds.
const SWEEP: i64 = 1_000_000_000;
/// How often all flows are looked at side by side.
const SURVEY: Duration = Duration::from_secs(1);
/// News that may wait for the board, each of at most a thousand changes or a batch of frames.
const NEWS: usize = 8;

/// Who watches a live run.
pub trait Observer {
    /// A flow's judgement is new, changed or final.
    ///
    /// # Errors
    /// End the run.
    fn flow(&mut self, flow: &FlowRecord<'_>, event: Event) -> io::Result<()>;

    /// Called about ten times a second, whatever the traffic.
    ///
    /// # Errors
    /// End the run.
    fn tick(&mut self, board: &mut Board<'_>) -> io::Result<()>;
}

/// What reaches the board.
enum News {
    Flows {
        changes: Vec<Change>,
        evicted: u64,
        hurried: u64,
    },
    Packets(Vec<Held>),
    /// A frame with a fragment, before the packets that come of it.
    Fragment(Copied),
    Block(Arc<Block>),
    /// What flows came to that were not told, their number, and what is in no row.
    Rest(Rows, u64, LeftOut),
    /// What the capture thread of this number has taken so far.
    Taken(usize, Box<Taken>),
}

/// What a live run came to.
#[derive(Debug)]
pub struct Watched<'a> {
    /// All that was judged.
    pub board: Board<'a>,
    /// What ended the capture, or parts of it.
    pub faults: Vec<CaptureError>,
}

/// Captures and judges until the sources end or `control` stops them. Each source has a thread; each flow must come from
/// one source only. With `keeping`, packets are saved.
///
/// # Errors
/// The observer's; the run is then over.
pub fn watch_live<'a, S: Source + 'static>(
    sources: Vec<S>,
    options: &Options,
    registry: &'a Registry,
    control: &Control,
    keeping: Option<Keeping>,
    observer: &mut dyn Observer,
) -> io::Result<Watched<'a>> {
    let (hasher, shed) = (RandomState::default(), Shed::default());
    let mut board = Board::new(registry, options.by_endpoint);
    board.keeping = keeping;
    let (faults, done) = std::thread::scope(|scope| {
        let workers = options.workers.max(1);
        let saves = options.keep.is_some_and(|wanted| !wanted.all);
        let (spent, emptied) = unbounded();
        let (news, incoming) = bounded(NEWS);
        let (hasher, shed) = (&hasher, &shed);
        let lanes: Vec<Sender<Batch>> = (0..workers)
            .map(|_| {
                let (lane, batches) = bounded(QUEUE);
                let (spent, news) = (spent.clone(), news.clone());
                let worker = Worker { lane: batches, spent, news, shed, control, options };
                let shard = Shard::live(options, workers, registry);
                scope.spawn(move || {
                    let _ends = EndsWithUs(control);
                    worker.work(shard);
                });
                lane
            })
            .collect();
        let captures: Vec<_> = sources
            .into_iter()
            .enumerate()
            .map(|(number, source)| {
                let (news, lanes, emptied) = (news.clone(), lanes.clone(), emptied.clone());
                scope.spawn(move || {
                    let _ends = EndsWithUs(control);
                    let mut intake = Intake::new(Box::new(source), options, control, hasher);
                    if saves {
                        // Fails only if the board is gone, and then nobody wants it.
                        let tell = |block: &_, frame: &_| drop(news.send(News::Fragment(Copied::new(block, frame))));
                        intake.fragment = Some(Box::new(tell));
                    }
                    let mut pace = Pace { number, told: Instant::now(), swept: Time(i64::MIN), news: &news };
                    let mut after = |intake: &mut Intake<'_>, lanes: &[_], block: &_| pace.after(intake, lanes, block);
                    feed(&mut intake, lanes, &emptied, &mut |_, _| {}, Some(shed), &mut after);
                    let last = News::Taken(number, Box::new(taken(&intake)));
                    let faults: Vec<_> = intake.fault.take().into_iter().chain(intake.file.faults()).collect();
                    // The capture is closed before anybody is waited for.
                    drop(intake);
                    let _ = news.send(last);
                    faults
                })
            })
            .collect();
        drop((news, lanes));
        let _ends = EndsWithUs(control);
        let done = keep(&mut board, &incoming, observer, control, options);
        // A thread that panicked is a bug; its panic goes on here.
        let faults =
            |capture: ScopedJoinHandle<'_, _>| capture.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (captures.into_iter().flat_map(faults).collect(), done)
    });
    if let Some(keeping) = &mut board.keeping {
        keeping.finish(board.hurried > 0);
    }
    done.map(|()| Watched { board, faults })
}

/// Ends the run if this thread panics: the others would go on without it for ever.
struct EndsWithUs<'c>(&'c Control);

impl Drop for EndsWithUs<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop();
        }
    }
}

/// Keeps the board until all threads have ended. After an error nothing is shown any more, but the threads are heard out.
fn keep(
    board: &mut Board<'_>,
    incoming: &Receiver<News>,
    observer: &mut dyn Observer,
    control: &Control,
    options: &Options,
) -> io::Result<()> {
    let now = Instant::now();
    let mut keeper = Keeper { sides: Vec::new(), due: now + TICK, surveyed: now, control, options };
    let mut done = Ok(());
    loop {
        let news = match incoming.recv_deadline(keeper.due) {
            Ok(news) => Some(news),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                return done.and_then(|()| keeper.survey(board, observer));
            }
        };
        if done.is_ok() {
            done = keeper.take(news, board, observer);
            if done.is_err() {
                control.stop();
            }
        }
    }
}

/// What the board's thread knows beside the board.
struct Keeper<'c> {
    /// What each capture thread has taken.
    sides: Vec<Taken>,
    due: Instant,
    surveyed: Instant,
    control: &'c Control,
    options: &'c Options,
}

impl Keeper<'_> {
    fn take(&mut self, news: Option<News>, board: &mut Board<'_>, observer: &mut dyn Observer) -> io::Result<()> {
        match news {
            Some(News::Flows { changes, evicted, hurried }) => {
                board.evicted += evicted;
                board.hurried += hurried;
                for change in changes {
                    let tell = &mut |flow: &FlowRecord<'_>, event| observer.flow(flow, event);
                    match self.control.end(self.options) {
                        End::NotYet => board.take(change, tell)?,
                        End::Hasty => board.settle(change, Some(tell))?,
                        End::Late | End::Over => board.settle(change, None)?,
                    }
                    // There may be a hundred thousand at a time; whoever watches is not to wait for them.
                    self.tick(board, observer)?;
                }
            }
            Some(News::Packets(packets)) => packets.into_iter().for_each(|held| board.keep(held)),
            Some(News::Fragment(piece)) => {
                if let Some(keeping) = &mut board.keeping {
                    keeping.fragment(piece);
                }
            }
            Some(News::Block(block)) => {
                if let Some(keeping) = &mut board.keeping {
                    keeping.block(block);
                }
            }
            Some(News::Rest(rows, flows, left)) => {
                board.absorb(rows, flows, left, || !self.control.is_past(self.options, 2));
            }
            Some(News::Taken(number, taken)) => {
                self.sides.resize_with(self.sides.len().max(number + 1), Taken::default);
                if let Some(side) = self.sides.get_mut(number) {
                    *side = *taken;
                }
                board.taken = Taken::default();
                self.sides.iter().for_each(|side| board.taken.add(side));
            }
            None => {}
        }
        self.tick(board, observer)
    }

    /// Looks at all flows side by side, if there is time.
    fn survey(&self, board: &mut Board<'_>, observer: &mut dyn Observer) -> io::Result<()> {
        match self.control.end(self.options) {
            End::NotYet => board.survey(&mut |flow, event| observer.flow(flow, event)),
            _ => Ok(()),
        }
    }

    /// Does what is due.
    fn tick(&mut self, board: &mut Board<'_>, observer: &mut dyn Observer) -> io::Result<()> {
        let now = Instant::now();
        if now < self.due {
            return Ok(());
        }
        self.due = now + TICK;
        if now.duration_since(self.surveyed) >= SURVEY {
            self.surveyed = now;
            self.survey(board, observer)?;
        }
        if let Some(keeping) = &mut board.keeping {
            keeping.tick();
            if keeping.is_over() {
                self.control.stop();
            }
        }
        observer.tick(board)
    }
}

/// What is done now and then beside reading.
struct Pace<'n> {
    number: usize,
    told: Instant,
    swept: Time,
    news: &'n Sender<News>,
}

impl Pace<'_> {
    fn after(&mut self, intake: &Intake<'_>, lanes: &[Sender<Batch>], block: &Arc<Block>) {
        if intake.options.keep.is_some_and(|wanted| wanted.all) && !block.frames.is_empty() {
            let _ = self.news.send(News::Block(Arc::clone(block)));
        }
        if self.told.elapsed() < TICK {
            return;
        }
        self.told = Instant::now();
        let news = News::Taken(self.number, Box::new(taken(intake)));
        if intake.interrupted {
            // Nobody is waited for any more, and all flows are about to end.
            let _ = self.news.try_send(news);
            return;
        }
        let _ = self.news.send(news);
        let now = intake.span.map(|(_, last)| last).max(intake.file.now());
        let Some(now) = now.filter(|now| now.since(self.swept) >= SWEEP || self.swept.0 == i64::MIN) else { return };
        self.swept = now;
        for lane in lanes {
            // Fails only if the worker is gone, and then its panic is reported at the join.
            let _ = lane.send(Batch { block: Default::default(), packets: Vec::new(), order: Some(Order::Sweep(now)) });
        }
    }
}

fn taken(intake: &Intake<'_>) -> Taken {
    let dropped = intake.file.dropped();
    Taken {
        counts: Counts { dropped_interface: dropped.interface, dropped_kernel: dropped.kernel, ..intake.counts },
        span: intake.span,
        ipprotos: intake.ipprotos(),
        fragments: intake.parser.fragments(),
        tunnels: intake.parser.tunnels().clone(),
    }
}
