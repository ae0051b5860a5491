//! A QUIC packet with a long header, RFC 9000 section 17.2 and RFC 8999.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |1|1|T T|X X X X|                  Version (32) ...             |
//! |               | DCID Len (8)  | Destination Connection ID ... |
//! | SCID Len (8)  | Source Connection ID (0..160) ...             |
//! | Initial: token length (varint), token                         |
//! | Initial, 0-RTT, Handshake: length (varint), packet number     |
//! | Version Negotiation (version 0): supported versions           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A version of QUIC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version(pub u32);

impl Version {
    /// Version Negotiation.
    pub const NEGOTIATION: Self = Self(0);
    /// RFC 9000.
    pub const V1: Self = Self(1);
    /// RFC 9369.
    pub const V2: Self = Self(0x6b33_43cf);

    /// Name of a version in use: "v1", "v2", "draft-29", "mvfst-…", "Q050"; nothing for others.
    pub fn name(self) -> Option<String> {
        let [a, b, c, d] = self.0.to_be_bytes();
        match (a, b, c) {
            _ if self == Self::V1 => Some("v1".into()),
            _ if self == Self::V2 => Some("v2".into()),
            (0xff, 0, 0) => Some(format!("draft-{d}")),
            (0xfa, 0xce, 0xb0) => Some(format!("mvfst-{d}")),
            (b'Q' | b'T', b'0', b'4'..=b'5') if d.is_ascii_digit() => {
                Some(format!("{}0{}{}", char::from(a), char::from(c), char::from(d)))
            }
            _ => None,
        }
    }

    /// Whether it is reserved to make peers negotiate (RFC 9000 section 15).
    pub fn is_grease(self) -> bool {
        self.0 & 0x0f0f_0f0f == 0x0a0a_0a0a
    }
}

/// The type of a long header packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// First packets of a connection.
    Initial,
    /// Early data.
    ZeroRtt,
    /// Rest of the handshake.
    Handshake,
    /// Server asks for a token.
    Retry,
    /// Server lists versions.
    VersionNegotiation,
}

/// The first packet of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Long<'a> {
    /// Type.
    pub kind: Kind,
    /// Version.
    pub version: Version,
    /// Destination connection ID.
    pub dcid: &'a [u8],
    /// Source connection ID.
    pub scid: &'a [u8],
    /// Token of an Initial.
    pub token: &'a [u8],
    /// The packet as far as its length says, from its first byte, if all of it is visible.
    pub packet: Option<&'a [u8]>,
    /// Where the packet number lies in `packet`.
    pub number_at: usize,
}

impl<'a> Long<'a> {
    /// Reads the first packet of a datagram of `len` bytes.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, version) = (c.u8()?, Version(c.be32()?));
        let name = version.name();
        let negotiation = version == Version::NEGOTIATION;
        if first & 0x80 == 0 || (name.is_none() && !negotiation && !version.is_grease()) {
            return None;
        }
        // The second bit is one, unless both agreed to put anything there (RFC 9287); then lengths must vouch for it.
        let greased = !negotiation && first & 0x40 == 0;
        let old = name.as_deref().is_some_and(|n| n.starts_with("Q04"));
        let (dcid, scid) = if old {
            // gQUIC before Q050: the lengths lie in one byte, as in drafts before 22.
            let lengths = c.u8()?;
            let length = |n: u8| if n == 0 { 0 } else { usize::from(n) + 3 };
            (c.take(length(lengths >> 4))?, c.take(length(lengths & 15))?)
        } else {
            let dcid = usize::from(c.u8()?);
            let dcid = c.take(dcid)?;
            let scid = usize::from(c.u8()?);
            (dcid, c.take(scid)?)
        };
        if dcid.len() > 20 || scid.len() > 20 {
            return None;
        }
        let bits = first >> 4 & 3;
        let kind = match (negotiation, version == Version::V2) {
            (true, _) => Kind::VersionNegotiation,
            // RFC 9369 section 3.2 numbers the types one higher.
            (_, v2) => match bits.wrapping_sub(u8::from(v2)) & 3 {
                0 => Kind::Initial,
                1 => Kind::ZeroRtt,
                2 => Kind::Handshake,
                _ => Kind::Retry,
            },
        };
        let mut long = Self { kind, version, dcid, scid, token: &[], packet: None, number_at: 0 };
        match kind {
            Kind::VersionNegotiation => {
                let list = len.checked_sub(bytes.len() - c.rest().len())?;
                // One of the versions is in use, or was put in for the other side to ignore it.
                let (visible, _) = c.rest().as_chunks::<4>();
                let known = |version: Version| version.name().is_some() || version.is_grease();
                let known = visible.is_empty() || visible.iter().any(|v| known(Version(u32::from_be_bytes(*v))));
                return (list >= 4 && list % 4 == 0 && known).then_some(long);
            }
            Kind::Retry => return (!greased && len >= 23 + dcid.len() + scid.len()).then_some(long),
            _ if old => return (!greased).then_some(long),
            Kind::Initial => {
                let length = varint(&mut c)?;
                let length = usize::try_from(length).ok()?;
                // A token may reach beyond what the head kept.
                match c.take(length) {
                    Some(token) => long.token = token,
                    None => return (bytes.len() < len && length < len).then_some(long),
                }
            }
            Kind::ZeroRtt | Kind::Handshake => {}
        }
        let length = usize::try_from(varint(&mut c)?).ok()?;
        long.number_at = bytes.len() - c.rest().len();
        let end = long.number_at.checked_add(length)?;
        long.packet = bytes.get(..end);
        // The shortest packet has 4 bytes for the number and frames and 16 of tag.
        (length >= 20 && end <= len).then_some(long)
    }

    /// Whether this is Google's QUIC, before the IETF's.
    pub fn is_google(&self) -> bool {
        matches!(self.version.0.to_be_bytes(), [b'Q' | b'T', ..])
    }
}

