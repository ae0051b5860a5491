//! A CAPWAP packet, RFC 5415 section 4.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Version| Type  |  HLEN   |   RID   | WBID    |T|F|L|W|M|K|Flags|
//! |          Fragment ID          |     Fragment Offset     |Rsvd |
//! | (optional) radio MAC address, (optional) wireless information |
//! |                     Message Type (32)                         |
//! |  Sequence (8) |  Message Element Length (16)  |   Flags (8)   |
//! |  elements: type (16), length (16), value                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! Type 1 means that DTLS records follow the first four bytes.

use super::cursor::Cursor;
use super::dtls::Records;

/// A packet that holds together to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capwap {
    /// A control message in clear: discovery, as a rule.
    Control {
        /// Its type; a response has its request's plus one.
        kind: u32,
        /// Repeated by the response.
        sequence: u8,
    },
    /// DTLS records.
    Protected,
    /// A keepalive of the data channel, with the session's identifier.
    Keepalive,
}

impl Capwap {
    /// Reads a packet, all of which is visible.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let (&[preamble, a, b, flags], rest) = bytes.split_first_chunk::<4>()?;
        if preamble == 1 {
            let records = [a, b, flags] == [0; 3] && Records::new(rest, rest.len()).is_some();
            return records.then_some(Self::Protected);
        }
        let header = usize::from(a >> 3) * 4;
        // WBID 1 is IEEE 802.11; 0 and 2 were in use before and beside it. No fragments, no reserved bits.
        let binding = (b & 0x3e) >> 1;
        let legal = preamble == 0 && (8..=32).contains(&header) && binding <= 2 && flags & 0x87 == 0 && b & 1 == 0;
        if !legal || !rest.starts_with(&[0; 4]) {
            return None;
        }
        let mut c = Cursor::new(bytes.get(header..)?);
        if flags & 8 != 0 {
            // Length and elements alone (RFC 5415 section 4.4.1); the session's identifier is one of 16 bytes.
            let length = usize::from(c.be16()?);
            let fits = length == c.rest().len() || length == c.rest().len() + 2;
            return (fits && c.rest().starts_with(&[0, 35, 0, 16]) && elements(c)?).then_some(Self::Keepalive);
        }
        let (kind, sequence, length, flags) = (c.be32()?, c.u8()?, usize::from(c.be16()?), c.u8()?);
        // The length counts from behind the sequence number; many do not count its own field, or the flags.
        let counted = length.checked_sub(c.rest().len()).is_some_and(|more| matches!(more, 0 | 1 | 3));
        let known = (1..=26).contains(&kind) && flags == 0 && counted;
        (known && elements(c)?).then_some(Self::Control { kind, sequence })
    }

    /// Whether `reply` answers this message.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        match (self, reply) {
            (Self::Control { kind: asked, sequence: a }, Self::Control { kind: answered, sequence: b }) => {
                asked % 2 == 1 && *answered == asked + 1 && a == b
            }
            (Self::Protected, Self::Protected) | (Self::Keepalive, Self::Keepalive) => true,
            _ => false,
        }
    }
}

/// Whether elements with assigned types (RFC 5415 section 4.6, RFC 5416 section 6) are all that is left, and at least one.
fn elements(mut c: Cursor<'_>) -> Option<bool> {
    let mut some = false;
    while !c.is_empty() {
        let (kind, length) = (c.be16()?, usize::from(c.be16()?));
        if !matches!(kind, 1..=53 | 1024..=1051) || c.take(length).is_none() {
            return None;
        }
        some = true;
    }
    Some(some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discovery() {
        let request = b"\0\x10\x02\0\0\0\0\0\0\0\0\x01\x05\0\x08\0\0\x14\0\x01\0";
        assert_eq!(Capwap::new(request), Some(Capwap::Control { kind: 1, sequence: 5 }));
        for cut in 0..request.len() {
            assert!(Capwap::new(&request[..cut]).is_none(), "{cut}");
        }
        let mut response = *request;
        response[11] = 2;
        let [q, r] = [*request, response].map(|m| Capwap::new(&m).unwrap());
        assert!(q.is_answered_by(&r) && !r.is_answered_by(&q));
    }

    #[test]
    fn dtls_inside() {
        let alert = b"\x01\0\0\0\x15\xfe\xfd\0\0\0\0\0\0\0\0\0\x02\x01\0";
        assert_eq!(Capwap::new(alert), Some(Capwap::Protected));
        assert_eq!(Capwap::new(&alert[..18]), None);
    }
}
