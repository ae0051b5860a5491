//! A DHCP message, RFC 2131 section 2 and RFC 2132.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     op (1)    |   htype (1)   |   hlen (1)    |   hops (1)    |
//! |                            xid (4)                            |
//! |           secs (2)            |           flags (2)           |
//! |  ciaddr (4)  yiaddr (4)  siaddr (4)  giaddr (4)  chaddr (16)  |
//! |                     sname (64)  file (128)                    |
//! |           cookie 63 82 53 63, options: code, length, value    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A message with the cookie, whose options hold together as far as they are visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dhcp {
    /// From a server to a client.
    pub reply: bool,
    /// Transaction identifier.
    pub xid: u32,
    /// DHCP message type (option 53); none in plain BOOTP.
    pub kind: Option<u8>,
}

impl Dhcp {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (op, _hardware, address_len, hops, xid) = (c.u8()?, c.u8()?, c.u8()?, c.u8()?, c.be32()?);
        if !matches!(op, 1 | 2) || address_len > 16 || hops > 32 || len < 240 {
            return None;
        }
        let mut message = Self { reply: op == 2, xid, kind: None };
        if bytes.len() < 240 {
            // A later message, cut by the head: addresses and a hardware address of six bytes padded with zeros.
            c.take(20)?;
            let hardware = c.array::<16>()?;
            return (address_len == 6 && hardware.ends_with(&[0; 10])).then_some(message);
        }
        c.take(228)?;
        if c.be32()? != 0x6382_5363 {
            return None;
        }
        while let Some(code) = c.u8() {
            match code {
                0 => {}
                255 => return Some(message),
                _ => {
                    let length = usize::from(c.u8()?);
                    let value = c.take(length)?;
                    if code == 53 {
                        message.kind = value.first().copied().filter(|k| (1..=18).contains(k));
                    }
                }
            }
        }
        // BOOTP's vendor area may end without the end option.
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_discover() {
        let mut m = vec![1, 1, 6, 0, 9, 8, 7, 6];
        m.resize(236, 0);
        m.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]);
        assert_eq!(Dhcp::new(&m, m.len()), Some(Dhcp { reply: false, xid: 0x0908_0706, kind: Some(1) }));
        m[236] = 0;
        assert_eq!(Dhcp::new(&m, m.len()), None);
    }
}
