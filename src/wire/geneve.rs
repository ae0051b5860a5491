//! Geneve, RFC 8926 section 3.4.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver|  Opt Len  |O|C|    Rsvd.  |          Protocol Type        |
//! |        Virtual Network Identifier (VNI)       |    Reserved   |
//! |                    Variable-Length Options                    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;
use super::inner;

/// A packet whose payload fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geneve {
    /// Virtual network identifier.
    pub vni: u32,
}

impl Geneve {
    /// Reads a datagram of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, flags, kind) = (c.u8()?, c.u8()?, c.be16()?);
        let (vni, last) = (c.be24()?, c.u8()?);
        let options = usize::from(first & 0x3f) * 4;
        if first >> 6 != 0 || flags & 0x3f != 0 || last != 0 {
            return None;
        }
        c.take(options)?;
        let left = len.checked_sub(8 + options)?;
        let fits = match kind {
            0x6558 => inner::is_ethernet(c.rest(), left),
            0x0800 | 0x86dd => inner::is_ip(c.rest(), left, 0),
            _ => false,
        };
        fits.then_some(Self { vni })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_skipped() {
        let mut m = vec![1, 0, 8, 0, 0, 0, 9, 0, 1, 2, 3, 0];
        m.extend([0x45, 0, 0, 20, 0, 0, 0x40, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Geneve::new(&m, m.len()), Some(Geneve { vni: 9 }));
        m[0] = 2;
        assert_eq!(Geneve::new(&m, m.len()), None);
    }
}
