//! Several captures as one, in time order: a flow goes on across rotated files.
//!
//! Each file is taken to be in order itself; of frames with the same time the one whose file was named first comes first.
//! A file is open only while the front of the merge is within it, so that memory and open files are bounded by how many
//! overlap, not by how many there are.

use super::{Block, CaptureError, CaptureFile, Dropped, FrameRef};
use crate::packet::Time;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};

/// Bytes of frames in a block.
const BLOCK: usize = 256 << 10;

/// Where blocks of frames come from.
pub trait Source: Send {
    /// Fills `block` with the next frames. `false`: there are no more, and the block is empty.
    ///
    /// # Errors
    /// When the capture is cut or damaged or reading fails; there are no more frames then.
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError>;

    /// Bytes read so far, compressed ones if compressed.
    fn bytes_read(&self) -> u64;

    /// Packets that the capturing interfaces dropped, as far as it says.
    fn dropped(&self) -> Dropped;

    /// Asks it to end. `true`: it has more to hand out first, and then says itself that it is over.
    fn stop(&mut self) -> bool {
        false
    }

    /// Says that from now on frames need only be counted, in [`Block::skimmed`].
    fn skim(&mut self) {}

    /// The time up to which everything was handed out, where that goes on without frames.
    fn now(&self) -> Option<Time> {
        None
    }

    /// What ended parts of it, while the rest went on.
    fn faults(&mut self) -> Vec<CaptureError> {
        Vec::new()
    }
}

impl Source for CaptureFile {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        self.next_block(block)
    }

    fn bytes_read(&self) -> u64 {
        self.bytes_read()
    }

    fn dropped(&self) -> Dropped {
        self.dropped()
    }
}

/// Captures being merged.
pub struct Merged {
    /// Files whose first frame is yet to come, the earliest last.
    waiting: Vec<(Time, usize, PathBuf)>,
    /// Files that the front is within, by place in `order`.
    open: Vec<Option<Reader>>,
    /// The time of each open file's next frame, its place among the arguments, its place in `open`.
    next: BinaryHeap<Reverse<(Time, usize, usize)>>,
    packets: u64,
    closed: (u64, Dropped),
    faults: Vec<CaptureError>,
}

struct Reader {
    file: CaptureFile,
    block: Block,
    at: usize,
}

impl Reader {
    /// Moves to the next frame; its time, or none at the end.
    fn advance(&mut self) -> Result<Option<Time>, CaptureError> {
        self.at += 1;
        if self.at >= self.block.frames.len() {
            self.at = 0;
            if !self.file.next_block(&mut self.block)? {
                return Ok(None);
            }
        }
        Ok(self.block.frames.first().and(self.block.frames.get(self.at)).map(|frame| frame.time))
    }

    /// Opens a file at its first frame.
    fn open(path: &Path) -> Result<(Self, Option<Time>), CaptureError> {
        let mut reader = Self { file: CaptureFile::open(path)?, block: Block::default(), at: 0 };
        let time = reader.advance()?;
        Ok((reader, time))
    }
}

impl Merged {
    /// Looks at the first frame of each file. What cannot be read is reported by `refused`, and left out.
    pub fn open(paths: &[PathBuf], mut refused: impl FnMut(&Path, CaptureError)) -> Self {
        let mut merged = Self {
            waiting: Vec::new(),
            open: Vec::new(),
            next: BinaryHeap::new(),
            packets: 0,
            closed: (0, Dropped::default()),
            faults: Vec::new(),
        };
        for (order, path) in paths.iter().enumerate() {
            match Reader::open(path) {
                Ok((reader, Some(time))) if path.as_os_str() == "-" => merged.enter(reader, time, order),
                Ok((_, Some(time))) => merged.waiting.push((time, order, path.clone())),
                Ok((_, None)) => {}
                Err(fault) => refused(path, fault),
            }
        }
        merged.waiting.sort_by_key(|(time, order, _)| Reverse((*time, *order)));
        merged
    }

    fn enter(&mut self, reader: Reader, time: Time, order: usize) {
        let place = self.open.iter().position(Option::is_none).unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        if let Some(slot) = self.open.get_mut(place) {
            *slot = Some(reader);
            self.next.push(Reverse((time, order, place)));
        }
    }

