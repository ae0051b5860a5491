//! An L2TP control message: RFC 2661 section 3.1 (version 2) and RFC 3931 section 3.2.1 over UDP (version 3).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |T|L|x|x|S|x|O|P|x|x|x|x|  Ver  |            Length             |
//! |           Tunnel ID           |           Session ID          |
//! |              Ns               |              Nr               |
//! | AVPs: M H rsvd (6) length (10) | vendor (16) | type (16) | value
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A message with a length that agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L2tp {
    /// 2 or 3.
    pub version: u8,
    /// Sequence number.
    pub sent: u16,
    /// The next sequence number expected from the peer.
    pub received: u16,
    /// Message type of the first AVP; none in an empty acknowledgement.
    pub kind: Option<u16>,
    /// Version 2: the tunnel ID that the addressee chose.
    pub tunnel: u16,
}

impl L2tp {
    /// Reads a control message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (flags, length) = (c.be16()?, usize::from(c.be16()?));
        let version = (flags & 15) as u8;
        if flags & 0xfff0 != 0xc800 || !matches!(version, 2 | 3) || length != len {
            return None;
        }
        let tunnel = c.be16()?;
        let _session = c.be16()?;
        let (sent, received) = (c.be16()?, c.be16()?);
        let mut kind = None;
        let mut first = true;
        while !c.is_empty() {
            let header = c.be16()?;
            let size = usize::from(header & 0x3ff);
            let body = size.checked_sub(2).and_then(|n| c.take(n));
            let Some(body) = body else {
                return (bytes.len() < len && !first).then_some(Self { version, sent, received, kind, tunnel });
            };
            if body.len() < 4 || header & 0x3c00 != 0 {
                return None;
            }
            if first {
                // RFC 2661 section 4.1: the message type comes first. Version 3 may have a message digest before it.
                kind = match body {
                    [0, 0, 0, 0, a, b] => Some(u16::from_be_bytes([*a, *b])),
                    _ if version == 3 => None,
                    _ => return None,
                };
            }
            first = false;
        }
        Some(Self { version, sent, received, kind, tunnel })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_message() {
        let m = [0xc8, 2, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 8, 0, 0, 0, 0, 0, 1];
        let l = L2tp::new(&m, 20).unwrap();
        assert_eq!((l.version, l.kind, l.sent), (2, Some(1), 0));
        assert_eq!(L2tp::new(&m, 21), None);
        assert!(L2tp::new(&[0xc8, 2, 0, 12, 0, 1, 0, 0, 0, 1, 0, 1], 12).unwrap().kind.is_none());
    }
}
