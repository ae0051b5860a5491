//! PostgreSQL: a startup packet without a type, then typed messages with a length (PostgreSQL documentation, "Message
//! Formats").
//!
//! ```text
//! length (4) | 00 03 00 00 | "user" 00 name 00 … 00        startup, version 3
//! 00000008 | 04D2162F                                      request for TLS, answered by one byte S or N
//! type | length (4) | …                                    everything after
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be16, be32, chain};
use super::joined::Joined;
use super::{Bits, Family, joined, text};

/// Eight fixed bytes, or a version and the word "user": over 60 bits. From a client alone it may be a probe.
static STARTUP: Family = Family { id: "postgresql.startup", cap: Bits::whole(24) };
/// A byte to the request for TLS is little; an authentication request or an error with its fields is much.
static ANSWER: Family = Family { id: "postgresql.answer", cap: Bits::whole(22) };

/// Messages joined in the middle. Type and length agree by chance with 2^-15, which counts little; a query that its NUL
/// ends, a row whose columns fill it or a "ready" of six fixed bytes count more. Both sides together stay below certain.
static MESSAGES: [Family; 2] = [
    Family { id: "postgresql.client-messages", cap: Bits::whole(14) },
    Family { id: "postgresql.server-messages", cap: Bits::whole(14) },
];

/// The recogniser.
pub(super) struct Postgresql;

impl Dialogue for Postgresql {
    const NAME: &'static str = "postgresql";
    const REFERENCE: &'static str = "PostgreSQL frontend/backend protocol 3";

