//! SoftEther's UDP NAT traversal (`src/Cedar/UdpAccel.c`, `src/Mayaqua/Network.c`, `src/Mayaqua/Pack.c` of SoftEther VPN):
//! a byte 'A' asks for one's own address, and everything else is a PACK. All numbers are big-endian.
//!
//! ```text
//! IP=192.0.2.7,PORT=51381                                    answer to 'A'
//!
//! elements (32) | name length + 1 (32) | name | type (32) | values (32) | value ... | ...
//! type 0: 32 bits, 1: data, 2: text, 3: wide text (each a length of 32 bits and bytes), 4: 64 bits
//! ```

use super::cursor::Cursor;
use std::net::IpAddr;

/// A message that holds together to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SoftEther<'a> {
    /// "What is my address?"
    AskAddress,
    /// The answer.
    Address,
    /// A PACK.
    Pack {
        /// Value of the element "opcode".
        opcode: Option<&'a [u8]>,
        /// Value of "tran_id", which the answer repeats.
        transaction: Option<u64>,
    },
}

impl<'a> SoftEther<'a> {
    /// Reads a message, all of which is visible.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            b"A" => Some(Self::AskAddress),
            [b'I', b'P', b'=', rest @ ..] => {
                let (ip, port) = std::str::from_utf8(rest).ok()?.split_once(",PORT=")?;
                (ip.parse::<IpAddr>().is_ok() && port.parse::<u16>().is_ok()).then_some(Self::Address)
            }
            [0, 0, 0, 1..=64, ..] => pack(bytes),
            _ => None,
        }
    }

    /// Whether `reply` answers this message.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        match (self, reply) {
            (Self::AskAddress, Self::Address) => true,
            (Self::Pack { transaction: a, .. }, Self::Pack { transaction: b, .. }) => a.is_some() && a == b,
            _ => false,
        }
    }
}

fn pack(bytes: &[u8]) -> Option<SoftEther<'_>> {
    let mut c = Cursor::new(bytes);
    let elements = c.be32()?;
    let (mut opcode, mut transaction) = (None, None);
    for _ in 0..elements {
        let length = (c.be32()? as usize).checked_sub(1).filter(|n| (1..64).contains(n))?;
        let name = c.take(length)?;
        let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'@' | b':');
        let (kind, values) = (c.be32()?, c.be32()?);
        if !name.iter().all(plain) || values > 1024 {
            return None;
        }
        for _ in 0..values {
            match kind {
                0 => drop(c.be32()?),
                1..=3 => {
                    let length = c.be32()? as usize;
                    let value = c.take(length)?;
                    opcode = if name == b"opcode" { Some(value) } else { opcode };
                }
                4 => {
                    let value = c.be64()?;
                    transaction = if name == b"tran_id" { Some(value) } else { transaction };
                }
                _ => return None,
            }
        }
    }
    c.is_empty().then_some(SoftEther::Pack { opcode, transaction })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_pack() {
        let answer = SoftEther::new(b"IP=192.0.2.7,PORT=51381").unwrap();
        assert!(SoftEther::new(b"A").unwrap().is_answered_by(&answer));
        assert_eq!(SoftEther::new(b"IP=192.0.2.7,PORT=513810"), None);
        let pack = b"\0\0\0\x01\0\0\0\x07opcode\0\0\0\x02\0\0\0\x01\0\0\0\x08nat_test";
        let read = SoftEther::new(pack);
        assert_eq!(read, Some(SoftEther::Pack { opcode: Some(b"nat_test"), transaction: None }));
        for cut in 0..pack.len() {
            assert_eq!(SoftEther::new(&pack[..cut]), None, "{cut}");
        }
    }
}
