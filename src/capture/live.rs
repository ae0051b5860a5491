//! Packets of network interfaces, by libpcap, in blocks that come in time even when traffic is slow.
//!
//! The descriptors never block and are waited for with poll, so that a signal is heard whatever the traffic. At the end
//! the kernel is soon told to accept nothing more, then everything it had accepted is read: it has counted that itself.

mod interfaces;
mod limit;
mod open;
mod socket;

pub use interfaces::{Interface, interfaces};
pub use open::{OpenError, Settings};

use limit::Limit;

use super::{Block, CaptureError, Dropped, Fault, FrameRef, Source};
use crate::packet::{LinkType, Time};
use pcap::{Active, Capture};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Bytes of frames in a block.
const BLOCK: usize = 256 << 10;
/// Frames that are counted at a time.
const COUNTED: u64 = 1 << 16;
/// The longest wait for a packet.
const TICK: Duration = Duration::from_millis(100);
/// The time after which the kernel hands over a part-filled block; it may take twice as long, and an end waits for it.
const PART_FILLED: Duration = Duration::from_millis(40);
/// How long an end waits for packets that the kernel says it has accepted: until it must have handed them over. On `lo` and
/// `any` it counts some that libpcap leaves out.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long an end lets the kernel accept frames that were sent before it: on a busy machine they may still be on their way
/// from the interface to the ring.
const ON_THE_WAY: Duration = Duration::from_millis(50);
/// The most frames read at a time.
const PORTION: u64 = 256;
/// How often the kernel's counters are asked for.
const COUNTING: Duration = Duration::from_millis(100);

/// Takes lines for the user: an interface is down.
pub type Notice = Arc<dyn Fn(&str) + Send + Sync>;

/// Interfaces under capture.
pub struct Live {
    ports: Vec<Port>,
    packets: u64,
    /// Frames are numbered from here, in these steps, so that several threads number them differently.
    first: u64,
    step: u64,
    bytes: u64,
    limit: Limit,
    deadline: Option<Instant>,
    ending: Option<Instant>,
    /// The kernel accepts nothing more.
    shut: bool,
    /// Frames are only counted.
    skims: bool,
    counted: Instant,
    faults: Vec<CaptureError>,
    notice: Notice,
}

/// One capture on one interface.
struct Port {
    name: String,
    /// The interface's index; 0: all interfaces.
    index: u32,
    capture: Capture<Active>,
    link: LinkType,
    /// Frames handed over by the kernel.
    taken: u64,
    counters: Counters,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Up,
    Down,
    /// Deleted, or it failed; since then what it had accepted is read.
    Gone(Instant),
}

/// The kernel's counters, which are 32 bits wide, added up.
#[derive(Clone, Copy, Default, Debug)]
struct Counters {
    last: [u32; 3],
    /// Frames accepted or dropped.
    seen: u64,
    /// Frames dropped for want of room.
    dropped: u64,
    /// Frames dropped by the interface.
    interface: u64,
}

impl Counters {
    fn add(&mut self, stat: pcap::Stat) {
        let now = [stat.received, stat.dropped, stat.if_dropped];
        let [seen, dropped, interface] = [0, 1, 2].map(|n: usize| {
            let (now, last) = (now.get(n).copied().unwrap_or(0), self.last.get(n).copied().unwrap_or(0));
            let grown = now.wrapping_sub(last);
            // libpcap's count of the interface's drops (n 2) goes back when it can no longer be read.
            if n == 2 && grown > u32::MAX / 2 { 0 } else { u64::from(grown) }
        });
        self.seen += seen;
        self.dropped += dropped;
        self.interface += interface;
        self.last = now;
    }

    fn accepted(&self) -> u64 {
        self.seen.saturating_sub(self.dropped)
    }
}

impl Live {
    /// Begins to capture on all `names`, once for each thread that is to capture: the kernel gives the packets of a flow to
    /// one of them.
    ///
    /// # Errors
    /// Says which interface cannot be captured on, why, and what to do.
    pub fn open(names: &[String], settings: &Settings, notice: &Notice) -> Result<Vec<Self>, OpenError> {
        let threads = settings.threads.max(1);
        let mut ports: Vec<Vec<Port>> = (0..threads).map(|_| Vec::new()).collect();
        for name in names {
            let opened = open::ports(name, threads, settings)?;
            ports.iter_mut().zip(opened).for_each(|(ports, port)| ports.push(port));
        }
        let now = Instant::now();
        let limit = Limit::new(settings.count);
        let live = |(ports, first)| Self {
            ports,
            packets: 0,
            first,
            step: threads as u64,
            bytes: 0,
            limit: limit.clone(),
            deadline: settings.duration.map(|duration| now + duration),
            ending: None,
            shut: false,
            skims: false,
            counted: now,
            faults: Vec::new(),
            // One thread is enough to say it.
            notice: if first == 1 { Arc::clone(notice) } else { Arc::new(|_| {}) },
        };
        Ok(ports.into_iter().zip(1..).map(live).collect())
    }

