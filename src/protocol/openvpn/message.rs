//! One OpenVPN packet as the recogniser sees it, whether a datagram carried it or a TCP stream.

use super::framing;
use crate::flow::{Datagram, Dir, Head};
use crate::packet::{Time, Transport};

/// A packet, or what may be one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// The frame that carried its first byte.
    pub(super) frame: u64,
    /// That frame's time.
    pub(super) time: Time,
    pub(super) dir: Dir,
    /// True length in bytes.
    pub(super) len: usize,
    /// The visible first bytes.
    pub(super) bytes: &'a [u8],
    /// The last bytes, at most 16, where visible.
    pub(super) tail: &'a [u8],
}

impl Message<'_> {
    /// The first byte.
    #[inline]
    pub(super) fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// Byte `i`, if visible.
    pub(super) fn byte(&self, i: usize) -> Option<u8> {
        let in_tail = || self.tail.get(i.checked_sub(self.len.checked_sub(self.tail.len())?)?).copied();
        self.bytes.get(i).copied().or_else(in_tail)
    }

    /// The big-endian number of four bytes at `offset`, if visible.
    pub(super) fn u32_at(&self, offset: usize) -> Option<u32> {
        self.bytes.get(offset..)?.first_chunk().map(|b| u32::from_be_bytes(*b))
    }
}

/// How far back the same bytes count as the same packet seen twice.
const TWICE_WITHIN: usize = 4;

/// Whether two payloads have the same bytes as far as both are kept.
fn same_start(a: &[u8], b: &[u8]) -> bool {
    let len = a.len().min(b.len());
    a.get(..len) == b.get(..len)
}

/// All packets of a head in order of arrival.
#[derive(Debug)]
pub(super) struct Messages<'a> {
    pub(super) all: Vec<Message<'a>>,
    /// Over TCP: packets whose length led to the next legal one, and their frames.
    pub(super) links: Vec<u64>,
}

/// The packets of `head`.
pub(super) fn gather<'a>(head: &Head<'a>) -> Messages<'a> {
    match head.transport() {
        Transport::Udp => {
            let mut all: Vec<Message<'a>> = Vec::with_capacity(head.datagrams().len());
            for d in head.datagrams().filter(|d| d.len > 0) {
                // A capture that sees packets twice must not make a counter stand still.
                let twice = |m: &Message<'_>| m.len == d.len && m.dir == d.dir && same_start(m.bytes, d.bytes);
                if !all.iter().rev().take(TWICE_WITHIN).any(twice) {
                    let Datagram { frame, time, dir, len, bytes, tail, .. } = d;
                    all.push(Message { frame, time, dir, len, bytes, tail });
                }
            }
            Messages { all, links: Vec::new() }
        }
        Transport::Tcp => {
            let mut all = Vec::new();
            let mut links = Vec::new();
            for dir in Dir::BOTH {
                let cut = framing::cut(head.stream(dir), dir);
                links.extend(cut.links);
                all.extend(cut.messages);
            }
            // Stable: packets of one segment stay in order.
            all.sort_by_key(|m| m.frame);
            Messages { all, links }
        }
    }
}
