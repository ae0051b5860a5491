//! FTP's control connection: a greeting with code 220, then USER, AUTH or FEAT and their replies (RFC 959, RFC 4217).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, announce, counted, text};
use crate::wire::ftp::DataPort;

/// A greeting with a reply code; SMTP's looks alike. With the word FTP in it nothing else does.
static GREETING: Family = Family { id: "ftp.greeting", cap: Bits::whole(20) };
/// USER is a command of POP3 and IRC too; AUTH TLS, FEAT and SYST are FTP's.
static COMMAND: Family = Family { id: "ftp.command", cap: Bits::whole(12) };
/// Further commands that FTP alone has, each of three or four given letters at the start of a line with what may stand
/// behind it, 20 bits by chance; two suffice. What a client says alone may be a probe.
static FURTHER: Family = Family { id: "ftp.further-commands", cap: Bits::whole(10) };
/// 331 answers USER, 234 answers AUTH, 230, 211 and 215 answer others.
static REPLY: Family = Family { id: "ftp.reply", cap: Bits::whole(14) };

/// Lines joined in the middle. Six numbers or three delimiters around a port, behind their code or command, are FTP's alone;
/// the words around a transfer are worth little. What a client asks alone may be a probe.
static LINES: [Family; 2] =
    [Family { id: "ftp.client-lines", cap: Bits::whole(16) }, Family { id: "ftp.server-lines", cap: Bits::whole(20) }];

/// The recogniser.
pub(super) struct Ftp;

impl Dialogue for Ftp {
    const NAME: &'static str = "ftp";
    const REFERENCE: &'static str = "RFC 959";
    const LINES: bool = true;
    const ANNOUNCES: Option<announce::Reader> = Some(announce::ftp);

