//! `-w` saves all fragments of a datagram that is wanted, within its bounds, and counts what does not fit.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use portproof::capture::{Block, CaptureFile, Rotation, Saver};
use portproof::packet::Time;
use portproof::pipeline::{Board, Control, Event, Keeping, Observer, Options, Wanted, watch_live};
use portproof::registry::Registry;
use portproof::verdict::FlowRecord;
use std::io::{self, Cursor};

/// RFC 1035: a question for the address of example.com, and its answer.
const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\
\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01";

/// A capture in memory: classic pcap with Ethernet, a frame each microsecond.
struct Capture {
    bytes: Vec<u8>,
    frames: Vec<Vec<u8>>,
}

impl Capture {
    fn new() -> Self {
        let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1];
        Self { bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(), frames: Vec::new() }
    }

    /// A UDP datagram from one port to another, in fragments that end at these places (the header counts), sent in this
    /// order. Gives the numbers of their frames.
    fn datagram(&mut self, [from, to]: [(u8, u16); 2], payload: &[u8], ends: &[usize], order: &[usize]) -> Vec<u64> {
        let ports = [from.1, to.1, 8 + payload.len() as u16, 0];
        let datagram: Vec<u8> =
            ports.iter().flat_map(|word| word.to_be_bytes()).chain(payload.iter().copied()).collect();
        let id = 1 + self.frames.len() as u16;
        for &n in order {
            let (start, end) = (if n == 0 { 0 } else { ends[n - 1] }, ends[n].min(datagram.len()));
            let more = u16::from(end < datagram.len()) << 13;
            let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
            frame.extend(
                [(20 + end - start) as u16, id, more | (start / 8) as u16].iter().flat_map(|word| word.to_be_bytes()),
            );
            frame.extend([64, 17, 0, 0, 10, 0, 0, from.0, 10, 0, 0, to.0]);
            frame.extend(&datagram[start..end]);
            let (micros, len) = (self.frames.len() as u32, frame.len() as u32);
            self.bytes.extend([1_700_000_000, micros, len, len].iter().flat_map(|word| word.to_le_bytes()));
            self.bytes.extend(&frame);
            self.frames.push(frame);
        }
        let count = self.frames.len() as u64;
        (count - order.len() as u64 + 1..=count).collect()
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
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(capture.bytes.clone()))).unwrap();
    let control = Control::default();
    let watched = watch_live(vec![file], &options, Registry::embedded(), &control, Some(keeping), &mut Quiet).unwrap();
    let keeping = watched.board.keeping.as_ref().unwrap();
    let (mut file, mut block, mut numbers) = (CaptureFile::open(&path).unwrap(), Block::default(), Vec::new());
    while file.next_block(&mut block).unwrap() {
        for frame in &block.frames {
            let data = block.frame(frame).data;
            numbers.push(1 + capture.frames.iter().position(|sent| sent == data).unwrap() as u64);
        }
    }
    numbers.sort_unstable();
    (numbers, keeping.saved, keeping.overflowed)
}

#[test]
fn all_fragments_of_what_is_wanted_are_saved() {
    let mut capture = Capture::new();
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
    let mut capture = Capture::new();
    for n in 0..200 {
        capture.datagram([client, (3, 1000 + n)], &noise(5), &[400, 608], &[1]);
    }
    let wanted = capture.datagram([client, server], &noise(6), &[400, 608], &[0, 1]);
    assert_eq!(saved(&capture, 4096), (wanted, 2, 0));
}
