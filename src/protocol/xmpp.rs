//! XMPP: each side opens an XML stream with the namespace of Jabber streams (RFC 6120 section 4.2).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// A stream header with the namespace: long fixed text. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "xmpp.client-stream", cap: Bits::whole(24) };
/// The same from the server.
static SERVER: Family = Family { id: "xmpp.server-stream", cap: Bits::whole(30) };

/// The recogniser.
pub(super) struct Xmpp;

impl Dialogue for Xmpp {
    const NAME: &'static str = "xmpp";
    const REFERENCE: &'static str = "RFC 6120";

    fn client(&self, bytes: &[u8]) -> Opening {
        stream(bytes, &CLIENT, 24, "client")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        stream(bytes, &SERVER, 30, "server")
    }
}

fn stream(bytes: &[u8], family: &'static Family, bits: i32, who: &str) -> Opening {
    if bytes.trim_ascii_start().first().is_some_and(|&b| b != b'<') {
        return Opening::Foreign;
    }
    let head = bytes.get(..bytes.len().min(1024)).unwrap_or_default();
    let namespace = text::contains(head, b"http://etherx.jabber.org/streams") || text::contains(head, b"jabber:");
    if text::contains(head, b"<stream:stream") && namespace {
        let to = attribute(head, b" to=").or_else(|| attribute(head, b" from="));
        return Said::new(family, bits, format!("{who} opens a stream of Jabber")).detail("host", to).into();
    }
    let xml =
        [&b"<?xml"[..], b"<stream:"].iter().any(|s| text::start(bytes.trim_ascii_start(), s) != text::Start::Other);
    if xml && bytes.len() < 1024 && text::is_text(bytes) { Opening::Short } else { Opening::Foreign }
}

fn attribute<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(name.len()).position(|w| w == name)?;
    let (quote, rest) = bytes.get(at + name.len()..)?.split_first()?;
    rest.split(|b| b == quote).next()
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn streams() {
        let client = b"<?xml version='1.0'?><stream:stream to='a.io' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>";
        let finding = found(&Xmpp, client, client).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(54), "a.io"));
        assert!(excluded(&Xmpp, client, b"HTTP/1.1 400\r\n"));
        assert!(!excluded(&Xmpp, &client[..20], &client[..30]));
    }
}
