//! Citrix CGP, which wraps ICA for session reliability (2598): each side begins with 1A "CGP/01"
//! (wanduow/libprotoident, lib/tcp/lpi_cgp.cc).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Seven fixed bytes: 56 bits by chance; from a client alone it may be a probe.
static CLIENT: Family = Family { id: "cgp.client-signature", cap: Bits::whole(24) };
/// The same of the server.
static SERVER: Family = Family { id: "cgp.server-signature", cap: Bits::whole(30) };

/// The recogniser.
pub(super) struct Cgp;

impl Dialogue for Cgp {
    const NAME: &'static str = "cgp";
    const REFERENCE: &'static str = "Citrix Common Gateway Protocol";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, b"\x1aCGP/01").then(|| Said::new(&CLIENT, 24, "client opens with the CGP signature").into())
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        text::start(bytes, b"\x1aCGP/01")
            .then(|| Said::new(&SERVER, 30, "server answers with the CGP signature").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn signatures() {
        assert_eq!(found(&Cgp, b"\x1aCGP/01\x00", b"\x1aCGP/01\x01").unwrap().bits(), Bits::whole(54));
        assert!(excluded(&Cgp, b"\x1aCGP/01", b"\x1aHTTP"));
    }
}
