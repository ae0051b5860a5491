//! A datagram of tinc 1.1, sent directly to its addressee: two node IDs and SPTPS (`send_sptps_data` in `net_packet.c`,
//! `send_record_priv_datagram` in `sptps.c`).
//!
//! ```text
//! | addressee, zero if directly sent (6 bytes) | sender (6 bytes) | number (32 bits) | ciphertext: type and data | tag (16 bytes) |
//! ```

use super::cursor::Cursor;

/// The part in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sptps {
    /// The first bytes of the SHA-512 digest of the sender's name.
    pub sender: [u8; 6],
    /// Counts the packets of a session; the key exchange takes the first two.
    pub number: u32,
}

impl Sptps {
    /// Bytes in clear.
    pub const HEADER: usize = 16;

    /// How the first record of a TCP connection begins: 65 bytes, a handshake's (128), of SPTPS version 0.
    pub const KEY_EXCHANGE: [u8; 4] = [0, 65, 128, 0];

    /// Reads a datagram of `len` bytes. A sender whose first two bytes are zero is not believed: ESP behind the non-IKE
    /// marker begins with eight.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (addressee, sender) = (c.take(6)?, c.array::<6>()?);
        let number = c.be32()?;
        let legal = addressee == [0; 6] && !sender.starts_with(&[0, 0]) && len > Self::HEADER + 16;
        legal.then_some(Self { sender, number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram() {
        let mut m = [0; 40];
        m[6..12].copy_from_slice(&[0x62, 0x64, 0x31, 0xf5, 0x88, 0x90]);
        m[15] = 9;
        let read = Sptps::new(&m, 40);
        assert_eq!(read, Some(Sptps { sender: [0x62, 0x64, 0x31, 0xf5, 0x88, 0x90], number: 9 }));
        assert_eq!(Sptps::new(&m, 32), None, "no room for a type and the tag");
        m[0] = 1;
        assert_eq!(Sptps::new(&m, 40), None);
        assert_eq!(Sptps::new(&[0; 40], 40), None);
    }
}
