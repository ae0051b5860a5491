//! Daytime: the server sends the date and time in text and closes (RFC 867; NIST's format is common).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// A line whose words are a month, a day, a time and a year. Greetings with a date have other words before it.
static DATE: Family = Family { id: "daytime.date", cap: Bits::whole(24) };

/// The recogniser.
pub(super) struct Daytime;

impl Dialogue for Daytime {
    const NAME: &'static str = "daytime";
    const REFERENCE: &'static str = "RFC 867";

    /// The server takes no notice of it.
    fn client(&self, _bytes: &[u8]) -> Opening {
        Opening::Neutral
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        if bytes.len() > 128 || !text::is_text(bytes) {
            return Opening::Foreign;
        }
        let trimmed = bytes.trim_ascii_start();
        let Some((line, rest)) = text::line(trimmed) else {
            let may_be = trimmed.iter().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b' ' | b':' | b'-' | b',' | b'(' | b')' | b'.' | b'*')
            });
            return if may_be { Opening::Short } else { Opening::Foreign };
        };
        if !rest.trim_ascii().is_empty() {
            return Opening::Foreign;
        }
        // 59539 21-11-20 20:00:00 00 0 0 512.4 UTC(NIST) *
        if line.windows(9).any(|w| w == b"UTC(NIST)") {
            return Said::new(&DATE, 24, "server sends the time in NIST's format").into();
        }
        let words: Vec<_> = line.split(|b| matches!(b, b' ' | b',' | b'-')).filter(|w| !w.is_empty()).collect();
        let digits = |w: &[u8], n: usize| w.len() == n && w.iter().all(u8::is_ascii_digit);
        let month =
            |w: &&&[u8]| MONTHS.iter().any(|m| w.len() >= 3 && w.get(..3).is_some_and(|s| s.eq_ignore_ascii_case(m)));
        let time = |w: &&&[u8]| matches!(w, [a, b, b':', c, d, b':', e, f] if [a, b, c, d, e, f].iter().all(|d| d.is_ascii_digit()));
        let year = |w: &&&[u8]| digits(w, 4);
        let has = [words.iter().any(|w| month(&w)), words.iter().any(|w| time(&w)), words.iter().any(|w| year(&w))];
        Opening::or_foreign(
            (has == [true; 3] && (4..=8).contains(&words.len()))
                .then(|| Said::new(&DATE, 24, "server sends one line that is a date and time")),
        )
    }
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn dates() {
        assert!(found(&Daytime, b"", b"Fri Nov 20 20:00:00 2026\r\n").is_some());
        assert!(found(&Daytime, b"", b"20 NOV 2026 20:00:00 CET\r\n").is_some());
        assert!(excluded(&Daytime, b"", b"220 mail ESMTP Exim Fri, 20 Nov 2026 20:00:00 +0000 ready and waiting\r\n"));
    }
}
