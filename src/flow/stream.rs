//! The first bytes of one TCP direction, put in order.
//!
//! Segments may come in any order, overlap, repeat or be missing. Kept are the contiguous bytes from the start (or, when
//! the start was not captured, from the first segment seen), at most 8 KiB, and which frame carried which byte. What lies
//! behind a gap waits in a small buffer; when the gap does not close the stream ends there, or starts anew behind it, once,
//! when too little came before. Where the snaplen cut a segment the bytes end, too. Of some segments behind the end the start
//! is kept with its place, since a record may begin there.

use crate::packet::Time;

/// Contiguous bytes kept of a direction.
pub const STREAM_BYTES: usize = 8192;
/// Segments that may wait behind a gap.
const WAITING: usize = 16;
/// A stream that broke with fewer bytes than this starts anew behind the gap.
const RESTART_BELOW: usize = 512;
/// Entries of the map from bytes to frames; later segments join the last entry.
const MAPPED: usize = 64;

/// Segments kept behind the first one that the snaplen cut, or behind a gap.
pub const PIECES: usize = 24;
/// Bytes kept of each.
const PIECE_BYTES: usize = 48;

/// The visible start of a segment behind the end of the contiguous bytes.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its place in the stream, in bytes behind the first byte of [`Stream::bytes`].
    pub offset: u32,
    /// Frame number.
    pub frame: u64,
    /// Time stamp.
    pub time: Time,
    /// True length in bytes.
    pub len: u32,
    /// The first bytes that were captured.
    pub data: Box<[u8]>,
}

#[derive(Clone, Copy, Debug)]
struct Origin {
    offset: u32,
    frame: u64,
    time: Time,
}

#[derive(Clone, Debug)]
struct Waiting {
    sequence: u32,
    frame: u64,
    time: Time,
    len: usize,
    data: Box<[u8]>,
}

/// The memory behind a [`Stream`].
#[derive(Clone, Debug)]
pub struct StreamBuf {
    bytes: Vec<u8>,
    origins: Vec<Origin>,
    waiting: Vec<Waiting>,
    next: Option<u32>,
    start_seen: bool,
    broken: bool,
    restarted: bool,
    conflicting: bool,
    cut: bool,
    /// Sequence number of the first of `bytes`.
    base: u32,
    pieces: Vec<Piece>,
    total: u64,
}

