//! What a stream shows that was joined in the middle: messages whose headers and lengths chain to its very end.

use super::dialogue::{Opening, Role, Said};
use super::{Bits, Family, counted};
use crate::flow::Stream;
use std::borrow::Cow;
use std::ops::Deref;

/// What the search takes back, where the chain does not begin with the first byte: it tried up to 2^6 segments.
const SEGMENTS: i32 = 6;
/// The same, where it tried up to 2^13 bytes.
const BYTES: i32 = 13;

/// What one side of a connection sent that was joined in the middle: its stream, and its bytes as they are read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined<'a> {
    stream: Stream<'a>,
    bytes: &'a [u8],
}

impl<'a> From<Stream<'a>> for Joined<'a> {
    fn from(stream: Stream<'a>) -> Self {
        Self::new(stream, stream.bytes())
    }
}

impl Deref for Joined<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
    }
}

impl<'a> Joined<'a> {
    /// `bytes` are the stream's, or its [`lines`].
    pub(super) fn new(stream: Stream<'a>, bytes: &'a [u8]) -> Self {
        Self { stream, bytes }
    }

    /// What is visible from a place of the stream on; none of what is behind the end, or was cut off by the snaplen.
    pub(super) fn visible_from(&self, offset: usize) -> Option<&'a [u8]> {
        if let Some(rest) = self.stream.bytes().get(offset..).filter(|rest| !rest.is_empty()) {
            return Some(rest);
        }
        let pieces = self.stream.pieces();
        let behind = pieces.partition_point(|piece| piece.offset as usize <= offset);
        let piece = pieces.get(behind.checked_sub(1)?)?;
        piece.data.get(offset - piece.offset as usize..).filter(|rest| !rest.is_empty())
    }

    /// Where segments begin.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        self.stream.starts().chain(self.stream.pieces().iter().map(|piece| piece.offset as usize))
    }

    /// The contiguous bytes and, where the snaplen cut them, what is visible of the segments behind.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'a [u8]> {
        std::iter::once(self.stream.bytes()).chain(self.stream.pieces().iter().map(|piece| &*piece.data))
    }

    /// What begins with each segment, as far as it is visible.
    pub(super) fn segments(&self) -> impl Iterator<Item = &'a [u8]> {
        let whole = self.stream.starts().filter_map(|start| self.stream.bytes().get(start..));
        whole.chain(self.stream.pieces().iter().map(|piece| &*piece.data))
    }
}

/// The stream of a protocol that speaks in lines. Where the snaplen cut its segments, most of which begin with a line, each
/// one is ended where it was cut.
pub(super) fn lines(stream: Stream<'_>) -> Cow<'_, [u8]> {
    // A stream that breaks by a gap has more than so many bytes, and no pieces.
    let cut = stream.is_broken() && (stream.bytes().len() < 512 || !stream.pieces().is_empty());
    if !cut || stream.bytes().is_empty() {
        return Cow::Borrowed(stream.bytes());
    }
    let mut lines = stream.bytes().to_vec();
    lines.extend(b"\r\n");
    for piece in stream.pieces() {
        lines.extend(&*piece.data);
        if !piece.data.ends_with(b"\n") {
            lines.extend(b"\r\n");
        }
    }
    Cow::Owned(lines)
}

/// A chain of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chain {
    pub(super) offset: usize,
    pub(super) count: usize,
    pub(super) bits: i32,
}

/// The chain that starts with a segment, reaches the end of what is visible without a fault and weighs most, if one weighs
/// anything: who sends short messages sends them whole, so that a segment starts with one sooner or later.
///
/// `measure` gives the length in bytes of the message at the start of what it is given, which has at least `header` bytes,
/// and what it proves, or none if that is no message. The last message may be cut.
pub(super) fn heaviest(
    sent: &Joined<'_>,
    header: usize,
    measure: impl Fn(&[u8]) -> Option<(usize, i32)>,
) -> Option<Chain> {
    search(sent, sent.starts(), header, measure)
}

/// The same of a chain that starts anywhere; `places` are those where it may, in order. It weighs less if no segment starts there.
pub(super) fn heaviest_anywhere(
    sent: &Joined<'_>,
    places: impl Iterator<Item = usize>,
    header: usize,
    measure: impl Fn(&[u8]) -> Option<(usize, i32)>,
) -> Option<Chain> {
    search(sent, places, header, measure)
}

fn search(
    sent: &Joined<'_>,
    places: impl Iterator<Item = usize>,
    header: usize,
    measure: impl Fn(&[u8]) -> Option<(usize, i32)>,
) -> Option<Chain> {
    let from = |offset: usize| {
        let mut chain = Chain { offset, count: 0, bits: 0 };
        let mut at = offset;
        while let Some(rest) = sent.visible_from(at).filter(|rest| rest.len() >= header) {
            let (length, bits) = measure(rest)?;
            at = at.saturating_add(length.max(header));
            (chain.count, chain.bits) = (chain.count + 1, chain.bits.saturating_add(bits));
        }
        Some(chain)
    };
    best(sent, places.filter_map(from))
}

