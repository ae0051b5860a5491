//! OPC UA's binary connection protocol (OPC 10000-6 section 7.1.2).
//!
//! ```text
//! 'HEL' 'ACK' 'ERR' 'RHE' | 'F' | length (4, LE) | protocol version (4) | …
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::le32;
use super::{Bits, Family, text};

/// "HELF" and a length below 4,096: over 50 bits. From a client alone it may be a probe.
static HELLO: Family = Family { id: "opcua.hello", cap: Bits::whole(24) };
/// "ACKF" with length 28, or "ERRF".
static ANSWER: Family = Family { id: "opcua.acknowledge", cap: Bits::whole(28) };

/// The recogniser.
pub(super) struct Opcua;

impl Dialogue for Opcua {
    const NAME: &'static str = "opcua";
    const REFERENCE: &'static str = "OPC 10000-6";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, b"HELF").then(|| match le32(bytes, 4) {
            None => Opening::Short,
            Some(length @ 32..=8192) => {
                let url = bytes.get(32..(length as usize).min(bytes.len()));
                Said::new(&HELLO, 24, "client says hello as in OPC UA").detail("url", url).into()
            }
            Some(_) => Opening::Foreign,
        })
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        let fits = match bytes.first() {
            Some(b'A') => text::start(bytes, b"ACKF\x1c\0\0\0"),
            _ => text::start(bytes, b"ERRF"),
        };
        fits.then(|| Said::new(&ANSWER, 28, "server acknowledges as in OPC UA").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn hello() {
        let mut client = b"HELF\x30\0\0\0".to_vec();
        client.extend([0; 20]);
        client.extend(b"\x10\0\0\0opc.tcp://a.io:1");
        let finding = found(&Opcua, &client, b"ACKF\x1c\0\0\0\0\0").unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(52), "opc.tcp://a.io:1"));
        assert!(excluded(&Opcua, &client, b"ACKF\x1d\0\0\0"));
    }
}