impl Default for StreamBuf {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamBuf {
    /// A stream of which nothing was seen.
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            origins: Vec::new(),
            waiting: Vec::new(),
            next: None,
            start_seen: false,
            broken: false,
            restarted: false,
            conflicting: false,
            cut: false,
            base: 0,
            pieces: Vec::new(),
            total: 0,
        }
    }

    /// Empties the stream for another flow; memory for its bytes is kept.
    pub fn reuse(&mut self) {
        let (mut bytes, mut origins) = (std::mem::take(&mut self.bytes), std::mem::take(&mut self.origins));
        bytes.clear();
        origins.clear();
        *self = Self { bytes, origins, ..Self::new() };
    }

    /// Notes a SYN: the stream starts at the sequence number after it.
    pub fn open(&mut self, syn_sequence: u32) {
        if self.next.is_none() {
            self.next = Some(syn_sequence.wrapping_add(1));
            self.start_seen = true;
        }
    }

    /// Takes a segment's payload: `data` was captured of `len` bytes on the wire. True if contiguous bytes were added.
    pub fn push(&mut self, sequence: u32, frame: u64, time: Time, len: usize, data: &[u8]) -> bool {
        if len == 0 {
            return false;
        }
        self.total += len as u64;
        if self.cut {
            return self.keep(sequence, frame, time, len, data);
        }
        if self.is_full() || self.broken {
            return false;
        }
        let before = self.bytes.len();
        let next = *self.next.get_or_insert(sequence);
        match sequence.wrapping_sub(next) as i32 {
            ahead if ahead > 0 => self.wait(sequence, frame, time, len, data),
            behind => self.append(behind.unsigned_abs() as usize, frame, time, len, data),
        }
        self.drain();
        self.bytes.len() > before
    }

    /// Appends a segment that starts `known` bytes before the next expected one.
    fn append(&mut self, known: usize, frame: u64, time: Time, len: usize, data: &[u8]) {
        if let Some(kept) = self.bytes.len().checked_sub(known).and_then(|at| self.bytes.get(at..)) {
            self.conflicting |= kept.iter().zip(data).any(|(a, b)| a != b);
        }
        if known >= len {
            return;
        }
        if self.bytes.is_empty() {
            self.base = self.next.unwrap_or_default();
        }
        let fresh = data.get(known..).unwrap_or_default();
        let fresh = fresh.get(..fresh.len().min(STREAM_BYTES - self.bytes.len())).unwrap_or_default();
        if !fresh.is_empty() && self.origins.len() < MAPPED {
            self.origins.push(Origin { offset: self.bytes.len() as u32, frame, time });
        }
        self.bytes.extend_from_slice(fresh);
        self.next = self.next.map(|n| n.wrapping_add((len - known) as u32));
        // Bytes that the snaplen cut off are a gap that will never close.
        if data.len() < len && !self.is_full() {
            self.end();
        }
    }

    /// Ends the contiguous bytes: of what waits and of what comes only the starts of segments are kept.
    fn end(&mut self) {
        (self.broken, self.cut) = (true, true);
        for w in std::mem::take(&mut self.waiting) {
            self.keep(w.sequence, w.frame, w.time, w.len, &w.data);
        }
    }

    /// Keeps the start of a segment behind the cut. True if its place was not known yet.
    fn keep(&mut self, sequence: u32, frame: u64, time: Time, len: usize, data: &[u8]) -> bool {
        let offset = sequence.wrapping_sub(self.base);
        let place = self.pieces.partition_point(|p| p.offset < offset);
        let known = self.pieces.get(place).is_some_and(|p| p.offset == offset);
        let behind = offset as usize >= self.bytes.len() && offset < 1 << 30;
        if known || !behind || self.pieces.len() >= PIECES {
            return false;
        }
        let data = data.get(..data.len().min(PIECE_BYTES)).unwrap_or_default().into();
        self.pieces.insert(place, Piece { offset, frame, time, len: len as u32, data });
        true
    }

    fn wait(&mut self, sequence: u32, frame: u64, time: Time, len: usize, data: &[u8]) {
        self.waiting.push(Waiting { sequence, frame, time, len, data: data.into() });
        if self.waiting.len() <= WAITING {
            return;
        }
        if self.bytes.len() >= RESTART_BELOW || self.restarted {
            return self.end();
        }
        let next = self.next.unwrap_or(sequence);
        let first = self.waiting.iter().map(|w| w.sequence.wrapping_sub(next)).min().unwrap_or(0);
        self.next = Some(next.wrapping_add(first));
        self.bytes.clear();
        self.origins.clear();
        self.start_seen = false;
        self.restarted = true;
    }

    /// Appends what waited for the bytes that have come.
    fn drain(&mut self) {
        while let Some(next) = self.next {
            let ready = self.waiting.iter().position(|w| w.sequence.wrapping_sub(next) as i32 <= 0);
            let Some(w) = ready.map(|i| self.waiting.remove(i)) else { return };
            let known = next.wrapping_sub(w.sequence) as usize;
            if !self.is_full() && !self.broken {
                self.append(known, w.frame, w.time, w.len, &w.data);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= STREAM_BYTES
    }

    /// Contiguous bytes so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Segments kept behind a cut.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// Whether nothing can be added any more.
    pub fn is_closed(&self) -> bool {
        self.is_full() || self.broken && (!self.cut || self.pieces.len() >= PIECES)
    }

    /// Reads a little of each part, so that it comes into the caches; what it gives means nothing.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.total ^ self.bytes.len() as u64 ^ self.waiting.len() as u64
    }

    /// Bytes of memory held beside the struct itself.
    pub fn memory(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|w| w.data.len() + size_of::<Waiting>()).sum();
        let pieces =
            self.pieces.iter().map(|p| p.data.len()).sum::<usize>() + self.pieces.capacity() * size_of::<Piece>();
        self.bytes.capacity() + self.origins.capacity() * size_of::<Origin>() + waiting + pieces
    }

    /// The view for recognisers.
    #[inline]
    pub fn view(&self) -> Stream<'_> {
        Stream { buf: self }
    }
}

/// What a recogniser sees of one TCP direction.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    buf: &'a StreamBuf,
}

