//! What is left of a frame while its headers are taken off one by one.

use etherparse::err::LenError;
use std::ops::Range;

/// A run of captured bytes that knows how long it is on the wire and where it lies in its buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest<'a> {
    /// The captured bytes.
    pub data: &'a [u8],
    /// Their number on the wire; never less than `data.len()`.
    pub wire: u32,
    /// Where `data` starts in the buffer that holds the frame.
    pub at: u32,
}

impl<'a> Rest<'a> {
    /// A run with all its bytes captured.
    #[cfg(test)]
    pub(super) fn whole(data: &'a [u8]) -> Self {
        Self { data, wire: data.len() as u32, at: 0 }
    }

    /// The first `N` bytes.
    #[inline]
    pub(super) fn header<const N: usize>(&self) -> Result<&'a [u8; N], Short> {
        self.data.first_chunk().ok_or(if (self.wire as usize) < N { Short::OnTheWire } else { Short::Cut })
    }

    /// Why a header could not be read whose bytes are missing.
    #[cold]
    pub(super) fn short(&self, missing: &LenError) -> Short {
        if (self.wire as usize) < missing.required_len { Short::OnTheWire } else { Short::Cut }
    }

    /// What follows the first `len` bytes, which must have been captured.
    #[inline]
    pub(super) fn after(&self, len: usize) -> Result<Self, Short> {
        match self.data.get(len..) {
            Some(data) => Ok(Self { data, wire: self.wire - len as u32, at: self.at + len as u32 }),
            None if (self.wire as usize) < len => Err(Short::OnTheWire),
            None => Err(Short::Cut),
        }
    }

    /// The same start with the length on the wire that a header states: padding goes, and what the header promises
    /// beyond the frame counts as not captured.
    #[inline]
    pub(super) fn with_wire(self, wire: u32) -> Self {
        let data = self.data.get(..wire as usize).unwrap_or(self.data);
        Self { data, wire, at: self.at }
    }

    /// Where the bytes lie in their buffer.
    pub(super) fn range(&self) -> Range<u32> {
        self.at..self.at + self.data.len() as u32
    }
}

/// Why a header could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Short {
    /// The capture ends before the header does; on the wire there was more.
    Cut,
    /// The header does not fit what was on the wire.
    OnTheWire,
}

/// Two bytes in network order at `at`; 0 beyond the end, which callers with a checked header never meet.
#[inline]
pub(super) fn be16(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u16::from_be_bytes(*b))
}

/// Four bytes in network order at `at`; 0 beyond the end, which callers with a checked header never meet.
#[inline]
pub(super) fn be32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_on_the_wire_follow_the_headers() {
        let rest = Rest { data: &[1, 2, 3, 4], wire: 10, at: 100 };
        let after = rest.after(3).unwrap();
        assert_eq!((after.data, after.wire, after.range()), (&[4][..], 7, 103..104));
        assert_eq!(rest.after(5).unwrap_err(), Short::Cut);
        assert_eq!(rest.after(11).unwrap_err(), Short::OnTheWire);
        let padded = rest.with_wire(2);
        assert_eq!((padded.data, padded.wire), (&[1, 2][..], 2));
        assert_eq!(rest.with_wire(50).wire, 50);
    }
}
