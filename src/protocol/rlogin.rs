//! Remote login (513): NUL, two user names and the terminal with its speed, each ended by NUL; the server answers NUL
//! (RFC 1282).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// A NUL, two names in text and "terminal/speed" in digits. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "rlogin.request", cap: Bits::whole(20) };
/// One byte, NUL.
static ANSWER: Family = Family { id: "rlogin.answer", cap: Bits::whole(8) };

/// The recogniser.
pub(super) struct Rlogin;

impl Dialogue for Rlogin {
    const NAME: &'static str = "rlogin";
    const REFERENCE: &'static str = "RFC 1282";

    fn client(&self, bytes: &[u8]) -> Opening {
        let [0, strings @ ..] = bytes else { return Opening::Foreign };
        let parts: Vec<_> = strings.splitn(4, |&b| b == 0).collect();
        if !parts.iter().take(3).all(|s| s.iter().all(u8::is_ascii_graphic)) || strings.first() == Some(&0) {
            return Opening::Foreign;
        }
        let [local, remote, terminal, _] = parts.as_slice() else {
            return if strings.len() < 256 { Opening::Short } else { Opening::Foreign };
        };
        let speed = terminal.iter().position(|&b| b == b'/').and_then(|at| terminal.get(at + 1..));
        let fits = speed.is_some_and(|s| !s.is_empty() && s.iter().all(u8::is_ascii_digit))
            && !local.is_empty()
            && !remote.is_empty();
        Opening::or_foreign(fits.then(|| {
            Said::new(&REQUEST, 20, "client sends two names and its terminal's speed").detail("user", Some(remote))
        }))
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (bytes, client) {
            ([0, ..], [0, _, ..]) => Said::new(&ANSWER, 8, "server accepts with NUL").into(),
            ([0, ..], []) => Opening::Short,
            _ => Opening::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn a_login() {
        let finding = found(&Rlogin, b"\0joe\0root\0xterm/38400\0", b"\0").unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(28), "root"));
        assert!(excluded(&Rlogin, b"\0joe\0root\0xterm/38400\0", b"no"));
    }
}