    /// Opens the files whose first frame is due.
    fn open_due(&mut self) {
        while let Some((time, _, _)) = self.waiting.last() {
            if self.next.peek().is_some_and(|Reverse((next, ..))| next < time) {
                return;
            }
            let Some((_, order, path)) = self.waiting.pop() else { return };
            match Reader::open(&path) {
                Ok((reader, Some(time))) => self.enter(reader, time, order),
                Ok((_, None)) => {}
                Err(fault) => self.faults.push(fault),
            }
        }
    }

    /// Takes the next frame into `block`; false at the end.
    fn take(&mut self, block: &mut Block) -> bool {
        self.open_due();
        let Some(Reverse((_, order, place))) = self.next.pop() else { return false };
        let Some(slot) = self.open.get_mut(place) else { return false };
        let Some(reader) = slot else { return false };
        if let Some(reference) = reader.block.frames.get(reader.at) {
            self.packets += 1;
            let start = block.bytes.len() as u32;
            block.bytes.extend_from_slice(reader.block.frame(reference).data);
            block.frames.push(FrameRef { number: self.packets, start, ..*reference });
        }
        match reader.advance() {
            Ok(Some(time)) => self.next.push(Reverse((time, order, place))),
            ended => {
                self.faults.extend(ended.err());
                self.closed.0 += reader.file.bytes_read();
                self.closed.1 = self.closed.1 + reader.file.dropped();
                *slot = None;
            }
        }
        true
    }
}

impl Source for Merged {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.frames.clear();
        block.bytes.clear();
        while block.bytes.len() < BLOCK && self.take(block) {}
        Ok(!block.frames.is_empty())
    }

    fn bytes_read(&self) -> u64 {
        self.closed.0 + self.open.iter().flatten().map(|reader| reader.file.bytes_read()).sum::<u64>()
    }

    fn dropped(&self) -> Dropped {
        self.open.iter().flatten().fold(self.closed.1, |sum, reader| sum + reader.file.dropped())
    }

    fn faults(&mut self) -> Vec<CaptureError> {
        std::mem::take(&mut self.faults)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A capture of raw IP with a frame of one byte at each of these seconds.
    fn capture(path: &Path, seconds: &[u32], byte: u8) {
        let mut bytes = [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65535, 101].map(u32::to_le_bytes).concat();
        for second in seconds {
            bytes.extend([*second, 0, 1, 1].map(u32::to_le_bytes).concat());
            bytes.push(byte);
        }
        std::fs::write(path, bytes).unwrap();
    }

    #[test]
    fn frames_come_in_time_order_with_numbers_of_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        capture(&at("late"), &[7, 9], b'l');
        capture(&at("early"), &[1, 2, 7, 8], b'e');
        capture(&at("none"), &[], b'n');
        std::fs::write(at("text"), "no capture at all, but long enough to be looked at").unwrap();
        let paths = ["late", "text", "early", "none"].map(at);
        let mut refused = Vec::new();
        let mut merged = Merged::open(&paths, |path, _| refused.push(path.to_path_buf()));
        let mut block = Block::default();
        let mut seen = Vec::new();
        while merged.next_block(&mut block).unwrap() {
            for frame in block.frames.iter().map(|frame| block.frame(frame)) {
                seen.push((frame.number, frame.time.seconds(), frame.data.to_vec()));
            }
        }
        let expected = [(1, 1, "e"), (2, 2, "e"), (3, 7, "l"), (4, 7, "e"), (5, 8, "e"), (6, 9, "l")];
        assert_eq!(seen, expected.map(|(number, time, data)| (number, time, data.as_bytes().to_vec())));
        assert_eq!(refused, [at("text")]);
        assert!(merged.faults().is_empty());
    }

    #[test]
    fn a_cut_file_ends_and_the_others_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        capture(&at("a"), &[1, 3], b'a');
        capture(&at("b"), &[2, 4], b'b');
        let whole = std::fs::read(at("a")).unwrap();
        std::fs::write(at("a"), &whole[..whole.len() - 1]).unwrap();
        let mut merged = Merged::open(&["a", "b"].map(at), |_, _| {});
        let mut block = Block::default();
        assert!(merged.next_block(&mut block).unwrap());
        let times: Vec<i64> = block.frames.iter().map(|frame| frame.time.seconds()).collect();
        assert_eq!((times, merged.faults().len()), (vec![1, 2, 4], 1));
    }
}
