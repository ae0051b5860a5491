//! A block of raw capture bytes with the frames found in it: the unit in which bytes travel to the workers.

use crate::packet::{Frame, LinkType, Time};

/// Where in a block a frame lies.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef {
    /// Position in the capture, from 1.
    pub number: u64,
    /// Time stamp.
    pub time: Time,
    /// Link type.
    pub link: LinkType,
    /// Length on the wire, bytes.
    pub wire_len: u32,
    /// First byte of the frame in [`Block::bytes`].
    pub start: u32,
    /// Captured length, bytes.
    pub len: u32,
}

/// Frames that were only counted.
#[derive(Clone, Copy, Default, Debug)]
pub struct Skimmed {
    /// Their number.
    pub frames: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// How many of them were cut by the snaplen.
    pub truncated: u64,
    /// The earliest and the latest of them.
    pub span: Option<(Time, Time)>,
}

impl Skimmed {
    /// Counts a frame of this time, length on the wire and captured length.
    pub fn count(&mut self, time: Time, wire_len: u32, len: u32) {
        self.frames += 1;
        self.bytes += u64::from(wire_len);
        self.truncated += u64::from(len < wire_len);
        self.span = Some(self.span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
    }
}

/// Raw bytes of a capture and the frames in them. Reused from pass to pass.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes as read. Only those that `frames` refer to mean anything.
    pub bytes: Vec<u8>,
    /// The whole frames in `bytes`, in capture order.
    pub frames: Vec<FrameRef>,
    /// Frames of which nothing is kept.
    pub skimmed: Skimmed,
}

impl Block {
    /// Forgets the content, keeps the memory (which needs no zeroing when the block is filled again).
    pub fn clear(&mut self) {
        self.frames.clear();
        self.skimmed = Skimmed::default();
    }

    /// The frame that `frame` describes; empty if the reference does not fit this block.
    pub fn frame(&self, frame: &FrameRef) -> Frame<'_> {
        let start = frame.start as usize;
        let data = self.bytes.get(start..start.saturating_add(frame.len as usize)).unwrap_or_default();
        Frame { number: frame.number, time: frame.time, link: frame.link, wire_len: frame.wire_len, data }
    }
}