/// The same where a message is not told from the next by its length alone: `read` gives how many messages follow each other from
/// the start of a segment to the end of the bytes, and what they prove.
pub(super) fn heaviest_run(sent: &Joined<'_>, read: impl Fn(&[u8]) -> Option<(usize, i32)>) -> Option<Chain> {
    let starts = sent.starts().take_while(|start| *start < sent.len());
    let run = |offset: usize| read(sent.get(offset..)?).map(|(count, bits)| Chain { offset, count, bits });
    best(sent, starts.filter_map(run))
}

/// The chain that weighs most when the search for its start is taken back.
fn best(sent: &Joined<'_>, chains: impl Iterator<Item = Chain>) -> Option<Chain> {
    let costs = |offset: usize| match offset {
        0 => 0,
        _ if sent.starts().any(|start| start == offset) => SEGMENTS,
        _ => BYTES,
    };
    let weighed = chains.map(|chain| Chain { bits: chain.bits - costs(chain.offset), ..chain });
    weighed.max_by_key(|c| (c.bits, std::cmp::Reverse(c.offset))).filter(|c| c.bits > 0)
}

/// The opening that a chain makes of what `role` sent, with the family of that role. One that does not begin with the first
/// byte may lie inside another protocol's message, and that message's end would break it.
pub(super) fn opening(chain: Option<Chain>, families: &'static [Family; 2], role: Role) -> Opening {
    let Some(Chain { offset, count, bits }) = chain else { return Opening::Neutral };
    let family = role.of(families);
    let text = match count {
        1 => counted!("a message from byte {offset} ends where the side's last segment does", offset),
        _ => counted!("{count} messages with their lengths chain from byte {offset} to the end", count, offset),
    };
    let enough = Bits::whole(bits) >= family.cap && offset == 0;
    Said::new(family, bits.min(family.cap.as_f64() as i32), text).unfinished(!enough).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::StreamBuf;
    use crate::packet::Time;

    /// A length and that many bytes; each is worth 8 bits.
    fn measure(bytes: &[u8]) -> Option<(usize, i32)> {
        bytes.first().filter(|&&n| (1..5).contains(&n)).map(|&n| (usize::from(n), 8))
    }

    #[test]
    fn the_heaviest_chain_is_found() {
        let found = |bytes: &[u8]| {
            let mut buf = StreamBuf::default();
            buf.push(7000, 1, Time(0), bytes.len(), bytes);
            heaviest_anywhere(&buf.view().into(), 0..bytes.len(), 1, measure).map(|c| (c.offset, c.count, c.bits))
        };
        assert_eq!(found(&[2, 9, 1, 3, 9, 9]), Some((0, 3, 24)));
        assert_eq!(found(&[9, 9, 2, 9, 1, 3, 9]), Some((2, 3, 24 - BYTES)));
        assert_eq!(found(&[9, 9, 2, 9]), None);
        assert_eq!(found(&[2, 9, 9]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_chain_goes_on_behind_what_was_cut() {
        let mut buf = StreamBuf::default();
        // A message of 4 bytes of which two are visible, two whole ones and a cut one, one in the place of which nothing is.
        for (sequence, length, data) in [(7000, 4, &[4, 9][..]), (7004, 5, &[2, 9, 1, 2]), (7009, 3, &[])] {
            buf.push(sequence, 1, Time(0), length, data);
        }
        let sent = Joined::from(buf.view());
        assert_eq!(heaviest(&sent, 1, measure).map(|c| (c.offset, c.count, c.bits)), Some((0, 4, 32)));
        assert_eq!(sent.segments().collect::<Vec<_>>(), [&[4, 9][..], &[2, 9, 1, 2], &[]]);
        assert_eq!(*lines(buf.view()), *b"\x04\x09\r\n\x02\x09\x01\x02\r\n\r\n");
    }

    #[test]
    fn a_chain_starts_with_a_segment() {
        let mut buf = StreamBuf::default();
        for (sequence, data) in [(7000, &[9, 9, 3][..]), (7003, &[2, 9, 1, 3, 9])] {
            buf.push(sequence, 1, Time(0), data.len(), data);
        }
        let sent = Joined::from(buf.view());
        let place = |c: Chain| (c.offset, c.count, c.bits);
        assert_eq!(heaviest(&sent, 1, measure).map(place), Some((3, 3, 24 - SEGMENTS)));
        assert_eq!(heaviest_anywhere(&sent, 0..sent.len(), 1, measure).map(place), Some((3, 3, 24 - SEGMENTS)));
    }
}
