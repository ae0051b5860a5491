//! A DHCPv6 message, RFC 8415 sections 8 and 9.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |    msg-type   |               transaction-id                  |
//! | options: code (16), length (16), value                        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! relays (types 12 and 13): hop-count (8), link-address (128), peer-address (128), options
//! ```

use super::cursor::Cursor;

/// A message whose options fill it and name a client, a server or a relayed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcpv6 {
    /// 1 solicit, 2 advertise, 3 request, 7 reply, 11 information-request, 12 and 13 relays.
    pub kind: u8,
    /// Transaction identifier.
    pub transaction: u32,
}

impl Dhcpv6 {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (kind, transaction) = (c.u8()?, c.be24()?);
        if !(1..=13).contains(&kind) {
            return None;
        }
        if kind >= 12 {
            c = Cursor::new(bytes.get(34..)?);
        }
        let (mut named, mut known) = (false, true);
        while !c.is_empty() {
            let mut option = || {
                let (code, length) = (c.be16()?, usize::from(c.be16()?));
                known &= (1..=200).contains(&code);
                Some((code, c.take(length)?))
            };
            match option() {
                // DUIDs (options 1 and 2) start with a type of 1 to 4, RFC 8415 section 11.
                Some((1 | 2, [0, 1..=4, ..])) | Some((9, _)) => named = true,
                Some(_) => {}
                None if bytes.len() < len => break,
                None => return None,
            }
        }
        // An information-request may come without a client identifier.
        let bare = kind == 11 && len > 8;
        (known && (named || bare)).then_some(Self { kind, transaction })
    }

    /// Whether a server sends it.
    pub fn is_from_server(&self) -> bool {
        matches!(self.kind, 2 | 7 | 10 | 13)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solicit() {
        let m = [1, 1, 2, 3, 0, 8, 0, 2, 0, 0, 0, 1, 0, 4, 0, 1, 0, 1];
        assert_eq!(Dhcpv6::new(&m, m.len()), Some(Dhcpv6 { kind: 1, transaction: 0x0001_0203 }));
        assert_eq!(Dhcpv6::new(&m[..17], 17), None);
        assert_eq!(Dhcpv6::new(&m[..10], 10), None);
    }
}
