//! OpenVPN over TCP: a 16-bit length before each packet. The stream's bytes are cut along it, so that the rest of the
//! recogniser need not know TCP; a stream joined in the middle is entered where the lengths lead from one legal first
//! byte to the next. What the snaplen cut is bridged in the same way: where a segment starts is known from its sequence
//! number, and mostly a packet starts there.

use super::message::Message;
use crate::flow::stream::Piece;
use crate::flow::{Dir, Stream};
use crate::packet::Time;
use crate::protocol::framing::low_bytes;
use crate::wire::openvpn::Opcode;

/// The shortest packet: a reset in clear. A keep-alive without cipher and digest is longer.
const SHORTEST: usize = 14;
/// The longest that is believed while looking for a boundary: a full Ethernet frame and what OpenVPN adds. Larger ones
/// occur with jumbo frames; a chain that meets one just ends there.
const LONGEST: usize = 1700;
/// Links that must lead from one legal first byte to the next before a boundary inside a stream is believed. A random
/// place passes one with 2^-8 (length in range and legal byte), three with 2^-24, at up to 8,192 places.
const LINKS: usize = 3;
/// The same if the first bytes may be any: 2^-5 each, eight of them 2^-40.
const LINKS_OF_ANY: usize = 8;

/// A stream in packets, and the frames of those whose length led to the next one.
#[derive(Debug, Default)]
pub(super) struct Cut<'a> {
    pub(super) messages: Vec<Message<'a>>,
    pub(super) links: Vec<u64>,
}

/// Cuts the stream of `dir` into packets. The last one may be visible in part. Empty if no boundary was found.
pub(super) fn cut<'a>(stream: Stream<'a>, dir: Dir) -> Cut<'a> {
    let bytes = stream.bytes();
    if !stream.pieces().is_empty() {
        return bridge(stream, dir);
    }
    let start = if stream.start_seen() { Some(0) } else { boundary(bytes) };
    let mut messages = Vec::new();
    let mut at = start.unwrap_or(usize::MAX);
    while let Some((len, body)) = length_at(bytes, at) {
        let Some((frame, time)) = stream.origin(at) else { break };
        if len == 0 || body.is_empty() {
            break;
        }
        messages.push(message(frame, time, dir, len, body));
        at += 2 + len;
    }
    let links = messages.iter().take(messages.len().saturating_sub(1)).map(|m| m.frame).collect();
    Cut { messages, links }
}

fn message(frame: u64, time: Time, dir: Dir, len: usize, body: &[u8]) -> Message<'_> {
    let visible = body.get(..len).unwrap_or(body);
    let tail = if visible.len() == len { visible.get(len.saturating_sub(16)..).unwrap_or_default() } else { &[] };
    Message { frame, time, dir, len, bytes: visible, tail }
}

/// Cuts what is visible of a stream that the snaplen cut. A packet is looked for where the one before ends, and where that
/// is not known at the start of a segment. Empty unless enough lengths lead to a packet, and few to none.
fn bridge<'a>(stream: Stream<'a>, dir: Dir) -> Cut<'a> {
    let (mut cut, mut misled) = (Cut::default(), 0);
    let mut next = stream.start_seen().then_some(0);
    // Scrambled and static-key packets have any first byte; only a stream that is seen from its start is read so.
    let legal = |byte: u8| stream.start_seen() || Opcode::of(byte).is_some();
    let plausible = |len: usize, byte: u8| (SHORTEST..=LONGEST).contains(&len) && legal(byte);
    for region in regions(stream) {
        let (start, end) = (region.offset, region.offset + region.len);
        if next.is_some_and(|n| n >= end) {
            continue;
        }
        // A boundary in front of the region was not captured, or the length was none.
        let expected = next.filter(|n| *n >= start);
        let mut at = expected.unwrap_or(start) - start;
        next = None;
        while let Some((len, body)) = length_at(region.bytes, at) {
            let Some(&byte) = body.first() else { break };
            let led = next.or(expected) == Some(start + at);
            if !plausible(len, byte) {
                misled += usize::from(led);
                next = None;
                break;
            }
            let before = cut.messages.last().map(|m| m.frame);
            cut.links.extend(before.filter(|_| led));
            let (frame, time) = region.origin(at, stream);
            cut.messages.push(message(frame, time, dir, len, body));
            at += 2 + len;
            next = Some(start + at);
        }
    }
    let enough = stream.start_seen() || cut.links.len() >= LINKS;
    if enough && misled * 4 <= cut.links.len() { cut } else { Cut::default() }
}

