//! Flow export: NetFlow v5 and v9 (RFC 3954 section 5), IPFIX (RFC 7011 section 3).
//!
//! ```text
//! v5     | 5 (16) | records (16) | uptime (32) | seconds (32) | nanoseconds (32) | sequence (32) | … | records of 48 |
//! v9     | 9 (16) | records (16) | uptime (32) | seconds (32) | sequence (32) | source (32) | flow sets |
//! IPFIX  | 10 (16) | length (16) | seconds (32) | sequence (32) | domain (32) | sets |
//! set    | identifier (16) | length (16), header included | contents |
//! ```

use super::cursor::Cursor;

/// A message whose parts fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// 5, 9 or 10 (IPFIX).
    pub version: u16,
    /// When it was exported, seconds since 1970.
    pub seconds: u32,
    /// Counts flows or messages.
    pub sequence: u32,
}

impl Export {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (version, count) = (c.be16()?, usize::from(c.be16()?));
        match version {
            5 => {
                let (_uptime, seconds, nanoseconds, sequence) = (c.be32()?, c.be32()?, c.be32()?, c.be32()?);
                let fits = (1..=30).contains(&count) && len == 24 + 48 * count && nanoseconds < 1_000_000_000;
                fits.then_some(Self { version, seconds, sequence })
            }
            9 => {
                let (_uptime, seconds, sequence, _source) = (c.be32()?, c.be32()?, c.be32()?, c.be32()?);
                (count > 0 && count < 256 && sets(c, bytes.len() == len, 0)).then_some(Self {
                    version,
                    seconds,
                    sequence,
                })
            }
            10 => {
                let (seconds, sequence, _domain) = (c.be32()?, c.be32()?, c.be32()?);
                (count == len && sets(c, bytes.len() == len, 2)).then_some(Self { version, seconds, sequence })
            }
            _ => None,
        }
    }
}

/// Whether sets fill what is left: templates (`first`, `first` + 1) or data (from 256).
fn sets(mut c: Cursor<'_>, whole: bool, first: u16) -> bool {
    let mut any = false;
    while !c.is_empty() {
        let (Some(id), Some(length)) = (c.be16(), c.be16()) else { return !whole && any };
        let known = id == first || id == first + 1 || id >= 256;
        let Some(length) = usize::from(length).checked_sub(4).filter(|_| known) else { return false };
        any = true;
        if c.take(length).is_none() {
            return !whole;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipfix_message() {
        let mut m = vec![0, 10, 0, 24, 0x68, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 8, 1, 2, 3, 4];
        assert_eq!(Export::new(&m, 24), Some(Export { version: 10, seconds: 0x6800_0000, sequence: 1 }));
        m[19] = 9;
        assert_eq!(Export::new(&m, 24), None);
    }
}
