//! MySQL and MariaDB: the server greets with its version and a nonce (MySQL Internals, Protocol::HandshakeV10).
//!
//! ```text
//! length (3, LE) | number 00 | 0A | version 00 | thread (4) | nonce (8) | 00 | capabilities (2) | …
//! length (3, LE) | number 01 | capabilities (4) | longest packet (4) | charset | 00 × 23 | user 00 | …
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::le32;
use super::{Bits, Family, text};

/// Length, number, version 10, a version in text, a filler that is zero: over 60 bits.
static GREETING: Family = Family { id: "mysql.greeting", cap: Bits::whole(30) };
/// Number 1 and 19 or 23 zeros at their place: over 100 bits, but made of zeros.
static LOGIN: Family = Family { id: "mysql.login", cap: Bits::whole(12) };

/// The recogniser.
pub(super) struct Mysql;

impl Dialogue for Mysql {
    const NAME: &'static str = "mysql";
    const REFERENCE: &'static str = "MySQL Client/Server Protocol";

    fn client(&self, bytes: &[u8]) -> Opening {
        let Some(header) = le32(bytes, 0) else { return Opening::Short };
        if header >> 24 != 1 || header & 0xff_ffff < 32 {
            return Opening::Foreign;
        }
        // MariaDB uses the last four bytes of the filler.
        match bytes.get(13..32) {
            Some(filler) if filler.iter().all(|&b| b == 0) => {
                Said::new(&LOGIN, 12, "client logs in with number 1 and a filler of zeros").into()
            }
            None => Opening::Short,
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        let (Some(header), Some(&kind)) = (le32(bytes, 0), bytes.get(4)) else { return Opening::Short };
        let length = header as usize;
        if !(6..1024).contains(&length) {
            return Opening::Foreign;
        }
        let rest = bytes.get(5..).unwrap_or_default();
        match kind {
            10 => {
                let Some(end) = rest.iter().take(96).position(|&b| b == 0) else {
                    return if rest.len() < 96 { Opening::Short } else { Opening::Foreign };
                };
                let version = rest.get(..end).unwrap_or_default();
                let sane = version.first().is_some_and(u8::is_ascii_digit)
                    && version.contains(&b'.')
                    && version.iter().all(|b| b.is_ascii_graphic());
                match rest.get(end + 1 + 4 + 8) {
                    _ if !sane => Opening::Foreign,
                    Some(0) => Said::new(&GREETING, 30, "server greets with protocol 10, its version and a nonce")
                        .detail("server", Some(version))
                        .into(),
                    Some(_) => Opening::Foreign,
                    None => Opening::Short,
                }
            }
            0xff => {
                let refusal = text::contains(rest, b"is not allowed to connect to this M")
                    || text::contains(rest, b"Too many connections")
                    || text::contains(rest, b"is blocked because of many connection errors");
                if refusal {
                    Said::new(&GREETING, 26, "server refuses with an error of MySQL").into()
                } else if bytes.len() < length + 4 {
                    Opening::Short
                } else {
                    Opening::Foreign
                }
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
    fn greeting_and_login() {
        let server = b"\x4a\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xff";
        let mut client = vec![0x50, 0, 0, 1, 0x8d, 0xa6, 0xff, 1, 0, 0, 0, 1, 45];
        client.extend([0; 23]);
        let finding = found(&Mysql, &client, server).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(42), "8.0.36"));
        assert!(excluded(&Mysql, b"", b"220 hello\r\n"));
        assert!(!excluded(&Mysql, b"", &server[..20]));
    }
}
