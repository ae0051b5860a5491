//! An RTP packet, RFC 3550 section 5.1.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |           synchronization source (SSRC) identifier            |
//! |            contributing source (CSRC) identifiers             |
//! |        header extension: profile (16), length (16), words     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A packet whose header fits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rtp {
    /// Payload type; 96 to 127 are assigned by signalling.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Media time stamp, in units of the payload's clock.
    pub timestamp: u32,
    /// Who sends: chosen at random.
    pub ssrc: u32,
    /// The profile of the header extension, if there is one.
    pub profile: Option<u16>,
    /// Length of the payload in bytes, padding and any authentication tag included.
    pub payload_len: usize,
}

impl Rtp {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, second) = (c.u8()?, c.u8()?);
        // RFC 5761 section 4: 64 to 95 with the marker bit are where RTCP's types 192 to 223 lie.
        let payload_type = second & 0x7f;
        if first >> 6 != 2 || (64..=95).contains(&payload_type) {
            return None;
        }
        let (sequence, timestamp, ssrc) = (c.be16()?, c.be32()?, c.be32()?);
        let mut header = 12 + 4 * usize::from(first & 15);
        let mut profile = None;
        if first & 0x10 != 0 {
            profile = bytes.get(header..).and_then(|b| b.first_chunk()).map(|b| u16::from_be_bytes(*b));
            let words = bytes.get(header + 2..).and_then(|b| b.first_chunk()).map(|b| u16::from_be_bytes(*b))?;
            header += 4 + 4 * usize::from(words);
        }
        let payload_len = len.checked_sub(header)?;
        // With padding its length is the last byte.
        let padding = bytes.last().filter(|_| first & 0x20 != 0 && bytes.len() == len);
        if padding.is_some_and(|&n| n == 0 || usize::from(n) > payload_len) {
            return None;
        }
        Some(Self { payload_type, sequence, timestamp, ssrc, profile, payload_len })
    }

    /// The clock rate of a payload type with a fixed meaning (RFC 3551 section 6), in Hz.
    pub fn clock_rate(&self) -> Option<u32> {
        match self.payload_type {
            0 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 13 | 15 | 18 => Some(8000),
            6 => Some(16_000),
            10 | 11 => Some(44_100),
            14 | 25 | 26 | 28 | 31..=34 => Some(90_000),
            16 => Some(11_025),
            17 => Some(22_050),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let mut packet = [0; 172];
        packet[..12].copy_from_slice(&[0x80, 0, 0, 7, 0, 0, 0, 160, 1, 2, 3, 4]);
        let rtp = Rtp::new(&packet, 172).unwrap();
        assert_eq!((rtp.sequence, rtp.timestamp, rtp.ssrc, rtp.payload_len), (7, 160, 0x0102_0304, 160));
        packet[1] = 200;
        assert!(Rtp::new(&packet, 172).is_none());
        packet[..2].copy_from_slice(&[0x90, 96]);
        packet[14..16].copy_from_slice(&[0, 200]);
        assert!(Rtp::new(&packet, 172).is_none());
    }
}