    fn client(&self, bytes: &[u8]) -> Opening {
        let Some(length) = be32(bytes, 0) else {
            return if bytes.first() == Some(&0) { Opening::Short } else { Opening::Foreign };
        };
        let Some(code) = be32(bytes, 4) else {
            return if (8..10_000).contains(&length) { Opening::Short } else { Opening::Foreign };
        };
        match (length, code) {
            (8, 0x04d2_162f) => Said::new(&STARTUP, 24, "client requests TLS as PostgreSQL does").into(),
            (8, 0x04d2_1630) => Said::new(&STARTUP, 24, "client requests GSSAPI as PostgreSQL does").into(),
            (16, 0x04d2_162e) => Said::new(&STARTUP, 24, "client cancels a query as PostgreSQL does").into(),
            (9..10_000, 0x0003_0000..=0x0003_0002) => {
                let parameters = bytes.get(8..).unwrap_or_default();
                let named = [&b"user\0"[..], b"database\0", b"client_encoding\0", b"application_name\0"]
                    .into_iter()
                    .map(|name| text::start(parameters, name));
                if named.clone().any(|start| start == text::Start::Same) {
                    let user = parameters.strip_prefix(b"user\0").and_then(|p| p.split(|&b| b == 0).next());
                    Said::new(&STARTUP, 24, "client starts version 3 with its parameters").detail("user", user).into()
                } else if named.clone().any(|start| start == text::Start::Short) {
                    Opening::Short
                } else {
                    Opening::Foreign
                }
            }
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = matches!(self.client(client), Opening::Spoken(_));
        let negotiated = client.starts_with(&[0, 0, 0, 8, 4, 0xd2, 0x16]);
        let bytes = match bytes {
            [b'S' | b'N' | b'G'] if negotiated => {
                return Said::new(&ANSWER, 10, "server answers the request by one letter").unfinished(true).into();
            }
            // The second request of a client that asked for GSSAPI, then for TLS.
            [b'N', b'S', ..] if negotiated => bytes.get(2..).unwrap_or_default(),
            [b'S', 22, 3, ..] if negotiated => {
                return Said::new(&ANSWER, 16, "server answers the request by one letter, then TLS").into();
            }
            [b'N' | b'S', rest @ ..] if negotiated => rest,
            _ => bytes,
        };
        match bytes {
            [22, 3, ..] if negotiated => {
                Said::new(&ANSWER, 16, "server answers the request by letters, then TLS").into()
            }
            [b'R', 0, 0, 0, 8..=64, 0, 0, 0, 0..=12, ..] => {
                let count = chain(bytes, 5, |b| Some(1 + be32(b, 1)? as usize)).unwrap_or(1);
                let bits = if asked { 22 } else { (count * 6).min(18) };
                Said::new(&ANSWER, bits, "server requests or accepts authentication").into()
            }
            [b'E', 0, 0, _, _, b'S', rest @ ..] => {
                let severity = [&b"FATAL\0"[..], b"ERROR\0", b"PANIC\0"].iter().any(|s| rest.starts_with(s));
                if severity || (asked && rest.contains(&0)) {
                    Said::new(&ANSWER, 22, "server reports an error with its fields").into()
                } else {
                    Opening::Foreign
                }
            }
            [b'R' | b'E' | b'N' | b'S', rest @ ..] if rest.len() < 8 => Opening::Short,
            [b'v', 0, 0, 0, ..] if asked => Said::new(&ANSWER, 10, "server negotiates the minor version").into(),
            [] => Opening::Short,
            [b'N' | b'S' | b'G', ..] if client.is_empty() => Opening::Short,
            _ => Opening::Foreign,
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let measure = if role == Role::Client { request } else { response };
        joined::opening(joined::heaviest(bytes, 5, measure), &MESSAGES, role)
    }
}

/// Type, length of the message on the wire and what is visible of its content.
fn message(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (kind, length) = (*bytes.first()?, be32(bytes, 1).filter(|n| (4..1 << 24).contains(n))? as usize);
    let content = bytes.get(5..)?;
    Some((kind, 1 + length, content.get(..(length - 4).min(content.len()))?))
}

/// A client's message on the wire: its length and what it proves.
fn request(bytes: &[u8]) -> Option<(usize, i32)> {
    let (kind, length, content) = message(bytes)?;
    let whole = content.len() + 5 == length;
    let bits = match kind {
        // Query: text that its NUL ends.
        b'Q' => match content.split_last() {
            Some((0, query)) if whole && query.len() > 4 && text::is_text(query) => 14,
            _ if whole => return None,
            _ => text::is_text(content).then_some(4)?,
        },
        // Sync, flush, terminate, copy done.
        b'S' | b'H' | b'X' | b'c' => (length == 5).then_some(6)?,
        // Parse: the statement's name, the query, its parameters' types.
        b'P' => {
            let (name, rest) = content.split_at_checked(content.iter().position(|&b| b == 0)?)?;
            let query = rest.get(1..)?;
            let query = query.get(..query.iter().position(|&b| b == 0)?)?;
            (text::is_text(name) && query.len() > 4 && text::is_text(query)).then_some(10)?
        }
        b'D' | b'C' => matches!(content, [b'S' | b'P', ..]).then_some(4)?,
        b'B' | b'E' | b'F' | b'd' | b'f' | b'p' => 0,
        _ => return None,
    };
    Some((length, bits))
}

/// A server's message on the wire: its length and what it proves.
fn response(bytes: &[u8]) -> Option<(usize, i32)> {
    let (kind, length, content) = message(bytes)?;
    let whole = content.len() + 5 == length;
    let bits = match (kind, content) {
        // Ready for query: idle, in a transaction, in a failed one.
        (b'Z', [] | [b'I' | b'T' | b'E']) => (length == 6).then_some(if whole { 14 } else { 4 })?,
        // The tag of a completed command.
        (b'C', [tag @ .., 0]) if whole => {
            (tag.len() > 1 && text::is_text(tag) && tag.first()?.is_ascii_uppercase()).then_some(8)?
        }
        (b'D', _) if whole => columns(content).then_some(6)?,
        (b'E' | b'N', [b'S', ..]) => 6,
        (b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c', _) => (length == 5).then_some(5)?,
        (b'T', [0, _, ..]) => 3,
        (b'S', [name, ..]) => name.is_ascii_alphabetic().then_some(3)?,
        (b'D' | b'C' | b'T' | b'A' | b'G' | b'H' | b'W' | b'd' | b't' | b'V' | b'K' | b'R', _)
            if !whole || length > 5 =>
        {
            0
        }
        _ => return None,
    };
    Some((length, bits))
}

/// Whether the columns of a row fill it: their number, then a length of four bytes and a value each; -1 is NULL.
fn columns(row: &[u8]) -> bool {
    let Some((count, mut rest)) = be16(row, 0).zip(row.get(2..)) else { return false };
    for _ in 0..count {
        let Some(length) = be32(rest, 0) else { return false };
        let length = if length == u32::MAX { 0 } else { length as usize };
        let Some(after) = rest.get(4 + length..) else { return false };
        rest = after;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn startup_and_authentication() {
        let client = b"\x00\x00\x00\x1a\x00\x03\x00\x00user\x00joe\x00database\x00x\x00\x00";
        let finding = found(&Postgresql, client, b"R\x00\x00\x00\x0c\x00\x00\x00\x05abcd").unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(46), "joe"));
        assert!(found(&Postgresql, &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], b"S").is_some());
        assert!(excluded(&Postgresql, client, b"HTTP/1.1 400\r\n"));
    }
    #[test]
    fn messages_chain_when_joined_in_the_middle() {
        let message =
            |kind: u8, content: &[u8]| [&[kind][..], &(content.len() as u32 + 4).to_be_bytes(), content].concat();
        let asked = message(b'Q', b"SELECT 1;\0");
        let answered = [
            message(b'D', &[0, 2, 0, 0, 0, 1, b'1', 0xff, 0xff, 0xff, 0xff]),
            message(b'C', b"SELECT 1\0"),
            message(b'Z', b"I"),
        ]
        .concat();
        let finding = joined(&Postgresql, &asked, &answered).unwrap();
        assert_eq!((finding.server, finding.bits()), (Some(crate::flow::Dir::Responder), Bits::whole(28)));
        assert!(joined(&Postgresql, &message(b'Q', b"SELECT 1;"), &message(b'D', &[0, 2, 0])).is_none());
    }
}
