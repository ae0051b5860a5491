//! The local protocol of Balboa's spa modules (4257), both ways (garbled1/pybalboa).
//!
//! ```text
//! 7E | length | type (3) | payload | CRC-8 | 7E      length counts from itself to the CRC
//! ```
//! The CRC has polynomial 07, starts at 02 and is XORed with 02 at the end.

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::chain;
use super::{Bits, Family};

/// Each message has 24 bits of framing and CRC by chance. Telemetry with the same flags exists (HDLC), but not with this
/// length and CRC.
static CLIENT: Family = Family { id: "balboa.client-messages", cap: Bits::whole(22) };
/// The same of the server, which reports its state unasked several times a second.
static SERVER: Family = Family { id: "balboa.server-messages", cap: Bits::whole(30) };

/// The recogniser.
pub(super) struct Balboa;

impl Dialogue for Balboa {
    const NAME: &'static str = "balboa";
    const REFERENCE: &'static str = "garbled1/pybalboa";

    fn client(&self, bytes: &[u8]) -> Opening {
        messages(bytes, &CLIENT, 22, "client's")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        messages(bytes, &SERVER, 30, "server's")
    }
}

fn messages(bytes: &[u8], family: &'static Family, cap: i32, whose: &str) -> Opening {
    let measure = |b: &[u8]| match b {
        [0x7e, length @ 5..=0x7d, rest @ ..] => {
            let length = usize::from(*length);
            match (b.get(1..length), rest.get(length - 2..length)) {
                (Some(body), Some(&[crc, end])) => (crc == crc8(body) && end == 0x7e).then_some(length + 2),
                _ => Some(length + 2),
            }
        }
        _ => None,
    };
    let Some(_) = chain(bytes, 2, measure) else { return Opening::Foreign };
    // Only messages that are there to their end have shown their CRC.
    let mut whole = 0;
    let mut rest = bytes;
    while let Some(after) = rest.get(1).and_then(|&n| rest.get(usize::from(n) + 2..)) {
        rest = after;
        whole += 1;
    }
    match whole {
        0 if bytes.first() == Some(&0x7e) => Opening::Short,
        0 => Opening::Foreign,
        n => Said::new(
            family,
            (n * 12).min(cap),
            format!("the {whose} first {n} messages have the right length and CRC"),
        )
        .unfinished(n * 12 < cap)
        .into(),
    }
}

fn crc8(bytes: &[u8]) -> u8 {
    let step = |crc: u8, _| if crc & 0x80 != 0 { (crc << 1) ^ 7 } else { crc << 1 };
    bytes.iter().fold(2, |crc, &byte| (0..8).fold(crc ^ byte, step)) ^ 2
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    const REQUEST: [u8; 10] = [0x7e, 0x08, 0x0a, 0xbf, 0x22, 0x00, 0x00, 0x01, 0x58, 0x7e];

    #[test]
    fn messages_are_checked_by_crc() {
        let server = [REQUEST, REQUEST, REQUEST].concat();
        let finding = found(&Balboa, &REQUEST, &server).unwrap();
        assert_eq!(finding.bits(), Bits::whole(12 + 30));
        let mut wrong = REQUEST;
        wrong[8] ^= 1;
        assert!(excluded(&Balboa, &REQUEST, &wrong));
        assert!(!excluded(&Balboa, &REQUEST, &server[..5]));
    }
}
