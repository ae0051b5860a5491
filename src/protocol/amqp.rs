//! AMQP 0-9-1 and 1.0: the client names the protocol and version; then frames (AMQP 0-9-1 section 4.2, AMQP 1.0 part 2.2).
//!
//! ```text
//! 'AMQP' | 00 00 09 01 (0-9-1) or 00 01 00 00 (1.0), 02 TLS, 03 SASL
//! 0-9-1: type 1..3, 8 | channel (2) | size (4) | payload | CE     1.0: size (4) | 02.. | type 0..1 | channel (2) | …
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be32, chain};
use super::joined::Joined;
use super::{Bits, Family, counted, text};

/// "AMQP" and a version: over 55 bits. From a client alone it may be a probe.
static HEADER: Family = Family { id: "amqp.protocol-header", cap: Bits::whole(26) };
/// The same from a server, or its first method, connection.start, with class 10 and method 10.
static SERVER: Family = Family { id: "amqp.server-start", cap: Bits::whole(24) };
/// Frames in the middle, chained by their sizes, each with its end mark.
static FRAMES: [Family; 2] = [
    Family { id: "amqp.client-frames", cap: Bits::whole(18) },
    Family { id: "amqp.server-frames", cap: Bits::whole(18) },
];

/// The recogniser.
pub(super) struct Amqp;

impl Dialogue for Amqp {
    const NAME: &'static str = "amqp";
    const REFERENCE: &'static str = "AMQP 0-9-1";

    fn client(&self, bytes: &[u8]) -> Opening {
        header(bytes, &HEADER, 26)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        match bytes {
            [1, 0, 0, _, _, _, _, 0, 10, 0, 10, ..] => {
                Said::new(&SERVER, 24, "server starts with connection.start").into()
            }
            [1, rest @ ..] if rest.len() < 10 => text::start(rest, &[0, 0]).then(|| Opening::Short),
            _ => header(bytes, &SERVER, 24),
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let measure = |b: &[u8]| match b.first_chunk() {
            Some([1..=3 | 8, _, _, _, _, _, _]) => {
                let end = be32(b, 3).filter(|&n| n < 1 << 20)? as usize + 7;
                b.get(end).is_none_or(|&mark| mark == 0xce).then_some(end + 1)
            }
            _ => None,
        };
        let whole = chain(bytes, 7, measure).unwrap_or(0) - i32::from(bytes.last() != Some(&0xce));
        match whole {
            1.. => Said::new(
                role.of(&FRAMES),
                (whole * 10).min(18),
                counted!("{whole} frames with their end marks", whole),
            )
            .unfinished(whole < 2)
            .into(),
            _ => Opening::Neutral,
        }
    }
}

fn header(bytes: &[u8], family: &'static Family, bits: i32) -> Opening {
    text::start(bytes, b"AMQP").then(|| match bytes.get(4..) {
        Some([0, 0, 9, 1, ..]) => Said::new(family, bits, "protocol header of AMQP 0-9-1").variant("0-9-1").into(),
        Some([0 | 2 | 3, 1, 0, 0, ..]) => Said::new(family, bits, "protocol header of AMQP 1.0").variant("1.0").into(),
        Some([1, 1, 0 | 8 | 9, 0..=10, ..]) => Said::new(family, bits, "protocol header of AMQP 0-8 to 0-10").into(),
        Some(rest) if rest.len() < 4 => Opening::Short,
        _ => Opening::Foreign,
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn header_and_start() {
        let finding =
            found(&Amqp, b"AMQP\x00\x00\x09\x01", b"\x01\x00\x00\x00\x00\x01\xf0\x00\x0a\x00\x0a\x00\x09").unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(50), Some("0-9-1")));
        assert!(excluded(&Amqp, b"AMQP\x00\x00\x09\x01", b"HTTP"));
        let frame = [1, 0, 1, 0, 0, 0, 4, 0, 60, 0, 40, 0xce];
        assert!(joined(&Amqp, &frame.repeat(2), &frame).is_some());
    }
}
