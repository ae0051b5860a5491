//! The line at the bottom of a terminal: packets a second, flows, ports, drops.

use crate::cli::text::{clip, counted, thousands};
use crate::pipeline::Board;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often it is drawn.
const PACE: Duration = Duration::from_millis(500);

/// The line.
#[derive(Debug)]
pub(crate) struct Status {
    terminal: bool,
    shown: bool,
    drawn: Instant,
    packets: u64,
}

impl Status {
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: false, drawn: Instant::now(), packets: 0 }
    }

    /// Draws it if it is time.
    pub(crate) fn draw(&mut self, board: &Board<'_>) {
        let elapsed = self.drawn.elapsed();
        if !self.terminal || elapsed < PACE {
            return;
        }
        let received = board.taken.counts.received;
        let rate = (received - self.packets.min(received)) as f64 / elapsed.as_secs_f64();
        (self.drawn, self.packets, self.shown) = (Instant::now(), received, true);
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        // Nothing can be done about a terminal that cannot be written to.
        let _ = write!(io::stderr(), "\r\x1b[K{}", clip(&line(board, rate as u64), width.saturating_sub(1)));
        let _ = io::stderr().flush();
    }

    /// Takes it away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
            let _ = io::stderr().flush();
        }
    }
}

fn line(board: &Board<'_>, rate: u64) -> String {
    let counts = &board.taken.counts;
    let flows = counted(board.flows_open() as u64, "flow");
    let ports = counted(board.rows().len() as u64, "port");
    let mut text = format!("{} packets/s  {} packets  {flows}  {ports}", thousands(rate), thousands(counts.received));
    for (lost, by) in
        [(counts.dropped_kernel, "kernel"), (counts.dropped_queue, "queue"), (counts.dropped_interface, "interface")]
    {
        if lost > 0 {
            text.push_str(&format!("  {} dropped ({by})", thousands(lost)));
        }
    }
    text
}
