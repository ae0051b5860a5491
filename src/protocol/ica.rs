//! Citrix ICA (1494): both sides begin with 7F 7F "ICA" 00, the server first (a real capture shows it).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Six fixed bytes: 48 bits by chance; from a client alone it may be a probe.
static CLIENT: Family = Family { id: "ica.client-signature", cap: Bits::whole(22) };
/// The same six bytes from the server, which greets first.
static SERVER: Family = Family { id: "ica.server-signature", cap: Bits::whole(30) };

/// The recogniser.
pub(super) struct Ica;

impl Dialogue for Ica {
    const NAME: &'static str = "ica";
    const REFERENCE: &'static str = "Citrix ICA";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, b"\x7f\x7fICA\0").then(|| Said::new(&CLIENT, 22, "client sends the ICA signature").into())
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        text::start(bytes, b"\x7f\x7fICA\0")
            .then(|| Said::new(&SERVER, 30, "server greets with the ICA signature").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn signatures() {
        let finding = found(&Ica, b"\x7f\x7fICA\0\x01\x97", b"\x7f\x7fICA\0\0\x0f").unwrap();
        assert_eq!((finding.bits(), finding.settled), (Bits::whole(52), true));
        assert!(excluded(&Ica, b"\x7f\x7fICA\0", b"\x7f\x7fICB"));
    }
}
