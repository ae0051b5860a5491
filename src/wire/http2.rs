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
    /// Its length in bytes.
    pub const LEN: usize = 9;

    /// The header at the start of `bytes`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, s0, s1, s2, s3] = bytes.first_chunk()?;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        Some(Self { length, kind, flags, stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]) })
    }

    /// Whether stream, flags and length are those of the type (section 6), and the length within the default of
    /// SETTINGS_MAX_FRAME_SIZE.
    pub fn is_legal(&self) -> bool {
        let flags = |known: u8| self.flags & !known == 0;
        let of_stream = self.stream != 0 && self.stream < 1 << 24;
        let fits = match self.kind {
            // DATA: end of stream, padded. HEADERS: end of headers and a priority as well.
            0 => of_stream && flags(0x09),
            1 => of_stream && flags(0x2d) && self.length > 0,
            // PRIORITY and RST_STREAM.
            2 => of_stream && flags(0) && self.length == 5,
            3 => of_stream && flags(0) && self.length == 4,
            SETTINGS => {
                self.stream == 0 && flags(1) && self.length.is_multiple_of(6) && (self.flags == 0 || self.length == 0)
            }
            // PUSH_PROMISE and CONTINUATION.
            5 => of_stream && flags(0x0c) && self.length >= 4,
            9 => of_stream && flags(0x04),
            // PING, GOAWAY, WINDOW_UPDATE.
            6 => self.stream == 0 && flags(1) && self.length == 8,
            7 => self.stream == 0 && flags(0) && self.length >= 8,
            8 => self.stream < 1 << 24 && flags(0) && self.length == 4,
            _ => false,
        };
        fits && self.length <= 16_384
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

    #[test]
    fn legal_frames() {
        let legal = |bytes: &[u8]| FrameHeader::new(bytes).unwrap().is_legal();
        assert!(legal(&[0, 0, 8, 6, 1, 0, 0, 0, 0]) && legal(&[0, 1, 0, 0, 1, 0, 0, 0, 5]));
        assert!(legal(&[0, 0, 4, 8, 0, 0, 0, 0, 0]) && legal(&[0, 0, 30, 1, 4, 0, 0, 0, 7]));
        for bad in [[0; 9], [0, 0, 7, 6, 0, 0, 0, 0, 0], [0, 0, 1, 0, 2, 0, 0, 0, 1], [0, 0, 1, 10, 0, 0, 0, 0, 1]] {
            assert!(!legal(&bad), "{bad:?}");
        }
    }
}
