//! Daytime: the server sends the date and time in text, over TCP and UDP (RFC 867; NIST's format is common).

use super::datagrams::{self, item};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::{Assessment, Bits, Family, Finding, Protocol, text};
use crate::flow::Head;
use crate::packet::Transport;

/// A line whose words are a month, a day, a time and a year. Greetings with a date have other words before it.
static DATE: Family = Family { id: "daytime.date", cap: Bits::whole(24) };

/// The recogniser.
pub(super) struct Daytime;

struct OverTcp;

impl Protocol for Daytime {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, _: usize, byte: u8) -> bool {
        text::is_text(&[byte])
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        match head.transport() {
            Transport::Tcp => dialogue::assess(&OverTcp, head),
            Transport::Udp => over_udp(head),
        }
    }
}

/// The answer is one datagram with the same line; what the client sends does not matter.
fn over_udp(head: &Head<'_>) -> Assessment {
    let reading = datagrams::read(head, |d| match d.bytes.last()? {
        b'\n' if d.is_whole() && d.len <= 128 => date(d.bytes),
        _ => None,
    });
    let Some(hit) = reading.hits.first() else { return reading.nothing() };
    let dir = hit.datagram.dir;
    if *dir.of(&reading.misses) > 0 {
        return Assessment::NotNow;
    }
    Assessment::Recognised(Finding {
        evidence: vec![item(&DATE, 24, reading.frames(|_| true), hit.message)],
        server: Some(dir),
        spoke: reading.spoke(),
        ..Finding::default()
    })
}

impl Dialogue for OverTcp {
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
        if text::line(trimmed).is_none() {
            let may_be = trimmed.iter().all(|b| {
                b.is_ascii_alphanumeric() || matches!(b, b' ' | b':' | b'-' | b',' | b'(' | b')' | b'.' | b'*')
            });
            return if may_be { Opening::Short } else { Opening::Foreign };
        }
        Opening::or_foreign(date(trimmed).map(|what| Said::new(&DATE, 24, what)))
    }
}

/// Whether one line with a date and a time is all there is, and of which kind.
fn date(bytes: &[u8]) -> Option<&'static str> {
    let (line, rest) = text::line(bytes.trim_ascii_start())?;
    if !rest.trim_ascii().is_empty() || !text::is_text(line) {
        return None;
    }
    // 59539 21-11-20 20:00:00 00 0 0 512.4 UTC(NIST) *
    if memchr::memmem::find(line, b"UTC(NIST)").is_some() {
        return Some("server sends the time in NIST's format");
    }
    let words: Vec<_> = line.split(|b| matches!(b, b' ' | b',' | b'-')).filter(|w| !w.is_empty()).collect();
    let digits = |w: &[u8], n: usize| w.len() == n && w.iter().all(u8::is_ascii_digit);
    let month =
        |w: &&&[u8]| MONTHS.iter().any(|m| w.len() >= 3 && w.get(..3).is_some_and(|s| s.eq_ignore_ascii_case(m)));
    let time = |w: &&&[u8]| matches!(w, [a, b, b':', c, d, b':', e, f] if [a, b, c, d, e, f].iter().all(|d| d.is_ascii_digit()));
    let year = |w: &&&[u8]| digits(w, 4);
    let fits = (4..=8).contains(&words.len())
        && words.iter().any(|w| time(&w))
        && words.iter().any(|w| year(&w))
        && words.iter().any(|w| month(&w));
    fits.then_some("server sends one line that is a date and time")
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn dates() {
        assert!(found(&OverTcp, b"", b"Fri Nov 20 20:00:00 2026\r\n").is_some());
        assert!(found(&OverTcp, b"", b"20 NOV 2026 20:00:00 CET\r\n").is_some());
        assert!(excluded(&OverTcp, b"", b"220 mail ESMTP Exim Fri, 20 Nov 2026 20:00:00 +0000 ready and waiting\r\n"));
    }

    #[test]
    fn over_udp() {
        replay::expect(&Daytime, "inetd-udp.pcap", Band::Confident);
    }
}
