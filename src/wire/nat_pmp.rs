//! NAT-PMP (RFC 6886 section 3) and PCP (RFC 6887 section 7), which share a port and tell versions apart in byte 0.
//!
//! ```text
//! NAT-PMP request   | 0 | op 0..2 |                                   2 bytes, or 12 with ports and lifetime
//! NAT-PMP response  | 0 | op + 128 | result (16) | epoch (32) | …     12 or 16 bytes
//! PCP               | 2 | R, opcode | reserved (16), result in a response | lifetime (32) | address or epoch (128) | data |
//! ```

use super::cursor::Cursor;

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// 0 is NAT-PMP, 2 is PCP.
    pub version: u8,
    /// Operation, without the bit of a response.
    pub operation: u8,
    /// Whether it is a response.
    pub response: bool,
    /// What the response repeats: the internal port (NAT-PMP), or the nonce of 12 bytes (PCP).
    pub echoed: &'a [u8],
}

impl<'a> Mapping<'a> {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (version, operation) = (c.u8()?, c.u8()?);
        let (response, operation) = (operation & 0x80 != 0, operation & 0x7f);
        let mut message = Self { version, operation, response, echoed: &[] };
        match (version, response) {
            (0, false) => {
                let fits = if operation == 0 { len == 2 } else { len == 12 };
                message.echoed = if operation == 0 { &[] } else { bytes.get(4..6)? };
                (fits && operation <= 2 && (len == 2 || bytes.get(2..4)? == [0, 0])).then_some(message)
            }
            (0, true) => {
                let fits = if operation == 0 { len == 12 || len == 8 } else { len == 16 || len == 8 };
                message.echoed = if operation == 0 { &[] } else { bytes.get(8..10)? };
                (fits && operation <= 2 && c.be16()? <= 5).then_some(message)
            }
            (2, _) => {
                let (reserved, result) = (c.u8()?, c.u8()?);
                let legal = operation <= 2 && reserved == 0 && (response || result == 0) && result <= 13;
                message.echoed = if operation == 0 { &[] } else { bytes.get(24..36)? };
                let least = [24, 60, 80].get(usize::from(operation)).copied()?;
                (legal && len >= least && len.is_multiple_of(4) && len <= 1100).then_some(message)
            }
            _ => None,
        }
    }

    /// Whether `reply` answers this request.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let same = self.version == reply.version && self.operation == reply.operation && self.echoed == reply.echoed;
        !self.response && reply.response && same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping() {
        let q = [0, 1, 0, 0, 0x1f, 0x90, 0, 0, 0, 0, 14, 16];
        let r = [0, 0x81, 0, 0, 0, 0, 9, 9, 0x1f, 0x90, 0x1f, 0x90, 0, 0, 14, 16];
        assert!(Mapping::new(&q, 12).unwrap().is_answered_by(&Mapping::new(&r, 16).unwrap()));
        assert_eq!(Mapping::new(&q[..11], 11), None);
    }
}
