//! A PTP message, IEEE 1588-2008 clause 13.3.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |majorSd| type  |minor V| ver 2 |         messageLength         |
//! |     domain    |  minor SdoId  |             flags             |
//! |                     correctionField (64)                      |
//! |                     reserved (32)                             |
//! |            sourcePortIdentity: clock (64), port (16)          |
//! |   sequenceId (16)             | controlField  | logInterval   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A message of version 2 whose length and control field fit its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ptp {
    /// 0 sync, 1 delay request, 8 follow-up, 9 delay response, 11 announce, 12 signalling, 13 management.
    pub kind: u8,
    /// Clock and port of the sender.
    pub source: [u8; 10],
    /// Counts messages of a type.
    pub sequence: u16,
}

impl Ptp {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, version, length) = (c.u8()?, c.u8()?, usize::from(c.be16()?));
        let (_domain, _sdo, _flags, _correction, _specific) = (c.u8()?, c.u8()?, c.be16()?, c.be64()?, c.be32()?);
        let (source, sequence, control, interval) = (c.array()?, c.be16()?, c.u8()?, c.u8()? as i8);
        let kind = first & 15;
        let (least, expected) = match kind {
            0 => (44, 0),
            1 => (44, 1),
            2 | 3 => (54, 5),
            8 => (44, 2),
            9 | 10 => (54, if kind == 9 { 3 } else { 5 }),
            11 => (64, 5),
            12 => (44, 5),
            13 => (48, 4),
            _ => return None,
        };
        // IEEE 1588-2019 table 2: PTP, 802.1AS and the common delay service; the others are reserved.
        let profile = first >> 4 <= 2;
        // Over UDP IPv6 two bytes of zeros may follow (annex E). The control field is obsolete and may be zero.
        let fits = profile && version & 15 == 2 && length >= least && (length == len || length + 2 == len);
        let legal = (control == expected || control == 0) && (interval == 0x7f || (-10..=22).contains(&interval));
        (fits && legal).then_some(Self { kind, source, sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync() {
        let mut m = [0; 44];
        m[..4].copy_from_slice(&[0, 2, 0, 44]);
        m[31] = 9;
        let p = Ptp::new(&m, 44).unwrap();
        assert_eq!((p.kind, p.sequence), (0, 9));
        assert_eq!(Ptp::new(&m, 48), None);
        m[0] = 0xc0;
        assert_eq!(Ptp::new(&m, 44), None, "L2TP's control messages begin so");
        m[0] = 0;
        m[32] = 3;
        assert_eq!(Ptp::new(&m, 44), None);
    }
}