    /// Reads what the kernel has handed over, until the block is full or there is no more.
    fn fill(&mut self, block: &mut Block) {
        for n in 0..self.ports.len() {
            let Some(port) = self.ports.get_mut(n) else { return };
            loop {
                if block.bytes.len() >= BLOCK || block.skimmed.frames >= COUNTED {
                    return;
                }
                let (room, before) = (self.limit.reserve(PORTION), self.packets);
                if room == 0 {
                    return;
                }
                let read = port.read(block, &mut self.packets, room, (self.first, self.step), self.skims);
                self.limit.settle(room, self.packets - before);
                match read {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(text) => {
                        Self::failed(port, Some(text), &mut self.faults, &self.notice);
                        break;
                    }
                }
            }
        }
    }

    /// Notes that an interface went down, was deleted, or failed.
    fn failed(port: &mut Port, text: Option<String>, faults: &mut Vec<CaptureError>, notice: &Notice) {
        if matches!(port.state, State::Gone(_)) {
            return;
        }
        let name = port.name.escape_debug().to_string();
        let reason = if !port.exists() {
            "the interface was deleted".to_owned()
        } else if text.as_ref().is_none_or(|text| text.contains("down")) {
            if port.state == State::Up {
                notice(&format!("{name} is down; the capture goes on when it is up again"));
            }
            port.state = State::Down;
            return;
        } else {
            text.unwrap_or_default()
        };
        port.state = State::Gone(Instant::now());
        faults.push(CaptureError { path: name, packet: None, offset: None, fault: Fault::Interface(reason) });
    }

    /// Waits until there is something to read, at most for a tick.
    fn wait(&mut self) -> io::Result<()> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let ending = self.ending.is_some() || self.ports.iter().any(|port| matches!(port.state, State::Gone(_)));
        let most = if ending { TICK / 10 } else { TICK };
        let time = left.map_or(most, |left| left.min(most));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(time.subsec_nanos()) };
        let fds: Vec<BorrowedFd<'_>> = self.ports.iter().map(|port| port.capture.as_fd()).collect();
        let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut polled, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let failed: Vec<bool> = polled.iter().map(|fd| fd.revents().contains(PollFlags::ERR)).collect();
        for (port, failed) in self.ports.iter_mut().zip(failed) {
            // Reading the error clears it, and libpcap goes on reading.
            if failed && let Ok(Err(error)) = rustix::net::sockopt::socket_error(port.capture.as_fd()) {
                let text = (error != Errno::NETDOWN).then(|| io::Error::from(error).to_string());
                Self::failed(port, text, &mut self.faults, &self.notice);
            }
        }
        Ok(())
    }

    fn count(&mut self, now: bool) {
        if now || self.counted.elapsed() >= COUNTING {
            self.counted = Instant::now();
            for port in &mut self.ports {
                port.count();
                // The socket's own error tells, too, but libpcap may have read it first.
                if port.is_down() {
                    Self::failed(port, None, &mut self.faults, &self.notice);
                }
            }
        }
    }

    /// Tells the kernel to accept nothing more.
    fn shut(&mut self) {
        if !std::mem::replace(&mut self.shut, true) {
            self.ports.iter().for_each(|port| socket::accept_nothing(port.capture.as_fd()));
        }
    }

    /// Whether every interface is gone or told to stop, and all it had accepted is read.
    fn over(&mut self) -> bool {
        if self.limit.is_reached() {
            return true;
        }
        if !self.shut && !self.ports.iter().all(|port| matches!(port.state, State::Gone(_))) {
            return false;
        }
        self.count(true);
        let since = |port: &Port| match port.state {
            State::Gone(since) => since,
            _ => self.ending.unwrap_or(self.counted),
        };
        self.ports.iter().all(|port| port.taken >= port.counters.accepted() || since(port).elapsed() >= PATIENCE)
    }
}

