//! Who else is told of a live run: Prometheus, if it asks, and systemd.

use super::metrics::Metrics;
use super::notify::Notify;
use crate::cli::text::thousands;
use crate::pipeline::Board;
use crate::report::prometheus::{Figures, page};
use crate::sandbox::Sockets;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How often the figures are renewed.
const PACE: Duration = Duration::from_secs(1);
/// How often the service manager hears what is going on.
const STATUS: Duration = Duration::from_secs(10);

/// Those who are told.
#[derive(Debug)]
pub(crate) struct Outside<'a> {
    metrics: Option<Metrics>,
    notify: Notify,
    /// The registry's date.
    registry: &'a str,
    /// Flows for which there is room.
    room: u64,
    shown: Option<Instant>,
    said: Option<Instant>,
}

impl<'a> Outside<'a> {
    /// Listens at `metrics`, and connects to the service manager if there is one. To be called before the process is
    /// confined.
    ///
    /// # Errors
    /// In words for the user, when that address cannot be listened at.
    pub(crate) fn start(metrics: Option<SocketAddr>, room: usize, registry: &'a str) -> Result<Self, String> {
        let metrics = metrics.map(|address| {
            Metrics::bind(address).map_err(|error| format!("--metrics {address}: {}", crate::cli::exit::plain(&error)))
        });
        let metrics = metrics.transpose()?;
        let notify = Notify::from_environment();
        Ok(Self { metrics, notify, registry, room: room as u64, shown: None, said: None })
    }

    /// Where the figures are, in words; empty if nowhere.
    pub(crate) fn said(&self) -> String {
        self.metrics.as_ref().map(|m| format!(", figures at http://{}/metrics", m.address())).unwrap_or_default()
    }

    /// What it needs of the sockets it has opened.
    pub(crate) fn sockets(&self) -> Sockets {
        if self.metrics.is_some() || self.notify.is_heard() { Sockets::Serve } else { Sockets::Capture }
    }

    /// The capture has begun and the process is confined: figures are served from now on.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn ready(&self) -> io::Result<()> {
        self.metrics.as_ref().map_or(Ok(()), Metrics::serve)?;
        self.notify.ready();
        Ok(())
    }

    /// It goes on.
    pub(crate) fn tick(&mut self, board: &Board<'_>) {
        let now = Instant::now();
        let due = |last: Option<Instant>, pace| last.is_none_or(|last| now.duration_since(last) >= pace);
        self.notify.alive(now);
        if due(self.said, STATUS) {
            self.said = Some(now);
            let (packets, ports) = (board.taken.counts.received, board.rows().len() as u64);
            self.notify.status(format!("{} packets, {} ports", thousands(packets), thousands(ports)));
        }
        if let Some(metrics) = self.metrics.as_ref().filter(|_| due(self.shown, PACE)) {
            self.shown = Some(now);
            metrics.show(page(&Figures {
                counts: &board.taken.counts,
                rows: board.rows(),
                flows: board.flows(),
                open: board.flows_open() as u64,
                room: self.room,
                evicted: board.evicted,
                hurried: board.hurried,
                registry: self.registry,
            }));
        }
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        self.notify.stopping();
    }
}
