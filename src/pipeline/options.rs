//! What a run is told, and how it is watched and stopped from outside.

use super::{Network, Wanted, Window};
use crate::capture::Filter;
use crate::packet::{Packet, Transport, TunnelView};
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

/// A set of ports, some of them of one transport only.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PortSet {
    /// First port, last port, transport (none: both).
    pub ranges: Vec<(u16, u16, Option<Transport>)>,
}

impl PortSet {
    /// Whether a port is in the set.
    pub fn contains(&self, port: u16, transport: Transport) -> bool {
        self.ranges.iter().any(|&(first, last, t)| (first..=last).contains(&port) && t.is_none_or(|t| t == transport))
    }

    /// Whether either end's port is in the set.
    pub fn takes(&self, packet: &Packet) -> bool {
        self.contains(packet.source.port, packet.transport) || self.contains(packet.destination.port, packet.transport)
    }
}

/// [`Options::grace`], [`Options::haste`] and [`Options::filing`] unless told otherwise: the end is to take half a second,
/// with the last rows.
const GRACE: Duration = Duration::from_millis(50);
const HASTE: Duration = Duration::from_millis(30);
const FILING: Duration = Duration::from_millis(60);

/// Settings of a run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Worker threads; none: the capture thread does everything.
    pub workers: usize,
    /// Packets in a batch.
    pub batch: usize,
    /// Only these ports.
    pub ports: Option<PortSet>,
    /// Only packets of these hosts; empty: all.
    pub hosts: Vec<Network>,
    /// Who is inside, for the direction of flows; empty: not known.
    pub local: Vec<Network>,
    /// Only frames of this time.
    pub window: Window,
    /// Only frames that this takes.
    pub filter: Option<Filter>,
    /// Which layers of tunnelled packets are judged.
    pub tunnels: TunnelView,
    /// Flows kept at a time, live and ended ones together, over all workers.
    pub max_flows: usize,
    /// Bytes that the heads of undecided flows may hold, over all workers.
    pub head_memory: usize,
    /// A UDP flow ends after this silence, nanoseconds of packet time.
    pub udp_idle: i64,
    /// A TCP flow ends after this silence, nanoseconds of packet time.
    pub tcp_idle: i64,
    /// Report what was seen so far whenever this much packet time has passed, nanoseconds.
    pub every: Option<i64>,
    /// Rows by server endpoint instead of by port.
    pub by_endpoint: bool,
    /// Of a flow without a name all recognisers are asked whether they exclude themselves, not only those of the claim.
    pub exhaustive: bool,
    /// In a live run: the packets to be saved.
    pub keep: Option<Wanted>,
    /// In a live run: how long after [`Control::stop`] flows are judged as usual. Then recognisers are not asked any more:
    /// packets are counted in their flows, and flows in their rows by what was found before.
    pub grace: Duration,
    /// And for how long that goes on. Packets that are left then are given to no flow.
    pub haste: Duration,
    /// For how long after that flows are put into their rows. What is left then is in none. As long again takes the merge
    /// of the workers' rows at most, and as long the writing of those that say nothing.
    pub filing: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            workers: 1,
            batch: 1024,
            ports: None,
            hosts: Vec::new(),
            local: Vec::new(),
            window: Window::default(),
            filter: None,
            tunnels: TunnelView::default(),
            max_flows: 200_000,
            head_memory: 64 << 20,
            udp_idle: 120_000_000_000,
            tcp_idle: 300_000_000_000,
            every: None,
            by_endpoint: false,
            exhaustive: false,
            keep: None,
            grace: GRACE,
            haste: HASTE,
            filing: FILING,
        }
    }
}

/// Shared with the threads that watch a run or stop it.
#[derive(Debug, Default)]
pub struct Control {
    stop: OnceLock<Instant>,
    /// Bytes of input consumed so far, all captures together (compressed ones if compressed).
    pub bytes: AtomicU64,
    /// Frames read so far.
    pub frames: AtomicU64,
}

impl Control {
    /// Asks the run to end with what was read.
    pub fn stop(&self) {
        self.stop.get_or_init(Instant::now);
    }

    /// Whether it was asked to end.
    pub fn stopped(&self) -> bool {
        self.stop.get().is_some()
    }

    /// Whether a live run was asked to end, and so many times [`Options::filing`] after it was late are over.
    pub fn is_past(&self, options: &Options, times: u32) -> bool {
        let late = options.grace.saturating_add(options.haste).saturating_add(options.filing.saturating_mul(times));
        self.stop.get().is_some_and(|stop| stop.elapsed() >= late)
    }

    /// How much of a live run's end is over.
    pub(super) fn end(&self, options: &Options) -> End {
        let Some(elapsed) = self.stop.get().map(Instant::elapsed) else { return End::NotYet };
        if self.is_past(options, 1) {
            End::Over
        } else if self.is_past(options, 0) {
            End::Late
        } else if elapsed >= options.grace {
            End::Hasty
        } else {
            End::NotYet
        }
    }
}

/// How much of a live run's end is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum End {
    /// It goes on, or there is time to judge as usual.
    NotYet,
    /// [`Options::grace`] is over.
    Hasty,
    /// [`Options::haste`], too.
    Late,
    /// And [`Options::filing`].
    Over,
}
