//! Java RMI's wire protocol, JRMP (Java RMI Specification, chapter 10), under cajo on 1198 as well.
//!
//! The client sends "JRMI", the version and one of three protocols. To the stream protocol the server answers with the
//! client's host and port as it sees them; to a single operation with the serialised return value.

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::joined::Joined;
use super::{Bits, Family, text};

/// Seven bytes with 54 fixed bits. From a client alone it may be a probe.
static HEADER: Family = Family { id: "java-rmi.header", cap: Bits::whole(26) };
/// ProtocolAck and an address in text whose length agrees: over 30 bits. Without the header it would be a common shape.
static ACK: Family = Family { id: "java-rmi.protocol-ack", cap: Bits::whole(18) };

/// Joined in the middle: a segment begins with a call and the identifiers of an object and a method, or with a return and
/// its identifier, in a serialisation's first block: 56 fixed bits and more, less six for the search.
static CALLS: [Family; 2] = [
    Family { id: "java-rmi.later-call", cap: Bits::whole(18) },
    Family { id: "java-rmi.later-return", cap: Bits::whole(18) },
];

/// The recogniser.
pub(super) struct JavaRmi;

impl Dialogue for JavaRmi {
    const NAME: &'static str = "java-rmi";
    const REFERENCE: &'static str = "Java RMI Specification 10.2";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, b"JRMI").then(|| match bytes.get(4..) {
            Some([0, 1 | 2, 0x4b..=0x4d, ..]) => {
                Said::new(&HEADER, 26, "client opens with the magic, version and protocol of RMI").into()
            }
            Some(rest) if rest.len() < 3 => Opening::Short,
            _ => Opening::Foreign,
        })
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        if !client.starts_with(b"JRMI") {
            return if client.is_empty() { Opening::Short } else { Opening::Foreign };
        }
        match bytes {
            [0x4e, rest @ ..] => {
                let Some(length) = be16(rest, 0) else { return Opening::Short };
                let Some(host) = rest.get(2..2 + length) else {
                    return if length < 256 { Opening::Short } else { Opening::Foreign };
                };
                let sane = (2..256).contains(&length) && host.iter().all(|b| b.is_ascii_graphic());
                Opening::or_foreign(sane.then(|| Said::new(&ACK, 18, "server acknowledges with the client's address")))
            }
            [0x51, 0xac, 0xed, 0, 5, ..] => Said::new(&ACK, 18, "server returns a serialised Java object").into(),
            [0x51, ..] if bytes.len() < 5 => Opening::Short,
            [0x4f, ..] => Said::new(&ACK, 4, "server does not support the protocol").into(),
            _ => Opening::Foreign,
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let begins = |segment: &[u8]| match role {
            Role::Client => segment.starts_with(&[0x50, 0xac, 0xed, 0, 5, 0x77, 0x22]),
            Role::Server => matches!(segment, [0x51, 0xac, 0xed, 0, 5, 0x77, 0x0f, 1 | 2, ..]),
        };
        match (bytes.segments().any(begins), role) {
            (true, Role::Client) => Said::new(&CALLS[0], 18, "a segment begins with a call of a remote method").into(),
            (true, Role::Server) => Said::new(&CALLS[1], 18, "a segment begins with a remote method's return").into(),
            (false, _) => Opening::Neutral,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn stream_protocol() {
        let finding = found(&JavaRmi, b"JRMI\x00\x02\x4b", b"\x4e\x00\x09127.0.0.1\x00\x00\x86\x92").unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(44), [true, true]));
        assert!(excluded(&JavaRmi, b"JRMI\x00\x02\x4b", b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(!excluded(&JavaRmi, b"JRMI\x00\x02\x4b", b"\x4e\x00\x09127"));
        let call = b"\x50\xac\xed\0\x05\x77\x22\0\0\0\0";
        assert_eq!(joined(&JavaRmi, call, b"\x51\xac\xed\0\x05\x77\x0f\x01").unwrap().bits(), Bits::whole(36));
        assert!(joined(&JavaRmi, &call[1..], &call[1..]).is_none());
    }
}
