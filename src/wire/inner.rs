//! What tunnels carry: an IP packet or an Ethernet frame with one in it.

use super::cursor::Cursor;

/// Whether `bytes` (of `len`) start an IPv4 or IPv6 packet that ends with them, or before them by at most `slack` bytes
/// of padding.
pub fn is_ip(bytes: &[u8], len: usize, slack: usize) -> bool {
    let total = match bytes {
        [v @ 0x45..=0x4f, _, a, b, _, _, flags, _, ttl, ..] => {
            let total = usize::from(u16::from_be_bytes([*a, *b]));
            // The flag that must be zero (RFC 791 section 3.1), a time to live, and room for the header.
            (flags & 0x80 == 0 && *ttl > 0 && total >= usize::from(v & 15) * 4).then_some(total)
        }
        [0x60..=0x6f, _, _, _, a, b, _, hops, ..] => {
            (*hops > 0).then(|| 40 + usize::from(u16::from_be_bytes([*a, *b])))
        }
        _ => None,
    };
    total.is_some_and(|total| total <= len && len - total <= slack)
}

/// Whether `bytes` (of `len`) are an Ethernet frame with an IP packet that fits, or with ARP. Short frames are padded
/// to 60 bytes.
pub fn is_ethernet(bytes: &[u8], len: usize) -> bool {
    let mut c = Cursor::new(bytes);
    if c.take(12).is_none() {
        return false;
    }
    let mut kind = c.be16();
    if kind == Some(0x8100) {
        c.be16();
        kind = c.be16();
    }
    let left = len.saturating_sub(bytes.len() - c.rest().len());
    match kind {
        Some(0x0800 | 0x86dd) => is_ip(c.rest(), left, if len <= 64 { 46 } else { 4 }),
        // Ethernet and IPv4 addresses (RFC 826).
        Some(0x0806) => c.rest().starts_with(&[0, 1, 8, 0, 6, 4, 0]) && left >= 28,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: [u8; 20] = [0x45, 0, 0, 20, 0, 0, 0x40, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn lengths_must_fit() {
        assert!(is_ip(&IP, 20, 0) && !is_ip(&IP, 21, 0) && is_ip(&IP, 21, 4) && !is_ip(&IP, 19, 4));
        let frame = [&[2; 12][..], &[8, 0], &IP].concat();
        assert!(is_ethernet(&frame, frame.len()));
        assert!(!is_ethernet(&frame[..13], 13));
    }
}
