//! The head of a flow: its first packets, a few later ones whose shape is new, and a tally of all of them.
//!
//! Memory that an undecided flow costs lies here, so everything is bounded: per direction the first two payloads up to
//! 1,500 bytes, fourteen more up to 128 bytes and their last 16, then at most eight of a new shape, cut likewise.

use super::stream::{Stream, StreamBuf};
use super::tally::Tally;
use crate::packet::{Time, Transport};

/// How many payloads of each direction are kept from the start.
pub const KEPT: u64 = 16;
/// How many of those are kept whole.
pub const WHOLE: u64 = 2;
/// Bytes kept of a whole one.
pub const WHOLE_BYTES: usize = 1500;
/// Bytes kept of a later one.
pub const PART_BYTES: usize = 128;
/// Bytes kept of the end of a later one.
pub const TAIL_BYTES: usize = 16;
/// How many later payloads of a new shape are kept, both directions together.
pub const RING: usize = 8;

/// A direction of a flow. The originator sent the SYN or, where none was seen, the first packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Dir {
    /// From the originator to the responder.
    Originator,
    /// From the responder to the originator.
    Responder,
}

impl Dir {
    /// Both directions, the originator's first.
    pub const BOTH: [Self; 2] = [Self::Originator, Self::Responder];

    /// The opposite direction.
    #[inline]
    pub fn other(self) -> Self {
        match self {
            Self::Originator => Self::Responder,
            Self::Responder => Self::Originator,
        }
    }

    /// The element of `pair` that belongs to this direction.
    #[inline]
    pub fn of<T>(self, pair: &[T; 2]) -> &T {
        let [originator, responder] = pair;
        match self {
            Self::Originator => originator,
            Self::Responder => responder,
        }
    }

    /// The element of `pair` that belongs to this direction, to be changed.
    #[inline]
    pub fn of_mut<T>(self, pair: &mut [T; 2]) -> &mut T {
        let [originator, responder] = pair;
        match self {
            Self::Originator => originator,
            Self::Responder => responder,
        }
    }
}

/// One UDP payload as the head kept it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Frame number.
    pub frame: u64,
    /// Time stamp.
    pub time: Time,
    /// Who sent it.
    pub dir: Dir,
    /// Its position among the payloads of its direction, from 0.
    pub nth: u64,
    /// True length in bytes, from the UDP header.
    pub len: usize,
    /// The first bytes: all of them, or as many as were captured and kept.
    pub bytes: &'a [u8],
    /// The last bytes (at most 16), if they were captured; empty otherwise. They may overlap `bytes`.
    pub tail: &'a [u8],
}

impl Datagram<'_> {
    /// Whether `bytes` is the whole payload.
    #[inline]
    pub fn is_whole(&self) -> bool {
        self.bytes.len() == self.len
    }
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    frame: u64,
    time: Time,
    nth: u64,
    len: u32,
    /// Where its bytes are: the first ones, and the last ones before the end.
    start: u32,
    end: u32,
    front: u16,
    tail: u8,
    dir: Dir,
}

/// The memory behind a [`Head`], filled packet by packet.
#[derive(Clone, Debug)]
pub struct HeadBuf {
    transport: Transport,
    bytes: Vec<u8>,
    kept: Vec<Kept>,
    ring: usize,
    counts: [u64; 2],
    last: [Time; 2],
    first_bytes: [[u64; 4]; 2],
    tallies: [Option<Box<Tally>>; 2],
    /// Of TCP only.
    streams: Option<Box<[StreamBuf; 2]>>,
}

impl HeadBuf {
    /// An empty head.
    pub fn new(transport: Transport) -> Self {
        Self {
            transport,
            bytes: Vec::new(),
            kept: Vec::new(),
            ring: 0,
            counts: [0; 2],
            last: [Time::default(); 2],
            first_bytes: [[0; 4]; 2],
            tallies: [None, None],
            streams: None,
        }
    }

    /// Empties the head for another flow; memory for first payloads is kept.
    pub fn reuse(&mut self, transport: Transport) {
        // Every field stands here, so that none is forgotten.
        let Self { transport: of, bytes, kept, ring, counts, last, first_bytes, tallies, streams } = self;
        bytes.clear();
        kept.clear();
        streams.iter_mut().flat_map(|both| both.iter_mut()).for_each(StreamBuf::reuse);
        (*of, *ring) = (transport, 0);
        (*counts, *last, *first_bytes, *tallies) = Default::default();
    }

    /// Takes a UDP payload of `len` bytes on the wire, of which `data` was captured. Empty payloads count as well.
    /// True when its shape is new: the first of its direction, or kept in the ring.
    pub fn push_datagram(&mut self, frame: u64, time: Time, dir: Dir, len: usize, data: &[u8]) -> bool {
        let count = dir.of_mut(&mut self.counts);
        let nth = *count;
        *count += 1;
        *dir.of_mut(&mut self.last) = time;
        let new_byte = data.first().is_some_and(|&b| mark(dir.of_mut(&mut self.first_bytes), b));
        let mut new_prefix = false;
        if nth >= TALLY_FROM || dir.of(&self.tallies).is_some() {
            new_prefix = self.tally(dir).add(frame, len, data);
        }
        let ring = nth >= KEPT && (new_byte || new_prefix) && self.ring < RING;
        if nth < KEPT || ring {
            self.ring += usize::from(ring);
            self.keep(Datagram { frame, time, dir, nth, len, bytes: data, tail: &[] });
        }
        nth == 0 || ring
    }