impl Port {
    /// Reads some frames; 0: there are none now.
    fn read(
        &mut self,
        block: &mut Block,
        packets: &mut u64,
        room: u64,
        (first, step): (u64, u64),
        skims: bool,
    ) -> Result<usize, String> {
        let (link, before) = (self.link, *packets);
        let result = self.capture.dispatch(usize::try_from(room).ok(), |packet| {
            let number = first + *packets * step;
            *packets += 1;
            let stamp = packet.header.ts;
            // With the precision that is asked for at the opening the field holds nanoseconds.
            let time = Time(stamp.tv_sec.saturating_mul(1_000_000_000).saturating_add(stamp.tv_usec));
            let (wire_len, len) = (packet.header.len, packet.data.len() as u32);
            if skims {
                return block.skimmed.count(time, wire_len, len);
            }
            let start = block.bytes.len() as u32;
            block.bytes.extend_from_slice(packet.data);
            block.frames.push(FrameRef { number, time, link, wire_len, start, len });
        });
        let taken = *packets - before;
        self.taken += taken;
        if taken > 0 && self.state == State::Down && !self.is_down() {
            self.state = State::Up;
        }
        match result {
            Ok(count) => Ok(count),
            Err(_) if taken > 0 => Ok(taken as usize),
            Err(pcap::Error::TimeoutExpired) => Ok(0),
            Err(pcap::Error::PcapError(text)) => Err(text),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reads and forgets what was accepted before the capture has really begun.
    fn discard(&mut self) {
        let since = Instant::now();
        loop {
            self.count();
            if self.taken >= self.counters.accepted() || since.elapsed() >= PATIENCE {
                break;
            }
            match self.capture.dispatch(None, |_| {}) {
                Ok(0) | Err(_) => std::thread::sleep(TICK / 10),
                Ok(count) => self.taken += count as u64,
            }
        }
        self.taken = 0;
        let last = self.counters.last;
        self.counters = Counters { last, ..Counters::default() };
    }

    fn count(&mut self) {
        if let Ok(stat) = self.capture.stats() {
            self.counters.add(stat);
        }
    }

    /// Whether the interface is still there, perhaps under another name.
    fn exists(&self) -> bool {
        self.index == 0 || index_to_name(self.capture.as_fd(), self.index).is_ok()
    }

    /// Whether the interface is down or gone.
    fn is_down(&self) -> bool {
        let up = |name: String| socket::is_up(self.capture.as_fd(), &name).unwrap_or(true);
        self.index != 0 && !index_to_name(self.capture.as_fd(), self.index).is_ok_and(up)
    }
}

impl Source for Live {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        block.bytes.clear();
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            self.deadline = None;
            self.stop();
            self.shut();
        }
        if self.ending.is_some_and(|ending| ending.elapsed() >= ON_THE_WAY) {
            self.shut();
        }
        self.fill(block);
        if block.frames.is_empty() && block.skimmed.frames == 0 {
            if self.over() {
                return Ok(false);
            }
            self.wait().map_err(|error| CaptureError {
                path: self.ports.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(","),
                packet: None,
                offset: None,
                fault: Fault::Read(error),
            })?;
            self.fill(block);
        }
        self.bytes += block.bytes.len() as u64;
        self.count(false);
        Ok(true)
    }

    fn bytes_read(&self) -> u64 {
        self.bytes
    }

    fn dropped(&self) -> Dropped {
        let sum = |of: fn(&Counters) -> u64| self.ports.iter().map(|port| of(&port.counters)).sum();
        Dropped { kernel: sum(|c| c.dropped), interface: sum(|c| c.interface) }
    }

    fn faults(&mut self) -> Vec<CaptureError> {
        std::mem::take(&mut self.faults)
    }

    fn stop(&mut self) -> bool {
        self.ending.get_or_insert_with(Instant::now);
        true
    }

    fn skim(&mut self) {
        self.skims = true;
    }

    /// The clock by which the kernel stamps packets, and a second less: whatever is older has been read.
    fn now(&self) -> Option<Time> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let now = i64::try_from(now.as_nanos()).ok()?;
        Some(Time(now.saturating_sub(1_000_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_of_32_bits_go_on_beyond() {
        let mut counters = Counters::default();
        let stat = |received, dropped, if_dropped| pcap::Stat { received, dropped, if_dropped };
        counters.add(stat(u32::MAX - 1, 7, 5));
        counters.add(stat(u32::MAX / 2, 9, 0));
        assert_eq!(
            (counters.seen, counters.dropped, counters.interface),
            (u64::from(u32::MAX) + u64::from(u32::MAX / 2) + 1, 9, 5)
        );
    }
}
