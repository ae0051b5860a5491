//! TLS records and the two hello messages (RFC 8446 sections 4.1 and 5.1; RFC 5246, RFC 6101 alike).
//!
//! ```text
//! record                                     handshake message
//!  0        1        2        3        4      0        1        2        3
//! +--------+--------+--------+--------+--    +--------+--------+--------+--------+--
//! |  type  | major=3  minor  |     length    |  type  |          length          |
//! +--------+--------+--------+--------+--    +--------+--------+--------+--------+--
//! client hello: version(2) random(32) session_id<1> cipher_suites<2> compression<1> extensions<2>
//! server hello: version(2) random(32) session_id<1> cipher_suite(2) compression(1)  extensions<2>
//! ```
//! `<n>` is a vector behind a length of n bytes.

/// Longest fragment of a record: 2^14 and the expansion that RFC 5246 section 6.2.3 allows.
const LONGEST: usize = (1 << 14) + 2048;

/// What a record carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContentType {
    /// 20
    ChangeCipherSpec,
    /// 21
    Alert,
    /// 22
    Handshake,
    /// 23
    ApplicationData,
    /// 24, RFC 6520
    Heartbeat,
}

/// A record, or as much of it as there is.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What it carries.
    pub content_type: ContentType,
    /// The version on the record: 0x0301 on most first ones, then 0x0303 whatever was agreed.
    pub version: u16,
    /// Length of the whole fragment.
    pub length: usize,
    /// The fragment, as much of it as there is.
    pub fragment: &'a [u8],
}

impl<'a> Record<'a> {
    /// Length of the header in bytes.
    pub const HEADER: usize = 5;

    /// The record at the start of `bytes`; none if the header is not all there or is no TLS.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (&[kind, major, minor, high, low], rest) = bytes.split_first_chunk()?;
        let content_type = match kind {
            20 => ContentType::ChangeCipherSpec,
            21 => ContentType::Alert,
            22 => ContentType::Handshake,
            23 => ContentType::ApplicationData,
            24 => ContentType::Heartbeat,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let fits = match content_type {
            ContentType::ChangeCipherSpec => length == 1,
            ContentType::Alert => (2..=512).contains(&length),
            _ => (1..=LONGEST).contains(&length),
        };
        let fragment = rest.get(..length.min(rest.len())).unwrap_or_default();
        let version = u16::from_be_bytes([major, minor]);
        (fits && major == 3 && minor <= 4).then_some(Self { content_type, version, length, fragment })
    }

    /// Bytes on the wire, header included.
    pub fn wire_len(&self) -> usize {
        Self::HEADER + self.length
    }
}

/// A handshake message: its type, declared length and as much of its body as there is.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// 1 is a client hello, 2 a server hello.
    pub kind: u8,
    /// Length of the whole body.
    pub length: usize,
    /// The body, as much of it as there is.
    pub body: &'a [u8],
}

impl<'a> Handshake<'a> {
    /// The message at the start of a handshake record's fragment.
    pub fn new(fragment: &'a [u8]) -> Option<Self> {
        let (&[kind, a, b, c], rest) = fragment.split_first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Self { kind, length, body: rest.get(..length.min(rest.len())).unwrap_or_default() })
    }
}

/// A client or server hello, or as much of it as there is after the session ID.
#[derive(Clone, Copy, Debug)]
pub struct Hello<'a> {
    /// The (legacy) version: 0x0303 for TLS 1.2 and 1.3.
    pub version: u16,
    /// 32 bytes of nonce.
    pub random: &'a [u8; 32],
    /// 0 to 32 bytes; the server echoes it when it resumes, and in TLS 1.3 always.
    pub session_id: &'a [u8],
    /// The offered cipher suites, or the chosen one, two bytes each.
    pub cipher_suites: &'a [u8],
    /// The extensions that are there.
    extensions: &'a [u8],
    /// Whether every length in it fits and nothing is missing.
    pub complete: bool,
}

impl<'a> Hello<'a> {
    /// A client hello from the body of a handshake message.
    pub fn client(body: &'a [u8]) -> Option<Self> {
        let (mut hello, rest) = Self::start(body)?;
        let Some((cipher_suites, rest)) = vector16(rest) else { return Some(hello) };
        hello.cipher_suites = cipher_suites;
        let Some((compression, rest)) = vector8(rest) else { return Some(hello) };
        let sound = cipher_suites.len() >= 2 && cipher_suites.len().is_multiple_of(2) && !compression.is_empty();
        hello.finish(rest);
        (sound || !hello.complete).then_some(hello)
    }

