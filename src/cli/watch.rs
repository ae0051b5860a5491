//! Watches a run from outside: signals stop it, and a terminal shows how far it is.

use super::common::say;
use super::text::{clip, size, thousands};
use crate::pipeline::Control;
use crate::report::when::duration;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the flag of the signals is looked at.
const TICK: Duration = Duration::from_millis(10);

/// How often the line is redrawn.
const PACE: Duration = Duration::from_millis(100);

/// Reads shorter than this show no progress.
const PATIENCE: Duration = Duration::from_secs(1);

/// An end that takes longer than this is explained: somebody does not read the output, or the disk is slow.
const LONG: Duration = Duration::from_secs(2);

/// The exit code of a run that a second signal ended, as shells have it for SIGINT.
const ENDED_AT_ONCE: i32 = 130;

/// A thread that watches until it is dropped.
#[derive(Debug)]
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches a run over inputs of `total` bytes (none: not known).
    ///
    /// # Errors
    /// When the system refuses a signal handler or a thread.
    pub(super) fn start(control: &Arc<Control>, total: Option<u64>, progress: bool) -> io::Result<Self> {
        let asked: [Arc<AtomicBool>; 2] = Default::default();
        let [interrupted, terminated] = &asked;
        for (signal, own, other) in [(SIGINT, interrupted, terminated), (SIGTERM, terminated, interrupted)] {
            // In this order: the first signal finds its flag down and raises it, a second of its kind finds it up. One of
            // the other kind may run in another thread at the same time; each raises its own before it looks at the other's.
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, Arc::clone(own))?;
            flag::register(signal, Arc::clone(own))?;
            flag::register_conditional_shutdown(signal, ENDED_AT_ONCE, Arc::clone(other))?;
        }
        let over = Arc::new(AtomicBool::new(false));
        let line = (progress && io::stderr().is_terminal()).then_some(Line { total, shown: false });
        let (control, ended) = (Arc::clone(control), Arc::clone(&over));
        let thread = std::thread::Builder::new().name("watch".into()).spawn(move || {
            watch(&control, &asked, &ended, line);
        })?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn watch(control: &Control, asked: &[Arc<AtomicBool>], over: &AtomicBool, mut line: Option<Line>) {
    let (start, mut drawn) = (Instant::now(), Instant::now());
    let (mut asked_at, mut explained) = (None, false);
    while !over.load(Ordering::Relaxed) {
        std::thread::park_timeout(TICK);
        if asked.iter().any(|asked| asked.load(Ordering::Relaxed)) && !control.stopped() {
            control.stop();
            asked_at = Some(Instant::now());
        }
        if !explained && asked_at.is_some_and(|at| at.elapsed() >= LONG) {
            explained = true;
            say("still ending, until all is written; a second signal ends at once");
        }
        let elapsed = start.elapsed();
        if let Some(line) = &mut line
            && elapsed >= PATIENCE
            && drawn.elapsed() >= PACE
            && !over.load(Ordering::Relaxed)
        {
            drawn = Instant::now();
            line.draw(control, elapsed);
        }
    }
    if let Some(line) = &mut line {
        line.clear();
    }
}

/// The line on the terminal.
struct Line {
    total: Option<u64>,
    shown: bool,
}

impl Line {
    fn draw(&mut self, control: &Control, elapsed: Duration) {
        let bytes = control.bytes.load(Ordering::Relaxed);
        let frames = control.frames.load(Ordering::Relaxed);
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let text = progress(bytes, self.total, frames, elapsed);
        // Nothing can be done about a terminal that cannot be written to.
        let _ = write!(io::stderr(), "\r\x1b[K{}", clip(&text, width.saturating_sub(1)));
        let _ = io::stderr().flush();
        self.shown = true;
    }

    fn clear(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

/// "[========            ]  42 %  610M of 1.4G  310M/s  3,120,000 packets  2 s left".
fn progress(bytes: u64, total: Option<u64>, frames: u64, elapsed: Duration) -> String {
    const BAR: u64 = 20;
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = (bytes as f64 / seconds) as u64;
    let packets = thousands(frames);
    match total.filter(|&total| total > 0) {
        Some(total) => {
            let done = bytes.min(total);
            let full = (done * BAR / total) as usize;
            let bar = format!("{}{}", "=".repeat(full), " ".repeat(BAR as usize - full));
            let left = match rate {
                0 => String::new(),
                rate => format!("  {} left", duration((total - done).div_ceil(rate) as i64 * 1_000_000_000)),
            };
            let percent = done * 100 / total;
            format!(
                "[{bar}] {percent:3} %  {} of {}  {}/s  {packets} packets{left}",
                size(done),
                size(total),
                size(rate)
            )
        }
        None => format!("{} read  {}/s  {packets} packets", size(bytes), size(rate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_remaining_time() {
        let text = progress(500 << 20, Some(1000 << 20), 1_000_000, Duration::from_secs(5));
        assert_eq!(text, "[==========          ]  50 %  500M of 1.0G  100M/s  1,000,000 packets  5.0 s left");
        assert_eq!(progress(10, None, 1, Duration::from_secs(1)), "10 read  10/s  1 packets");
        assert!(progress(20, Some(10), 1, Duration::from_secs(1)).contains("100 %"));
    }
}
