//! Radmin 3 (4899): a fixed greeting and its fixed answer (a real capture shows them; nDPI, radmin.c).
//!
//! ```text
//! 01 00 00 00 01 00 00 00 08 08              client
//! 01 00 00 00 25 00 00 02 12 08 02 00 00 …   server
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Ten fixed bytes, of which six are zero. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "radmin.greeting", cap: Bits::whole(20) };
/// Nine fixed bytes.
static SERVER: Family = Family { id: "radmin.answer", cap: Bits::whole(22) };

/// The recogniser.
pub(super) struct Radmin;

impl Dialogue for Radmin {
    const NAME: &'static str = "radmin";
    const REFERENCE: &'static str = "Radmin 3";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, &[1, 0, 0, 0, 1, 0, 0, 0, 8, 8])
            .then(|| Said::new(&CLIENT, 20, "client sends Radmin's greeting").into())
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        text::start(bytes, &[1, 0, 0, 0, 0x25, 0, 0, 2, 0x12, 8, 2])
            .then(|| Said::new(&SERVER, 22, "server answers as Radmin does").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting() {
        let client = [1, 0, 0, 0, 1, 0, 0, 0, 8, 8];
        assert_eq!(
            found(&Radmin, &client, &[1, 0, 0, 0, 0x25, 0, 0, 2, 0x12, 8, 2, 0]).unwrap().bits(),
            Bits::whole(42)
        );
        assert!(excluded(&Radmin, &client, &client));
    }
}
