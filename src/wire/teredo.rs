//! A Teredo packet, RFC 4380 section 5.1.1: optional indications, then an IPv6 packet.
//!
//! ```text
//! | 0x00 0x01 | ID len | AU len | client ID | authentication | nonce (64) | confirmation |   authentication
//! | 0x00 0x00 | port, inverted (16) | address, inverted (32) |                             origin indication
//! | IPv6 packet |
//! ```

use super::cursor::Cursor;

/// A packet whose IPv6 packet fits and has a Teredo or link-local address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Teredo {
    /// Whether it is a router solicitation or advertisement.
    pub router: bool,
}

impl Teredo {
    /// Reads a datagram of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        if c.rest().starts_with(&[0, 1]) {
            c.take(2)?;
            let (id, authentication) = (usize::from(c.u8()?), usize::from(c.u8()?));
            c.take(id + authentication + 9)?;
        }
        if c.rest().starts_with(&[0, 0]) {
            c.take(8)?;
        }
        let left = len - (bytes.len() - c.rest().len());
        let (first, payload, next, hops) = (c.be32()?, c.be16()?, c.u8()?, c.u8()?);
        let (source, destination) = (c.array::<16>()?, c.array::<16>()?);
        let own = |a: &[u8; 16]| a.starts_with(&[0x20, 1, 0, 0]) || a.starts_with(&[0xfe, 0x80]);
        // A bubble has no payload and no next header.
        let fits = first >> 28 == 6 && usize::from(payload) + 40 == left && (hops > 0 || next == 59);
        let router = next == 58 && matches!(c.rest().first(), Some(133 | 134));
        (fits && (own(&source) || own(&destination))).then_some(Self { router })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bubble() {
        let mut m = vec![0x60, 0, 0, 0, 0, 0, 59, 255, 0x20, 1, 0, 0];
        m.extend([7; 28]);
        assert_eq!(Teredo::new(&m, 40), Some(Teredo { router: false }));
        let with_origin = [&[0, 0, 1, 2, 3, 4, 5, 6][..], &m].concat();
        assert_eq!(Teredo::new(&with_origin, 48), Some(Teredo { router: false }));
        m[9] = 9;
        assert_eq!(Teredo::new(&m, 40), None);
    }
}
