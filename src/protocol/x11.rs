//! The X Window System's connection set-up (X Window System Protocol, chapter 8).
//!
//! ```text
//! 'B' or 'l' | 00 | major 11 (2) | minor 0 (2) | name length (2) | data length (2) | 00 00 | name, data
//! 00 failed, 01 success, 02 authenticate | reason length | 11 (2) | 0 (2) | length in words (2) | …
//! ```
//! The first letter is the byte order: big or little.

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Six fixed bytes, padding and lengths: 60 bits. From a client alone it may be a probe.
static SETUP: Family = Family { id: "x11.setup", cap: Bits::whole(24) };
/// Six bytes in the client's order: 40 bits, but small numbers.
static ANSWER: Family = Family { id: "x11.setup-answer", cap: Bits::whole(18) };

/// The recogniser.
pub(super) struct X11;

impl Dialogue for X11 {
    const NAME: &'static str = "x11";
    const REFERENCE: &'static str = "X11R6.8";

    fn client(&self, bytes: &[u8]) -> Opening {
        let start = match bytes.first() {
            Some(b'l') => text::start(bytes, &[b'l', 0, 11, 0, 0, 0]),
            Some(b'B') => text::start(bytes, &[b'B', 0, 0, 11, 0, 0]),
            _ => return Opening::Foreign,
        };
        start.then(|| match bytes.get(6..12) {
            Some([_, _, _, _, 0, 0]) => Said::new(&SETUP, 24, "client opens a connection of X11").into(),
            None => Opening::Short,
            _ => Opening::Foreign,
        })
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let version = match client.first() {
            Some(b'l') => [11, 0, 0, 0],
            Some(b'B') => [0, 11, 0, 0],
            Some(_) => return Opening::Foreign,
            None => return if matches!(bytes.first(), Some(0..=2)) { Opening::Short } else { Opening::Foreign },
        };
        match bytes {
            [0 | 2, _, rest @ ..] | [1, 0, rest @ ..] => text::start(rest, &version)
                .then(|| Said::new(&ANSWER, 18, "server answers with version 11.0 in the client's byte order").into()),
            [0..=2] => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn setup() {
        let client = [b'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(found(&X11, &client, &[1, 0, 11, 0, 0, 0, 0x60, 4]).unwrap().bits(), Bits::whole(42));
        assert!(excluded(&X11, &client, &[1, 0, 0, 11, 0, 0]));
    }
}
