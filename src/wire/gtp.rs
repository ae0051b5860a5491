//! GTP: version 1 for user data (3GPP TS 29.281 section 5.1) and control (TS 29.060), version 2 for control (TS 29.274),
//! version 0 for both (GSM 09.60 section 6).
//!
//! ```text
//! v0 |Ver=0|1|1 1 1|S| Message Type (8) | Length (16) | Sequence (16) | Flow Label (16) | N-PDU (8) | FF FF FF | TID (64) |
//! v1 |Ver=1|P|0|E|S|N| Message Type (8) | Length (16) | TEID (32) | if E, S or N: sequence (16), N-PDU (8), next (8) |
//! v2 |Ver=2|P|T|0|0|0| Message Type (8) | Length (16) | TEID (32) if T | sequence (24) | spare (8) | elements |
//! ```

use super::cursor::Cursor;
use super::inner;

/// A message with a length that agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gtp {
    /// A tunnelled IP packet that fits.
    Data {
        /// Tunnel endpoint identifier; the flow label in version 0.
        teid: u32,
    },
    /// Version 1: echo, error indication, end marker and other signalling.
    Signal {
        /// Message type.
        kind: u8,
        /// Sequence number.
        sequence: Option<u16>,
    },
    /// Version 1: an error indication whose elements, a TEID and an address, fill it.
    Error,
    /// Version 2 control message with elements that fill it.
    Control {
        /// Message type.
        kind: u8,
        /// Sequence number.
        sequence: u32,
    },
}

impl Gtp {
    /// Reads a datagram of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (flags, kind, length) = (c.u8()?, c.u8()?, usize::from(c.be16()?));
        match flags >> 5 {
            0 if flags & 0x1e == 0x1e && length + 20 == len => {
                let (sequence, teid, spare) = (c.be16()?, u32::from(c.be16()?), c.be32()?);
                c.take(8)?;
                match kind {
                    _ if spare & 0xff_ffff != 0xff_ffff => None,
                    255 => inner::is_ip(c.rest(), length, 0).then_some(Self::Data { teid }),
                    1..=7 | 16..=37 | 48..=53 => Some(Self::Signal { kind, sequence: Some(sequence) }),
                    _ => None,
                }
            }
            1 if flags & 0x18 == 0x10 && length + 8 == len => {
                let teid = c.be32()?;
                let mut left = length;
                let mut sequence = None;
                if flags & 7 != 0 {
                    sequence = Some(c.be16()?).filter(|_| flags & 2 != 0);
                    let (_, mut next) = (c.u8()?, c.u8()?);
                    left = left.checked_sub(4)?;
                    // Extension headers: length in words, contents, next type.
                    while flags & 4 != 0 && next != 0 {
                        let words = usize::from(c.u8()?);
                        let size = (words * 4).checked_sub(2)?;
                        c.take(size)?;
                        next = c.u8()?;
                        left = left.checked_sub(words * 4)?;
                    }
                }
                match kind {
                    255 => inner::is_ip(c.rest(), left, 0).then_some(Self::Data { teid }),
                    26 if is_error(c.rest()) => Some(Self::Error),
                    1..=70 | 96..=105 | 112..=121 | 128..=130 | 240 | 241 | 254 => {
                        Some(Self::Signal { kind, sequence })
                    }
                    _ => None,
                }
            }
            2 if flags & 7 == 0 && length + 4 == len && kind > 0 => {
                if flags & 8 != 0 {
                    c.be32()?;
                }
                let (sequence, spare) = (c.be24()?, c.u8()?);
                if spare & 0x0f != 0 {
                    return None;
                }
                while !c.is_empty() {
                    let header = (c.u8(), c.be16(), c.u8());
                    let (Some(element), Some(size), Some(_)) = header else {
                        return (bytes.len() < len).then_some(Self::Control { kind, sequence });
                    };
                    if element == 0 {
                        return None;
                    }
                    if c.take(usize::from(size)).is_none() {
                        return (bytes.len() < len).then_some(Self::Control { kind, sequence });
                    }
                }
                Some(Self::Control { kind, sequence })
            }
            _ => None,
        }
    }
}

/// Whether a tunnel endpoint identifier and a node's address are all there is (TS 29.281 section 7.3.1).
fn is_error(elements: &[u8]) -> bool {
    match elements {
        [16, _, _, _, _, 133, 0, size @ (4 | 16), address @ ..] => address.len() == usize::from(*size),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_data_and_echo() {
        let mut m = vec![0x30, 255, 0, 20, 0, 0, 0, 7];
        m.extend([0x45, 0, 0, 20, 0, 0, 0x40, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(Gtp::new(&m, m.len()), Some(Gtp::Data { teid: 7 }));
        m[11] = 21;
        assert_eq!(Gtp::new(&m, m.len()), None);
        let echo = [0x32, 1, 0, 4, 0, 0, 0, 0, 0, 9, 0, 0];
        assert_eq!(Gtp::new(&echo, 12), Some(Gtp::Signal { kind: 1, sequence: Some(9) }));
        let error = [0x32, 26, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 16, 1, 2, 3, 4, 133, 0, 4, 192, 0, 2, 1];
        assert_eq!(Gtp::new(&error, 24), Some(Gtp::Error));
        let v0 = [0x1e, 1, 0, 0, 12, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(Gtp::new(&v0, 20), Some(Gtp::Signal { kind: 1, sequence: Some(0x0c00) }));
        let v2 = [0x40, 1, 0, 9, 0, 0, 5, 0, 3, 0, 1, 0, 17];
        assert_eq!(Gtp::new(&v2, 13), Some(Gtp::Control { kind: 1, sequence: 5 }));
    }
}