    /// The tally of `dir`, made from the kept payloads when it is first wanted.
    fn tally(&mut self, dir: Dir) -> &mut Tally {
        let slot = dir.of_mut(&mut self.tallies);
        slot.get_or_insert_with(|| {
            let mut tally = Box::<Tally>::default();
            for kept in self.kept.iter().filter(|k| k.dir == dir) {
                let start = kept.start as usize;
                let front = self.bytes.get(start..start + usize::from(kept.front)).unwrap_or_default();
                tally.add(kept.frame, kept.len as usize, front);
            }
            tally
        })
    }

    fn keep(&mut self, d: Datagram<'_>) {
        let limit = if d.nth < WHOLE { WHOLE_BYTES } else { PART_BYTES };
        let front = d.bytes.len().min(limit);
        let whole = d.bytes.len() == d.len;
        let behind = if whole { TAIL_BYTES.min(d.len - front) } else { 0 };
        let tail = if front == d.len { TAIL_BYTES.min(front) } else { behind };
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(d.bytes.get(..front).unwrap_or_default());
        self.bytes.extend_from_slice(d.bytes.get(d.bytes.len() - behind..).unwrap_or_default());
        let end = self.bytes.len() as u32;
        if self.kept.is_empty() {
            // Most flows are an exchange of two.
            self.kept.reserve_exact(2);
        }
        self.kept.push(Kept {
            frame: d.frame,
            time: d.time,
            nth: d.nth,
            len: d.len as u32,
            start,
            end,
            front: front as u16,
            tail: tail as u8,
            dir: d.dir,
        });
    }

    /// UDP or TCP.
    #[inline]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// The TCP stream of `dir`, to be fed.
    pub fn stream_mut(&mut self, dir: Dir) -> &mut StreamBuf {
        dir.of_mut(self.streams.get_or_insert_default())
    }

    /// The TCP stream of `dir`.
    #[inline]
    pub fn stream(&self, dir: Dir) -> &StreamBuf {
        static NOTHING: StreamBuf = StreamBuf::new();
        self.streams.as_ref().map_or(&NOTHING, |both| dir.of(both))
    }

    /// Reads a little of each part, so that it comes into the caches; what it gives means nothing.
    #[inline]
    pub(crate) fn touch(&self) -> u64 {
        self.counts[0] ^ self.last[1].0 as u64 ^ self.first_bytes[1][0] ^ self.streams.is_some() as u64
    }

    /// The same of the streams.
    #[inline]
    pub(crate) fn touch_streams(&self) -> u64 {
        self.streams.iter().flat_map(|both| both.iter()).fold(0, |touched, stream| touched ^ stream.touch())
    }

    /// Payload datagrams seen so far in `dir`.
    pub fn count(&self, dir: Dir) -> u64 {
        *dir.of(&self.counts)
    }

    /// Bytes of memory held, for the pool's account.
    pub fn memory(&self) -> usize {
        let tallies = self.tallies.iter().flatten().count() * size_of::<Tally>();
        let of = |both: &[StreamBuf; 2]| size_of_val(both) + both.iter().map(StreamBuf::memory).sum::<usize>();
        let streams = self.streams.as_deref().map_or(0, of);
        size_of::<Self>() + self.bytes.capacity() + self.kept.capacity() * size_of::<Kept>() + tallies + streams
    }

    /// The view for recognisers. `newest` is the payload just taken, visible whole.
    pub fn view<'a>(&'a self, newest: Option<&'a Datagram<'a>>, ended: bool) -> Head<'a> {
        let earlier = match self.kept.split_last() {
            Some((k, earlier)) if newest.is_some_and(|n| n.dir == k.dir && n.nth == k.nth) => earlier,
            _ => &self.kept,
        };
        Head { buf: self, earlier, newest, ended }
    }
}

/// Payloads of a direction after which its tally starts (from what was kept until then).
const TALLY_FROM: u64 = 6;

/// Sets bit `byte`; true if it was not set before.
fn mark(set: &mut [u64; 4], byte: u8) -> bool {
    let Some(word) = set.get_mut(usize::from(byte >> 6)) else { return false };
    let bit = 1 << (byte & 63);
    let new = *word & bit == 0;
    *word |= bit;
    new
}

/// What a recogniser sees of a flow.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    buf: &'a HeadBuf,
    /// What was kept before the newest.
    earlier: &'a [Kept],
    newest: Option<&'a Datagram<'a>>,
    ended: bool,
}

