//! PJL, the job language on raw printer ports: a universal exit, then "@PJL" (HP's PJL Technical Reference, chapter 2).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// Nine fixed bytes; the printer itself may stay silent, and a client alone may be a probe.
static EXIT: Family = Family { id: "pjl.universal-exit", cap: Bits::whole(24) };
/// A printer's answer repeats the command.
static ANSWER: Family = Family { id: "pjl.answer", cap: Bits::whole(24) };

/// The recogniser.
pub(super) struct Pjl;

impl Dialogue for Pjl {
    const NAME: &'static str = "pjl";
    const REFERENCE: &'static str = "HP PJL";

    fn client(&self, bytes: &[u8]) -> Opening {
        match bytes.first() {
            Some(b'@') => {
                text::start(bytes, b"@PJL ").then(|| Said::new(&EXIT, 20, "client sends a command of PJL").into())
            }
            _ => text::start(bytes, b"\x1b%-12345X")
                .then(|| Said::new(&EXIT, 24, "client begins with the universal exit sequence").into()),
        }
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        text::start(bytes, b"@PJL ").then(|| Said::new(&ANSWER, 24, "printer answers in PJL").into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::found;
    use super::*;

    #[test]
    fn a_job() {
        let finding = found(&Pjl, b"\x1b%-12345X@PJL INFO ID\r\n", b"@PJL INFO ID\r\n\"LASERJET\"\r\n\x0c").unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(48), [true, true]));
    }
}
