//! The message header of EDP, the device protocol of Digi's cloud ("MT version 2";
//! digidotcom/cc_ansic, private/connector_edp_def.h).
//!
//! ```text
//!  0        1        2        3        4
//! +--------+--------+--------+--------+----
//! |       type      |      length     | payload
//! +--------+--------+--------+--------+----
//! ```

/// Message types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// 0x0004, device to server: the version, four bytes.
    Version,
    /// 0x0010, 0x0011 and 0x0012, server to device: version accepted, not accepted, server overloaded.
    VersionAnswer,
    /// 0x0020, 0x0021 and 0x0022, device to server: receive and transmit intervals in seconds, and how many may be missed.
    KeepaliveSetting,
    /// 0x0030, both ways: keepalive, empty.
    Keepalive,
    /// 0x0040, both ways.
    Payload,
}

/// A message, or as much of it as there is.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// Length of the whole payload.
    pub length: usize,
    /// The payload, as much of it as there is.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Length of the header in bytes.
    pub const HEADER: usize = 4;

    /// The message at the start of `bytes`; none if its header is not all there or its type and length do not agree.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (&[t0, t1, l0, l1], rest) = bytes.split_first_chunk()?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (kind, fits) = match u16::from_be_bytes([t0, t1]) {
            0x0004 => (Kind::Version, length == 4),
            0x0010..=0x0012 => (Kind::VersionAnswer, length == 0),
            0x0020..=0x0022 => (Kind::KeepaliveSetting, length == 2),
            0x0030 => (Kind::Keepalive, length == 0),
            0x0040 => (Kind::Payload, length > 0),
            _ => return None,
        };
        fits.then_some(Self { kind, length, payload: rest.get(..length.min(rest.len())).unwrap_or_default() })
    }

    /// Bytes on the wire, header included.
    pub fn wire_len(&self) -> usize {
        Self::HEADER + self.length
    }
}

/// The messages at the start of `bytes` whose headers are there, until one is none.
pub fn messages(bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let message = Message::new(rest)?;
        rest = rest.get(message.wire_len()..).unwrap_or_default();
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_lengths_must_agree() {
        assert_eq!(Message::new(&[0, 4, 0, 4, 0, 0, 0, 2]).unwrap().payload, [0, 0, 0, 2]);
        assert!(Message::new(&[0, 4, 0, 5]).is_none());
        assert!(Message::new(&[0, 0x30, 0, 1]).is_none());
        assert!(Message::new(&[0, 0x13, 0, 0]).is_none());
        assert_eq!(messages(&[0, 0x30, 0, 0, 0, 0x40, 0, 9, 1]).count(), 2);
    }
}
