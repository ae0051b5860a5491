//! A BFD control packet, RFC 5880 section 4.1.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! |                       My Discriminator                        |
//! |                      Your Discriminator                       |
//! |      Desired Min TX, Required Min RX, Min Echo RX intervals   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A packet that passes the tests of RFC 5880 section 6.8.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bfd {
    /// The sender's discriminator.
    pub mine: u32,
    /// The addressee's, once known.
    pub yours: u32,
}

impl Bfd {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, flags, multiplier, length) = (c.u8()?, c.u8()?, c.u8()?, usize::from(c.u8()?));
        let (mine, yours) = (c.be32()?, c.be32()?);
        let intervals = [c.be32()?, c.be32()?, c.be32()?];
        let authenticated = flags & 4 != 0;
        let fits = length == len && if authenticated { (26..=52).contains(&len) } else { len == 24 };
        // A zero discriminator is legal only in the states Down and AdminDown; intervals are below a minute.
        let down = flags >> 6 <= 1;
        let legal =
            first >> 5 == 1 && first & 31 <= 9 && flags & 1 == 0 && multiplier > 0 && mine != 0 && (yours != 0 || down);
        (fits && legal && intervals.iter().all(|i| *i <= 60_000_000)).then_some(Self { mine, yours })
    }

    /// Whether `reply` comes from the session that this packet is sent to, and knows it.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        reply.yours == self.mine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet() {
        let mut m = [0; 24];
        m[..12].copy_from_slice(&[0x20, 0x40, 3, 24, 0, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(Bfd::new(&m, 24), Some(Bfd { mine: 1, yours: 0 }));
        m[1] = 0xc0;
        assert_eq!(Bfd::new(&m, 24), None);
    }
}