/// Visible bytes of a cut stream in a row.
struct Region<'a> {
    offset: usize,
    /// Bytes on the wire.
    len: usize,
    bytes: &'a [u8],
    piece: Option<&'a Piece>,
}

impl Region<'_> {
    fn origin(&self, at: usize, stream: Stream<'_>) -> (u64, Time) {
        let first = || stream.origin(at).unwrap_or_default();
        self.piece.map_or_else(first, |p| (p.frame, p.time))
    }
}

/// The contiguous bytes, then the segments behind them.
fn regions(stream: Stream<'_>) -> impl Iterator<Item = Region<'_>> {
    let bytes = stream.bytes();
    let first = Region { offset: 0, len: bytes.len(), bytes, piece: None };
    let rest = stream.pieces().iter().map(|p| Region {
        offset: p.offset as usize,
        len: p.len as usize,
        bytes: &p.data,
        piece: Some(p),
    });
    std::iter::once(first).chain(rest)
}

fn length_at(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let (length, body) = bytes.get(at..)?.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_be_bytes(*length)), body))
}

/// The length of the packet at a place, and what is visible from its first byte on.
fn packet_at(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    length_at(bytes, at).filter(|(len, _)| (SHORTEST..=LONGEST).contains(len))
}

/// The first place from which the lengths lead over legal packets to the end of what is visible; it is not behind the
/// longest packet. Scrambled and static-key streams have no legal first bytes; the more links make up for it.
fn boundary(bytes: &[u8]) -> Option<usize> {
    let (mut chains, mut over_any) = (None, None);
    // Most bytes are not the first of a length, and most lengths lead to none.
    let places = low_bytes(bytes.get(..2 + LONGEST).unwrap_or(bytes), (LONGEST >> 8) as u8);
    let legal = places.filter(|place| leads(bytes, *place)).find(|place| {
        let chains = chains.get_or_insert_with(|| Chains::new(bytes));
        let Some((links, legal)) = chains.from(*place) else { return false };
        over_any = over_any.or((links >= LINKS_OF_ANY).then_some(*place));
        legal && links >= LINKS
    });
    legal.or(over_any)
}

/// Whether as many packets follow each other from a place as the fewest links need.
fn leads(bytes: &[u8], place: usize) -> bool {
    let mut rest = bytes.get(place..);
    (0..LINKS).all(|_| {
        let packet = rest.and_then(|rest| packet_at(rest, 0));
        rest = packet.and_then(|(len, body)| body.get(len..));
        rest.is_some()
    })
}

/// Where the lengths in a stream lead to. Each is followed once.
struct Chains<'a> {
    bytes: &'a [u8],
    /// Per place 0 if it was not looked at yet, [`DEAD`] if a length on the way is none, else from where on what
    /// [`Chains::from`] found: twice the links, plus 2, plus 1 if all first bytes are legal.
    known: Vec<u16>,
    path: Vec<usize>,
}

const DEAD: u16 = 1;

