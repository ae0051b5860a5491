//! NNTP: a greeting with code 200 or 201, then commands of news (RFC 3977).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, counted, text};

/// Code 200 or 201 first; other servers with reply codes greet with 220. With NNTP or news in it, nothing else does.
static GREETING: Family = Family { id: "nntp.greeting", cap: Bits::whole(20) };
/// MODE READER, GROUP and the like are of news alone.
static COMMAND: Family = Family { id: "nntp.command", cap: Bits::whole(14) };
/// A second reply with a code of NNTP's.
static REPLY: Family = Family { id: "nntp.reply", cap: Bits::whole(8) };

/// The recogniser.
pub(super) struct Nntp;

const COMMANDS: &[&str] = &[
    "MODE",
    "CAPABILITIES",
    "GROUP",
    "LIST",
    "ARTICLE",
    "HEAD",
    "BODY",
    "AUTHINFO",
    "XOVER",
    "OVER",
    "POST",
    "IHAVE",
    "LISTGROUP",
    "NEWNEWS",
    "NEWGROUPS",
    "XHDR",
    "DATE",
    "STARTTLS",
    "HELP",
];

impl Dialogue for Nntp {
    const NAME: &'static str = "nntp";
    const REFERENCE: &'static str = "RFC 3977";
    const LINES: bool = true;

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, COMMANDS).then(|| {
            let line = text::line(bytes).map_or(bytes, |(line, _)| line);
            if text::contains(line, b" HTTP/") || (text::start(line, b"MODE") == text::Start::Same && line.len() < 10) {
                return Opening::Foreign;
            }
            let own = [
                &b"MODE READER"[..],
                b"GROUP",
                b"AUTHINFO",
                b"ARTICLE",
                b"XOVER",
                b"CAPABILITIES",
                b"IHAVE",
                b"LISTGROUP",
            ];
            let bits = if own.iter().any(|w| text::start_any_case(line, w) == text::Start::Same) { 14 } else { 4 };
            Said::new(&COMMAND, bits, "client begins with a command of NNTP").into()
        })
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let Some((code, greeting)) = text::reply(bytes) else {
            return if text::may_become_reply(bytes) { Opening::Short } else { Opening::Foreign };
        };
        if !matches!(code, 200 | 201 | 400 | 480 | 502) {
            return Opening::Foreign;
        }
        let named =
            text::contains(greeting, b"NNTP") || text::contains(greeting, b"news") || text::contains(greeting, b"INN ");
        let said = Said::new(&GREETING, if named { 20 } else { 6 }, counted!("server greets with code {code}", code))
            .detail("greeting", Some(greeting));
        let commanded = matches!(self.client(client), Opening::Spoken(_));
        let reply = text::lines(bytes).nth(1).and_then(|l| l.get(..3));
        match reply {
            Some(
                b"200" | b"201" | b"101" | b"111" | b"211" | b"215" | b"220" | b"221" | b"281" | b"381" | b"480"
                | b"224" | b"100",
            ) if commanded => said.and(&REPLY, 8, 0, "server replies to the command as NNTP does").into(),
            _ => said.unfinished(bytes.len() < 1024).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting_and_command() {
        let finding = found(&Nntp, b"MODE READER\r\n", b"200 Leafnode NNTP Daemon\r\n200 posting allowed\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(42));
        assert!(excluded(&Nntp, b"", b"220 ftp\r\n"));
        assert!(found(&Nntp, b"HEAD / HTTP/1.0\r\n", b"").is_none());
    }
}
