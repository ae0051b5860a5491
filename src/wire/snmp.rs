//! An SNMP message: RFC 1157 section 4 (v1), RFC 1901 (v2c), RFC 3412 section 6 (v3). BER throughout.
//!
//! ```text
//! SEQUENCE { version INTEGER (0, 1), community OCTET STRING, PDU [0..8] { request-id INTEGER, ... } }
//! SEQUENCE { version INTEGER (3), SEQUENCE { msgID INTEGER, msgMaxSize, msgFlags, msgSecurityModel }, ... }
//! ```

use super::ber;
use super::cursor::Cursor;

/// A message whose outer elements hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snmp {
    /// 0 is v1, 1 is v2c, 3 is v3.
    pub version: i64,
    /// Request identifier, or v3's message identifier.
    pub id: Option<i64>,
    /// PDU tag (a0 get, a1 get-next, a2 response, a4 and a7 traps); 0 in v3, where it may be encrypted.
    pub pdu: u8,
}

impl Snmp {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = ber::whole(bytes, len, 0x30)?;
        let version = ber::integer(&mut c)?;
        match version {
            0 | 1 => {
                let community = ber::element(&mut c, 4)?;
                let (pdu, length) = ber::header(&mut c)?;
                let rest = len - (bytes.len() - c.rest().len());
                let fits = (0xa0..=0xa8).contains(&pdu) && length == rest && community.len() <= 255;
                // A v1 trap (a4) starts with an enterprise and has no identifier.
                let id = if pdu == 0xa4 { None } else { Some(ber::integer(&mut c)?) };
                fits.then_some(Self { version, id, pdu })
            }
            3 => {
                let mut global = Cursor::new(ber::element(&mut c, 0x30)?);
                let (id, size) = (ber::integer(&mut global)?, ber::integer(&mut global)?);
                let flags = ber::element(&mut global, 4)?;
                let model = ber::integer(&mut global)?;
                let legal = size >= 484 && flags.len() == 1 && model > 0 && global.is_empty();
                legal.then_some(Self { version, id: Some(id), pdu: 0 })
            }
            _ => None,
        }
    }

    /// Whether `reply` answers this message.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let roles = self.pdu != 0xa2 && (reply.pdu == 0xa2 || (self.pdu == 0 && reply.pdu == 0));
        roles && self.version == reply.version && self.id.is_some() && self.id == reply.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_request() {
        let m = b"\x30\x1b\x02\x01\x01\x04\x06public\xa0\x0e\x02\x01\x07\x02\x01\0\x02\x01\0\x30\x03\x30\x01\x05";
        assert_eq!(Snmp::new(m, m.len()), Some(Snmp { version: 1, id: Some(7), pdu: 0xa0 }));
        assert_eq!(Snmp::new(m, m.len() + 1), None);
    }
}
