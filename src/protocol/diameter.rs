//! Diameter (RFC 6733 section 3).
//!
//! ```text
//! version 01 | length (3) | flags R P E T 0000 | command (3) | application (4) | hop-by-hop ID (4) | end-to-end ID (4)
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be24, be32};
use super::joined::Joined;
use super::{Bits, Family};

/// Version, a length in fours, reserved flags, a known command: 35 bits; from a client alone it may be a probe.
static REQUEST: Family = Family { id: "diameter.request", cap: Bits::whole(18) };
/// The same without the request flag.
static ANSWER: Family = Family { id: "diameter.answer", cap: Bits::whole(18) };
/// The answer repeats hop-by-hop and end-to-end ID, 64 bits.
static ECHO: Family = Family { id: "diameter.id-echo", cap: Bits::whole(16) };
/// Either may send requests once the connection stands, so in the middle both are looked at alike.
static MIDDLE: [Family; 2] = [
    Family { id: "diameter.client-message", cap: Bits::whole(14) },
    Family { id: "diameter.server-message", cap: Bits::whole(14) },
];

/// The recogniser.
pub(super) struct Diameter;

impl Dialogue for Diameter {
    const NAME: &'static str = "diameter";
    const REFERENCE: &'static str = "RFC 6733";

    fn client(&self, bytes: &[u8]) -> Opening {
        match header(bytes) {
            Some(true) => Said::new(&REQUEST, 18, "client sends a request of Diameter").into(),
            Some(false) => Opening::Foreign,
            None => short(bytes),
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match header(bytes) {
            Some(false) => {
                let said = Said::new(&ANSWER, 18, "server sends an answer of Diameter");
                let ids = |b: &[u8]| b.get(12..20).and_then(|ids| ids.first_chunk::<8>()).copied();
                match header(client).and(ids(client)) {
                    Some(asked) if ids(bytes) == Some(asked) => {
                        said.and(&ECHO, 16, 12, "the answer repeats both IDs of the request").into()
                    }
                    _ => said.into(),
                }
            }
            Some(true) => Opening::Foreign,
            None => short(bytes),
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        match header(bytes) {
            Some(_) => Said::new(role.of(&MIDDLE), 14, "message of Diameter").into(),
            None => Opening::Neutral,
        }
    }
}

/// Whether the message is a request; none if it is no message.
fn header(bytes: &[u8]) -> Option<bool> {
    let &[1, _, _, _, flags, ..] = bytes.first_chunk::<20>()? else { return None };
    let (length, command) = (be24(bytes, 1)?, be24(bytes, 5)?);
    // Base, credit control and accounting, EAP, SIP, and 3GPP's range (RFC 5516).
    let known = matches!(command, 257..=288 | 300..=330 | 8_388_608..=8_389_000);
    // RFC 6733 section 4.1: an AVP's flags have five reserved bits, and its length counts its header of 8 or 12 bytes.
    let first_avp = be32(bytes, 20).is_none_or(|code| code > 0)
        && bytes.get(24).is_none_or(|flags| flags & 0x1f == 0)
        && be24(bytes, 25).is_none_or(|avp| (8..=length.saturating_sub(20)).contains(&avp));
    let fits = length.is_multiple_of(4) && (20..1 << 20).contains(&length) && flags & 0x0f == 0;
    (known && fits && first_avp).then_some(flags & 0x80 != 0)
}

fn short(bytes: &[u8]) -> Opening {
    let reserved = bytes.get(4).is_none_or(|flags| flags & 0x0f == 0);
    if bytes.first() == Some(&1) && bytes.len() < 20 && reserved { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn request_and_answer() {
        let request = [1, 0, 0, 20, 0x80, 0, 1, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let mut answer = request;
        answer[4] = 0;
        assert_eq!(found(&Diameter, &request, &answer).unwrap().bits(), Bits::whole(52));
        answer[3] = 21;
        assert!(excluded(&Diameter, &request, &answer));
    }
}
