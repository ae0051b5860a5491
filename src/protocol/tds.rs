//! TDS, of Microsoft SQL Server and Sybase: packets with a type, a status and a length (MS-TDS 2.2.3.1).
//!
//! ```text
//! type | status | length (2) | SPID (2) | number | window 00 | …
//! 12 pre-login: token | offset (2) | length (2) …, FF     10 login     02 login of TDS 5     04 response
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::{be16, le32};
use super::{Bits, Family};

/// A pre-login's option list or a login's version: over 60 bits. From a client alone it may be a probe.
static LOGIN: Family = Family { id: "tds.login", cap: Bits::whole(24) };
/// A response whose content begins with a token that may stand there.
static RESPONSE: Family = Family { id: "tds.response", cap: Bits::whole(20) };

/// The recogniser.
pub(super) struct Tds;

impl Dialogue for Tds {
    const NAME: &'static str = "tds";
    const REFERENCE: &'static str = "MS-TDS";

    fn client(&self, bytes: &[u8]) -> Opening {
        let Some((kind, length, body)) = packet(bytes) else { return short(bytes, &[0x12, 0x10, 2]) };
        let (said, variant) = match (kind, body) {
            (0x12, [0, high, low, 0, 6, ..]) if [*high, *low].map(usize::from) < [1, 0] => {
                ("pre-login with its list of options", "7")
            }
            // A pre-login also carries the TLS handshake.
            (0x10, _)
                if le32(body, 0) == Some(length as u32 - 8)
                    && body.get(7).is_some_and(|major| (0x70..=0x80).contains(major)) =>
            {
                ("login whose inner length agrees", "7")
            }
            (0x10, [_, _, _, _, _, _, _, 4..=7 | 0x70..=0x7f, ..]) => ("login of version 7", "7"),
            // The host name in 30 bytes and its length; the first packet is full at 512 bytes.
            (2, _) if length == 512 && names(body) => ("login of version 5", "5"),
            (0x12 | 0x10 | 2, _) if body.len() < 32 => return Opening::Short,
            _ => return Opening::Foreign,
        };
        Said::new(&LOGIN, if variant == "5" { 16 } else { 24 }, format!("client sends a {said}"))
            .variant(variant)
            .into()
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = matches!(client.first(), Some(0x12 | 0x10 | 2));
        match packet(bytes) {
            // 00: options; AD, E3, AA, AB, E2, E5: login acknowledged, environment, error, information, capabilities.
            Some((4, _, [0, 0, _, 0, 6, ..])) => {
                Said::new(&RESPONSE, 20, "server answers the pre-login with its options").into()
            }
            Some((4, _, [0xad | 0xe3 | 0xaa | 0xab | 0xe2 | 0xe5 | 0xed, ..])) if asked => {
                Said::new(&RESPONSE, 18, "server answers with a token of TDS").into()
            }
            Some((4 | 0x11, _, [b'N', b'T', b'L', b'M', ..])) if asked => {
                Said::new(&RESPONSE, 18, "server challenges by NTLM").into()
            }
            // The segment ends within the first field, or the client's half has not come.
            Some((4 | 0x11 | 0x12, _, [] | [0, ..] | [b'N', ..])) if bytes.len() < 8 + 6 => Opening::Short,
            Some((4 | 0x11 | 0x12, ..)) if client.is_empty() => Opening::Short,
            None => short(bytes, &[4, 0x12, 0x11]),
            _ => Opening::Foreign,
        }
    }
}

/// Whether host and user, each in 30 bytes with its length behind, are text, and one of them is there.
fn names(body: &[u8]) -> bool {
    let name = |at: usize| {
        let (field, length) = (body.get(at..at + 30)?, usize::from(*body.get(at + 30)?));
        let text = field.get(..length)?;
        text.iter().all(|b| matches!(b, b' '..=b'~' | 0x80..)).then_some(text.len())
    };
    name(0).zip(name(31)).is_some_and(|(host, user)| host + user > 0)
}

/// Type, length on the wire and content.
fn packet(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (&[kind, status, _, _, _, _, _, 0], body) = bytes.split_first_chunk()? else { return None };
    let length = be16(bytes, 2).filter(|&n| n > 8 && status <= 1)?;
    Some((kind, length, body))
}

fn short(bytes: &[u8], kinds: &[u8]) -> Opening {
    let fits = bytes.first().is_none_or(|b| kinds.contains(b)) && bytes.get(1).is_none_or(|&status| status <= 1);
    if fits && bytes.len() < 8 { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn prelogin_and_answer() {
        let client = [0x12, 1, 0, 0x34, 0, 0, 0, 0, 0, 0, 0x15, 0, 6, 1, 0, 0x1b];
        let server = [4, 1, 0, 0x25, 0, 0, 1, 0, 0, 0, 0x15, 0, 6, 1, 0, 0x1b];
        assert_eq!(found(&Tds, &client, &server).unwrap().bits(), Bits::whole(44));
        assert!(excluded(&Tds, &client, &[4, 1, 0, 0x25, 0, 0, 1, 0, 9, 9]));
        assert!(!excluded(&Tds, &client[..9], &server[..8]));
    }
}
