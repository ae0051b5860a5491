//! BGP: messages behind a marker of sixteen FF (RFC 4271 section 4.1).
//!
//! ```text
//! FF × 16 | length 19..4096 (2) | type 1..5 | …      OPEN: version 4 | AS (2) | hold time (2) | identifier (4)
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be16, be32};
use super::{Bits, Family};

/// The marker, length and type: over 130 bits; uniform filling with FF is common, a length and type after it are not.
static SIDES: [Family; 2] = [
    Family { id: "bgp.client-messages", cap: Bits::whole(24) },
    Family { id: "bgp.server-messages", cap: Bits::whole(28) },
];

/// The recogniser.
pub(super) struct Bgp;

impl Dialogue for Bgp {
    const NAME: &'static str = "bgp";
    const REFERENCE: &'static str = "RFC 4271";

    fn client(&self, bytes: &[u8]) -> Opening {
        message(bytes, Role::Client, 24)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        message(bytes, Role::Server, 28)
    }
}

fn message(bytes: &[u8], role: Role, bits: i32) -> Opening {
    if !bytes.iter().take(16).all(|&b| b == 0xff) {
        return Opening::Foreign;
    }
    let (Some(length), Some(&kind)) = (be16(bytes, 16), bytes.get(18)) else { return Opening::Short };
    let fits = match kind {
        1 => length >= 29 && bytes.get(19).is_none_or(|&version| version == 4),
        2 => length >= 23,
        3 => length >= 21,
        4 => length == 19,
        5 => length >= 23,
        _ => false,
    };
    // RFC 8654 raises the limit for all but OPEN and KEEPALIVE.
    let system = be16(bytes, 20).filter(|_| kind == 1).map(|system| system.to_string());
    let identifier = be32(bytes, 24).filter(|_| kind == 1).map(|id| id.to_be_bytes().map(|b| b.to_string()).join("."));
    Opening::or_foreign(fits.then(|| {
        Said::new(role.of(&SIDES), bits, "first bytes are the marker and header of a BGP message")
            .detail("as", system.as_deref().map(str::as_bytes))
            .detail("router-id", identifier.as_deref().map(str::as_bytes))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn open_and_open() {
        let open = [&[0xff; 16][..], &[0, 29, 1, 4, 0xfd, 0xe8, 0, 90, 10, 0, 0, 1, 0]].concat();
        let finding = found(&Bgp, &open, &open).unwrap();
        assert_eq!((finding.bits(), finding.details[1].1.as_str()), (Bits::whole(52), "10.0.0.1"));
        assert!(excluded(&Bgp, &open, &[0xff; 40]));
        assert!(!excluded(&Bgp, &open, &[0xff; 17]));
    }
}
