//! SMTP and LMTP: the server greets with a reply code, the client says EHLO, HELO or LHLO (RFC 5321 section 4.1).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, counted, text};

/// A greeting with a reply code; FTP's looks alike. With the word SMTP in it nothing else does.
static GREETING: Family = Family { id: "smtp.greeting", cap: Bits::whole(24) };
/// The three commands are SMTP's alone. From a client alone they may be a probe.
static HELLO: Family = Family { id: "smtp.hello", cap: Bits::whole(18) };
/// The reply to the hello has code 250.
static REPLY: Family = Family { id: "smtp.hello-reply", cap: Bits::whole(10) };

/// The recogniser.
pub(super) struct Smtp;

impl Dialogue for Smtp {
    const NAME: &'static str = "smtp";
    const REFERENCE: &'static str = "RFC 5321";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, &["EHLO", "HELO", "LHLO"]).then(|| {
            let name = text::line(bytes).map(|(line, _)| line.get(4..).unwrap_or_default().trim_ascii());
            Said::new(&HELLO, 18, "client says hello as in SMTP").detail("hello", name).into()
        })
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let Some((code, greeting)) = text::reply(bytes) else {
            return if text::may_become_reply(bytes) { Opening::Short } else { Opening::Foreign };
        };
        if !matches!(code, 220 | 421 | 521 | 554) {
            return Opening::Foreign;
        }
        let named = text::contains(greeting, b"SMTP") || text::contains(greeting, b"LMTP");
        let said = Said::new(&GREETING, if named { 24 } else { 8 }, counted!("server greets with code {code}", code))
            .detail("greeting", Some(greeting));
        let accepted = text::lines(bytes).any(|l| l.starts_with(b"250"));
        match accepted && matches!(self.client(client), Opening::Spoken(_)) {
            true => said.and(&REPLY, 10, 0, "server accepts the hello with code 250").into(),
            false => said.unfinished(bytes.len() < 1024).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting_and_hello() {
        let finding = found(&Smtp, b"EHLO me\r\n", b"220 mx ESMTP Exim\r\n250-mx Hello\r\n250 HELP\r\n").unwrap();
        assert_eq!((finding.bits(), finding.settled), (Bits::whole(52), true));
        assert!(found(&Smtp, b"", b"220 mx ESMTP Exim\r\n").is_some());
    }

    #[test]
    fn a_bare_greeting_is_not_enough() {
        assert!(found(&Smtp, b"USER me\r\n", b"220 hello\r\n331 password\r\n").is_none());
        assert!(excluded(&Smtp, b"", b"+OK ready\r\n"));
        assert!(!excluded(&Smtp, b"", b"22"));
    }
}
