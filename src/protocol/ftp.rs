//! FTP's control connection: a greeting with code 220, then USER, AUTH or FEAT and their replies (RFC 959, RFC 4217).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, announce, text};

/// A greeting with a reply code; SMTP's looks alike. With the word FTP in it nothing else does.
static GREETING: Family = Family { id: "ftp.greeting", cap: Bits::whole(20) };
/// USER is a command of POP3 and IRC too; AUTH TLS, FEAT and SYST are FTP's.
static COMMAND: Family = Family { id: "ftp.command", cap: Bits::whole(12) };
/// 331 answers USER, 234 answers AUTH, 230, 211 and 215 answer others.
static REPLY: Family = Family { id: "ftp.reply", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct Ftp;

impl Dialogue for Ftp {
    const NAME: &'static str = "ftp";
    const REFERENCE: &'static str = "RFC 959";
    const ANNOUNCES: Option<announce::Reader> = Some(announce::ftp);

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, &["USER", "AUTH", "FEAT", "SYST", "HOST", "CLNT", "OPTS", "ACCT"]).then(|| {
            let shared = text::start_any_case(bytes, b"USER") == text::Start::Same;
            let user = text::line(bytes).and_then(|(line, _)| line.get(5..)).filter(|_| shared);
            // IRC's USER has four parameters.
            if user.is_some_and(|u| u.contains(&b':') && u.contains(&b' ')) {
                return Opening::Foreign;
            }
            Said::new(&COMMAND, if shared { 6 } else { 12 }, "client begins with a command of FTP")
                .detail("user", user)
                .into()
        })
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let Some((code, greeting)) = text::reply(bytes) else {
            return if text::may_become_reply(bytes) { Opening::Short } else { Opening::Foreign };
        };
        let other = text::contains(greeting, b"SMTP") || text::contains(greeting, b"NNTP");
        if !matches!(code, 120 | 220 | 421 | 530) || other {
            return Opening::Foreign;
        }
        let named = text::contains(greeting, b"FTP");
        let said = Said::new(&GREETING, if named { 20 } else { 8 }, format!("server greets with code {code}"))
            .detail("greeting", Some(greeting));
        let commanded = matches!(self.client(client), Opening::Spoken(_));
        let replies = text::lines(bytes).skip(1).filter_map(|l| l.get(..4));
        let replied = replies.filter(|r| !r.starts_with(b"220")).find(|r| {
            matches!(
                r,
                [b'3', b'3', b'1' | b'4', b' ']
                    | [b'2', b'3', _, b' ']
                    | [b'2', b'1', b'1' | b'5', _]
                    | [b'5', b'3', b'0', _]
            )
        });
        match replied {
            Some(_) if commanded => said.and(&REPLY, 14, 0, "server replies to the command as FTP does").into(),
            _ => said.unfinished(bytes.len() < 1024).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn greeting_and_login() {
        let finding = found(&Ftp, b"USER me\r\nPASS x\r\n", b"220 hello\r\n331 Password required\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(8 + 6 + 14));
        assert!(found(&Ftp, b"", b"220 ProFTPD Server ready\r\n").is_some());
        assert!(excluded(&Ftp, b"EHLO a\r\n", b"220 mx ESMTP\r\n"));
        assert!(found(&Ftp, b"USER a b c :d\r\n", b"").is_none());
    }
}
