//! RFB, the protocol of VNC: the server greets with its version, the client repeats one (RFC 6143 section 7.1.1).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// "RFB ddd.ddd" in twelve bytes: over 80 bits. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "rfb.client-version", cap: Bits::whole(24) };
/// Only a VNC server greets so.
static SERVER: Family = Family { id: "rfb.server-version", cap: Bits::whole(34) };

/// The recogniser.
pub(super) struct Rfb;

impl Dialogue for Rfb {
    const NAME: &'static str = "rfb";
    const REFERENCE: &'static str = "RFC 6143";

    fn client(&self, bytes: &[u8]) -> Opening {
        version(bytes, &CLIENT, 24, "client answers with its RFB version")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        version(bytes, &SERVER, 34, "server greets with its RFB version")
    }
}

fn version(bytes: &[u8], family: &'static Family, bits: i32, what: &'static str) -> Opening {
    let pattern = b"RFB 000.000\n";
    let fits = |(&byte, &expected): (&u8, &u8)| if expected == b'0' { byte.is_ascii_digit() } else { byte == expected };
    match bytes.iter().zip(pattern).all(fits) {
        false => Opening::Foreign,
        true if bytes.len() < pattern.len() => Opening::Short,
        true => {
            let number = bytes.get(4..11).unwrap_or_default();
            Said::new(family, bits, what).variant(String::from_utf8_lossy(number).into_owned()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn versions() {
        let finding = found(&Rfb, b"RFB 003.003\n", b"RFB 003.008\n\x00\x00\x00\x02").unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(58), Some("003.008")));
        assert!(excluded(&Rfb, b"", b"RFC 822\n"));
    }
}
