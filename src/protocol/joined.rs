//! What a stream shows that was joined in the middle: messages whose headers and lengths chain to its very end.

use super::dialogue::{Opening, Role, Said};
use super::{Bits, Family};

/// Where a chain of short messages begins: within the first segment, which may start in the middle of one.
pub(super) const SEGMENT: usize = 1500;
/// What the search takes back, where the chain does not begin with the first byte: it tried up to 2^13 places.
const SEARCH: i32 = 13;

/// A chain of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chain {
    offset: usize,
    count: usize,
    bits: i32,
}

/// The chain that reaches the end of `bytes` without a fault and weighs most, if one weighs anything.
///
/// `measure` gives the length in bytes of the message at the start of what it is given, which has at least `header` bytes,
/// and what it proves, or none if that is no message. The last message may be cut. The chain begins `within` so many bytes.
pub(super) fn heaviest(
    bytes: &[u8],
    within: usize,
    header: usize,
    measure: impl Fn(&[u8]) -> Option<(usize, i32)>,
) -> Option<Chain> {
    let from = |offset: usize| {
        let mut chain = Chain { offset, count: 0, bits: if offset == 0 { 0 } else { -SEARCH } };
        let mut rest = bytes.get(offset..)?;
        while rest.len() >= header {
            let (length, bits) = measure(rest)?;
            rest = rest.get(length.max(header)..).unwrap_or_default();
            (chain.count, chain.bits) = (chain.count + 1, chain.bits.saturating_add(bits));
        }
        Some(chain)
    };
    let chains = (0..bytes.len().min(within)).filter_map(from);
    chains.max_by_key(|c| (c.bits, std::cmp::Reverse(c.offset))).filter(|c| c.bits > 0)
}

/// The opening that a chain makes of what `role` sent, with the family of that role. One that does not begin with the first
/// byte may lie inside another protocol's message, and that message's end would break it.
pub(super) fn opening(chain: Option<Chain>, families: &'static [Family; 2], role: Role) -> Opening {
    let Some(Chain { offset, count, bits }) = chain else { return Opening::Neutral };
    let family = role.of(families);
    let text = format!("{count} messages with their lengths chain from byte {offset} to the end");
    let enough = Bits::whole(bits) >= family.cap && offset == 0;
    Said::new(family, bits.min(family.cap.as_f64() as i32), text).unfinished(!enough).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A length and that many bytes; each is worth 8 bits.
    fn measure(bytes: &[u8]) -> Option<(usize, i32)> {
        bytes.first().filter(|&&n| (1..5).contains(&n)).map(|&n| (usize::from(n), 8))
    }

    #[test]
    fn the_heaviest_chain_is_found() {
        let found = |bytes: &[u8]| heaviest(bytes, SEGMENT, 1, measure).map(|c| (c.offset, c.count, c.bits));
        assert_eq!(found(&[2, 9, 1, 3, 9, 9]), Some((0, 3, 24)));
        assert_eq!(found(&[9, 9, 2, 9, 1, 3, 9]), Some((2, 3, 11)));
        assert_eq!(found(&[9, 9, 2, 9]), None);
        assert_eq!(found(&[2, 9, 9]), None);
        assert_eq!(found(&[]), None);
    }
}
