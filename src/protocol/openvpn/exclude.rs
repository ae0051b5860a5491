//! When a flow can be no OpenVPN whatever follows.
//!
//! A UDP flow may start with junk that is meant to confuse, so foreign packets must have come from both sides, and several
//! of each unless the flow is over. A TCP stream that is seen from its start has no such freedom: OpenVPN gives up a
//! connection at the first impossible length.

use super::message::Message;
use crate::flow::{Dir, Head, Stream};
use crate::wire::openvpn::Opcode;

/// Foreign datagrams of each side that settle it.
const ENOUGH: usize = 4;
/// Bytes of the shortest and longest packets: a reset, and a jumbo frame with all that OpenVPN adds.
const POSSIBLE: std::ops::RangeInclusive<usize> = 14..=10_000;

/// Whether no continuation of a UDP flow can be OpenVPN. The first datagrams of each side decide: later ones would take an
/// exclusion back.
pub(super) fn foreign(messages: &[Message<'_>], ended: bool) -> bool {
    let first = |dir: Dir| messages.iter().filter(move |m| m.dir == dir).take(ENOUGH);
    let wanted = if ended { 1 } else { ENOUGH };
    Dir::BOTH.into_iter().all(|dir| first(dir).count() >= wanted)
        && Dir::BOTH.into_iter().flat_map(first).all(has_no_opcode)
        && Dir::BOTH.into_iter().flat_map(first).all(is_no_ciphertext)
}

/// Whether one side's stream from its start has a length that no packet has.
pub(super) fn unframed(head: &Head<'_>) -> bool {
    Dir::BOTH.into_iter().any(|dir| is_unframed(head.stream(dir)))
}

fn is_unframed(stream: Stream<'_>) -> bool {
    if !stream.start_seen() {
        return false;
    }
    let (mut bytes, mut broken) = (stream.bytes(), false);
    while let Some((length, body)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        broken |= !POSSIBLE.contains(&length);
        bytes = body.get(length..).unwrap_or_default();
    }
    broken
}

/// Whether no opcode is in front; the XOR patch's keyless modes change it by 0 or 1.
fn has_no_opcode(m: &Message<'_>) -> bool {
    m.first().is_some_and(|first| Opcode::of(first).is_none() && Opcode::of(first ^ 1).is_none())
}

/// Whether neither ciphertext nor a mask makes such bytes, so that it is no packet with a static key or under the XOR
/// patch either.
fn is_no_ciphertext(m: &Message<'_>) -> bool {
    let zeros = || m.bytes.iter().filter(|b| **b == 0).count();
    let text = || m.bytes.iter().filter(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()).count();
    let empty = || zeros() >= 4.max(m.bytes.len().div_ceil(8));
    m.len < *POSSIBLE.start() || empty() || m.bytes.len() >= 24 && text() * 20 >= m.bytes.len() * 19
}
