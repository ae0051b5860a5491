//! Whether bytes look like ciphertext.

/// Bytes of each sample that are looked at: a head keeps some thirty packets.
const FRONT: usize = 96;

/// Compares the number of equal pairs among the samples' first bytes with what uniform ones have. `None` if there are too
/// few bytes to tell.
pub(super) fn looks_random<'a>(samples: impl Iterator<Item = &'a [u8]>) -> Option<bool> {
    let mut counts = [0u32; 256];
    let mut total = 0u32;
    for sample in samples {
        let front = sample.get(..FRONT).unwrap_or(sample);
        total += front.len() as u32;
        for &byte in front {
            if let Some(count) = counts.get_mut(usize::from(byte)) {
                *count += 1;
            }
        }
    }
    if total < 64 {
        return None;
    }
    // Pairs of equal bytes have mean n(n-1)/512 and about the same variance; six deviations leave chance far behind.
    let pairs: u64 = counts.iter().map(|&c| u64::from(c) * u64::from(c.saturating_sub(1)) / 2).sum();
    let mean = f64::from(total) * (f64::from(total) - 1.0) / 512.0;
    Some(pairs as f64 <= mean + 6.0 * mean.sqrt() + 4.0)
}

/// Whether eight bytes can be a random number: no text, fewer than three zeros or repeated values, no run of a counter.
pub(super) fn random_id(id: &[u8; 8]) -> bool {
    let zeros = id.iter().filter(|&&b| b == 0).count();
    let most = id.iter().map(|b| id.iter().filter(|o| *o == b).count()).max().unwrap_or(0);
    let text = id.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
    let steps = id.windows(2).filter(|w| matches!(w, [a, b] if b.wrapping_sub(*a) == 1)).count();
    zeros < 3 && most < 4 && !text && steps < 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_headers_are_not_random() {
        let text = b"OPTIONS sip:100@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060\r\nMax-Forwards: 70\r\n";
        assert_eq!(looks_random([&text[..]].into_iter()), Some(false));
        assert_eq!(looks_random([&text[..40]].into_iter()), None);
        assert!(!random_id(b"NVITE si"));
        assert!(!random_id(&[0xfe, 0xfd, 0, 0, 0, 0, 0, 0]));
        assert!(!random_id(b"ABCDEFGH"));
        assert!(random_id(&[0x71, 0xa8, 0x51, 0x4b, 0xa2, 0x64, 0x54, 0xc6]));
    }

    #[test]
    fn every_byte_once_is_random_enough() {
        let bytes: Vec<u8> = (0..=255).map(|b: u8| b.wrapping_mul(167)).collect();
        assert_eq!(looks_random([&bytes[..]].into_iter()), Some(true));
    }
}