/// A packet of Google's QUIC before version 46, with its version.
///
/// ```text
/// | flags (8): 0x01 version, 0x08 connection ID | connection ID (64) | version "Q0.." (32) | packet number | … |
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Google<'a> {
    /// Connection ID, which both sides use.
    pub connection: &'a [u8],
    /// The version's two digits; none in the packets that follow and those of the server.
    pub version: Option<[u8; 2]>,
    rest: &'a [u8],
}

impl<'a> Google<'a> {
    /// Reads the visible bytes of a packet with a connection ID.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let flags = c.u8()?;
        let connection = (flags & 0x88 == 0x08 && flags & 0x40 == 0).then(|| c.take(8))??;
        let version = match c.rest() {
            [b'Q', b'0', a @ b'0'..=b'4', b @ b'0'..=b'9', ..] if flags & 1 != 0 => Some([*a, *b]),
            _ if flags & 1 != 0 => return None,
            _ => None,
        };
        Some(Self { connection, version, rest: c.rest() })
    }

    /// Whether the client's hello (tag CHLO) or the server's rejection or hello (REJ, SHLO) is visible.
    pub fn has_hello(&self) -> bool {
        let front = self.rest.get(..80).unwrap_or(self.rest);
        front.windows(4).any(|tag| matches!(tag, b"CHLO" | b"REJ\0" | b"SHLO"))
    }
}

/// A variable-length integer, RFC 9000 section 16.
pub fn varint(c: &mut Cursor<'_>) -> Option<u64> {
    let first = c.u8()?;
    let more = (1usize << (first >> 6)) - 1;
    Some(c.take(more)?.iter().fold(u64::from(first & 0x3f), |n, b| n << 8 | u64::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn initial() -> Vec<u8> {
        let mut bytes = vec![0xc0, 0, 0, 0, 1, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0x44, 0x9e];
        bytes.resize(1200, 0xaa);
        bytes
    }

    #[test]
    fn an_initial_and_what_is_none() {
        let bytes = initial();
        let long = Long::new(&bytes, 1200).unwrap();
        assert_eq!((long.kind, long.version, long.dcid.len(), long.scid.len()), (Kind::Initial, Version::V1, 8, 0));
        assert_eq!((long.number_at, long.packet.map(<[u8]>::len)), (18, Some(1200)));
        assert!(Long::new(&bytes[..1199], 1199).is_none());
        let mut greased = initial();
        greased[0] = 0x8b;
        assert!(Long::new(&greased, 1200).is_some());
        greased[0] = 0xb0;
        assert!(Long::new(&greased, 1200).is_none());
        let mut bad = initial();
        bad[4] = 9;
        assert!(Long::new(&bad, 1200).is_none());
        bad = initial();
        bad[5] = 21;
        assert!(Long::new(&bad, 1200).is_none());
    }

    #[test]
    fn google_before_the_long_header() {
        let m = b"\x0d\x01\x02\x03\x04\x05\x06\x07\x08Q043\x01aaaaaaaaaaaa\xa0\x01CHLO";
        let g = Google::new(m).unwrap();
        assert_eq!((g.connection.len(), g.version, g.has_hello()), (8, Some(*b"43"), true));
        assert!(Google::new(b"\x0d\x01\x02\x03\x04\x05\x06\x07\x08X043").is_none());
    }

    #[test]
    fn varints() {
        assert_eq!(varint(&mut Cursor::new(&[0x25])), Some(37));
        assert_eq!(varint(&mut Cursor::new(&[0x7b, 0xbd])), Some(15293));
        assert_eq!(varint(&mut Cursor::new(&[0x7b])), None);
    }

    #[test]
    fn names() {
        assert_eq!(Version(0xff00_001d).name().unwrap(), "draft-29");
        assert_eq!(Version(u32::from_be_bytes(*b"Q050")).name().unwrap(), "Q050");
        assert_eq!(Version(0x1234_5678).name(), None);
    }
}
