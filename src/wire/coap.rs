//! A CoAP message, RFC 7252 section 3.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |Ver| T |  TKL  |      Code     |          Message ID           |
//! |   Token (0 to 8 bytes), options: delta (4), length (4), value |
//! |1 1 1 1 1 1 1 1|    Payload ...
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A message whose options hold together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coap<'a> {
    /// 0 confirmable, 1 non-confirmable, 2 acknowledgement, 3 reset.
    pub kind: u8,
    /// Class in the upper three bits (0 request, 2, 4, 5 response), detail below.
    pub code: u8,
    /// Message identifier.
    pub id: u16,
    /// Token.
    pub token: &'a [u8],
    /// Whether a request names a resource in printable Uri-Path options.
    pub path: bool,
    /// Whether that resource is below ".well-known" (RFC 8615, RFC 6690).
    pub well_known: bool,
}

impl<'a> Coap<'a> {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, code, id) = (c.u8()?, c.u8()?, c.be16()?);
        let kind = first >> 4 & 3;
        let known = matches!(code, 0 | 0x01..=0x07 | 0x41..=0x45 | 0x5f | 0x80..=0x8f | 0x9d | 0xa0..=0xa5);
        let token = c.take(usize::from(first & 15)).filter(|t| t.len() <= 8)?;
        if first >> 6 != 1 || !known || (code == 0 && (len != 4 || kind == 1)) || (kind == 3 && code != 0) {
            return None;
        }
        let mut message = Self { kind, code, id, token, path: false, well_known: false };
        let mut number = 0u32;
        while let Some(byte) = c.u8() {
            if byte == 0xff {
                return (!c.is_empty() || bytes.len() < len).then_some(message);
            }
            let mut extended = |nibble: u8| match nibble {
                13 => c.u8().map(|n| u32::from(n) + 13),
                14 => c.be16().map(|n| u32::from(n) + 269),
                15 => None,
                n => Some(u32::from(n)),
            };
            let (delta, length) = (extended(byte >> 4)?, extended(byte & 15)?);
            number += delta;
            let Some(value) = c.take(length as usize) else { return (bytes.len() < len).then_some(message) };
            if number > 2100 && number < 65_000 {
                return None;
            }
            message.well_known |= number == 11 && value == b".well-known";
            message.path |= number == 11 && !value.is_empty() && value.iter().all(u8::is_ascii_graphic);
        }
        Some(message)
    }

    /// Whether `reply` answers this request: it acknowledges the message, or repeats the token.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let request = (1..=7).contains(&self.code) && self.kind < 2;
        let response = reply.code >> 5 >= 2 || (reply.code == 0 && reply.kind >= 2);
        let acknowledged = reply.kind >= 2 && reply.id == self.id && (reply.code == 0 || reply.token == self.token);
        request && response && (acknowledged || (self.token.len() >= 2 && self.token == reply.token))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_and_its_answer() {
        let get = [0x42, 1, 0x12, 0x34, 7, 7, 0xb4, b't', b'e', b'm', b'p'];
        let content = [0x62, 0x45, 0x12, 0x34, 7, 7, 0xff, b'2', b'1'];
        let (q, r) = (Coap::new(&get, 11).unwrap(), Coap::new(&content, 9).unwrap());
        assert!(q.path && q.is_answered_by(&r) && !r.is_answered_by(&q));
        assert_eq!(Coap::new(&get[..9], 9), None);
        assert_eq!(Coap::new(&content[..7], 7), None);
        assert_eq!(Coap::new(&[0x49, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 14), None);
    }
}
