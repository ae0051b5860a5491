//! The remote shell (514): a port in digits, two user names and a command, each ended by NUL; the server answers NUL
//! (4.3BSD rshd(8)). rexec (512) sends a user, a password and a command in the same frame.

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// Four strings between NULs: text of which little is fixed, so the frame itself is the evidence.
static REQUEST: Family = Family { id: "rsh.request", cap: Bits::whole(16) };
/// One byte, NUL, or 01 and a line of text.
static ANSWER: Family = Family { id: "rsh.answer", cap: Bits::whole(10) };

/// The longest name of a user, in bytes: with a domain's in front.
const LONGEST_NAME: usize = 64;

/// The recogniser.
pub(super) struct Rsh;

impl Dialogue for Rsh {
    const NAME: &'static str = "rsh";
    const REFERENCE: &'static str = "BSD rshd(8)";

    fn client(&self, bytes: &[u8]) -> Opening {
        let mut parts = bytes.splitn(5, |&b| b == 0);
        let Some(port) = parts.next() else { return Opening::Short };
        if port.len() > 5 || !port.iter().all(u8::is_ascii_digit) {
            return Opening::Foreign;
        }
        let strings: Vec<_> = parts.collect();
        let whole = strings.len() == 4;
        let text = |s: &&[u8]| s.iter().all(|b| matches!(b, 0x20..=0x7e));
        let complete = strings.iter().take(if whole { 3 } else { strings.len() });
        if !complete.clone().all(text) || (whole && complete.clone().any(|s| s.is_empty())) || bytes.len() > 1024 {
            return Opening::Foreign;
        }
        if !whole {
            return Opening::Short;
        }
        let name = |n: usize| strings.get(n).copied();
        // Without a port, rlogin's frame is the same, but for a terminal and its speed in place of the command.
        let speed =
            name(2).and_then(|s| s.rsplit(|&b| b == b'/').next()).is_some_and(|s| s.iter().all(u8::is_ascii_digit));
        if port.is_empty() && speed {
            return Opening::Foreign;
        }
        // Text in UTF-16 has a NUL before each letter.
        if port.is_empty() && complete.clone().all(|s| s.len() == 1) {
            return Opening::Foreign;
        }
        // Other text behind small numbers: lengths of two bytes, of which the first is NUL.
        let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"._-@$+%\\".contains(b);
        if !complete.take(2).all(|name| name.len() <= LONGEST_NAME && name.iter().all(is_name)) {
            return Opening::Foreign;
        }
        Said::new(&REQUEST, 16, "client sends port, two names and a command, each ended by NUL")
            .detail("user", name(1))
            .detail("command", name(2))
            .into()
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = matches!(self.client(client), Opening::Spoken(_));
        match bytes {
            [0..=1, ..] if client.is_empty() || !asked => Opening::Short,
            [0, ..] => Said::new(&ANSWER, 10, "server accepts with NUL").into(),
            [1, text @ ..] if text.iter().take(64).all(|b| matches!(b, b'\r' | b'\n' | 0x20..=0x7e)) => {
                Said::new(&ANSWER, 10, "server refuses with 01 and a line").into()
            }
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn a_command() {
        let finding = found(&Rsh, b"1022\0joe\0root\0uptime\0", b"\0").unwrap();
        assert_eq!((finding.bits(), finding.details[1].1.as_str()), (Bits::whole(26), "uptime"));
        assert!(excluded(&Rsh, b"1022\0joe\0root\0uptime\0", b"HTTP"));
        assert!(found(&Rsh, b"\0u\0t\0e\0s\0", b"").is_none());
        assert!(found(&Rsh, b"\0*{\"id\": 1, \"v\": 2}\0+{\"id\": 3, \"v\": 4}\0,{\"id\": 5}\0", b"\0").is_none());
    }
}
