//! H.323 call signalling: Q.931 messages over TPKT (H.225.0 section 7.2, Q.931 section 4).
//!
//! ```text
//! 03 00 length (2) | 08 | 02 | call reference (2) | message type | information elements, 7E user-user last
//! ```
//! The top bit of the call reference is set by the side that was called.

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};
use crate::wire::tpkt::Tpkt;

/// TPKT, discriminator 8, reference length 2, a message type: 48 bits. From a client alone it may be a probe.
static SETUP: Family = Family { id: "h323.setup", cap: Bits::whole(22) };
/// The same with the caller's reference in it.
static ANSWER: Family = Family { id: "h323.answer", cap: Bits::whole(24) };

/// The recogniser.
pub(super) struct H323;

impl Dialogue for H323 {
    const NAME: &'static str = "h323";
    const REFERENCE: &'static str = "ITU-T H.225.0";

    fn client(&self, bytes: &[u8]) -> Opening {
        match message(bytes) {
            Some((_, 0x05, false)) => Said::new(&SETUP, 22, "client sends a Q.931 SETUP").into(),
            Some((_, 0x62 | 0x5a | 0x7d | 0x75 | 0x7b, _)) => {
                Said::new(&SETUP, 16, "client sends a message of Q.931").into()
            }
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = message(client).map(|(reference, ..)| reference);
        match message(bytes) {
            Some((reference, 0x01..=0x03 | 0x07 | 0x0d | 0x5a | 0x62 | 0x6e | 0x75 | 0x7b | 0x7d, called)) => {
                let bits = if called && asked == Some(reference) { 24 } else { 14 };
                Said::new(&ANSWER, bits, "server answers with a message of Q.931").into()
            }
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }
}

/// Call reference, message type, and whether the sender was called.
fn message(bytes: &[u8]) -> Option<(u16, u8, bool)> {
    let tpkt = Tpkt::new(bytes)?;
    let &[8, 2, high, low, kind] = tpkt.payload.first_chunk()? else { return None };
    Some((u16::from_be_bytes([high & 0x7f, low]), kind, high & 0x80 != 0))
}

fn short(bytes: &[u8]) -> Opening {
    let expected = [(0, 3), (1, 0), (4, 8), (5, 2)];
    let fits = expected.iter().all(|&(at, byte)| bytes.get(at).is_none_or(|&b| b == byte));
    if fits && bytes.len() < 9 { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn setup_and_proceeding() {
        let setup = [3, 0, 0, 12, 8, 2, 0x77, 0xf4, 5, 4, 3, 0x80];
        let proceeding = [3, 0, 0, 12, 8, 2, 0xf7, 0xf4, 2, 0x7e, 0, 0];
        assert_eq!(found(&H323, &setup, &proceeding).unwrap().bits(), Bits::whole(46));
        assert!(excluded(&H323, &setup, &[3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0]));
        assert!(!excluded(&H323, &setup, &setup[..6]));
    }
}
