//! IRC: the client registers with NICK and USER, the server's lines bear its name and a number (RFC 2812 section 3.1).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// One command could be FTP's or POP3's USER; NICK, CAP LS or two together are IRC's.
static REGISTRATION: Family = Family { id: "irc.registration", cap: Bits::whole(22) };
/// ":server 001 nick :text" or ":server NOTICE": over 60 bits by chance.
static SERVER: Family = Family { id: "irc.server-line", cap: Bits::whole(26) };

/// The recogniser.
pub(super) struct Irc;

impl Dialogue for Irc {
    const NAME: &'static str = "irc";
    const REFERENCE: &'static str = "RFC 2812";
    const LINES: bool = true;

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, &["NICK", "USER", "PASS", "CAP"]).then(|| {
            let lines = || text::lines(bytes).take(4);
            let starts = |word: &[u8]| lines().any(|l| text::start_any_case(l, word) == text::Start::Same);
            let full_user = lines().any(|l| {
                text::start_any_case(l, b"USER ") == text::Start::Same && l.split(|&b| b == b' ').count() >= 5
            });
            let bits = [(starts(b"NICK "), 14), (full_user, 12), (starts(b"CAP LS"), 14), (starts(b"JOIN #"), 8)];
            let bits: i32 = bits.iter().filter(|(seen, _)| *seen).map(|(_, bits)| bits).sum();
            let nick =
                lines().find(|l| text::start_any_case(l, b"NICK ") == text::Start::Same).and_then(|l| l.get(5..));
            match bits {
                0 if bytes.len() < 256 => Opening::Short,
                0 => Opening::Foreign,
                bits => Said::new(&REGISTRATION, bits, "client registers as in IRC")
                    .detail("nick", nick)
                    .unfinished(bits < 22 && bytes.len() < 512)
                    .into(),
            }
        })
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        if !matches!(bytes.first(), Some(b':' | b'N' | b'P' | b'E')) {
            return Opening::Foreign;
        }
        let Some((line, _)) = text::line(bytes) else {
            return if text::is_text(bytes) && bytes.len() < 1024 { Opening::Short } else { Opening::Foreign };
        };
        if let Some(plain) =
            [&b"NOTICE AUTH :"[..], b"NOTICE * :", b"PING :", b"ERROR :"].iter().find(|p| line.starts_with(p))
        {
            let bits = if plain.starts_with(b"NOTICE") { 22 } else { 12 };
            return Said::new(&SERVER, bits, "server sends a line of IRC").unfinished(bits < 20).into();
        }
        let mut words = line.split(|&b| b == b' ');
        let (prefix, command) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let named = prefix.first() == Some(&b':') && prefix.len() > 2 && prefix.iter().all(u8::is_ascii_graphic);
        let numeric = command.len() == 3 && command.iter().all(u8::is_ascii_digit);
        let known = numeric || [&b"NOTICE"[..], b"PRIVMSG", b"CAP", b"JOIN", b"MODE", b"PING"].contains(&command);
        Opening::or_foreign((named && known).then(|| {
            Said::new(&SERVER, 26, "server's first line bears its name and a command of IRC")
                .detail("server", prefix.get(1..))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn registration_and_welcome() {
        let finding =
            found(&Irc, b"NICK me\r\nUSER me 0 * :Me\r\n", b":irc.a.io NOTICE * :*** Looking up\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(22 + 26));
        assert!(excluded(&Irc, b"USER me\r\n", b"220 ftp\r\n"));
        assert!(found(&Irc, b"USER me\r\n", b"").is_none());
    }
}
