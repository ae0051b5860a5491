//! EtherNet/IP's encapsulation (CIP Networks Library, volume 2, chapter 2).
//!
//! ```text
//! command (2, LE) | length (2) | session (4) | status (4) | sender context (8) | options 00000000
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::{le16, le32};
use super::{Bits, Family};

/// A command of a short list, a length, zero status and options: over 70 bits, but made of zeros.
static REQUEST: Family = Family { id: "enip.request", cap: Bits::whole(16) };
/// The answer with the same command.
static ANSWER: Family = Family { id: "enip.answer", cap: Bits::whole(14) };
/// A sender context that is not zero comes back, or a session is given.
static ECHO: Family = Family { id: "enip.context-echo", cap: Bits::whole(8) };

/// The recogniser.
pub(super) struct Enip;

impl Dialogue for Enip {
    const NAME: &'static str = "enip";
    const REFERENCE: &'static str = "CIP volume 2";

    fn client(&self, bytes: &[u8]) -> Opening {
        match header(bytes) {
            Some((command, length, session)) => {
                let fits = match command {
                    0x65 => length == 4 && session == 0,
                    0x63 | 0x64 | 0x04 => length <= 32,
                    _ => length >= 6,
                };
                Opening::or_foreign(
                    fits.then(|| Said::new(&REQUEST, 16, "client sends an encapsulated command of EtherNet/IP")),
                )
            }
            None => short(bytes),
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (header(bytes), header(client)) {
            (Some((command, _, session)), Some((asked, ..))) if command == asked => {
                let said = Said::new(&ANSWER, 14, "server answers with the same command");
                let context = |b: &[u8]| b.get(12..20).map(<[u8]>::to_vec).filter(|c| c.iter().any(|&b| b != 0));
                let echo = context(client).is_some_and(|c| context(bytes) == Some(c));
                if echo || (command == 0x65 && session != 0) {
                    said.and(&ECHO, 8, 4, "the answer repeats the sender context or gives a session").into()
                } else {
                    said.into()
                }
            }
            (Some(_), None) if matches!(short(client), Opening::Short) => Opening::Short,
            (None, _) => short(bytes),
            _ => Opening::Foreign,
        }
    }
}

/// Command, length and session.
fn header(bytes: &[u8]) -> Option<(usize, usize, u32)> {
    let (command, length) = (le16(bytes, 0)?, le16(bytes, 2)?);
    let known = matches!(command, 0x04 | 0x63..=0x66 | 0x6f | 0x70);
    let status = le32(bytes, 8)?;
    let options = le32(bytes, 20)?;
    (known && length <= 65_511 && (status < 4 || status == 0x64 || status == 0x65 || status == 0x69) && options == 0)
        .then_some((command, length, le32(bytes, 4)?))
}

fn short(bytes: &[u8]) -> Opening {
    let known = bytes.first().is_none_or(|b| matches!(b, 0x04 | 0x63..=0x66 | 0x6f | 0x70));
    if known && bytes.get(1).is_none_or(|&b| b == 0) && bytes.len() < 24 { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn register_session() {
        let mut client = [0u8; 28];
        client[..3].copy_from_slice(&[0x65, 0, 4]);
        client[24] = 1;
        let mut server = client;
        server[4] = 9;
        assert_eq!(found(&Enip, &client, &server).unwrap().bits(), Bits::whole(38));
        server[0] = 0x66;
        assert!(excluded(&Enip, &client, &server));
    }
}
