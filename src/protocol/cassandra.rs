//! Cassandra's native protocol, CQL (native_protocol_v4.spec section 2).
//!
//! ```text
//! version 03..06, 41 and 42 of DataStax; 8x and Cx in responses | flags | stream (2) | opcode | length (4) | …
//! opcodes: 01 STARTUP, 05 OPTIONS; 00 ERROR, 02 READY, 03 AUTHENTICATE, 06 SUPPORTED
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::be32;
use super::{Bits, Family, text};

/// STARTUP names CQL_VERSION; OPTIONS is nine bytes of small numbers.
static REQUEST: Family = Family { id: "cassandra.request", cap: Bits::whole(24) };
/// The same version with the top bit, the same stream and an opcode of four.
static RESPONSE: Family = Family { id: "cassandra.response", cap: Bits::whole(20) };

/// The recogniser.
pub(super) struct Cassandra;

impl Dialogue for Cassandra {
    const NAME: &'static str = "cassandra";
    const REFERENCE: &'static str = "CQL native protocol 5";

    fn client(&self, bytes: &[u8]) -> Opening {
        let Some((&[version @ (3..=6 | 0x41 | 0x42), flags, _, _, opcode, ..], body)) = bytes.split_first_chunk::<9>()
        else {
            return if matches!(bytes, [3..=6 | 0x41 | 0x42] | [3..=6 | 0x41 | 0x42, 0..=0x1f, ..]) && bytes.len() < 9 {
                Opening::Short
            } else {
                Opening::Foreign
            };
        };
        let said = match (opcode, be32(bytes, 5)) {
            (5, Some(0)) if flags < 0x20 => Said::new(&REQUEST, 14, "client asks for the options of CQL"),
            (1, Some(22..=4096)) if flags < 0x20 => {
                let head = body.get(..body.len().min(256)).unwrap_or_default();
                if !text::contains(head, b"CQL_VERSION") {
                    return if head.len() < 128 { Opening::Short } else { Opening::Foreign };
                }
                Said::new(&REQUEST, 24, "client starts with its CQL version")
            }
            _ => return Opening::Foreign,
        };
        said.variant(version.to_string()).into()
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (bytes, client) {
            ([0x83..=0x86 | 0xc1 | 0xc2, ..], _) if bytes.len() < 6 || client.len() < 4 => Opening::Short,
            // A version that the server does not have is refused in one of its own: an error, code 10.
            ([version @ (0x83..=0x86 | 0xc1), _, s0, s1, 0, 0, ..], [asked, _, a0, a1, ..])
                if version & 0x7f < *asked && (s0, s1) == (a0, a1) =>
            {
                match (be32(bytes, 9), bytes.len() < 64) {
                    (Some(10), _) if text::contains(bytes, b"protocol version") => {
                        Said::new(&RESPONSE, 20, "server refuses the client's version in the client's stream").into()
                    }
                    (Some(10) | None, true) => Opening::Short,
                    _ => Opening::Foreign,
                }
            }
            ([version @ (0x83..=0x86 | 0xc1 | 0xc2), flags, s0, s1, 0 | 2 | 3 | 6, 0, ..], [asked, _, a0, a1, ..]) => {
                let fits = *flags < 0x20 && version & 0x7f == *asked && (s0, s1) == (a0, a1);
                Opening::or_foreign(
                    fits.then(|| Said::new(&RESPONSE, 20, "server answers in the client's version and stream")),
                )
            }
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn options_and_supported() {
        let finding = found(&Cassandra, &[4, 0, 0, 0, 5, 0, 0, 0, 0], &[0x84, 0, 0, 0, 6, 0, 0, 0, 0x34]).unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(34), Some("4")));
        assert!(excluded(&Cassandra, &[4, 0, 0, 0, 5, 0, 0, 0, 0], &[0x85, 0, 0, 0, 6, 0, 0, 0, 0x34]));
    }

    #[test]
    fn a_version_may_be_refused_in_another() {
        let options = [0x42, 0, 0, 7, 5, 0, 0, 0, 0];
        let refusal = *b"\x84\0\0\x07\0\0\0\0\x2c\0\0\0\x0a\0\x26Invalid or unsupported protocol version";
        let finding = found(&Cassandra, &options, &refusal).unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(34), Some("66")));
        for n in 1..refusal.len() {
            assert!(!excluded(&Cassandra, &options, &refusal[..n]), "{n}");
        }
        let mut other = refusal;
        other[12] = 0;
        assert!(excluded(&Cassandra, &options, &other));
    }
}
