//! An RTCP compound packet, RFC 3550 section 6.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |V=2|P|  count  |   PT 200..    |   length in words, minus one  |
//! |                        SSRC of the sender                     |
//! | SR: NTP timestamp (64), RTP timestamp, packets, bytes         |
//! | SR, RR: report blocks of 24 bytes                             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A compound packet, or as much of one as is not encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rtcp {
    /// How many packets it is made of.
    pub packets: u32,
    /// Whether the packets fill the datagram exactly. SRTCP encrypts all but the first eight bytes.
    pub exact: bool,
    /// Type of the first packet: 200 sender report, 201 receiver report, 202 SDES, 203 BYE, 205 and 206 feedback.
    pub first_type: u8,
    /// SSRC of the sender of the first packet.
    pub ssrc: u32,
    /// A sender report's NTP timestamp.
    pub ntp: Option<u64>,
}

impl Rtcp {
    /// Reads a datagram of `len` bytes. The first packet's count must agree with its length.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, kind, words) = (c.u8()?, c.u8()?, usize::from(c.be16()?));
        let ssrc = c.be32()?;
        let ntp = (kind == 200).then(|| c.be64()).flatten();
        let blocks = usize::from(first & 31);
        let agrees = match kind {
            200 => words >= 6 + 6 * blocks,
            201 => words > 6 * blocks,
            202..=204 => words >= 1,
            205 | 206 => words >= 2,
            207 => true,
            _ => false,
        };
        if first >> 6 != 2 || !agrees || !len.is_multiple_of(4) || 4 + 4 * words > len {
            return None;
        }
        let (mut at, mut packets) = (0, 0);
        while at < len {
            let header = bytes.get(at..).and_then(|b| b.first_chunk::<4>());
            let Some([v, kind, a, b]) = header else { break };
            if v >> 6 != 2 || !(192..=213).contains(kind) {
                break;
            }
            at += 4 + 4 * usize::from(u16::from_be_bytes([*a, *b]));
            packets += 1;
        }
        // Cut by the head: what is visible holds together.
        let exact = at == len || (bytes.len() < len && at >= bytes.len() && at <= len);
        Some(Self { packets, exact, first_type: kind, ssrc, ntp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compound_packet() {
        let mut bytes = vec![0x80, 200, 0, 6];
        bytes.extend([0; 24]);
        bytes.extend([0x81, 202, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0]);
        let rtcp = Rtcp::new(&bytes, bytes.len()).unwrap();
        assert_eq!((rtcp.packets, rtcp.exact, rtcp.first_type), (2, true, 200));
        bytes[29] = 77;
        assert!(!Rtcp::new(&bytes, bytes.len()).unwrap().exact);
        bytes[0] = 0x81;
        assert!(Rtcp::new(&bytes, bytes.len()).is_none());
    }
}
