//! ESP and its encapsulation in UDP and TCP: RFC 4303 section 2, RFC 3948 section 2, RFC 9329 section 3.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +---------------------------------------------------------------+
//! |               Security Parameters Index (SPI)                 |
//! +---------------------------------------------------------------+
//! |                      Sequence Number                          |
//! +---------------------------------------------------------------+
//! |        IV (none, 8 or 16 bytes), payload, padding, pad        |
//! |        length, next header, ICV (0 to 32 bytes)               |
//! ```
//!
//! In UDP the payload is an ESP packet, or four zero bytes (the Non-ESP Marker) and an IKE message, or the single byte
//! 0xFF (a NAT-keepalive). draft-ietf-ipsec-udp-encaps-00 had it the other way round: eight zero bytes (the non-IKE
//! marker, where IKE has its initiator's SPI, which is never zero) in front of ESP.

/// The smallest SPI that is neither reserved by IANA nor for local use (RFC 4303 section 2.1).
pub const FIRST_SPI: u32 = 256;

/// The shortest ESP packet: header, the two trailer bytes padded to four, an ICV of eight.
pub const SHORTEST: usize = 20;

/// The bytes that a TCP stream of IKE and ESP begins with (RFC 9329 section 4).
pub const TCP_PREFIX: [u8; 6] = *b"IKETCP";

/// The header of an ESP packet, of which at least eight bytes are visible.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Esp<'a> {
    spi: u32,
    sequence: u32,
    body: &'a [u8],
}

impl<'a> Esp<'a> {
    /// Reads `bytes`, the visible front of a packet of `len` bytes. `None` if no ESP packet can look so: a reserved SPI,
    /// too short, or not a multiple of four long (RFC 4303 section 2.4; every ICV in use is a multiple of four too).
    pub fn new(len: usize, bytes: &'a [u8]) -> Option<Self> {
        let (spi, rest) = bytes.split_first_chunk::<4>()?;
        let (sequence, body) = rest.split_first_chunk::<4>()?;
        let spi = u32::from_be_bytes(*spi);
        let legal = spi >= FIRST_SPI && len >= SHORTEST && len.is_multiple_of(4);
        legal.then_some(Self { spi, sequence: u32::from_be_bytes(*sequence), body })
    }

    /// The Security Parameters Index, chosen by the receiver.
    pub fn spi(&self) -> u32 {
        self.spi
    }

    /// The sequence number (the low half when it is extended).
    pub fn sequence(&self) -> u32 {
        self.sequence
    }

    /// What is visible behind the sequence number: IV and ciphertext, or the plain payload under NULL encryption.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The first eight bytes of the body, where AES-GCM, CCM, CTR and ChaCha20 have their explicit IV.
    pub fn iv8(&self) -> Option<u64> {
        self.body.first_chunk::<8>().map(|iv| u64::from_be_bytes(*iv))
    }
}

/// What a UDP payload is on a port that carries ESP and IKE.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encapsulated<'a> {
    /// The single byte 0xFF.
    Keepalive,
    /// What follows the Non-ESP Marker: an IKE message.
    Marked(&'a [u8]),
    /// What follows eight zero bytes: ESP behind a non-IKE marker.
    NonIkeMarked(&'a [u8]),
    /// No marker: ESP, or IKE on a port of its own.
    Bare(&'a [u8]),
}

impl<'a> Encapsulated<'a> {
    /// Sorts a payload of `len` bytes on the wire of which `bytes` are visible. Nothing is verified.
    pub fn of(len: usize, bytes: &'a [u8]) -> Self {
        match bytes {
            [0xff] if len == 1 => Self::Keepalive,
            [0, 0, 0, 0, 0, 0, 0, 0, esp @ ..] => Self::NonIkeMarked(esp),
            [0, 0, 0, 0, ike @ ..] => Self::Marked(ike),
            bare => Self::Bare(bare),
        }
    }
}

/// Splits the first message off a TCP stream: a 16-bit length that counts itself, then the message (RFC 9329 section 3).
/// `None` if the length is impossible or the message is not there to its end.
pub fn split_message(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, _) = stream.split_first_chunk::<2>()?;
    let len = usize::from(u16::from_be_bytes(*len));
    if len <= 2 {
        return None;
    }
    let (message, rest) = stream.split_at_checked(len)?;
    Some((message.get(2..)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read() {
        let bytes = [0xc3, 0xa1, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9];
        let esp = Esp::new(20, &bytes).unwrap();
        assert_eq!((esp.spi(), esp.sequence(), esp.iv8()), (0xc3a1_0007, 9, Some(0x0102_0304_0506_0708)));
    }

    #[test]
    fn impossible_packets_are_refused() {
        let bytes = [0xc3, 0xa1, 0, 7, 0, 0, 0, 9];
        assert!(Esp::new(21, &bytes).is_none());
        assert!(Esp::new(16, &bytes).is_none());
        assert!(Esp::new(20, &[0, 0, 0, 255, 0, 0, 0, 1]).is_none());
        assert!(Esp::new(20, &bytes[..7]).is_none());
        assert!(Esp::new(20, &bytes).is_some());
    }

    #[test]
    fn payloads_are_sorted_by_marker() {
        assert_eq!(Encapsulated::of(1, &[0xff]), Encapsulated::Keepalive);
        assert_eq!(Encapsulated::of(2, &[0xff, 0xff]), Encapsulated::Bare(&[0xff, 0xff]));
        assert_eq!(Encapsulated::of(6, &[0, 0, 0, 0, 1, 2]), Encapsulated::Marked(&[1, 2]));
        assert_eq!(Encapsulated::of(9, &[0, 0, 0, 0, 0, 0, 0, 0, 5]), Encapsulated::NonIkeMarked(&[5]));
    }

    #[test]
    fn messages_are_split_off_a_stream() {
        assert_eq!(split_message(&[0, 4, 1, 2, 0, 3]), Some((&[1u8, 2][..], &[0u8, 3][..])));
        assert_eq!(split_message(&[0, 4, 1]), None);
        assert_eq!(split_message(&[0, 2, 1]), None);
    }
}