impl<'a> Stream<'a> {
    /// The contiguous bytes.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        &self.buf.bytes
    }

    /// Whether the first of them is the first of the connection (the SYN was seen).
    #[inline]
    pub fn start_seen(&self) -> bool {
        self.buf.start_seen
    }

    /// Whether bytes are missing: nothing more will follow `bytes`, though the peer sent more.
    pub fn is_broken(&self) -> bool {
        self.buf.broken
    }

    /// Whether bytes came again with another content: it is not known what the receiver read.
    pub fn is_ambiguous(&self) -> bool {
        self.buf.conflicting
    }

    /// Where the snaplen cut the stream or a gap ended it: the starts of some segments behind `bytes`, in order of their place.
    pub fn pieces(&self) -> &'a [Piece] {
        &self.buf.pieces
    }

    /// Whether bytes before `bytes` were given up because of a gap.
    pub fn restarted(&self) -> bool {
        self.buf.restarted
    }

    /// Payload bytes on the wire in this direction, retransmissions included, kept or not.
    pub fn total(&self) -> u64 {
        self.buf.total
    }

    /// Where the segments begin that carried the bytes; those of a long stream after the first few are not known.
    pub fn starts(&self) -> impl Iterator<Item = usize> + use<'a> {
        self.buf.origins.iter().map(|o| o.offset as usize)
    }

    /// The frame that carried the byte at `offset`, and its time.
    #[inline]
    pub fn origin(&self, offset: usize) -> Option<(u64, Time)> {
        let after = self.buf.origins.partition_point(|o| o.offset as usize <= offset);
        self.buf.origins.get(after.checked_sub(1)?).map(|o| (o.frame, o.time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(segments: &[(u32, &[u8])]) -> StreamBuf {
        let mut buf = StreamBuf::default();
        buf.open(99);
        for (n, (sequence, data)) in segments.iter().enumerate() {
            buf.push(*sequence, n as u64 + 1, Time(0), data.len(), data);
        }
        buf
    }

    #[test]
    fn order_overlap_and_repetition_do_not_matter() {
        let whole = fed(&[(100, b"hello world")]);
        let pieces = fed(&[(106, b"world"), (100, b"hel"), (100, b"hello"), (103, b"lo w"), (100, b"hello world")]);
        assert_eq!(whole.view().bytes(), pieces.view().bytes());
        assert_eq!(pieces.view().origin(0).unwrap().0, 2);
        assert_eq!(pieces.view().origin(10).unwrap().0, 1);
        assert!(pieces.view().start_seen());
    }

    #[test]
    fn a_stream_joined_in_the_middle_starts_with_the_first_segment() {
        let mut buf = StreamBuf::default();
        buf.push(5000, 1, Time(0), 3, b"abc");
        buf.push(5003, 2, Time(0), 3, b"def");
        assert_eq!(buf.view().bytes(), b"abcdef");
        assert!(!buf.view().start_seen());
    }

    #[test]
    fn a_gap_that_never_closes_starts_the_stream_anew() {
        let mut buf = StreamBuf::default();
        buf.open(99);
        for n in 0..=WAITING as u32 {
            buf.push(200 + n, u64::from(n), Time(0), 1, &[n as u8]);
        }
        assert_eq!(buf.len(), WAITING + 1);
        assert!(!buf.view().start_seen() && buf.view().restarted());
    }

    #[test]
    fn behind_a_second_gap_the_starts_of_segments_are_kept() {
        let mut buf = StreamBuf::default();
        buf.open(99);
        for n in 0..60u32 {
            if n % 3 != 0 {
                buf.push(100 + 100 * n, u64::from(n), Time(0), 100, &[n as u8; 100]);
            }
        }
        assert!(buf.view().is_broken() && buf.view().restarted());
        assert_eq!(buf.view().bytes(), [[1; 100], [2; 100]].concat());
        let kept = buf.view().pieces().iter().map(|p| (p.offset, p.frame, p.len)).collect::<Vec<_>>();
        assert_eq!(kept.len(), PIECES);
        assert_eq!(kept[..3], [(300, 4, 100), (400, 5, 100), (600, 7, 100)]);
    }

    #[test]
    fn bytes_cut_by_the_snaplen_end_the_stream() {
        let mut buf = StreamBuf::default();
        buf.push(1, 1, Time(0), 100, b"abc");
        assert!(buf.push(101, 2, Time(0), 3, b"def"));
        assert!(!buf.push(101, 3, Time(0), 3, b"def"), "the same again");
        assert!(buf.view().is_broken() && !buf.is_closed());
        assert_eq!(buf.view().bytes(), b"abc");
        let kept = buf.view().pieces().iter().map(|p| (p.offset, p.frame, p.data.to_vec())).collect::<Vec<_>>();
        assert_eq!(kept, [(100, 2, b"def".to_vec())]);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let mut buf = StreamBuf::default();
        buf.open(u32::MAX - 2);
        buf.push(u32::MAX - 1, 1, Time(0), 2, b"ab");
        buf.push(0, 2, Time(0), 2, b"cd");
        assert_eq!(buf.view().bytes(), b"abcd");
    }
}