/// The datagrams of a head in order of arrival.
#[derive(Clone, Debug)]
pub struct Datagrams<'a> {
    buf: &'a HeadBuf,
    earlier: std::slice::Iter<'a, Kept>,
    newest: Option<&'a Datagram<'a>>,
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = Datagram<'a>;

    #[inline]
    fn next(&mut self) -> Option<Datagram<'a>> {
        match self.earlier.next() {
            Some(kept) => Some(self.buf.datagram(kept)),
            None => self.newest.take().copied(),
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = self.earlier.len() + usize::from(self.newest.is_some());
        (count, Some(count))
    }
}

impl ExactSizeIterator for Datagrams<'_> {}

impl<'a> Head<'a> {
    /// UDP or TCP. A UDP head has datagrams, a TCP head has streams.
    #[inline]
    pub fn transport(&self) -> Transport {
        self.buf.transport
    }

    /// Whether nothing more will come: the flow or the capture is over.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// UDP payload datagrams of `dir` seen so far, kept or not.
    pub fn count(&self, dir: Dir) -> u64 {
        self.buf.count(dir)
    }

    /// Bytes of payload that are kept, at most.
    pub fn held(&self) -> usize {
        let newest = self.newest.map_or(0, |d| d.bytes.len());
        self.buf.bytes.len() + newest + Dir::BOTH.map(|dir| self.stream(dir).bytes().len()).iter().sum::<usize>()
    }

    /// When the last UDP payload of `dir` came, kept or not. `None` if there was none.
    pub fn last(&self, dir: Dir) -> Option<Time> {
        (self.count(dir) > 0).then(|| *dir.of(&self.buf.last))
    }

    /// The kept datagrams of both directions in order of arrival; the newest one is visible whole.
    #[inline]
    pub fn datagrams(&self) -> Datagrams<'a> {
        Datagrams { buf: self.buf, earlier: self.earlier.iter(), newest: self.newest }
    }

    /// The kept datagrams of one direction in order of arrival.
    pub fn sent_by(&self, dir: Dir) -> impl Iterator<Item = Datagram<'a>> + use<'a> {
        self.datagrams().filter(move |d| d.dir == dir)
    }

    /// The tally of one direction; there is none while few datagrams were seen.
    pub fn tally(&self, dir: Dir) -> Option<&'a Tally> {
        dir.of(&self.buf.tallies).as_deref()
    }

    /// The first bytes of a TCP direction.
    #[inline]
    pub fn stream(&self, dir: Dir) -> Stream<'a> {
        self.buf.stream(dir).view()
    }
}

impl HeadBuf {
    #[inline]
    fn datagram(&self, k: &Kept) -> Datagram<'_> {
        let (start, end) = (k.start as usize, k.end as usize);
        let bytes = self.bytes.get(start..start + usize::from(k.front)).unwrap_or_default();
        let tail = self.bytes.get(end - usize::from(k.tail)..end).unwrap_or_default();
        Datagram { frame: k.frame, time: k.time, dir: k.dir, nth: k.nth, len: k.len as usize, bytes, tail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_payloads_are_whole_and_later_ones_keep_both_ends() {
        let mut buf = HeadBuf::new(Transport::Udp);
        let payload: Vec<u8> = (0..=255).cycle().take(600).collect();
        for n in 0..4 {
            buf.push_datagram(n + 1, Time(0), Dir::Originator, 600, &payload);
        }
        let head = buf.view(None, false);
        let seen: Vec<_> = head.datagrams().map(|d| (d.frame, d.is_whole(), d.bytes.len(), d.tail.to_vec())).collect();
        let tail = payload[584..].to_vec();
        assert_eq!(seen[0], (1, true, 600, tail.clone()));
        assert_eq!(seen[3], (4, false, 128, tail));
    }

    #[test]
    fn a_new_shape_is_kept_after_the_head_is_full() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..40 {
            buf.push_datagram(n, Time(n as i64), Dir::Originator, 8, &[0x48, 0, 0, 1, 0, 0, 0, n as u8]);
        }
        assert_eq!(buf.view(None, false).last(Dir::Originator), Some(Time(39)));
        assert_eq!(buf.view(None, false).last(Dir::Responder), None);
        assert!(buf.push_datagram(41, Time(0), Dir::Originator, 8, &[0x19, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(buf.view(None, false).datagrams().last().unwrap().frame, 41);
    }

    #[test]
    fn the_newest_datagram_replaces_its_kept_copy() {
        let mut buf = HeadBuf::new(Transport::Udp);
        let payload = [7; 300];
        for n in 0..3 {
            buf.push_datagram(n, Time(0), Dir::Originator, 300, &payload);
        }
        let newest =
            Datagram { frame: 2, time: Time(0), dir: Dir::Originator, nth: 2, len: 300, bytes: &payload, tail: &[] };
        let head = buf.view(Some(&newest), false);
        assert_eq!(head.datagrams().map(|d| d.bytes.len()).collect::<Vec<_>>(), [300, 300, 300]);
    }
}
