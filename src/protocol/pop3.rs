//! POP3: the server greets with "+OK", the client says USER, CAPA, AUTH, APOP or STLS (RFC 1939, RFC 2449).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// "+OK" before the client has said anything; Redis says it only as an answer, and
/// bare. A word of POP in the greeting adds.
static GREETING: Family = Family { id: "pop3.greeting", cap: Bits::whole(18) };
/// USER is a command of FTP and IRC too; the others are POP3's.
static COMMAND: Family = Family { id: "pop3.command", cap: Bits::whole(12) };
/// A second status line, to the command.
static REPLY: Family = Family { id: "pop3.reply", cap: Bits::whole(10) };

/// The recogniser.
pub(super) struct Pop3;

impl Dialogue for Pop3 {
    const NAME: &'static str = "pop3";
    const REFERENCE: &'static str = "RFC 1939";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, &["USER", "CAPA", "AUTH", "APOP", "STLS", "QUIT"]).then(|| {
            let shared =
                [&b"USER"[..], b"AUTH", b"QUIT"].iter().any(|w| text::start_any_case(bytes, w) == text::Start::Same);
            Said::new(&COMMAND, if shared { 6 } else { 12 }, "client begins with a command of POP3").into()
        })
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

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting_and_login() {
        let finding = found(&Pop3, b"USER me\r\n", b"+OK Dovecot ready.\r\n+OK\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(12 + 6 + 10));
        assert!(found(&Pop3, b"CAPA\r\n", b"+OK POP3 <1@a>\r\n+OK\r\nUSER\r\n.\r\n").is_some());
        assert!(excluded(&Pop3, b"*1\r\n$4\r\nPING\r\n", b"+OK\r\n"));
        assert!(excluded(&Pop3, b"", b"+PONG\r\n"));
    }
}
