//! When workers are late, packets of decided flows are shed, those of undecided ones never.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/talk.rs"]
mod talk;

use portproof::pipeline::{Board, Control, Event, Observer, Options, watch_live};
use portproof::registry::Registry;
use portproof::verdict::FlowRecord;
use rewrite::Raw;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use talk::{ANSWER, End, QUESTION, datagram};

/// Packets of one flow that is decided early, per packet of others.
const BUSY: usize = 255;
/// Frames that the capture reads although nobody takes its worker's news.
const AHEAD: u64 = 22_000;
/// Packets of others.
const OTHERS: usize = 800;

/// A capture of such datagrams, a microsecond apart.
#[derive(Default)]
struct Capture(Vec<Raw>);

impl Capture {
    fn datagram(&mut self, ends: [End; 2], payload: &[u8]) {
        let data = datagram(self.0.len() as u16, ends, payload);
        let time = 1_700_000_000_000_000_000 + 1000 * self.0.len() as i64;
        self.0.push(Raw { time, link: 1, wire: data.len() as u32, data });
    }
}

/// Whoever watches takes his time until all is read; the workers wait for him.
struct Slow<'c> {
    control: &'c Control,
    /// Frames in all.
    sent: u64,
    /// Packets by client port.
    packets: BTreeMap<u16, u64>,
}

impl Slow<'_> {
    /// Waits until the capture is as far ahead as it can be. That is beyond [`AHEAD`]: 64 batches of 256 wait for the worker,
    /// and it has taken at least one for each of the 32 pieces of news that wait for us.
    fn wait(&self) {
        let (read, since) = (|| self.control.frames.load(Ordering::Relaxed), Instant::now());
        while read() < AHEAD && since.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut before = u64::MAX;
        while read() < self.sent && std::mem::replace(&mut before, read()) != before {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Observer for Slow<'_> {
    fn flow(&mut self, flow: &FlowRecord<'_>, event: Event) -> io::Result<()> {
        if event == Event::End {
            self.packets.insert(flow.client.port, flow.packets.0 + flow.packets.1);
        } else {
            self.wait();
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn packets_of_decided_flows_go_first() {
    let mut capture = Capture::default();
    let (client, server) = (|port| (1, port), (2, 53));
    capture.datagram([client(1000), server], QUESTION);
    capture.datagram([server, client(1000)], ANSWER);
    for n in 0..OTHERS {
        // The others have two packets each, and are not decided before the second.
        let port = 2000 + (n / 2) as u16;
        match n % 2 {
            0 => capture.datagram([client(port), server], QUESTION),
            _ => capture.datagram([server, client(port)], ANSWER),
        }
        (0..BUSY).for_each(|_| capture.datagram([client(1000), server], QUESTION));
    }
    let sent = capture.0.len() as u64;
    let file = rewrite::open(rewrite::pcap(&capture.0, false, false)).unwrap();
    let (control, options) = (Control::default(), Options { batch: 256, ..Options::default() });
    let mut slow = Slow { control: &control, sent, packets: BTreeMap::new() };
    let watched = watch_live(vec![file], &options, Registry::embedded(), &control, None, &mut slow).unwrap();
    let counts = watched.board.taken.counts;
    println!("{} of {sent} packets shed", counts.dropped_queue);
    assert_eq!((counts.received, counts.classified + counts.dropped_queue), (sent, sent));
    assert!(counts.dropped_queue > 0);
    // All that is missing is missing in the flow that was decided.
    let busy = slow.packets.remove(&1000).unwrap();
    assert_eq!(busy + counts.dropped_queue, 2 + (OTHERS * BUSY) as u64);
    assert_eq!(slow.packets.len(), OTHERS / 2);
    assert!(slow.packets.values().all(|packets| *packets == 2), "{:?}", slow.packets);
}
