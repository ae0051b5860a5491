//! A full frame of IAX2, RFC 5456 section 8.1.1.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |1|     Source Call Number      |R|   Destination Call Number   |
//! |                            Timestamp                          |
//! |    OSeqno     |    ISeqno     |   Frame Type  |C|  Subclass   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! information elements of control frames (type 6): kind (8), length (8), value
//! ```

use super::cursor::Cursor;

/// A control frame whose elements fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iax {
    /// The sender's call number.
    pub source: u16,
    /// The addressee's call number; 0 in a first frame.
    pub destination: u16,
    /// 1 NEW, 2 PING, 4 ACK, 13 REGREQ, …
    pub subclass: u8,
}

impl Iax {
    /// Reads a frame of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (source, destination) = (c.be16()?, c.be16()?);
        let (_time, _out, _in, kind, subclass) = (c.be32()?, c.u8()?, c.u8()?, c.u8()?, c.u8()?);
        if source & 0x8000 == 0 || source == 0x8000 || kind != 6 || !(1..=40).contains(&subclass) {
            return None;
        }
        while !c.is_empty() {
            let mut element = || {
                let (kind, length) = (c.u8()?, usize::from(c.u8()?));
                c.take(length).map(|_| kind)
            };
            match element() {
                Some(kind) if kind > 0 && kind < 64 => {}
                None if bytes.len() < len => break,
                _ => return None,
            }
        }
        Some(Self { source: source & 0x7fff, destination: destination & 0x7fff, subclass })
    }

    /// Whether `reply` is to the call of this frame.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        reply.destination == self.source && (self.destination == 0 || self.destination == reply.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration() {
        let m = [0x80, 7, 0, 0, 0, 0, 0, 3, 0, 0, 6, 13, 6, 3, b'b', b'o', b'b'];
        let r = [0x80, 9, 0, 7, 0, 0, 0, 3, 0, 1, 6, 14];
        let (m, r) = (Iax::new(&m, 17).unwrap(), Iax::new(&r, 12).unwrap());
        assert!(m.is_answered_by(&r) && !r.is_answered_by(&m));
        assert_eq!(Iax::new(&[0x80, 7, 0, 0, 0, 0, 0, 3, 0, 0, 6, 13, 6, 3], 14), None);
    }
}
