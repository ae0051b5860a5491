//! The character generator: lines of 72 printable characters, each line beginning one further (RFC 864).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// 60 characters in the order of ASCII, repeating after 95: nothing else sends that.
static PATTERN: Family = Family { id: "chargen.pattern", cap: Bits::whole(32) };

/// The recogniser.
pub(super) struct Chargen;

impl Dialogue for Chargen {
    const NAME: &'static str = "chargen";
    const REFERENCE: &'static str = "RFC 864";

    /// The server takes no notice of it.
    fn client(&self, _bytes: &[u8]) -> Opening {
        Opening::Neutral
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        let line = bytes.get(..bytes.len().min(60)).unwrap_or_default();
        let next = |b: u8| if b == b'~' { b' ' } else { b.wrapping_add(1) };
        // Some servers leave the space out, or go on to the delete character.
        let follows =
            |w: &[u8]| matches!(w, [a, b] if *b == next(*a) || (*a == b'~' && matches!(b, b'!' | 0x7f)) || *a == 0x7f);
        match line.windows(2).all(follows) && line.first().is_some_and(|b| matches!(b, 0x20..=0x7e)) {
            false => Opening::Foreign,
            true if line.len() < 60 => Opening::Short,
            true => Said::new(&PATTERN, 32, "server sends the characters of ASCII in order").into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn the_pattern() {
        let line: Vec<u8> = (0x20..=0x67).collect();
        assert!(found(&Chargen, b"", &line).is_some());
        assert!(excluded(&Chargen, b"", b"!!"));
    }
}
