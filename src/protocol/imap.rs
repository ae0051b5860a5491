//! IMAP: an untagged greeting, then tagged commands and replies that repeat the tag (RFC 9051 section 2.2).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// "* OK", "* PREAUTH" or "* BYE" as the first words; with the word IMAP in it nothing else says so.
static GREETING: Family = Family { id: "imap.greeting", cap: Bits::whole(26) };
/// A tag and a command of IMAP.
static COMMAND: Family = Family { id: "imap.command", cap: Bits::whole(16) };
/// A reply with the client's tag.
static TAGGED: Family = Family { id: "imap.tagged-reply", cap: Bits::whole(14) };

const COMMANDS: &[&str] = &[
    "CAPABILITY",
    "LOGIN",
    "AUTHENTICATE",
    "STARTTLS",
    "ID",
    "NOOP",
    "LOGOUT",
    "SELECT",
    "EXAMINE",
    "LIST",
    "NAMESPACE",
    "ENABLE",
    "STATUS",
    "UID",
    "FETCH",
    "IDLE",
];

/// The recogniser.
pub(super) struct Imap;

/// The tag and the command word of the client's first line.
fn tag(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // A tag has at most 32 characters here, and a command 12.
    let (tag, rest) = text::word(bytes.get(..bytes.len().min(48))?)?;
    let (command, _) = text::word(rest.strip_prefix(b" ")?)?;
    // "AUTH LOGIN" is a command of SMTP and POP3.
    let sane = (1..=32).contains(&tag.len())
        && tag.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'.')
        && !tag.eq_ignore_ascii_case(b"AUTH");
    let known = COMMANDS.iter().any(|c| command.eq_ignore_ascii_case(c.as_bytes()));
    (sane && known).then_some((tag, command))
}

impl Dialogue for Imap {
    const NAME: &'static str = "imap";
    const REFERENCE: &'static str = "RFC 9051";
    const LINES: bool = true;

    fn client(&self, bytes: &[u8]) -> Opening {
        if let Some((tag, _)) = tag(bytes) {
            // Three digits could be a reply of FTP's or SMTP's.
            let bits = if tag.len() == 3 && tag.iter().all(u8::is_ascii_digit) { 8 } else { 16 };
            return Said::new(&COMMAND, bits, "client begins with a tagged command of IMAP").into();
        }
        if bytes.len() < 48 && !bytes.contains(&b'\n') && text::is_text(bytes) {
            Opening::Short
        } else {
            Opening::Foreign
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        text::start(bytes, b"* ").then(|| {
            let Some((line, _)) = text::line(bytes) else {
                return if text::is_text(bytes) && bytes.len() < 2048 { Opening::Short } else { Opening::Foreign };
            };
            let status = line.get(2..).unwrap_or_default();
            if ![&b"OK"[..], b"PREAUTH", b"BYE"].iter().any(|w| status.starts_with(w)) {
                return Opening::Foreign;
            }
            let named = text::contains(status, b"IMAP");
            let said = Said::new(&GREETING, if named { 26 } else { 18 }, "server greets as IMAP does")
                .detail("greeting", Some(status));
            let tagged = tag(client).map(|(tag, _)| [tag, b" "].concat());
            match tagged.filter(|tag| text::lines(bytes).any(|l| l.starts_with(tag))) {
                Some(_) => said.and(&TAGGED, 14, line.len(), "server's reply carries the client's tag").into(),
                None => said.unfinished(bytes.len() < 2048).into(),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting_and_tag() {
        let server = b"* OK [CAPABILITY IMAP4rev1] ready\r\n* CAPABILITY IMAP4rev1\r\na1 OK done\r\n";
        let finding = found(&Imap, b"a1 CAPABILITY\r\n", server).unwrap();
        assert_eq!((finding.bits(), finding.settled), (Bits::whole(16 + 26 + 14), true));
        assert!(excluded(&Imap, b"", b"*1\r\n"));
        assert!(found(&Imap, b"AUTH LOGIN\r\n", b"").is_none());
    }
}
