//! A packet of Cisco's HSRP: version 1 in RFC 2281 section 5.1, version 2 as type-length-value elements.
//!
//! ```text
//! v1 | version 0 | opcode | state | hello time | hold time | priority | group | 0 | authentication (8) | address (4) |
//! v2 | 1 | 40 | version 2 | opcode | state | IP version | group (16) | identifier (48) | priority (32) | timers | address |
//! ```

/// A packet with legal state and timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hsrp {
    /// 1 or 2.
    pub version: u8,
}

impl Hsrp {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        match bytes {
            // RFC 2281: states are 0, 1, 2, 4, 8, 16; the default authentication is "cisco" and zeros.
            [0, 0..=2, 0 | 1 | 2 | 4 | 8 | 16, 1..=254, 1..=255, _, _, 0, text @ ..] => {
                let readable = text.get(..8).is_some_and(|t| {
                    let end = t.iter().position(|&b| b == 0).unwrap_or(8);
                    let (name, rest) = t.split_at(end);
                    !name.is_empty() && name.iter().all(u8::is_ascii_graphic) && rest.iter().all(|&b| b == 0)
                });
                // An MD5 authentication element of 30 bytes may follow.
                (readable && matches!(len, 20 | 50)).then_some(Self { version: 1 })
            }
            [1, 40, 2, 0..=2, 0..=6, 4 | 6, ..] => matches!(len, 42 | 52 | 72).then_some(Self { version: 2 }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello() {
        let m = *b"\x00\x00\x10\x03\x0a\x64\x01\x00cisco\0\0\0\xc0\0\x02\x01";
        assert_eq!(Hsrp::new(&m, 20), Some(Hsrp { version: 1 }));
        assert_eq!(Hsrp::new(&m, 21), None);
        assert_eq!(Hsrp::new(&[0; 20], 20), None);
    }
}
