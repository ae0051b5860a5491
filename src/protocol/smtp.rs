//! SMTP and LMTP: the server greets with a reply code, the client says EHLO, HELO or LHLO (RFC 5321 section 4.1).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, counted, text};

/// A greeting with a reply code; FTP's looks alike. With the word SMTP in it nothing else does.
static GREETING: Family = Family { id: "smtp.greeting", cap: Bits::whole(24) };
/// The three commands are SMTP's alone. From a client alone they may be a probe.
static HELLO: Family = Family { id: "smtp.hello", cap: Bits::whole(18) };
/// The reply to the hello has code 250.
static REPLY: Family = Family { id: "smtp.hello-reply", cap: Bits::whole(10) };

/// Joined in the middle: a line with a command and a path in angle brackets, as only SMTP has it, and a side of which every
/// line is a reply. Replies alone are FTP's and NNTP's as well.
static MIDDLE: [Family; 2] =
    [Family { id: "smtp.path", cap: Bits::whole(15) }, Family { id: "smtp.replies", cap: Bits::whole(6) }];
/// Replies that have a code of their own or one with the three numbers of an enhanced code behind it, whose first is the
/// code's first (RFC 3463): 25 bits by chance, and no other protocol has them. A server is rarely asked by mistake so late.
static CODES: Family = Family { id: "smtp.reply-codes", cap: Bits::whole(18) };

/// The recogniser.
pub(super) struct Smtp;

impl Dialogue for Smtp {
    const NAME: &'static str = "smtp";
    const REFERENCE: &'static str = "RFC 5321";
    const LINES: bool = true;

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

    fn joined(&self, bytes: &Joined<'_>, role: Role, other: &[u8]) -> Opening {
        // What is joined in the middle of a message is text; a command stands in one of the first lines.
        let path = |bytes: &[u8]| text::lines(bytes).take(8).any(names_a_path);
        match role {
            Role::Client if path(bytes) => Said::new(&MIDDLE[0], 15, "client names a path as in SMTP").into(),
            Role::Client => Opening::Neutral,
            Role::Server => {
                let replies = text::lines(bytes).count() > 0 && text::lines(bytes).all(is_reply);
                if !replies {
                    return Opening::Foreign;
                }
                let own: i32 = text::lines(bytes).map(own_reply).sum();
                match (own, path(other)) {
                    (0, true) => Said::new(&MIDDLE[1], 6, "server sends replies and nothing else").into(),
                    (0, false) => Opening::Short,
                    (bits, _) => {
                        Said::new(&CODES, bits, "server sends replies and nothing else, with codes of SMTP's own")
                            .into()
                    }
                }
            }
        }
    }
}

/// Whether a line is one of a reply.
fn is_reply(line: &[u8]) -> bool {
    matches!(line, [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9'] | [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-', ..])
}

/// What a line of a reply proves, in bits: an enhanced code, or what only "354" (RFC 5321 section 4.2.3) says.
fn own_reply(line: &[u8]) -> i32 {
    let (Some((class, _)), Some(text)) = (line.split_first(), line.get(4..)) else { return 0 };
    let code = text::word(text).map_or(text, |(code, _)| code);
    let mut numbers = code.split(|&b| b == b'.');
    let number = |n: Option<&[u8]>| n.is_some_and(|n| (1..=3).contains(&n.len()) && n.iter().all(u8::is_ascii_digit));
    let enhanced = numbers.next() == Some(&[*class])
        && number(numbers.next())
        && number(numbers.next())
        && numbers.next().is_none();
    let data = line.starts_with(b"354 ") && text::contains(text, b"<CR");
    match (enhanced, data) {
        (true, _) => 8,
        (_, true) => 12,
        _ => 0,
    }
}

/// Whether a line is MAIL or RCPT with a path (RFC 5321 sections 4.1.1.2 and 4.1.1.3).
fn names_a_path(line: &[u8]) -> bool {
    let command = |name: &[u8]| {
        line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
            && line
                .get(name.len()..)
                .is_some_and(|path| path.trim_ascii_start().starts_with(b"<") && path.contains(&b'>'))
    };
    command(b"MAIL FROM:") || command(b"RCPT TO:")
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
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

    #[test]
    fn joined_in_the_middle_by_its_paths() {
        let finding =
            joined(&Smtp, b"MAIL FROM:<a@example.org> SIZE=9\r\nRCPT TO:<b@example.org>\r\n", b"250 OK\r\n").unwrap();
        assert_eq!((finding.bits(), finding.server), (Bits::whole(21), Some(crate::flow::Dir::Responder)));
        let replies = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n";
        assert_eq!(joined(&Smtp, b"", replies).unwrap().bits(), Bits::whole(18));
        assert!(joined(&Smtp, b"", b"250 1.1.0 Ok\r\n250 CWD 2.1.5\r\n").is_none());
        assert!(joined(&Smtp, b"250 OK\r\n", b"LIST\r\n").is_none_or(|f| f.bits() < Bits::whole(14)));
        assert!(joined(&Smtp, b"MAIL FROM: me\r\n", b"250 OK\r\n").is_none());
    }
}
