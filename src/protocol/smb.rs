//! SMB over TCP: a four-byte NetBIOS session header, then the protocol's name (MS-CIFS 2.2.3.1, MS-SMB2 2.1 and 2.2.1).
//!
//! ```text
//! 00 | length (3) | FF 'S' 'M' 'B' | command | …              SMB 1
//! 00 | length (3) | FE 'S' 'M' 'B' | header size 64 (LE) | …  SMB 2 and 3; FD when encrypted, FC when compressed
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be24, le16};
use super::joined::Joined;
use super::{Bits, Family};
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// 40 fixed bits and a length. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "smb.client-message", cap: Bits::whole(24) };
/// The same from the server.
static SERVER: Family = Family { id: "smb.server-message", cap: Bits::whole(30) };
/// Somewhere in a stream that was joined in the middle: five fixed bytes, 40 bits less 13 for the search.
static MIDDLE: [Family; 2] = [
    Family { id: "smb.client-message-inside", cap: Bits::whole(14) },
    Family { id: "smb.server-message-inside", cap: Bits::whole(14) },
];

/// What every message bears behind its first byte.
static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"SMB"));

/// The recogniser.
pub(super) struct Smb;

impl Dialogue for Smb {
    const NAME: &'static str = "smb";
    const REFERENCE: &'static str = "MS-SMB2";

    fn client(&self, bytes: &[u8]) -> Opening {
        message(bytes, &CLIENT, 24, "client")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        message(bytes, &SERVER, 30, "server")
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let mut places = NAME.find_iter(bytes).filter_map(|at| bytes.get(at.checked_sub(5)?..at));
        let found = places.any(|before| matches!(before, [0, 0, _, _, 0xfc..=0xff]));
        match found {
            true => Said::new(role.of(&MIDDLE), 14, "a message of SMB inside the stream").into(),
            false => Opening::Neutral,
        }
    }
}

fn message(bytes: &[u8], family: &'static Family, bits: i32, who: &str) -> Opening {
    match bytes {
        [0] | [0, _] | [0, _, _] | [0, _, _, _] => Opening::Short,
        [0, _, _, _, 0xfc..=0xff, rest @ ..]
            if b"SMB".starts_with(rest.get(..rest.len().min(3)).unwrap_or_default()) =>
        {
            let (Some(length), Some(_)) = (be24(bytes, 1), bytes.get(8)) else { return Opening::Short };
            let dialect = match bytes.get(4) {
                Some(0xff) => "1",
                Some(0xfe) => negotiated(bytes).unwrap_or("2"),
                _ => "3",
            };
            let said = Said::new(family, bits, format!("{who} begins with a message of SMB")).variant(dialect);
            if length >= 32 { said.into() } else { Opening::Foreign }
        }
        _ => Opening::Foreign,
    }
}

/// The dialect that a NEGOTIATE response chose (MS-SMB2 2.2.4).
fn negotiated(bytes: &[u8]) -> Option<&'static str> {
    let response = le16(bytes, 4 + 12)? == 0 && bytes.get(4 + 16)? & 1 == 1;
    match le16(bytes, 4 + 64 + 4).filter(|_| response)? {
        0x0202 => Some("2.0.2"),
        0x0210 => Some("2.1"),
        0x0300 => Some("3.0"),
        0x0302 => Some("3.0.2"),
        0x0311 => Some("3.1.1"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    fn smb2() -> Vec<u8> {
        let mut m = b"\x00\x00\x00\x70\xfeSMB\x40\x00".to_vec();
        m.extend([0; 10]);
        m.push(1);
        m.extend([0; 51]);
        m.extend([0x11, 3, 0, 0]);
        m
    }

    #[test]
    fn messages_of_both_sides() {
        let finding = found(&Smb, b"\x00\x00\x00\x54\xffSMBr\x00", &smb2()).unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(54), Some("3.1.1")));
        assert!(excluded(&Smb, b"", b"\x00\x10\x00\x00\x00"));
        assert!(joined(&Smb, &[&[9; 20], &smb2()[..]].concat(), &[&[9; 30], &smb2()[..]].concat()).is_some());
    }
}