    /// A server hello from the body of a handshake message.
    pub fn server(body: &'a [u8]) -> Option<Self> {
        // The drafts of TLS 1.3 up to 21 named themselves 7Fxx, and had neither session ID nor compression.
        if let Some((&[0x7f, draft], rest)) = body.split_first_chunk() {
            let (random, rest) = rest.split_first_chunk::<32>()?;
            let (cipher_suites, rest) = rest.split_at_checked(2)?;
            let version = u16::from_be_bytes([0x7f, draft]);
            let mut hello = Self { version, random, session_id: &[], cipher_suites, extensions: &[], complete: false };
            hello.finish(rest);
            return (draft < 32).then_some(hello);
        }
        let (mut hello, rest) = Self::start(body)?;
        let Some((suite, [compression, rest @ ..])) = rest.split_at_checked(2) else { return Some(hello) };
        hello.cipher_suites = suite;
        hello.finish(rest);
        (*compression <= 1 || !hello.complete).then_some(hello)
    }

    fn start(body: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&[major, minor], rest) = body.split_first_chunk()?;
        let (random, rest) = rest.split_first_chunk::<32>()?;
        let (session_id, rest) = vector8(rest)?;
        let version = u16::from_be_bytes([major, minor]);
        let hello = Self { version, random, session_id, cipher_suites: &[], extensions: &[], complete: false };
        (major == 3 && minor <= 4 && session_id.len() <= 32).then_some((hello, rest))
    }

    fn finish(&mut self, rest: &'a [u8]) {
        match rest.split_first_chunk() {
            // Before RFC 3546 a hello ended here.
            None => self.complete = rest.is_empty(),
            Some((length, rest)) => {
                self.complete = rest.len() == usize::from(u16::from_be_bytes(*length));
                self.extensions = rest;
            }
        }
    }

    /// The extensions: type and body. It ends at the first that is cut.
    pub fn extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        let mut rest = self.extensions;
        std::iter::from_fn(move || {
            let (&[high, low], after) = rest.split_first_chunk()?;
            let (body, after) = vector16(after)?;
            rest = after;
            Some((u16::from_be_bytes([high, low]), body))
        })
    }

    fn extension(&self, wanted: u16) -> Option<&'a [u8]> {
        self.extensions().find(|(kind, _)| *kind == wanted).map(|(_, body)| body)
    }

    /// The host name of the server_name extension (RFC 6066 section 3).
    pub fn server_name(&self) -> Option<&'a [u8]> {
        match vector16(self.extension(0)?)?.0 {
            [0, name @ ..] => Some(vector16(name)?.0),
            _ => None,
        }
    }

    /// The protocol names of the ALPN extension (RFC 7301 section 3.1).
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.extension(16).and_then(vector16).map_or(&[][..], |(list, _)| list);
        std::iter::from_fn(move || {
            let (name, after) = vector8(rest)?;
            rest = after;
            Some(name)
        })
    }

    /// The version a server chose: the supported_versions extension (RFC 8446 section 4.2.1), else the legacy field.
    pub fn chosen_version(&self) -> u16 {
        match self.extension(43) {
            Some(&[high, low]) => u16::from_be_bytes([high, low]),
            _ => self.version,
        }
    }
}

fn vector8(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

fn vector16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_header_is_checked() {
        let record = Record::new(&[22, 3, 1, 0, 5, 1, 2]).unwrap();
        assert_eq!((record.length, record.fragment, record.wire_len()), (5, &[1, 2][..], 10));
        assert!(Record::new(&[22, 3, 1, 0x60, 0]).is_none(), "longer than a record may be");
        assert!(Record::new(&[20, 3, 3, 0, 2]).is_none(), "a change of cipher spec is one byte");
        assert!(Record::new(&[22, 2, 1, 0, 5]).is_none());
        assert!(Record::new(&[22, 3, 1, 0]).is_none());
    }

    #[test]
    fn extensions_are_read() {
        let mut body = vec![3, 3];
        body.extend([7; 32]);
        body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
        let extensions = b"\x00\x00\x00\x09\x00\x07\x00\x00\x04a.io\x00\x10\x00\x05\x00\x03\x02h2";
        body.extend([0, extensions.len() as u8]);
        body.extend(extensions);
        let hello = Hello::client(&body).unwrap();
        assert!(hello.complete);
        assert_eq!(hello.server_name(), Some(&b"a.io"[..]));
        assert_eq!(hello.alpn().collect::<Vec<_>>(), [b"h2"]);
        for cut in 0..body.len() {
            assert!(Hello::client(&body[..cut]).is_none_or(|h| !h.complete) || cut == 41, "{cut}");
        }
    }
}
