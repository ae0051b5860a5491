//! Java RMI's wire protocol, JRMP (Java RMI Specification, chapter 10), under cajo on 1198 as well.
//!
//! The client sends "JRMI", the version and one of three protocols. To the stream protocol the server answers with the
//! client's host and port as it sees them; to a single operation with the serialised return value.

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::be16;
use super::{Bits, Family, text};

/// Seven bytes with 54 fixed bits. From a client alone it may be a probe.
static HEADER: Family = Family { id: "java-rmi.header", cap: Bits::whole(26) };
/// ProtocolAck and an address in text whose length agrees: over 30 bits. Without the header it would be a common shape.
static ACK: Family = Family { id: "java-rmi.protocol-ack", cap: Bits::whole(18) };

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
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn stream_protocol() {
        let finding = found(&JavaRmi, b"JRMI\x00\x02\x4b", b"\x4e\x00\x09127.0.0.1\x00\x00\x86\x92").unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(44), [true, true]));
        assert!(excluded(&JavaRmi, b"JRMI\x00\x02\x4b", b"HTTP/1.1 400 Bad Request\r\n"));
        assert!(!excluded(&JavaRmi, b"JRMI\x00\x02\x4b", b"\x4e\x00\x09127"));
    }
}
