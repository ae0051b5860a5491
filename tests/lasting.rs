//! A live run may go on for months: flows that are over leave nothing behind.

#![allow(unsafe_code)] // An allocator that counts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A panic is a failed test.

#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/talk.rs"]
mod talk;

use portproof::capture::{Block, CaptureError, Dropped, FrameRef, Source};
use portproof::packet::{LinkType, Time};
use portproof::pipeline::{Board, Control, Event, Observer, Options, watch_live};
use portproof::registry::Registry;
use portproof::verdict::FlowRecord;
use rewrite::{ethernet, ipv4, udp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::io;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use talk::{ANSWER, QUESTION};

/// Bytes in use, over all threads.
static IN_USE: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, with a count of what is held. There is one test in this file, since the count is of all.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        IN_USE.fetch_add(size as i64 - layout.size() as i64, Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Flows of a portion, portions, and flows that may be open.
const PORTION: u64 = 4_000;
const PORTIONS: usize = 24;
const OPEN: u64 = 1_000;

/// An interface with ever new flows. After each portion it waits until all are over but those that may be open, and notes how
/// much memory is in use then.
struct Flows {
    /// The frames of each.
    frames: fn(u64) -> Vec<Vec<u8>>,
    sent: u64,
    read: u64,
    ended: Arc<AtomicU64>,
    in_use: Arc<Mutex<Vec<i64>>>,
}

impl Source for Flows {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        block.bytes.clear();
        if self.sent > 0 && self.sent.is_multiple_of(PORTION) {
            while self.ended.load(Ordering::SeqCst) + OPEN < self.sent {
                std::thread::yield_now();
            }
            let mut in_use = self.in_use.lock().unwrap();
            in_use.push(IN_USE.load(Ordering::SeqCst));
            if in_use.len() == PORTIONS {
                return Ok(false);
            }
        }
        for _ in 0..100 {
            for frame in (self.frames)(self.sent) {
                self.read += 1;
                block.frames.push(FrameRef {
                    number: self.read,
                    // 20,000 flows a second.
                    time: Time(1_700_000_000_000_000_000 + 50_000 * self.sent as i64),
                    link: LinkType(1),
                    wire_len: frame.len() as u32,
                    start: block.bytes.len() as u32,
                    len: frame.len() as u32,
                });
                block.bytes.extend(frame);
            }
            self.sent += 1;
        }
        Ok(true)
    }

    fn bytes_read(&self) -> u64 {
        0
    }

    fn dropped(&self) -> Dropped {
        Dropped::default()
    }
}

/// Counts the flows that are over.
struct Ends(Arc<AtomicU64>);

impl Observer for Ends {
    fn flow(&mut self, _: &FlowRecord<'_>, event: Event) -> io::Result<()> {
        self.0.fetch_add(u64::from(event == Event::End), Ordering::SeqCst);
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes in use after each portion of a live run over such flows.
fn in_use(frames: fn(u64) -> Vec<Vec<u8>>) -> Vec<i64> {
    let (ended, in_use) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let flows = Flows { frames, sent: 0, read: 0, ended: Arc::clone(&ended), in_use: Arc::clone(&in_use) };
    let options = Options { workers: 1, max_flows: OPEN as usize - 200, batch: 100, ..Options::default() };
    watch_live(vec![flows], &options, Registry::embedded(), &Control::default(), None, &mut Ends(ended)).unwrap();
    std::mem::take(&mut *in_use.lock().unwrap())
}

/// Conversations of DNS between 16,384 clients' ends, in turn, and one server; some of them get no answer.
fn conversation(n: u64) -> Vec<Vec<u8>> {
    let (client, server) = (([10, 0, 0, n as u8], 1024 + (n >> 8) as u16 % 64), ([10, 0, 1, 1], 53));
    let frame = |number: u64, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]| {
        ethernet(0x0800, &ipv4(from.0, to.0, number as u16, 0, 17, &udp(from.1, to.1, payload)))
    };
    let question = frame(2 * n, client, server, QUESTION);
    let answer = frame(2 * n + 1, server, client, ANSWER);
    if n.is_multiple_of(8) { vec![question] } else { vec![question, answer] }
}

#[test]
fn flows_that_are_over_leave_nothing_behind() {
    let in_use = in_use(conversation);
    // A table that things are put into and taken out of may grow once more than their number would need, and those that
    // know 17,000 flows have 2 MiB each.
    let (early, late) = in_use.split_at(PORTIONS / 3);
    let (early, late) = (early.iter().max().unwrap(), late.iter().max().unwrap());
    assert!(late - early < 4 << 20, "{in_use:?}");
}
