//! The header of a Nebula packet (`header/header.go` of Nebula).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version|  Type |    Subtype    |          Reserved (zero)      |
//! |                         Remote index                          |
//! |                     Message counter (64)                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A packet of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nebula {
    /// 0 handshake, 1 message, 2 receive error, 3 lighthouse, 4 test, 5 close tunnel, 6 control.
    pub kind: u8,
    /// The index that the addressee chose; 0 in the first handshake packet.
    pub remote_index: u32,
    /// Counts packets; 1 and 2 in a handshake.
    pub counter: u64,
}

impl Nebula {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, subtype, reserved) = (c.u8()?, c.u8()?, c.be16()?);
        let (remote_index, counter) = (c.be32()?, c.be64()?);
        let kind = first & 15;
        let handshake = kind == 0 && (1..=4).contains(&counter) && (counter == 1) == (remote_index == 0) && len > 60;
        let other = (1..=6).contains(&kind) && remote_index != 0 && counter < 1 << 48;
        let legal = first >> 4 == 1 && reserved == 0 && subtype <= 1 && len >= 16 && (handshake || other);
        legal.then_some(Self { kind, remote_index, counter })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake() {
        let mut m = vec![0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        m.extend([7; 100]);
        assert_eq!(Nebula::new(&m, m.len()), Some(Nebula { kind: 0, remote_index: 0, counter: 1 }));
        m[7] = 1;
        assert_eq!(Nebula::new(&m, m.len()), None);
        m[0] = 0x11;
        assert_eq!(Nebula::new(&m, m.len()).map(|n| n.kind), Some(1));
    }
}
