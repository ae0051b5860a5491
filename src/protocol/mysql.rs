//! MySQL and MariaDB: the server greets with its version and a nonce (MySQL Internals, Protocol::HandshakeV10).
//!
//! ```text
//! length (3, LE) | number 00 | 0A | version 00 | thread (4) | nonce (8) | 00 | capabilities (2) | …
//! length (3, LE) | number 01 | capabilities (4) | longest packet (4) | charset | 00 × 23 | user 00 | …
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::le32;
use super::joined::Joined;
use super::{Bits, Family, joined, text};

/// Length, number, version 10, a version in text, a filler that is zero: over 60 bits.
static GREETING: Family = Family { id: "mysql.greeting", cap: Bits::whole(30) };
/// A login that names a plugin for authentication, some 150 bits; a client alone may be a probe.
static PLUGIN: Family = Family { id: "mysql.login-plugin", cap: Bits::whole(10) };
/// Number 1 and 19 or 23 zeros at their place: over 100 bits, but made of zeros.
static LOGIN: Family = Family { id: "mysql.login", cap: Bits::whole(12) };

/// Packets joined in the middle: a command with number 0 and SQL behind it, a column's definition that begins with the
/// catalogue "def". A query's text proves little of what carries it, so both sides together stay below certain.
static PACKETS: [Family; 2] = [
    Family { id: "mysql.client-packets", cap: Bits::whole(14) },
    Family { id: "mysql.server-packets", cap: Bits::whole(14) },
];

/// Words with which statements begin.
const VERBS: &[&[u8]] = &[
    b"SELECT ",
    b"INSERT ",
    b"UPDATE ",
    b"DELETE ",
    b"REPLACE ",
    b"SHOW ",
    b"SET ",
    b"BEGIN",
    b"START ",
    b"COMMIT",
    b"ROLLBACK",
    b"CREATE ",
    b"ALTER ",
    b"DROP ",
    b"TRUNCATE ",
    b"USE ",
    b"CALL ",
    b"EXPLAIN ",
];

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
                let said = Said::new(&LOGIN, 12, "client logs in with number 1 and a filler of zeros");
                let length = (header & 0xff_ffff) as usize;
                let login = bytes.get(32..bytes.len().min(4 + length)).unwrap_or_default();
                let plugins = [
                    &b"mysql_native_password\0"[..],
                    b"caching_sha2_password\0",
                    b"sha256_password\0",
                    b"mysql_clear_password\0",
                ];
                match plugins.iter().any(|plugin| memchr::memmem::find(login, plugin).is_some()) {
                    true => said.and(&PLUGIN, 10, 32, "the login names a plugin for authentication"),
                    false => said.unfinished(bytes.len() < 4 + length),
                }
                .into()
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
                    return match rest {
                        // Cut by the snaplen, perhaps: numbers and dots, at least three of them.
                        [b'1'..=b'9', ..] if rest.len() < 96 && is_version(rest) => {
                            Said::new(&GREETING, 16, "server greets with protocol 10 and a version")
                                .unfinished(true)
                                .into()
                        }
                        _ if rest.len() < 96 => Opening::Short,
                        _ => Opening::Foreign,
                    };
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
                    None if is_version(version) => {
                        Said::new(&GREETING, 18, "server greets with protocol 10 and its version")
                            .unfinished(true)
                            .into()
                    }
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

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let measure = if role == Role::Client { command } else { response };
        joined::opening(joined::heaviest(bytes, 5, measure), &PACKETS, role)
    }
}

/// Whether a text begins with three numbers between dots: with length, number and kind before them over 60 bits.
fn is_version(text: &[u8]) -> bool {
    let mut parts = text.splitn(3, |&b| b == b'.');
    let number =
        |part: Option<&[u8]>| part.is_some_and(|p| (1..=3).contains(&p.len()) && p.iter().all(u8::is_ascii_digit));
    number(parts.next())
        && number(parts.next())
        && parts.next().and_then(<[u8]>::first).is_some_and(u8::is_ascii_digit)
        && text.iter().all(u8::is_ascii_graphic)
}

/// A packet's number, its length on the wire, and what is visible of its content.
fn packet(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let header = le32(bytes, 0)?;
    let length = (header & 0xff_ffff) as usize;
    let content = bytes.get(4..)?;
    (length > 0).then_some(((header >> 24) as u8, 4 + length, content.get(..length.min(content.len()))?))
}

/// A client's command on the wire: its length and what it proves.
fn command(bytes: &[u8]) -> Option<(usize, i32)> {
    let (0, length, [kind, argument @ ..]) = packet(bytes)? else { return None };
    let verb = || VERBS.iter().any(|v| text::start_any_case(argument.trim_ascii_start(), v) == text::Start::Same);
    let bits = match kind {
        // Query and prepare.
        3 | 0x16 => (verb() && text::is_text(argument)).then_some(14)?,
        // Quit and ping have no argument; execute and close name a statement.
        1 | 0x0e => (length == 5).then_some(8)?,
        0x19 => (length == 9).then_some(8)?,
        0x17 => (length >= 14).then_some(4)?,
        2 | 4..=0x1f => 0,
        _ => return None,
    };
    Some((length, bits))
}

/// A server's packet on the wire: its length and what it proves.
fn response(bytes: &[u8]) -> Option<(usize, i32)> {
    let (number, length, content) = packet(bytes)?;
    if number == 0 {
        return None;
    }
    let bits = match content {
        // A column's definition; end of a list; an error with its state; done, without rows; the number of columns.
        [3, b'd', b'e', b'f', ..] => 12,
        [0xfe, 0, 0, _, 0] if length == 9 => 10,
        [0xff, _, 3..=0x10, b'#', ..] => 12,
        [0, _, _, 2 | 3, 0, 0, 0] if number == 1 => 10,
        [1..=64] if number == 1 => 6,
        _ => 0,
    };
    Some((length, bits))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
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
        assert_eq!(found(&Mysql, b"", &server[..14]).unwrap().bits(), Bits::whole(18));
        assert_eq!(found(&Mysql, b"", &server[..10]).unwrap().bits(), Bits::whole(16));
        assert!(found(&Mysql, b"", &server[..8]).is_none());
        client[0] = 60;
        client.extend(b"joe\0\x00mysql_native_password\0");
        assert_eq!(found(&Mysql, &client, b"").unwrap().bits(), Bits::whole(22));
    }
    #[test]
    fn packets_chain_when_joined_in_the_middle() {
        let packet = |number: u8, content: &[u8]| [&[content.len() as u8, 0, 0, number], content].concat();
        let asked = packet(0, b"\x03select 1 from t");
        let answered = [
            packet(1, &[1]),
            packet(2, b"\x03def\x00\x00\x00\x011\x00\x0c\x3f\x00"),
            packet(3, &[0xfe, 0, 0, 2, 0]),
            packet(4, b"\x011"),
            packet(5, &[0xfe, 0, 0, 2, 0]),
        ]
        .concat();
        assert_eq!(joined(&Mysql, &asked, &answered).unwrap().bits(), Bits::whole(28));
        assert!(joined(&Mysql, &packet(0, b"\x03hello"), &packet(0, b"\x03def")).is_none());
    }
}
