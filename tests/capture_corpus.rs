//! Every capture at hand is read to its end in bounded memory, and every frame has a fate.

#![allow(clippy::expect_used)]

mod corpus;

use portproof::capture::{Ahead, Block, CaptureFile, Dropped, Source};
use portproof::packet::{Fate, Packet, Parser};
use std::path::Path;

/// Most memory this process may have had, KiB.
const MEMORY_KIB: u64 = 200 << 10;

#[test]
fn every_capture_is_read_without_panic_in_bounded_memory() {
    let mut packets = Vec::new();
    for path in corpus::captures(&["lab", "real", "hostile"]) {
        read(&path, &mut packets);
    }
    if let Some(peak) = peak_memory_kib() {
        assert!(peak < MEMORY_KIB, "{peak} KiB");
    }
}

fn read(path: &Path, packets: &mut Vec<Packet>) {
    let one_line = |text: String| assert!(!text.contains('\n'), "{text}");
    let mut file = match CaptureFile::open(path) {
        Ok(file) => file,
        Err(error) => return one_line(error.to_string()),
    };
    let (mut block, mut parser, mut number) = (Block::default(), Parser::new(), 0);
    loop {
        match file.next_block(&mut block) {
            Ok(true) => assert!(!block.frames.is_empty()),
            Ok(false) => break,
            Err(error) => {
                assert!(error.is_damage() && block.frames.is_empty(), "{error}");
                one_line(error.to_string());
            }
        }
        for reference in &block.frames {
            let frame = block.frame(reference);
            number += 1;
            assert_eq!((frame.number, frame.data.len()), (number, reference.len as usize));
            packets.clear();
            let fate = parser.parse(&frame, reference.start, packets);
            // Earlier fragments may be given up meanwhile; they have their own frame's number. A refusal is told beside.
            let own = packets.iter().any(|packet| packet.frame == number && !packet.refused);
            assert_eq!(fate == Fate::Flows, own, "{} {number} {fate:?}", path.display());
        }
    }
    parser.finish(packets);
}

/// Number, time and bytes of a frame.
type Whole = (u64, i64, Vec<u8>);

/// All frames of a source, how it ended, and what it said then.
fn all(source: &mut dyn Source) -> (Vec<Whole>, Option<String>, u64, Dropped) {
    let (mut frames, mut block) = (Vec::new(), Block::default());
    let end = loop {
        match source.next_block(&mut block) {
            Ok(true) => frames.extend(block.frames.iter().map(|reference| {
                let frame = block.frame(reference);
                (frame.number, frame.time.0, frame.data.to_vec())
            })),
            Ok(false) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(matches!(source.next_block(&mut block), Ok(false)) && block.frames.is_empty());
    (frames, end, source.bytes_read(), source.dropped())
}

#[test]
fn a_file_that_is_read_ahead_gives_the_same() {
    let (mut whole, mut damaged) = (0, 0);
    for path in corpus::captures(&["lab", "hostile"]) {
        let (Ok(mut file), Ok(same)) = (CaptureFile::open(&path), CaptureFile::open(&path)) else { continue };
        let expected = all(&mut file);
        let mut ahead = Ahead::start(same).expect("a thread");
        assert!(all(&mut ahead) == expected, "{}", path.display());
        *(if expected.1.is_none() { &mut whole } else { &mut damaged }) += 1;
    }
    assert!(whole > 0 && (damaged > 0 || corpus::folder().is_none()), "{whole} and {damaged} captures");
}

#[test]
fn a_file_need_not_be_read_to_its_end() {
    for path in corpus::captures(&[]) {
        let mut ahead = Ahead::start(CaptureFile::open(&path).expect("a capture")).expect("a thread");
        ahead.next_block(&mut Block::default()).expect("a block");
    }
}

/// The most memory this process has had, as Linux tells it.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
