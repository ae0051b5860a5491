//! OpenVPN over TCP: a 16-bit length before each packet. The stream's bytes are cut along it, so that the rest of the
//! recogniser need not know TCP; a stream joined in the middle is entered where the lengths lead from one legal first
//! byte to the next.

use super::message::Message;
use crate::flow::{Dir, Stream};
use crate::wire::openvpn::Opcode;
use std::borrow::Cow;

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

/// Cuts the stream of `dir` into packets. The last one may be visible in part. Empty if no boundary was found.
pub(super) fn cut<'a>(stream: Stream<'a>, dir: Dir) -> Vec<Message<'a>> {
    let bytes = stream.bytes();
    let start = if stream.start_seen() { Some(0) } else { boundary(bytes) };
    let Some(start) = start else { return Vec::new() };
    let mut messages = Vec::new();
    let mut at = start;
    while let Some((len, body)) = length_at(bytes, at) {
        let Some((frame, time)) = stream.origin(at) else { break };
        if len == 0 || body.is_empty() {
            break;
        }
        let visible = body.get(..len).unwrap_or(body);
        let tail = if visible.len() == len { visible.get(len.saturating_sub(16)..).unwrap_or_default() } else { &[] };
        let (bytes, tail) = (Cow::Borrowed(visible), Cow::Borrowed(tail));
        messages.push(Message { frame, time, dir, len, bytes, tail });
        at += 2 + len;
    }
    messages
}

fn length_at(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let (length, body) = bytes.get(at..)?.split_first_chunk::<2>()?;
    Some((usize::from(u16::from_be_bytes(*length)), body))
}

/// The first place from which the lengths lead over legal packets. Scrambled and static-key streams have no legal first
/// bytes; the more links make up for it.
fn boundary(bytes: &[u8]) -> Option<usize> {
    let legal = |start: &usize| chain(bytes, *start, |byte| Opcode::of(byte).is_some()) >= LINKS;
    let any = |start: &usize| chain(bytes, *start, |_| true) >= LINKS_OF_ANY;
    (0..bytes.len()).find(legal).or_else(|| (0..bytes.len()).find(any))
}

/// How many links the chain from `start` has; 0 if it breaks before the end of what is visible.
fn chain(bytes: &[u8], start: usize, legal: impl Fn(u8) -> bool) -> usize {
    let (mut at, mut links) = (start, 0);
    while let Some((len, body)) = length_at(bytes, at) {
        let Some(&byte) = body.first() else { break };
        if !(SHORTEST..=LONGEST).contains(&len) || !legal(byte) {
            return 0;
        }
        if body.len() >= len {
            links += 1;
        }
        at += 2 + len;
    }
    links
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
        let cut = cut(stream(&framed(5), true).view(), Dir::Originator).len();
        assert_eq!(cut, 5);
    }

    #[test]
    fn a_stream_joined_inside_a_packet() {
        let bytes = framed(8);
        let buf = stream(&bytes[70..], false);
        let messages = cut(buf.view(), Dir::Responder);
        assert_eq!(messages.len(), 6);
        assert_eq!(messages[0].u32_at(4), Some(2));
    }

    #[test]
    fn no_boundary_in_random_bytes() {
        let mut state = 1u32;
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(8192)
        .collect();
        assert_eq!(boundary(&bytes), None);
    }
}
