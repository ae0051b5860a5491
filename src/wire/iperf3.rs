//! iperf3's UDP data (`iperf_udp.c`): a time stamp and a counter in front of the payload.
//!
//! ```text
//! | seconds (32) | microseconds (32) | packet count (32, or 64) | payload |
//! ```

use super::cursor::Cursor;

/// A data packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// Seconds of the sender's clock.
    pub seconds: u32,
    /// Microseconds.
    pub microseconds: u32,
    /// Counts packets from 1 (the low half, if it has 64 bits).
    pub count: u32,
}

impl Data {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (seconds, microseconds, mut count) = (c.be32()?, c.be32()?, c.be32()?);
        if count == 0 {
            count = c.be32()?;
        }
        (microseconds < 1_000_000 && count > 0 && len >= 16).then_some(Self { seconds, microseconds, count })
    }
}

/// The word that opens a UDP stream (0x36373839), or its answer (0x39383736); either byte order, and older 987654321.
pub fn is_greeting(bytes: &[u8]) -> bool {
    matches!(bytes, b"6789" | b"9876" | [0x3a, 0xde, 0x68, 0xb1] | [0xb1, 0x68, 0xde, 0x3a])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data() {
        let mut m = [0; 64];
        m[4..12].copy_from_slice(&[0, 0, 0, 9, 0, 0, 0, 1]);
        assert_eq!(Data::new(&m, 64), Some(Data { seconds: 0, microseconds: 9, count: 1 }));
        m[4] = 0xff;
        assert_eq!(Data::new(&m, 64), None);
    }
}
