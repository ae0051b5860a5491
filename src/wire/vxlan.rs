//! VXLAN, RFC 7348 section 5.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |R|R|R|R|I|R|R|R|            Reserved                           |
//! |                VXLAN Network Identifier (VNI) |   Reserved    |
//! |                inner Ethernet frame                           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;
use super::inner;

/// A packet whose inner frame holds an IP packet that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// Network identifier.
    pub vni: u32,
}

impl Vxlan {
    /// Reads a datagram of `len` bytes. The Group Policy extension (draft-smith-vxlan-group-policy) uses bit 0 and the
    /// reserved bytes behind the flags.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (flags, reserved) = (c.u8()?, c.be24()?);
        let (vni, last) = (c.be24()?, c.u8()?);
        let header = (flags == 0x08 && reserved == 0) || flags == 0x88;
        (header && last == 0 && inner::is_ethernet(c.rest(), len.checked_sub(8)?)).then_some(Self { vni })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arp_request() {
        let mut m = vec![8, 0, 0, 0, 0, 0, 42, 0];
        m.extend([0xff; 6]);
        m.extend([2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        m.extend([0; 20]);
        assert_eq!(Vxlan::new(&m, m.len()), Some(Vxlan { vni: 42 }));
        m[1] = 1;
        assert_eq!(Vxlan::new(&m, m.len()), None);
    }
}
