//! A RADIUS packet, RFC 2865 section 3.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Code      |  Identifier   |            Length             |
//! |                     Authenticator (128)                       |
//! | attributes: type (8), length (8, header included), value      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A packet whose length and attributes fill the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Radius {
    /// 1 access-request, 2 accept, 3 reject, 4 and 5 accounting, 11 challenge, 40 to 45 dynamic authorisation.
    pub code: u8,
    /// Matches requests and replies.
    pub identifier: u8,
    /// How many attributes there are, as far as is visible.
    pub attributes: u32,
}

impl Radius {
    /// Reads a packet of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (code, identifier, length) = (c.u8()?, c.u8()?, usize::from(c.be16()?));
        if !matches!(code, 1..=5 | 11..=13 | 40..=45) || length != len || !(20..=4096).contains(&length) {
            return None;
        }
        c.take(16)?;
        let mut attributes = 0;
        while !c.is_empty() {
            let mut attribute = || {
                let (kind, length) = (c.u8()?, usize::from(c.u8()?));
                c.take(length.checked_sub(2)?)?;
                Some(kind)
            };
            match attribute() {
                Some(kind) if kind > 0 => attributes += 1,
                None if bytes.len() < len => break,
                _ => return None,
            }
        }
        Some(Self { code, identifier, attributes })
    }

    /// Whether `reply` answers this request.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let codes =
            matches!((self.code, reply.code), (1, 2 | 3 | 11) | (4, 5) | (12, 2 | 5) | (40, 41 | 42) | (43, 44 | 45));
        codes && self.identifier == reply.identifier
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_access_request() {
        let mut m = vec![1, 7, 0, 25];
        m.extend([9; 16]);
        m.extend([1, 5, b'b', b'o', b'b']);
        assert_eq!(Radius::new(&m, 25), Some(Radius { code: 1, identifier: 7, attributes: 1 }));
        m[21] = 6;
        assert_eq!(Radius::new(&m, 25), None);
    }
}
