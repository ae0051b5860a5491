//! What the framers of the formats share: how they say what they found, and integers of either byte order.

use crate::packet::LinkType;

/// The result of looking for frames in a run of bytes.
#[derive(Debug)]
pub(super) struct Scan {
    /// Bytes dealt with, from the start of the run.
    pub used: usize,
    /// What stopped the search there.
    pub next: Next,
}

/// What stopped a search for frames.
#[derive(Debug)]
pub(super) enum Next {
    /// What follows needs this many bytes, counted from the first unused one, to go on.
    More(usize),
    /// What follows is of no interest for this many bytes, which need not be there yet.
    Skip(u64),
    /// What follows contradicts itself.
    Damaged(String),
}

/// The longest packet there can be on a link, as libpcap and Wireshark have it: 256 KiB, but 128 MiB on D-Bus and USB.
pub(super) fn max_frame(link: LinkType) -> u32 {
    match link.0 {
        189 | 220 | 231 | 249 => 128 << 20,
        _ => 256 << 10,
    }
}

/// Integers of either byte order at an offset, where there are enough bytes.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    #[inline]
    pub(super) fn array<const N: usize>(self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..)?.first_chunk().copied()
    }

    #[inline]
    pub(super) fn u16(self, at: usize, big_endian: bool) -> Option<u16> {
        self.array(at).map(|b| if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) })
    }

    #[inline]
    pub(super) fn u32(self, at: usize, big_endian: bool) -> Option<u32> {
        self.array(at).map(|b| if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) })
    }
}
