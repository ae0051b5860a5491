//! BACnet/IP, ANSI/ASHRAE 135 annex J: the BVLC header and the network layer's first bytes.
//!
//! ```text
//! | 0x81 | function (8) | length (16), header included | forwarded: address (48) | NPDU version 1 | control | … |
//! ```

use super::cursor::Cursor;

/// A message whose length agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bacnet {
    /// 0 result, 4 forwarded NPDU, 10 unicast NPDU, 11 broadcast NPDU, others management.
    pub function: u8,
}

impl Bacnet {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (kind, function, length) = (c.u8()?, c.u8()?, usize::from(c.be16()?));
        if function == 4 {
            c.take(6)?;
        }
        let network = matches!(function, 4 | 9..=11);
        // NPDU version 1; bits 6 and 4 of the control byte are reserved.
        let npdu = !network || (c.u8()? == 1 && c.u8()? & 0x50 == 0);
        // Results, and what manages tables of ten bytes a row and registrations (annex J.2).
        let fits = match function {
            0 | 5 => length == 6,
            1 | 3 | 7 => length % 10 == 4,
            2 | 6 => length == 4,
            8 => length == 10,
            _ => true,
        };
        (kind == 0x81 && function <= 12 && length == len && npdu && fits).then_some(Self { function })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is() {
        let m = [0x81, 0x0b, 0, 12, 1, 0x20, 0xff, 0xff, 0, 0xff, 0x10, 8];
        assert_eq!(Bacnet::new(&m, 12), Some(Bacnet { function: 11 }));
        assert_eq!(Bacnet::new(&m, 13), None);
    }
}
