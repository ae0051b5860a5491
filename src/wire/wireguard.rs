//! A WireGuard message (whitepaper section 5.4; `messages.h` of the Linux kernel). All integers are little-endian.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Type      |             Reserved (zero)                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! 1 initiation, 148 bytes: sender(4) ephemeral(32) static(48) timestamp(28) mac1(16) mac2(16)
//! 2 response,    92 bytes: sender(4) receiver(4) ephemeral(32) nothing(16) mac1(16) mac2(16)
//! 3 cookie,      64 bytes: receiver(4) nonce(24) cookie(32)
//! 4 data, 32 bytes or more: receiver(4) counter(8) payload, padded to 16, and tag(16)
//! ```

use super::cursor::Cursor;

/// What a message carries in the clear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// First message of a handshake.
    Initiation {
        /// The initiator's index.
        sender: u32,
    },
    /// Second message.
    Response {
        /// The responder's index.
        sender: u32,
        /// The initiator's index, repeated.
        receiver: u32,
    },
    /// What a server under load answers.
    Cookie {
        /// The index of the message that it answers.
        receiver: u32,
    },
    /// Encrypted packet.
    Data {
        /// The index that the addressee chose.
        receiver: u32,
        /// Nonce; counts from 0.
        counter: u64,
    },
}

/// A message with a legal type and length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// Type and clear fields.
    pub kind: Kind,
    /// The three reserved bytes. Some services put a client identifier there.
    pub reserved: [u8; 3],
    /// Whether a handshake message is longer than the standard says: padded by a variant.
    pub padded: bool,
}

impl Message {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (number, reserved) = (c.u8()?, c.array()?);
        let first = c.le32()?;
        let (kind, exact) = match number {
            1 => (Kind::Initiation { sender: first }, len == 148),
            2 => (Kind::Response { sender: first, receiver: c.le32()? }, len == 92),
            3 => (Kind::Cookie { receiver: first }, len == 64),
            4 => {
                let counter = c.array().map(u64::from_le_bytes)?;
                // Payloads are padded to 16 bytes, but not beyond the tunnel's MTU.
                (Kind::Data { receiver: first, counter }, true)
            }
            _ => return None,
        };
        let least = match number {
            1 => 148,
            2 => 92,
            3 => 64,
            _ => 32,
        };
        // A nonce above 2^60 is never reached: sessions are rekeyed by then (whitepaper section 6.1).
        let nonce = !matches!(kind, Kind::Data { counter, .. } if counter >> 60 != 0);
        // Behind the indices of the first two are a key and ciphertext: of 32 random bytes some 30 differ.
        let mut sealed: Vec<u8> = bytes.get(12..44).filter(|_| number < 3).unwrap_or_default().to_vec();
        sealed.sort_unstable();
        sealed.dedup();
        let noise = sealed.is_empty() || sealed.len() >= 16;
        (len >= least && nonce && noise).then_some(Self { kind, reserved, padded: !exact })
    }

    /// Whether it is exactly as the standard says.
    pub fn is_standard(&self) -> bool {
        self.reserved == [0; 3] && !self.padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_lengths() {
        let mut bytes: [u8; 160] = std::array::from_fn(|at| (at as u8).wrapping_mul(167));
        bytes[..4].copy_from_slice(&[1, 0, 0, 0]);
        bytes[4..8].copy_from_slice(&[1, 2, 3, 4]);
        let init = Message::new(&bytes[..148], 148).unwrap();
        assert_eq!(init.kind, Kind::Initiation { sender: 0x0403_0201 });
        assert!(init.is_standard());
        assert!(Message::new(&bytes[..160], 160).unwrap().padded);
        assert!(Message::new(&bytes[..147], 147).is_none());
        assert!(Message::new(&[&bytes[..12], &[0; 136]].concat(), 148).is_none(), "no key");
        bytes[0] = 4;
        bytes[8..16].copy_from_slice(&9u64.to_le_bytes());
        assert_eq!(Message::new(&bytes[..64], 64).unwrap().kind, Kind::Data { receiver: 0x0403_0201, counter: 9 });
        bytes[15] = 0x80;
        assert!(Message::new(&bytes[..64], 64).is_none());
    }
}
