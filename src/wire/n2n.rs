//! The common header of n2n: version 1, and versions 2 and 3 (`n2n_wire.h`, `n2n_typedefs.h` and `wire.c` of n2n).
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |   Version 1   |     Type      |      TTL      | From supernode|
//! |      community name, NUL and rest of 16 bytes, two MACs       |
//!
//! |  Version 2, 3 |      TTL      | Flags (11)          | Type (5)|
//! |        community name, padded with zeros (16 or 20 bytes)     |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A packet with a readable community name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct N2n<'a> {
    /// 1, 2 or 3.
    pub version: u8,
    /// 1 register, 3 packet; others differ between versions.
    pub kind: u8,
    /// Sent by a supernode.
    pub from_supernode: bool,
    /// Name of the community.
    pub community: &'a [u8],
}

impl<'a> N2n<'a> {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        if let [1, kind @ 1..=5, 0..=16, supernode @ 0..=1, ..] = *bytes {
            // Version 1 leaves what lies behind the name's NUL as it was in memory. A sender's MAC is no multicast.
            c.take(4)?;
            let (community, mac) = (c.take(16)?, c.take(6)?);
            let end = community.iter().position(|&b| b == 0)?;
            let community = community.get(..end)?;
            let name = !community.is_empty() && community.iter().all(u8::is_ascii_graphic);
            let unicast = mac.first().is_some_and(|b| b & 1 == 0) && mac != [0; 6];
            let read = Self { version: 1, kind, from_supernode: supernode == 1, community };
            return (name && unicast && len >= 87).then_some(read);
        }
        let (version, ttl, flags) = (c.u8()?, c.u8()?, c.be16()?);
        let kind = (flags & 0x1f) as u8;
        let field = c.take(if version == 2 { 16 } else { 20 })?;
        let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
        let (community, padding) = field.split_at(end);
        let name =
            !community.is_empty() && community.iter().all(u8::is_ascii_graphic) && padding.iter().all(|&b| b == 0);
        let legal =
            matches!(version, 2 | 3) && (1..=16).contains(&ttl) && (1..=13).contains(&kind) && flags & 0xff00 == 0;
        (legal && name && len >= 24).then_some(Self { version, kind, from_supernode: flags & 0x20 != 0, community })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration() {
        let mut m = vec![3, 2, 0, 5];
        m.extend(b"lab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x02");
        let n = N2n::new(&m, m.len()).unwrap();
        assert_eq!((n.version, n.kind, n.community), (3, 5, &b"lab"[..]));
        m[20] = 1;
        assert_eq!(N2n::new(&m, m.len()), None);
    }
}
