//! DTLS records, RFC 6347 section 4.1, and the unified header of DTLS 1.3, RFC 9147 section 4.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | Content Type  |        Version (fe ff, fe fd)     |   Epoch   |
//! |  Epoch (16)   |           Sequence Number (48)                |
//! |               |          Length (16)          |  Fragment ... |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!
//! handshake fragment: type (8), length (24), message sequence (16), fragment offset (24), fragment length (24)
//!
//! 1.3, encrypted: |0 0 1 C S L E E| connection ID | sequence (8 or 16) | length (16) if L |
//! ```

use super::cursor::Cursor;

/// Length of a record's header.
pub const HEADER_LEN: usize = 13;

/// A protocol version as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version(pub u16);

impl Version {
    /// The version before DTLS 1.0 that OpenSSL and Cisco's clients know (0100).
    pub const BAD: Self = Self(0x0100);
    /// DTLS 1.0.
    pub const V1_0: Self = Self(0xfeff);
    /// DTLS 1.2. DTLS 1.3 writes the same and negotiates in an extension.
    pub const V1_2: Self = Self(0xfefd);
    /// DTLS 1.3, only in extensions.
    pub const V1_3: Self = Self(0xfefc);

    /// "1.2", or nothing for an unknown one.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::BAD => Some("0.9"),
            Self::V1_0 => Some("1.0"),
            Self::V1_2 => Some("1.2"),
            Self::V1_3 => Some("1.3"),
            _ => None,
        }
    }
}

/// A datagram of records whose lengths fill it.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// 20 change cipher spec, 21 alert, 22 handshake, 23 application data, 24 heartbeat, 25 with a connection ID, 26 ACK.
    pub content_type: u8,
    /// Version field.
    pub version: Version,
    /// Epoch; from 1 on records are encrypted.
    pub epoch: u16,
    /// Sequence number within the epoch.
    pub sequence: u64,
    /// The fragment, or what is visible of it.
    pub fragment: &'a [u8],
}

fn take_record<'a>(c: &mut Cursor<'a>) -> Option<(Record<'a>, usize)> {
    let (content_type, version, epoch) = (c.u8()?, Version(c.be16()?), c.be16()?);
    let sequence = u64::from(c.be16()?) << 32 | u64::from(c.be32()?);
    let length = usize::from(c.be16()?);
    let fragment = c.rest().get(..length).unwrap_or(c.rest());
    *c = Cursor::new(c.rest().get(length..).unwrap_or_default());
    let known = version.name().is_some() && version != Version::V1_3;
    (known && (20..=26).contains(&content_type))
        .then_some((Record { content_type, version, epoch, sequence, fragment }, length))
}

impl<'a> Records<'a> {
    /// Reads a datagram of `len` bytes. The records must fill it; those behind what is visible are taken on trust.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let (mut c, mut at) = (Cursor::new(bytes), 0);
        while at < len {
            // A datagram may go on with records of DTLS 1.3's unified header.
            if at > 0 && c.rest().first().is_some_and(|b| b >> 5 == 1) {
                return Some(Self { bytes });
            }
            if at >= bytes.len() {
                return (at > 0).then_some(Self { bytes });
            }
            let Some((record, length)) = take_record(&mut c) else {
                return (at > 0 && bytes.len() < len).then_some(Self { bytes });
            };
            at += HEADER_LEN + length;
            let encrypted_at_once =
                record.epoch == 0 && record.content_type == 22 && !handshake_fits(record.fragment, length);
            if length == 0 || at > len || encrypted_at_once {
                return None;
            }
        }
        (at == len && at > 0).then_some(Self { bytes })
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let mut c = Cursor::new(self.bytes);
        std::iter::from_fn(move || take_record(&mut c).map(|(record, _)| record))
    }

    /// The first clear handshake message: its type, and its body when that is whole and not fragmented.
    pub fn handshake(&self) -> Option<(u8, Option<&'a [u8]>)> {
        let record = self.iter().find(|r| r.epoch == 0 && r.content_type == 22)?;
        let mut c = Cursor::new(record.fragment);
        let (kind, total) = (c.u8()?, c.be24()? as usize);
        let _sequence = c.be16()?;
        let (offset, length) = (c.be24()?, c.be24()? as usize);
        Some((kind, (offset == 0 && length == total).then(|| c.take(length)).flatten()))
    }
}

/// A clear handshake record's fragment, of `length` bytes, starts with a message header that fits.
fn handshake_fits(fragment: &[u8], length: usize) -> bool {
    let mut c = Cursor::new(fragment);
    let mut header = || Some((c.u8()?, c.be24()?, c.be16()?, c.be24()?, c.be24()?));
    header().is_none_or(|(kind, total, _, offset, part)| {
        kind <= 27 && offset.checked_add(part).is_some_and(|end| end <= total) && part as usize + 12 <= length
    })
}

/// The clear part of a hello that concerns a recogniser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// The highest version offered, or the one chosen.
    pub version: u16,
    /// Server name (RFC 6066).
    pub server_name: Option<String>,
    /// Whether SRTP keys are negotiated (RFC 5764).
    pub use_srtp: bool,
}

/// Reads the body of a ClientHello (1) or ServerHello (2).
pub fn hello(kind: u8, body: &[u8]) -> Option<Hello> {
    let mut c = Cursor::new(body);
    let mut hello = Hello { version: c.be16()?, ..Hello::default() };
    c.take(32)?;
    let session = usize::from(c.u8()?);
    c.take(session)?;
    if kind == 1 {
        let cookie = usize::from(c.u8()?);
        c.take(cookie)?;
        let suites = usize::from(c.be16()?);
        c.take(suites)?;
        let compression = usize::from(c.u8()?);
        c.take(compression)?;
    } else {
        c.take(3)?;
    }
    if c.is_empty() {
        return Some(hello);
    }
    let length = usize::from(c.be16()?);
    let mut c = Cursor::new(c.take(length)?);
    while !c.is_empty() {
        let (kind, length) = (c.be16()?, usize::from(c.be16()?));
        let mut value = Cursor::new(c.take(length)?);
        match kind {
            0 => {
                hello.server_name =
                    value.take(5).and_then(|_| std::str::from_utf8(value.rest()).ok()).map(str::to_owned);
            }
            14 => hello.use_srtp = true,
            // supported_versions: a list in a ClientHello, one in a ServerHello.
            43 if value.rest().windows(2).any(|v| v == [0xfe, 0xfc]) => hello.version = Version::V1_3.0,
            _ => {}
        }
    }
    Some(hello)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_fill_the_datagram() {
        let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 3, 0, 2, 1, 0];
        let records = Records::new(&alert, alert.len()).unwrap();
        let first = records.iter().next().unwrap();
        assert_eq!(
            (first.content_type, first.version, first.sequence, first.fragment),
            (21, Version::V1_2, 3, &[1, 0][..])
        );
        let two = [alert, alert].concat();
        assert_eq!(Records::new(&two, two.len()).unwrap().iter().count(), 2);
        assert!(Records::new(&two[..29], 29).is_none());
        assert!(Records::new(&two[..20], 30).is_some());
    }

    #[test]
    fn a_clear_handshake_must_fit() {
        let mut hello = vec![22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9];
        assert_eq!(Records::new(&hello, hello.len()).unwrap().handshake(), Some((1, Some(&[9, 9][..]))));
        hello[13] = 200;
        assert!(Records::new(&hello, hello.len()).is_none());
    }
}
