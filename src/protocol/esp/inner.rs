//! The packet inside ESP where it is not encrypted: NULL encryption (RFC 2410) and AES-GMAC (RFC 4543), tunnel mode.

/// How well an inner packet fits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Inner {
    /// The visible part of an IP header is sensible and its length fits.
    Cut,
    /// An IP header whose lengths fit; for IPv4 its checksum is right too.
    Header,
    /// The ESP trailer behind the packet names it as well.
    Trailer,
}

/// Offsets at which an inner packet may start in the body: no IV, or the eight bytes of AES-GMAC.
const OFFSETS: [usize; 2] = [0, 8];
/// Lengths of ICVs in use, in bytes.
const ICVS: [usize; 6] = [12, 16, 8, 24, 32, 0];

/// Looks for an inner IP packet in `body`, the visible part of an ESP body of `len` bytes.
pub(super) fn find(len: usize, body: &[u8]) -> Option<Inner> {
    OFFSETS.iter().filter_map(|&at| inner(len.checked_sub(at)?, body.get(at..)?)).max()
}

fn inner(len: usize, bytes: &[u8]) -> Option<Inner> {
    let whole = ipv4(bytes).map(|l| (l, 4)).or_else(|| ipv6(bytes).map(|l| (l, 41)));
    let (total, next_header) = whole.or_else(|| cut(len, bytes).map(|l| (l, 0)))?;
    // Padding up to four bytes, its length, the next header, and the ICV.
    let behind = len.checked_sub(total)?;
    if !(2..=2 + 16 + 32).contains(&behind) {
        return None;
    }
    if whole.is_none() {
        return Some(Inner::Cut);
    }
    let named = ICVS.iter().any(|icv| {
        let Some(end) = len.checked_sub(*icv) else { return false };
        let trailer = end.checked_sub(2).and_then(|at| bytes.get(at..end));
        trailer
            .is_some_and(|t| matches!(t, [pad, next] if *next == next_header && usize::from(*pad) + 2 + icv == behind))
    });
    Some(if named { Inner::Trailer } else { Inner::Header })
}

/// The total length of an IPv4 packet without options whose header checksum is right.
fn ipv4(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<20>()?;
    let [0x45, _, high, low, ..] = header else { return None };
    let words = header.chunks_exact(2).map(|w| w.iter().fold(0u32, |word, b| word << 8 | u32::from(*b)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded == 0xffff).then_some(usize::from(u16::from_be_bytes([*high, *low])))
}

/// The total length in an IP header that the capture cut.
fn cut(len: usize, bytes: &[u8]) -> Option<usize> {
    match bytes {
        [0x45, _, high, low, _, _, 0 | 0x40, 0, ttl, 1 | 6 | 17 | 47 | 50 | 89 | 103 | 132, ..]
            if bytes.len() < 20.min(len) =>
        {
            (*ttl > 0).then_some(usize::from(u16::from_be_bytes([*high, *low])))
        }
        [first, _, _, _, high, low, next, ..] if bytes.len() < 40.min(len) => {
            (first >> 4 == 6 && is_next_header(*next)).then_some(40 + usize::from(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

/// Whether what follows an IPv6 header is something that does.
fn is_next_header(next: u8) -> bool {
    matches!(next, 0 | 6 | 17 | 43 | 44 | 50 | 51 | 58 | 60 | 89 | 103 | 132)
}

/// The length of an IPv6 packet with a sensible next header.
fn ipv6(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<40>()?;
    let [first, _, _, _, high, low, next, ..] = header;
    let payload = usize::from(u16::from_be_bytes([*high, *low]));
    (first >> 4 == 6 && is_next_header(*next) && payload >= 8).then_some(40 + payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IPv4 header of an empty ICMP packet, its checksum set.
    fn packet() -> Vec<u8> {
        let mut ip = vec![0x45, 0, 0, 28, 1, 2, 0x40, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        let sum: u32 = ip.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
        let check = !(((sum & 0xffff) + (sum >> 16)) as u16);
        ip[10..12].copy_from_slice(&check.to_be_bytes());
        ip.extend([8, 0, 0, 0, 0, 0, 0, 0]);
        ip
    }

    #[test]
    fn a_packet_is_found_with_its_trailer() {
        let mut body = packet();
        body.extend([1, 2, 2, 4]);
        body.extend([0xaa; 12]);
        assert_eq!(find(body.len(), &body), Some(Inner::Trailer));
        assert_eq!(find(body.len(), &body[..24]), Some(Inner::Header));
        body.splice(..0, [9; 8]);
        assert_eq!(find(body.len(), &body), Some(Inner::Trailer));
    }

    #[test]
    fn a_wrong_checksum_or_length_is_none() {
        let mut body = packet();
        body.extend([1, 2, 2, 4]);
        body.extend([0xaa; 12]);
        assert_eq!(find(body.len() + 100, &body), None);
        body[10] ^= 1;
        assert_eq!(find(body.len(), &body), None);
    }
}
