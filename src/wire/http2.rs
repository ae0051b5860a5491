//! The HTTP/2 frame header (RFC 9113 section 4.1).
//!
//! ```text
//!  0        1        2        3        4        5        6        7        8
//! +--------+--------+--------+--------+--------+--------+--------+--------+--------+
//! |           length         |  type  |  flags | R |        stream identifier       |
//! +--------+--------+--------+--------+--------+--------+--------+--------+--------+
//! ```

/// What a client that knows the server sends first (RFC 9113 section 3.4).
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Frame type SETTINGS.
pub const SETTINGS: u8 = 4;

/// A frame header.
#[derive(Clone, Copy, Debug)]
pub struct FrameHeader {
    /// Bytes of payload that follow.
    pub length: usize,
    /// Frame type.
    pub kind: u8,
    /// Flags, whose meaning depends on the type.
    pub flags: u8,
    /// Stream identifier; 0 is the connection itself.
    pub stream: u32,
}

impl FrameHeader {
    /// The header at the start of `bytes`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s0, s1, s2, s3] = bytes.first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Self { length, kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]) })
    }

    /// Whether it is a server's preface: a SETTINGS frame that is no acknowledgement (section 3.4).
    pub fn is_preface(&self) -> bool {
        self.kind == SETTINGS
            && self.flags == 0
            && self.stream == 0
            && self.length.is_multiple_of(6)
            && self.length <= 6 * 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preface_is_a_settings_frame() {
        assert!(FrameHeader::new(&[0, 0, 18, 4, 0, 0, 0, 0, 0]).unwrap().is_preface());
        assert!(!FrameHeader::new(&[0, 0, 17, 4, 0, 0, 0, 0, 0]).unwrap().is_preface());
        assert!(!FrameHeader::new(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).unwrap().is_preface());
        assert!(FrameHeader::new(&[0; 8]).is_none());
    }
}
