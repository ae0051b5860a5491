//! A handshake packet of fastd (`src/protocols/ec25519_fhmqvc/handshake.c`, `src/handshake.h` of fastd).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     1 (8)     |     0 (8)     |   length of what follows (16) |
//! |   type (16, little-endian)    |  length (16, little-endian)   |
//! |   value ...                     further records               |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! From version 22 on the header of an L2TPv3 control message (c8 03, length 12 and zeros) may stand before it, so that
//! both can share a port with L2TP's data in the kernel.

use super::cursor::Cursor;

/// L2TPv3 control header with nothing in it.
const WRAPPER: [u8; 12] = [0xc8, 3, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0];
/// The last record type of fastd 22.
const LAST_RECORD: u16 = 19;

/// A handshake packet whose records fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fastd<'a> {
    /// 1 asks, 2 answers, 3 finishes.
    pub step: u8,
    /// Name of the key exchange, "ec25519-fhmqvc".
    pub protocol: Option<&'a [u8]>,
    /// Version of the sender's program.
    pub version: Option<&'a [u8]>,
}

impl<'a> Fastd<'a> {
    /// Reads a packet, all of which is visible.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes.strip_prefix(&WRAPPER).unwrap_or(bytes));
        if c.be16()? != 0x0100 || usize::from(c.be16()?) != c.rest().len() {
            return None;
        }
        // The handshake's type is its first record.
        let (kind, length, step) = (c.le16()?, c.le16()?, c.u8()?);
        if (kind, length) != (0, 1) || !(1..=3).contains(&step) {
            return None;
        }
        let mut packet = Self { step, protocol: None, version: None };
        while !c.is_empty() {
            let kind = c.le16().filter(|kind| *kind <= LAST_RECORD)?;
            let length = usize::from(c.le16()?);
            let value = c.take(length)?;
            match kind {
                5 => packet.protocol = Some(value),
                13 => packet.version = Some(value),
                _ => {}
            }
        }
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_fill_the_packet() {
        let plain = b"\x01\0\0\x0e\0\0\x01\0\x01\x05\0\x05\0abcde";
        let packet = Fastd::new(plain).unwrap();
        assert_eq!((packet.step, packet.protocol), (1, Some(&b"abcde"[..])));
        assert_eq!(Fastd::new(&[&WRAPPER[..], plain].concat()).map(|p| p.step), Some(1));
        for cut in 0..plain.len() {
            assert!(Fastd::new(&plain[..cut]).is_none(), "{cut}");
        }
    }
}
