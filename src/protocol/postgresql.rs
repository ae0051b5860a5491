//! PostgreSQL: a startup packet without a type, then typed messages with a length (PostgreSQL documentation, "Message
//! Formats").
//!
//! ```text
//! length (4) | 00 03 00 00 | "user" 00 name 00 … 00        startup, version 3
//! 00000008 | 04D2162F                                      request for TLS, answered by one byte S or N
//! type | length (4) | …                                    everything after
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::{be32, chain};
use super::{Bits, Family, text};

/// Eight fixed bytes, or a version and the word "user": over 60 bits. From a client alone it may be a probe.
static STARTUP: Family = Family { id: "postgresql.startup", cap: Bits::whole(24) };
/// A byte to the request for TLS is little; an authentication request or an error with its fields is much.
static ANSWER: Family = Family { id: "postgresql.answer", cap: Bits::whole(22) };

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
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn startup_and_authentication() {
        let client = b"\x00\x00\x00\x1a\x00\x03\x00\x00user\x00joe\x00database\x00x\x00\x00";
        let finding = found(&Postgresql, client, b"R\x00\x00\x00\x0c\x00\x00\x00\x05abcd").unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(46), "joe"));
        assert!(found(&Postgresql, &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], b"S").is_some());
        assert!(excluded(&Postgresql, client, b"HTTP/1.1 400\r\n"));
    }
}
