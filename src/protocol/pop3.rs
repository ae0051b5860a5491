//! POP3: the server greets with "+OK", the client says USER, CAPA, AUTH, APOP or STLS (RFC 1939, RFC 2449).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, text};

/// "+OK" before the client has said anything; Redis says it only as an answer, and
/// bare. A word of POP in the greeting adds.
static GREETING: Family = Family { id: "pop3.greeting", cap: Bits::whole(18) };
/// USER is a command of FTP and IRC too; the others are POP3's.
static COMMAND: Family = Family { id: "pop3.command", cap: Bits::whole(12) };
/// Further commands that POP3 alone has, in their own form: words of three or four letters and numbers, 15 bits and more
/// by chance. What a client says alone may be a probe.
static FURTHER: Family = Family { id: "pop3.further-commands", cap: Bits::whole(10) };
/// The same, joined in the middle: nothing else is among the lines.
static LINES: Family = Family { id: "pop3.client-lines", cap: Bits::whole(16) };
/// A second status line, to the command.
static REPLY: Family = Family { id: "pop3.reply", cap: Bits::whole(10) };

/// The recogniser.
pub(super) struct Pop3;

impl Dialogue for Pop3 {
    const NAME: &'static str = "pop3";
    const REFERENCE: &'static str = "RFC 1939";
    const LINES: bool = true;

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, &["USER", "CAPA", "AUTH", "APOP", "STLS", "QUIT"]).then(|| {
            let shared =
                [&b"USER"[..], b"AUTH", b"QUIT"].iter().any(|w| text::start_any_case(bytes, w) == text::Start::Same);
            let said = Said::new(&COMMAND, if shared { 6 } else { 12 }, "client begins with a command of POP3");
            match further(bytes) {
                0 => said,
                bits => said.and(&FURTHER, bits, 6, "more commands that only POP3 has, and no other ones"),
            }
            .unfinished(bytes.len() < 256)
            .into()
        })
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        match role {
            Role::Client => match further(bytes) {
                0 if bytes.len() < 256 => Opening::Short,
                0 => Opening::Foreign,
                bits => Said::new(&LINES, bits, "client sends commands of POP3 and nothing else").into(),
            },
            Role::Server => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        text::start(bytes, b"+OK").then(|| {
            let Some((line, rest)) = text::line(bytes) else {
                return if bytes.len() < 512 { Opening::Short } else { Opening::Foreign };
            };
            let greeting = line.get(3..).unwrap_or_default();
            if !matches!(greeting, [] | [b' ', ..]) || client.first() == Some(&b'*') {
                return Opening::Foreign;
            }
            let named = text::contains(greeting, b"POP") || greeting.ends_with(b">");
            let bits = match (named, greeting) {
                (true, _) => 18,
                (false, []) => 4,
                (false, _) => 12,
            };
            let said = Said::new(&GREETING, bits, "server greets with +OK").detail("greeting", Some(greeting));
            let commanded = matches!(self.client(client), Opening::Spoken(_));
            match rest {
                [b'+', b'O', b'K', ..] | [b'-', b'E', b'R', b'R', ..] | [b'+', b' ', ..] if commanded => {
                    said.and(&REPLY, 10, line.len(), "server replies with a status line of POP3").into()
                }
                _ => said.unfinished(true).into(),
            }
        })
    }
}

/// What the client's lines prove; nothing if one of the first is no command of POP3.
fn further(bytes: &[u8]) -> i32 {
    let told: Option<i32> = text::lines(bytes).take(12).map(command).sum();
    told.unwrap_or(0)
}

/// What a client's line proves, in bits; none if it is no command of POP3 (RFC 1939, RFC 2449, RFC 5034).
fn command(line: &[u8]) -> Option<i32> {
    let mut words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let verb = words.next()?.to_ascii_uppercase();
    let number = |word: Option<&[u8]>| word.is_some_and(|w| w.len() < 8 && w.iter().all(u8::is_ascii_digit));
    let (first, second, more) = (words.next(), words.next(), words.next());
    Some(match (verb.as_slice(), first, second) {
        (b"STAT" | b"CAPA" | b"STLS", None, None) => 5,
        (b"UIDL", None, None) => 6,
        (b"UIDL", _, None) if number(first) => 8,
        (b"TOP", ..) if number(first) && number(second) && more.is_none() => 8,
        (b"RETR" | b"DELE", _, None) if number(first) => 5,
        (b"LIST", _, None) if first.is_none() || number(first) => 2,
        (b"NOOP" | b"RSET" | b"QUIT", None, None) | (b"USER" | b"PASS" | b"APOP" | b"AUTH", Some(_), _) => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn greeting_and_login() {
        let finding = found(&Pop3, b"USER me\r\n", b"+OK Dovecot ready.\r\n+OK\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(12 + 6 + 10));
        assert!(found(&Pop3, b"CAPA\r\n", b"+OK POP3 <1@a>\r\n+OK\r\nUSER\r\n.\r\n").is_some());
        assert!(excluded(&Pop3, b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n"));
        assert!(excluded(&Pop3, b"", b"+PONG\r\n"));
    }

    #[test]
    fn commands_of_the_client_alone() {
        assert!(found(&Pop3, b"USER a\r\nPASS b\r\nSTAT\r\nUIDL\r\nRETR 1\r\n", b"").is_some());
        assert!(found(&Pop3, b"USER a\r\nPASS b\r\nSYST\r\nSTAT\r\nRETR 1\r\n", b"").is_none());
        assert_eq!(joined(&Pop3, b"RETR 1\r\nDELE 1\r\nRETR 2\r\nQUIT\r\n", b"").unwrap().bits(), Bits::whole(15));
        assert!(joined(&Pop3, b"RETR a\r\nDELE a\r\nRETR b\r\n", b"").is_none());
    }
}
