//! PPTP's control connection (RFC 2637 section 2.1).
//!
//! ```text
//! length (2) | 00 01 | 1A 2B 3C 4D | control type (2) | 00 00 | …      156 bytes for both start messages
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::{Bits, Family, text};

/// The magic cookie between fixed fields: over 60 bits.
static SIDES: [Family; 2] = [
    Family { id: "pptp.client-message", cap: Bits::whole(24) },
    Family { id: "pptp.server-message", cap: Bits::whole(30) },
];

/// The recogniser.
pub(super) struct Pptp;

impl Dialogue for Pptp {
    const NAME: &'static str = "pptp";
    const REFERENCE: &'static str = "RFC 2637";

    fn client(&self, bytes: &[u8]) -> Opening {
        message(bytes, Role::Client, 24)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        message(bytes, Role::Server, 30)
    }
}

fn message(bytes: &[u8], role: Role, bits: i32) -> Opening {
    if bytes.first().is_some_and(|&b| b != 0) {
        return Opening::Foreign;
    }
    let Some(rest) = bytes.get(2..) else { return Opening::Short };
    text::start(rest, &[0, 1, 0x1a, 0x2b, 0x3c, 0x4d])
        .then(|| Said::new(role.of(&SIDES), bits, "message with PPTP's magic cookie").into())
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn start_and_reply() {
        let start = [0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0];
        assert_eq!(found(&Pptp, &start, &start).unwrap().bits(), Bits::whole(54));
        assert!(excluded(&Pptp, &start, &[0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4e]));
    }
}
