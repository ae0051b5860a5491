//! Finger: one line of query, an answer with the words of the usual servers (RFC 1288 section 2).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// "Login:" and "Name:" in the first lines, or a table with that head.
static ANSWER: Family = Family { id: "finger.answer", cap: Bits::whole(26) };

/// The recogniser.
pub(super) struct Finger;

impl Dialogue for Finger {
    const NAME: &'static str = "finger";
    const REFERENCE: &'static str = "RFC 1288";

    /// A line with a name, which proves nothing.
    fn client(&self, bytes: &[u8]) -> Opening {
        if bytes.len() < 256 && text::is_text(bytes) { Opening::Neutral } else { Opening::Foreign }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let head = bytes.get(..bytes.len().min(512)).unwrap_or_default();
        if text::is_coded(bytes) || matches!(self.client(client), Opening::Foreign) || !text::is_text(head) {
            return Opening::Foreign;
        }
        let line =
            text::lines(head).find(|l| text::start_any_case(l, b"Login") == text::Start::Same).unwrap_or_default();
        if text::contains(line, b"Name")
            && (line.starts_with(b"Login: ") || text::contains(line, b"Tty") || text::contains(line, b"TTY"))
        {
            return Said::new(&ANSWER, 26, "server lists login and name as finger does").into();
        }
        if text::contains(head, b": no such user") && client.len() > 2 {
            return Said::new(&ANSWER, 18, "server knows no such user").into();
        }
        if bytes.len() < 512 { Opening::Short } else { Opening::Foreign }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn an_answer() {
        let server = b"\r\nLogin: joe\t\t\tName: Joe\r\nDirectory: /home/joe\r\n";
        assert_eq!(found(&Finger, b"joe\r\n", server).unwrap().spoke, [false, true]);
        assert!(excluded(&Finger, b"joe\r\n", b"\x00\x01"));
    }
}
