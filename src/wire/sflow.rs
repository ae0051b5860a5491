//! An sFlow datagram, version 5 (sflow.org, "sFlow Version 5", section 5).
//!
//! ```text
//! | version (32) = 5 | address type (32): 1, 2 | agent address (32 or 128) | sub-agent (32) | sequence (32) |
//! | uptime, ms (32) | samples (32) | each: enterprise (20) format (12) | length (32) | contents |
//! ```

use super::cursor::Cursor;

/// A datagram whose samples fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sflow {
    /// Counts datagrams of an agent.
    pub sequence: u32,
}

impl Sflow {
    /// Reads a datagram of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (version, family) = (c.be32()?, c.be32()?);
        c.take(match family {
            1 => 4,
            2 => 16,
            _ => return None,
        })?;
        let (_agent, sequence, _uptime, samples) = (c.be32()?, c.be32()?, c.be32()?, c.be32()?);
        if version != 5 || samples == 0 || samples > 64 {
            return None;
        }
        for n in 0..samples {
            let (Some(format), Some(length)) = (c.be32(), c.be32()) else {
                return (bytes.len() < len && n > 0).then_some(Self { sequence });
            };
            let known = format >> 12 != 0 || matches!(format & 0xfff, 1..=5);
            if !known || length % 4 != 0 {
                return None;
            }
            if c.take(length as usize).is_none() {
                return (bytes.len() < len && (length as usize) < len).then_some(Self { sequence });
            }
        }
        (bytes.len() < len || c.is_empty()).then_some(Self { sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fill_the_datagram() {
        let words: [u32; 10] = [5, 1, 0xc000_0201, 0, 77, 1000, 1, 1, 4, 9];
        let m: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        assert_eq!(Sflow::new(&m, 40), Some(Sflow { sequence: 77 }));
        assert_eq!(Sflow::new(&m[..36], 36), None);
    }
}
