//! A TFTP packet, RFC 1350 section 5; options of RFC 2347.
//!
//! ```text
//! RRQ, WRQ  | 1, 2 (16) | file name | 0 | mode | 0 | option | 0 | value | 0 ...
//! DATA      |   3  (16) | block (16) | 0 to 512 bytes, or a negotiated size
//! ACK       |   4  (16) | block (16) |
//! ERROR     |   5  (16) | code  (16) | message | 0 |
//! OACK      |   6  (16) | option | 0 | value | 0 ...
//! ```

use super::cursor::Cursor;

/// A packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tftp<'a> {
    /// Wants to read or write a file.
    Request {
        /// Its name; some clients ask for none.
        file: &'a [u8],
    },
    /// A block of the file.
    Data {
        /// Number, from 1.
        block: u16,
    },
    /// Acknowledges a block.
    Ack {
        /// Its number; 0 answers a write request.
        block: u16,
    },
    /// Ends the transfer.
    Error,
    /// Accepts options.
    OptionAck,
}

/// Takes a text up to its NUL.
fn text<'a>(c: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let end = c.rest().iter().position(|&b| b == 0)?;
    let text = c.take(end)?;
    c.u8()?;
    text.iter().all(|b| *b >= 0x20 && *b != 0x7f).then_some(text)
}

/// Whether what is left is pairs of texts, of which the first is not empty.
fn pairs(c: &mut Cursor<'_>) -> bool {
    while !c.is_empty() {
        if text(c).is_none_or(<[u8]>::is_empty) || text(c).is_none() {
            return false;
        }
    }
    true
}

impl<'a> Tftp<'a> {
    /// Reads a packet of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        match c.be16()? {
            1 | 2 => {
                let file = text(&mut c)?;
                let mode = text(&mut c)?;
                // Without a name there are no options either.
                if file.is_empty() && !c.is_empty() {
                    return None;
                }
                let known =
                    [&b"octet"[..], b"netascii", b"mail", b"binary"].iter().any(|m| m.eq_ignore_ascii_case(mode));
                (known && pairs(&mut c)).then_some(Self::Request { file })
            }
            3 => Some(Self::Data { block: c.be16()? }),
            4 => (len == 4).then(|| c.be16().map(|block| Self::Ack { block }))?,
            5 => (c.be16()? <= 8 && text(&mut c).is_some() && c.is_empty()).then_some(Self::Error),
            6 => (!c.is_empty() && pairs(&mut c)).then_some(Self::OptionAck),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets() {
        let read = |m: &'static [u8]| Tftp::new(m, m.len());
        assert_eq!(read(b"\0\x01boot.img\0octet\0blksize\x001428\0"), Some(Tftp::Request { file: b"boot.img" }));
        assert_eq!(read(b"\0\x01boot.img\0octet\0blksize\x001428"), None);
        assert_eq!(read(b"\0\x01boot.img\0ascii\0"), None);
        assert_eq!(read(b"\0\x01\0octet\0"), Some(Tftp::Request { file: b"" }));
        assert_eq!(read(b"\0\x01\0\0\0octet\0"), None);
        assert_eq!(read(b"\0\x03\0\x01abc"), Some(Tftp::Data { block: 1 }));
        assert_eq!(read(b"\0\x04\0\x01"), Some(Tftp::Ack { block: 1 }));
        assert_eq!(read(b"\0\x04\0\x01x"), None);
        assert_eq!(read(b"\0\x05\0\x01File not found\0"), Some(Tftp::Error));
    }
}
