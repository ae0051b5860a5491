//! A NetBIOS datagram service message, RFC 1002 section 4.4.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   MSG_TYPE    |     FLAGS     |           DGM_ID              |
//! |                           SOURCE_IP                           |
//! |          SOURCE_PORT          |          DGM_LENGTH           |
//! |         PACKET_OFFSET         | SOURCE_NAME, DESTINATION_NAME |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A datagram with an encoded source name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetbiosDatagram {
    /// 0x10 direct unique, 0x11 direct group, 0x12 broadcast.
    pub kind: u8,
}

impl NetbiosDatagram {
    /// Reads the visible bytes of a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (kind, flags) = (c.u8()?, c.u8()?);
        c.take(8)?;
        let (length, _offset) = (usize::from(c.be16()?), c.be16()?);
        // The length counts the names and what follows; some senders count the header of 14 bytes as well.
        let fits = length + 14 == len || length == len;
        let name = (c.u8()? == 32).then(|| c.take(32))??;
        let encoded = name.iter().all(|b| (b'A'..=b'P').contains(b));
        ((0x10..=0x12).contains(&kind) && flags & 0xf0 == 0 && fits && encoded).then_some(Self { kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast() {
        let mut m = vec![0x11, 0x02, 0, 9, 192, 0, 2, 1, 0, 138, 0, 68, 0, 0, 32];
        m.extend([b'C'; 32]);
        m.push(0);
        m.push(32);
        m.extend([b'F'; 32]);
        m.push(0);
        assert_eq!(m.len(), 14 + 68);
        assert_eq!(NetbiosDatagram::new(&m, m.len()), Some(NetbiosDatagram { kind: 0x11 }));
        assert_eq!(NetbiosDatagram::new(&m, m.len() + 1), None);
        m[20] = b'Z';
        assert_eq!(NetbiosDatagram::new(&m, m.len()), None);
    }
}