    fn client(&self, bytes: &[u8]) -> Opening {
        text::command(bytes, &["USER", "AUTH", "FEAT", "SYST", "HOST", "CLNT", "OPTS", "ACCT"]).then(|| {
            let shared = text::start_any_case(bytes, b"USER") == text::Start::Same;
            let user = text::line(bytes).and_then(|(line, _)| line.get(5..)).filter(|_| shared);
            // IRC's USER has four parameters.
            if user.is_some_and(|u| u.contains(&b':') && u.contains(&b' ')) {
                return Opening::Foreign;
            }
            let said = Said::new(&COMMAND, if shared { 6 } else { 12 }, "client begins with a command of FTP")
                .detail("user", user);
            let further = text::lines(bytes).skip(1).take(12).filter(|line| is_own(line)).count();
            let said = match further {
                0 => said,
                _ => said.and(
                    &FURTHER,
                    5 * further as i32,
                    6,
                    counted!("{further} more commands that only FTP has", further),
                ),
            };
            said.unfinished(further < 2 && bytes.len() < 1024).into()
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
        let said = Said::new(&GREETING, if named { 20 } else { 8 }, counted!("server greets with code {code}", code))
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

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let mut bits = 0;
        for line in text::lines(bytes.get(..bytes.len().min(SHOWS)).unwrap_or_default()) {
            let told = match role {
                _ if !text::is_text(line) => None,
                Role::Client => request(line),
                Role::Server => reply(line),
            };
            let Some(told) = told else { return Opening::Foreign };
            bits += told;
        }
        match bits {
            0 if bytes.len() < SHOWS => Opening::Short,
            0 => Opening::Foreign,
            _ => {
                Said::new(role.of(&LINES), bits, "lines as FTP has them around a transfer").unfinished(bits < 16).into()
            }
        }
    }
}

/// Whether a client's line is a command that other protocols with a USER do not have.
fn is_own(line: &[u8]) -> bool {
    let (verb, argument) = text::word(line).unwrap_or((line, &[]));
    let argument = argument.trim_ascii();
    match verb.to_ascii_uppercase().as_slice() {
        b"SYST" | b"FEAT" | b"PWD" | b"XPWD" | b"PASV" | b"CDUP" => argument.is_empty(),
        b"EPSV" => argument.len() <= 3,
        b"TYPE" => matches!(argument, [b'A' | b'E' | b'I' | b'a' | b'i', ..]),
        b"PBSZ" => argument.iter().all(u8::is_ascii_digit) && !argument.is_empty(),
        b"PROT" => matches!(argument, [b'C' | b'P' | b'S' | b'E']),
        b"PORT" | b"EPRT" => DataPort::new(line).is_some(),
        b"CWD" | b"STOR" | b"NLST" | b"MLSD" | b"SIZE" | b"MDTM" => text::is_text(argument),
        _ => false,
    }
}

/// Bytes in the middle of a session in which a transfer shows, or none.
const SHOWS: usize = 1024;

/// What a client's line proves in the middle of a session, in bits; none if it is no command.
fn request(line: &[u8]) -> Option<i32> {
    let verb = text::word(line).map_or(line, |(verb, _)| verb);
    if !(3..=4).contains(&verb.len()) || !verb.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    let data = DataPort::new(line).is_some();
    Some(match verb.to_ascii_uppercase().as_slice() {
        b"PORT" | b"EPRT" if data => 16,
        b"PASV" | b"EPSV" => 8,
        _ if is_own(line) => 4,
        b"RETR" => 4,
        _ => 0,
    })
}

/// What a server's line proves in the middle of a session, in bits; none if it is no reply.
fn reply(line: &[u8]) -> Option<i32> {
    // The lines of a longer reply may begin with anything.
    let Some((code, words)) = line.split_at_checked(4) else { return Some(0) };
    let has = |word: &[u8]| text::contains(words, word);
    Some(match code {
        b"227 " | b"229 " if DataPort::new(line).is_some() => 20,
        // A quoted directory (RFC 959 appendix II); the kind of system; what the server can do; the login.
        b"257 " if words.starts_with(b"\"") => 10,
        b"215 " if words.starts_with(b"UNIX") || words.starts_with(b"Windows") => 10,
        b"211-" if has(b"eatures") || has(b"xtensions") => 10,
        b"331 " | b"234 " => 6,
        b"200 " if words.starts_with(b"Type set to ") || words.starts_with(b"Switching to ") => 6,
        b"150 " | b"125 " if has(b"mode data connection") => 8,
        b"150 " | b"125 " if has(b"connection") => 6,
        b"226 " if has(b"ransfer") || has(b"data connection") => 6,
        [b'1'..=b'5', b'0'..=b'5', b'0'..=b'9', b' ' | b'-'] | [b' ', ..] => 0,
        _ if line.get(..line.len().min(64)).is_some_and(<[u8]>::is_ascii) => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn greeting_and_login() {
        let finding = found(&Ftp, b"USER me\r\nPASS x\r\n", b"220 hello\r\n331 Password required\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(8 + 6 + 14));
        assert!(found(&Ftp, b"", b"220 ProFTPD Server ready\r\n").is_some());
        assert!(excluded(&Ftp, b"EHLO a\r\n", b"220 mx ESMTP\r\n"));
        assert!(found(&Ftp, b"USER a b c :d\r\n", b"").is_none());
        assert!(found(&Ftp, b"USER a\r\nPASS b\r\nSYST\r\nTYPE I\r\n", b"").is_some());
        assert!(found(&Ftp, b"USER a\r\nPASS b\r\nSTAT\r\nLIST\r\nRETR 1\r\n", b"").is_none());
    }
    #[test]
    fn a_session_joined_in_the_middle_shows_by_its_ports() {
        let server = b"227 Entering Passive Mode (192,0,2,1,4,1).\r\n150 Opening BINARY mode data connection\r\n";
        let finding = joined(&Ftp, b"PASV\r\nRETR a.txt\r\n", server).unwrap();
        assert_eq!((finding.bits(), finding.server), (Bits::whole(12 + 20), Some(crate::flow::Dir::Responder)));
        let server = b"230 Login successful.\r\n215 UNIX Type: L8\r\n257 \"/\" is the current directory\r\n";
        assert_eq!(joined(&Ftp, server, b"").unwrap().bits(), Bits::whole(20));
        assert!(joined(&Ftp, b"MAIL FROM:<a@b>\r\n", b"250 ok\r\n").is_none());
        assert!(joined(&Ftp, b"", b"227 no ports\r\n").is_none());
    }
}
