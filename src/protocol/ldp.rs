//! LDP's sessions over TCP (RFC 5036 section 3.1).
//!
//! ```text
//! version 0001 | PDU length (2) | router ID (4) | label space (2) | message type (2) | length (2) | ID (4) | …
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::{Bits, Family};

/// Version, a message type of a short list and two lengths that fit into each other: 50 bits.
static SIDES: [Family; 2] =
    [Family { id: "ldp.client-pdu", cap: Bits::whole(20) }, Family { id: "ldp.server-pdu", cap: Bits::whole(22) }];

/// The recogniser.
pub(super) struct Ldp;

impl Dialogue for Ldp {
    const NAME: &'static str = "ldp";
    const REFERENCE: &'static str = "RFC 5036";

    fn client(&self, bytes: &[u8]) -> Opening {
        pdu(bytes, Role::Client, 20)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        pdu(bytes, Role::Server, 22)
    }
}

fn pdu(bytes: &[u8], role: Role, bits: i32) -> Opening {
    if ![0, 1].starts_with(bytes.get(..bytes.len().min(2)).unwrap_or_default()) {
        return Opening::Foreign;
    }
    let (Some(length), Some(kind), Some(inner)) = (be16(bytes, 2), be16(bytes, 10), be16(bytes, 12)) else {
        return Opening::Short;
    };
    // Notification, initialization, keepalive, address, label messages.
    let known = matches!(kind, 0x0001 | 0x0100 | 0x0200 | 0x0201 | 0x0300 | 0x0301 | 0x0400..=0x0404);
    let fits = known && inner >= 4 && inner + 10 <= length && length <= 4096;
    Opening::or_foreign(fits.then(|| Said::new(role.of(&SIDES), bits, "PDU of LDP whose lengths fit into each other")))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn initialization() {
        let pdu = [0, 1, 0, 32, 10, 1, 1, 0, 0, 0, 2, 0, 0, 22, 0, 0, 0, 2];
        assert_eq!(found(&Ldp, &pdu, &pdu).unwrap().bits(), Bits::whole(42));
        let mut wrong = pdu;
        wrong[13] = 30;
        assert!(excluded(&Ldp, &pdu, &wrong));
    }
}
