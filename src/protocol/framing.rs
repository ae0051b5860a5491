//! Reading numbers and chains of length-framed messages, for the many binary protocols over TCP.

/// The big-endian 16-bit number at `at`.
pub(super) fn be16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

/// The big-endian 24-bit number at `at`.
pub(super) fn be24(bytes: &[u8], at: usize) -> Option<usize> {
    let &[a, b, c] = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes([0, a, b, c]) as usize)
}

/// The big-endian 32-bit number at `at`.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian 16-bit number at `at`.
pub(super) fn le16(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?)))
}

/// The little-endian 32-bit number at `at`.
pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The places of bytes of at most `highest`, for streams in which they are rare.
pub(super) fn low_bytes(bytes: &[u8], highest: u8) -> impl Iterator<Item = usize> {
    const BLOCK: usize = 32;
    let low = move |byte: &u8| *byte <= highest;
    // All bytes of a whole block at once, and one by one only where there are any.
    let whole = move |block: &[u8; BLOCK]| block.iter().fold(false, |any, byte| any | low(byte));
    let any = move |block: &[u8]| block.first_chunk().is_none_or(whole);
    let blocks = bytes.chunks(BLOCK).zip((0..).step_by(BLOCK)).filter(move |(block, _)| any(block));
    blocks.flat_map(move |(block, start)| (start..).zip(block).filter(move |(_, byte)| low(byte)).map(|(at, _)| at))
}

/// How many messages follow each other from the first byte to the end. `measure` gives the length in bytes of the message
/// at the start of what it is given, which has at least `header` bytes, or none if that is no message. None if it ever
/// says so. The last message may be cut; a header that is cut is not measured.
pub(super) fn chain(bytes: &[u8], header: usize, measure: impl Fn(&[u8]) -> Option<usize>) -> Option<i32> {
    let mut rest = bytes;
    let mut count = 0;
    while rest.len() >= header {
        rest = rest.get(measure(rest)?.max(header)..).unwrap_or_default();
        count += 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let bytes = [1, 2, 3, 4, 5];
        assert_eq!(
            (be16(&bytes, 3), be24(&bytes, 2), be32(&bytes, 1)),
            (Some(0x0405), Some(0x0003_0405), Some(0x0203_0405))
        );
        assert_eq!((le16(&bytes, 3), le32(&bytes, 1)), (Some(0x0504), Some(0x0504_0302)));
        assert_eq!((be16(&bytes, 4), le32(&bytes, 2)), (None, None));
    }

    #[test]
    fn low_bytes_are_found() {
        let bytes: Vec<u8> = (0..100).map(|n| if n % 33 == 1 || n == 99 { 6 } else { 7 + n }).collect();
        assert_eq!(low_bytes(&bytes, 6).collect::<Vec<_>>(), [1, 34, 67, 99]);
        assert_eq!(low_bytes(&bytes, 5).next(), None);
    }

    #[test]
    fn messages_chain() {
        let measure = |b: &[u8]| b.first().filter(|&&n| n < 9).map(|&n| usize::from(n) + 1);
        assert_eq!(chain(&[2, 0, 0, 1, 7, 4], 1, measure), Some(3));
        assert_eq!(chain(&[2, 0, 0, 9], 1, measure), None);
        assert_eq!(chain(&[], 1, measure), Some(0));
    }
}
