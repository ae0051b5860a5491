//! `-w` saves all fragments of a datagram that is wanted, within its bounds, and counts what does not fit.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/talk.rs"]
mod talk;

use portproof::capture::{Block, CaptureFile, Rotation, Saver};
use portproof::packet::Time;
use portproof::pipeline::{Board, Control, Event, Keeping, Observer, Options, Wanted, watch_live};
use portproof::registry::Registry;
use portproof::verdict::FlowRecord;
use rewrite::{Raw, udp};
use std::io;
use talk::{ANSWER, End, QUESTION, fragment};

/// A capture, a frame each microsecond.
#[derive(Default)]
struct Capture(Vec<Raw>);

impl Capture {
    /// A UDP datagram from one port to another, in fragments that end at these places (the header counts), sent in this
    /// order. Gives the numbers of their frames.
    fn datagram(&mut self, ends: [End; 2], payload: &[u8], places: &[usize], order: &[usize]) -> Vec<u64> {
        let datagram = udp(ends[0].1, ends[1].1, payload);
        let before = self.0.len() as u64;
        for &n in order {
            let (start, end) = (if n == 0 { 0 } else { places[n - 1] }, places[n].min(datagram.len()));
            let more = u16::from(end < datagram.len()) << 13;
            let data = fragment(1 + before as u16, ends, more | (start / 8) as u16, &datagram[start..end]);
            let time = 1_700_000_000_000_000_000 + 1000 * self.0.len() as i64;
            self.0.push(Raw { time, link: 1, wire: data.len() as u32, data });
        }
        (before + 1..=self.0.len() as u64).collect()
    }
}

struct Quiet;

impl Observer for Quiet {
    fn flow(&mut self, _: &FlowRecord<'_>, _: Event) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// The frames that are saved, as numbers in the capture, sorted, with those that are counted as saved and as not held.
fn saved(capture: &Capture, room: usize) -> (Vec<u64>, u64, u64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("saved.pcapng");
    let wanted = Wanted { all: false, mismatch: true, unknown: true };
    let keeping = Keeping::new(Saver::create(&path, Rotation::default(), Time(0)).unwrap(), wanted, room);
    let options = Options { keep: Some(wanted), workers: 2, ..Options::default() };
    let file = rewrite::open(rewrite::pcap(&capture.0, false, false)).unwrap();
    let control = Control::default();
    let watched = watch_live(vec![file], &options, Registry::embedded(), &control, Some(keeping), &mut Quiet).unwrap();
    let keeping = watched.board.keeping.as_ref().unwrap();
    let (mut file, mut block, mut numbers) = (CaptureFile::open(&path).unwrap(), Block::default(), Vec::new());
    while file.next_block(&mut block).unwrap() {
        for frame in &block.frames {
            let data = block.frame(frame).data;
            numbers.push(1 + capture.0.iter().position(|sent| sent.data == data).unwrap() as u64);
        }
    }
    numbers.sort_unstable();
    (numbers, keeping.saved, keeping.overflowed)
}

#[test]
fn all_fragments_of_what_is_wanted_are_saved() {
    let mut capture = Capture::default();
    let (client, server, dns) = ((1, 40_000), (2, 1197), (2, 53));
    let noise = |n: u8| (0..600u16).map(|i| (i as u8).wrapping_mul(37) ^ n).collect::<Vec<u8>>();
    let mut wanted = Vec::new();
    // The first fragment first, or last; and a datagram of which one never comes.
    wanted.extend(capture.datagram([client, server], &noise(1), &[400, 600], &[0, 1]));
    capture.datagram([(1, 41_000), dns], QUESTION, &[24, 99], &[0, 1]);
    wanted.extend(capture.datagram([server, client], &noise(2), &[200, 400, 608], &[2, 1, 0]));
    capture.datagram([dns, (1, 41_000)], ANSWER, &[24, 99], &[1, 0]);
    wanted.extend(capture.datagram([client, server], &noise(3), &[200, 400, 608], &[0, 1]));
    wanted.extend(capture.datagram([server, client], &noise(4), &[608], &[0]));
    assert_eq!(saved(&capture, 1 << 20), (wanted.clone(), wanted.len() as u64, 0));
    // Without room nothing is held; all that would have been is counted.
    let (numbers, count, lost) = saved(&capture, 0);
    assert!(numbers.is_empty() && count == 0 && lost >= wanted.len() as u64, "{numbers:?}, {lost} lost");
    // Fragments that nobody asks for make way for those that come later.
    let mut capture = Capture::default();
    for n in 0..200 {
        capture.datagram([client, (3, 1000 + n)], &noise(5), &[400, 608], &[1]);
    }
    let wanted = capture.datagram([client, server], &noise(6), &[400, 608], &[0, 1]);
    assert_eq!(saved(&capture, 4096), (wanted, 2, 0));
}
