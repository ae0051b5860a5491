//! The NetBIOS session service: a request with two encoded names before anything else (RFC 1002 section 4.3).
//!
//! ```text
//! 81 | flags | length (2) | 20 called name (32) 00 | 20 calling name (32) 00
//! 82 | 00 00 00      accepted          83 | 00 00 01 | error      refused
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::be16;
use super::{Bits, Family};

/// A name is 32 letters from A to P between fixed bytes: over 100 bits. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "netbios-ssn.request", cap: Bits::whole(26) };
/// Four or five fixed bytes in answer to it.
static ANSWER: Family = Family { id: "netbios-ssn.answer", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct NetbiosSsn;

impl Dialogue for NetbiosSsn {
    const NAME: &'static str = "netbios-ssn";
    const REFERENCE: &'static str = "RFC 1002";

    fn client(&self, bytes: &[u8]) -> Opening {
        match bytes {
            [0x81, 0..=1, _, _, 0x20, rest @ ..] => {
                let name = rest.get(..rest.len().min(32)).unwrap_or_default();
                if !name.iter().all(|b| matches!(b, b'A'..=b'P')) || be16(bytes, 2).is_none_or(|n| n < 68) {
                    return Opening::Foreign;
                }
                if name.len() < 32 {
                    return Opening::Short;
                }
                let decoded: Vec<u8> =
                    name.chunks_exact(2).map(|c| c.iter().fold(0, |n, b| n << 4 | (b - b'A'))).collect();
                let called = decoded.get(..15).unwrap_or_default().trim_ascii_end();
                Said::new(&REQUEST, 26, "client requests a session by encoded NetBIOS names")
                    .detail("called", Some(called))
                    .into()
            }
            [0x81] | [0x81, 0..=1] | [0x81, 0..=1, _] | [0x81, 0..=1, _, _] => Opening::Short,
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = client.first() == Some(&0x81);
        match bytes {
            [0x82, 0, 0, 0, ..] | [0x83, 0, 0, 1, 0x80..=0x8f, ..] => {
                Said::new(&ANSWER, if asked { 14 } else { 8 }, "server answers the session request").into()
            }
            [0x82 | 0x83, rest @ ..] if rest.len() < 4 && rest.iter().all(|&b| b < 2) => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn request_and_answer() {
        let mut request = vec![0x81, 0, 0, 68, 0x20];
        request.extend(b"CKFDENECFDEFFCFGEFFCCACACACACACA\x00\x20EHEPFCFEFAFEEBCACACACACACACACAAA\x00");
        let finding = found(&NetbiosSsn, &request, &[0x82, 0, 0, 0]).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(40), "*SMBSERVER"));
        assert!(excluded(&NetbiosSsn, &request, b"\x00\x00\x00\x10"));
    }
}
