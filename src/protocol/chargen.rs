//! The character generator: lines of 72 printable characters, each line beginning one further, over TCP
//! and, with a few lines as the answer to any datagram, over UDP (RFC 864).

use super::datagrams::{self, item};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::packet::Transport;

/// A line of 72 characters in the order of ASCII, repeating after 95, and its end: nothing else sends that.
static PATTERN: Family = Family { id: "chargen.pattern", cap: Bits::whole(32) };
/// 60 of them, where the snaplen cut the rest off: test patterns count so, too, but few in these characters.
static PART: Family = Family { id: "chargen.part", cap: Bits::whole(15) };

/// The recogniser.
pub(super) struct Chargen;

struct OverTcp;

impl Protocol for Chargen {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, _: usize, byte: u8) -> bool {
        matches!(byte, 0x20..=0x7f)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x20..=0x7e, ..] if d.len >= LINE => pattern(d.bytes).filter(|found| *found != Pattern::Short),
            _ => None,
        });
        let Some(first) = reading.hits.first() else { return reading.nothing() };
        let (family, bits) = match reading.hits.iter().any(|h| h.message == Pattern::Line) {
            true => (&PATTERN, 32),
            false => (&PART, 15),
        };
        Assessment::Recognised(Finding {
            evidence: vec![item(family, bits, reading.frames(|_| true), SAID)],
            server: Some(first.datagram.dir),
            spoke: reading.spoke(),
            ..Finding::default()
        })
    }
}

/// Length of a line with its end, and characters of a cut one that are enough.
const LINE: usize = 74;
const SHOWN: usize = 60;
const SAID: &str = "server sends the characters of ASCII in order";

/// What there is of the pattern.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pattern {
    /// A line to its end.
    Line,
    /// Enough of one.
    Part,
    /// Fewer characters.
    Short,
}

/// Reads a line: its characters follow each other as in ASCII.
fn pattern(bytes: &[u8]) -> Option<Pattern> {
    let line = bytes.get(..bytes.len().min(LINE - 2)).unwrap_or_default();
    let next = |b: u8| if b == b'~' { b' ' } else { b.wrapping_add(1) };
    // Some servers leave the space out, or go on to the delete character.
    let follows =
        |w: &[u8]| matches!(w, [a, b] if *b == next(*a) || (*a == b'~' && matches!(b, b'!' | 0x7f)) || *a == 0x7f);
    let legal = line.windows(2).all(follows) && line.first().is_some_and(|b| matches!(b, 0x20..=0x7e));
    match bytes.get(LINE - 2..) {
        _ if !legal => None,
        Some([b'\r', b'\n', ..]) => Some(Pattern::Line),
        Some([_, _, ..]) => None,
        _ if bytes.len() >= SHOWN => Some(Pattern::Part),
        _ => Some(Pattern::Short),
    }
}

impl Dialogue for OverTcp {
    const NAME: &'static str = "chargen";
    const REFERENCE: &'static str = "RFC 864";

    /// The server takes no notice of it.
    fn client(&self, _bytes: &[u8]) -> Opening {
        Opening::Neutral
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        match pattern(bytes) {
            None => Opening::Foreign,
            Some(Pattern::Short | Pattern::Part) => Opening::Short,
            Some(Pattern::Line) => Said::new(&PATTERN, 32, SAID).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_pattern() {
        let line: Vec<u8> = (0x20..=0x67).chain(*b"\r\n").collect();
        assert!(found(&OverTcp, b"", &line).is_some());
        let counting: Vec<u8> = (0x20..=0xff).collect();
        assert!(excluded(&OverTcp, b"", &counting));
        assert!(excluded(&OverTcp, b"", b"!!"));
    }

    #[test]
    fn over_udp() {
        replay::expect(&Chargen, "inetd-udp.pcap", Band::Certain);
    }
}
