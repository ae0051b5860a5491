//! Gopher: one line of selector, a menu of lines with type, text, selector, host and port (RFC 1436 section 3.9).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, counted, text};

/// Each menu line has a type of a short list, three tabs and a port in digits: rare by chance and in other protocols.
static MENU: Family = Family { id: "gopher.menu", cap: Bits::whole(30) };

/// The recogniser.
pub(super) struct Gopher;

impl Dialogue for Gopher {
    const NAME: &'static str = "gopher";
    const REFERENCE: &'static str = "RFC 1436";

    /// A selector, which proves nothing.
    fn client(&self, bytes: &[u8]) -> Opening {
        if is_selector(bytes) { Opening::Neutral } else { Opening::Foreign }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let fits = |line: &[u8]| {
            let kind = line.first().is_some_and(|b| {
                matches!(b, b'0'..=b'9' | b'+' | b'T' | b'g' | b'I' | b'h' | b'i' | b's' | b'd' | b'p')
            });
            let port = |port: &[u8]| (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit);
            kind && line.split(|&b| b == b'\t').nth(3).is_some_and(port)
        };
        let lines = || text::lines(bytes).take(4).filter(|l| *l != b".");
        // What one line asks for may be a document, and that may be anything.
        let document = || if is_selector(client) { Opening::Neutral } else { Opening::Foreign };
        if !lines().all(fits) {
            return document();
        }
        match lines().count() as i32 {
            0 if bytes.len() > 512 || !text::is_text(bytes) => document(),
            0 => Opening::Short,
            count => Said::new(&MENU, 6 + count * 10, counted!("the first {count} lines are of a Gopher menu", count))
                .unfinished(count < 3)
                .into(),
        }
    }
}

/// Whether what a client has sent can be a selector: one line at most. It may be on its way.
fn is_selector(bytes: &[u8]) -> bool {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.len() < 512 && !line.contains(&b'\n') && text::is_text(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn a_menu() {
        let server = b"iWelcome\t\terror.host\t1\r\n1Files\t/files\ta.io\t70\r\n.\r\n";
        assert_eq!(found(&Gopher, b"\r\n", server).unwrap().bits(), Bits::whole(26));
        assert!(excluded(&Gopher, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 400 Bad\r\n"));
        assert!(excluded(&Gopher, b"USER a\r\nPASS b\r\n", b"220 ready\r\n"));
    }

    #[test]
    fn a_document_may_be_anything() {
        assert!(!excluded(&Gopher, b"/about.txt\r\n", b"about this server\n"));
        assert!(!excluded(&Gopher, b"/a.gif\r\n", b"GIF89a\0\xff"));
    }
}
