//! Small announcement formats that are known by a literal text at a fixed place: WS-Discovery, RTPS, BJNP, Dropbox's
//! LAN sync, Microsoft's SQL Server resolution.
//!
//! ```text
//! RTPS  | "RTPS" | version 2.x (16) | vendor (16) | GUID prefix (96) | submessages: kind, flags, length |
//! BJNP  | "BJNP" or "MFNP" … | device type | code | sequence (32) | session (16) | payload length (32) |
//! SSRP  | 5 | length (16, little-endian) | "ServerName;…" |
//! ```

use super::cursor::Cursor;

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|w| w == text)
}

/// A SOAP message over UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Soap;

impl Soap {
    /// Reads the visible bytes of a message: XML whose envelope is SOAP's. The namespace may lie behind a declaration.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let start = bytes.trim_ascii_start();
        let xml = start.starts_with(b"<?xml")
            || start.starts_with(b"<") && contains(start.get(..40).unwrap_or(start), b"Envelope");
        if !xml {
            return None;
        }
        let envelope = contains(bytes, b"Envelope") || contains(bytes, b"www.w3.org/2003/05/soap-envelope");
        let behind = bytes.len() < len && start.starts_with(b"<?xml");
        (envelope || behind).then_some(Self)
    }
}

/// An RTPS message (OMG DDSI-RTPS 2.5 section 9.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rtps;

impl Rtps {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (magic, major, _minor, _vendor) = (c.take(4)?, c.u8()?, c.u8()?, c.be16()?);
        (matches!(magic, b"RTPS" | b"RTPX") && (1..=2).contains(&major) && len >= 16).then_some(Self)
    }
}

/// A message of Canon's BJNP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bjnp {
    /// Whether a device answers.
    pub response: bool,
    /// Command.
    pub code: u8,
    /// Repeated in the answer.
    pub sequence: u32,
}

impl Bjnp {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let magic = c.take(4)?;
        let (device, code, sequence) = (c.u8()?, c.u8()?, c.be32()?);
        let (_session, payload) = (c.be16()?, c.be32()? as usize);
        let known = matches!(magic, b"BJNP" | b"BJNB" | b"MFNP" | b"EPSO" | b"MFNB") && matches!(device & 0x7f, 1 | 2);
        (known && payload.checked_add(16) == Some(len)).then_some(Self { response: device & 0x80 != 0, code, sequence })
    }

    /// Whether `reply` answers this message.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        !self.response && reply.response && self.code == reply.code && self.sequence == reply.sequence
    }
}

/// An announcement of Dropbox's LAN sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanSync;

impl LanSync {
    /// Reads the visible bytes of an announcement: a JSON object with the fields of the protocol.
    pub fn new(bytes: &[u8], _len: usize) -> Option<Self> {
        let fields = [&b"\"host_int\""[..], b"\"namespaces\"", b"\"displayname\"", b"\"version\""];
        let found = fields.iter().filter(|f| contains(bytes, f)).count();
        (bytes.starts_with(b"{") && contains(bytes, b"\"host_int\"") && found >= 2).then_some(Self)
    }
}

/// An answer of the SQL Server Resolution Protocol (MS-SQLR section 2.2.5), or a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssrp {
    /// Whether it is an answer.
    pub response: bool,
}

impl Ssrp {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        match bytes {
            [2 | 3] => Some(Self { response: false }),
            // A request for one instance carries its name and a NUL.
            [4, name @ .., 0] => (name.len() <= 32 && name.iter().all(u8::is_ascii_graphic) && !name.is_empty())
                .then_some(Self { response: false }),
            [5, a, b, text @ ..] => {
                let fits = usize::from(u16::from_le_bytes([*a, *b])) + 3 == len;
                (fits && text.starts_with(b"ServerName;")).then_some(Self { response: true })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert!(Soap::new(b"<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"x\">", 50).is_some());
        assert!(Soap::new(b"<html><body>", 12).is_none());
        assert!(Rtps::new(b"RTPS\x02\x03\x01\x0f0123456789ab", 20).is_some());
        assert!(Rtps::new(b"RTPS\x09\x03\x01\x0f0123456789ab", 20).is_none());
        assert!(LanSync::new(b"{\"host_int\": 1, \"version\": [2, 0], \"displayname\": \"\"}", 50).is_some());
        let q = Bjnp::new(b"BJNP\x01\x01\0\0\0\x07\0\0\0\0\0\0", 16).unwrap();
        let r = Bjnp::new(b"BJNP\x81\x01\0\0\0\x07\0\0\0\0\0\x02ab", 18).unwrap();
        assert!(q.is_answered_by(&r));
        assert!(Ssrp::new(b"\x05\x0d\0ServerName;S;", 16).unwrap().response);
        assert!(Ssrp::new(b"\x05\x0e\0ServerName;S;", 16).is_none());
    }
}