impl<'a> Chains<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, known: vec![0; bytes.len()], path: Vec::new() }
    }

    /// How many links lead from a place to the end of what is visible, and whether all first bytes are legal. `None` if a
    /// length on the way is none.
    fn from(&mut self, start: usize) -> Option<(usize, bool)> {
        let mut at = start;
        self.path.clear();
        let mut end = loop {
            match self.known.get(at) {
                Some(0) => {}
                Some(&DEAD) | None => break None,
                Some(known) => break Some((usize::from(known / 2 - 1), known % 2 == 1)),
            }
            self.path.push(at);
            let Some((len, _)) = packet_at(self.bytes, at) else { break None };
            at += 2 + len;
            // Where no length and first byte are visible a chain ends.
            if at + 2 >= self.bytes.len() {
                break Some((0, true));
            }
        };
        while let Some(at) = self.path.pop() {
            let step = |(links, legal)| {
                let (len, body) = packet_at(self.bytes, at)?;
                let first = Opcode::of(*body.first()?).is_some();
                Some((links + usize::from(body.len() >= len), legal && first))
            };
            end = end.and_then(step);
            let found = end.map_or(DEAD, |(links, legal)| 2 * links as u16 + 2 + u16::from(legal));
            self.known.get_mut(at).into_iter().for_each(|known| *known = found);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::StreamBuf;
    use crate::packet::Time;

    fn framed(count: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        for n in 0..count {
            let len = 60 + usize::from(n) * 3;
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
            bytes.extend([0x48, 0, 0, 0, 0, 0, 0, n]);
            bytes.extend((0..len - 8).map(|i| (i * 37 + usize::from(n) * 11) as u8 | 0x80));
        }
        bytes
    }

    fn stream(bytes: &[u8], syn: bool) -> StreamBuf {
        let mut buf = StreamBuf::default();
        if syn {
            buf.open(999);
        }
        for (n, piece) in bytes.chunks(50).enumerate() {
            buf.push(1000 + 50 * n as u32, n as u64 + 1, Time(0), piece.len(), piece);
        }
        buf
    }

    #[test]
    fn a_stream_from_its_start() {
        let buf = stream(&framed(5), true);
        let cut = cut(buf.view(), Dir::Originator);
        assert_eq!((cut.messages.len(), cut.links.len()), (5, 4));
    }

    #[test]
    fn a_stream_joined_inside_a_packet() {
        let bytes = framed(8);
        let buf = stream(&bytes[70..], false);
        let messages = cut(buf.view(), Dir::Responder).messages;
        assert_eq!(messages.len(), 6);
        assert_eq!(messages[0].u32_at(4), Some(2));
    }

    fn noise(count: usize) -> Vec<u8> {
        let mut state = 1u32;
        let step = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(step).take(count).collect()
    }

    #[test]
    fn no_boundary_in_random_bytes() {
        assert_eq!(boundary(&noise(8192)), None);
    }

    /// A stream joined in the middle whose segments of `size` bytes are visible in their first 30.
    fn clipped(bytes: &[u8], size: impl Iterator<Item = usize>) -> StreamBuf {
        let (mut buf, mut at) = (StreamBuf::default(), 0);
        for (n, size) in size.enumerate() {
            let segment = bytes.get(at..(at + size).min(bytes.len())).unwrap_or_default();
            if segment.is_empty() {
                break;
            }
            let visible = &segment[..segment.len().min(30)];
            buf.push(7000 + at as u32, n as u64 + 1, Time(0), segment.len(), visible);
            at += segment.len();
        }
        buf
    }

    #[test]
    fn segments_cut_by_the_snaplen() {
        // One packet a segment.
        let buf = clipped(&framed(8), (0..8).map(|n| 62 + n * 3));
        let found = cut(buf.view(), Dir::Originator);
        assert_eq!((found.messages.len(), found.links.len()), (8, 7));
        assert_eq!(found.messages[5].u32_at(4), Some(5));
        assert_eq!((found.messages[5].len, found.messages[5].bytes.len(), found.messages[5].frame), (75, 28, 6));
        // Two packets in the third segment: the second of them is not visible, and the chain starts anew behind it.
        let sizes = [62, 65, 68 + 71, 74, 77, 80, 83];
        let buf = clipped(&framed(8), sizes.into_iter());
        let found = cut(buf.view(), Dir::Originator);
        assert_eq!((found.messages.len(), found.links.len()), (7, 5));
    }

    #[test]
    fn cut_segments_of_something_else_lead_nowhere() {
        let buf = clipped(&noise(20_000), std::iter::repeat(700));
        assert!(cut(buf.view(), Dir::Originator).messages.is_empty());
    }
}
