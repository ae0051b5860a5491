//! The character generator: lines of 72 printable characters, each line beginning one further, over TCP
//! and, with a few lines as the answer to any datagram, over UDP (RFC 864).

use super::datagrams::{self, item};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::packet::Transport;

/// 60 characters in the order of ASCII, repeating after 95: nothing else sends that.
static PATTERN: Family = Family { id: "chargen.pattern", cap: Bits::whole(32) };

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
            [0x20..=0x7e, ..] if d.len >= SHOWN => pattern(d.bytes).then_some(()),
            _ => None,
        });
        let Some(dir) = reading.hits.first().map(|h| h.datagram.dir) else { return reading.nothing() };
        Assessment::Recognised(Finding {
            evidence: vec![item(&PATTERN, 32, reading.frames(|_| true), SAID)],
            server: Some(dir),
            spoke: reading.spoke(),
            ..Finding::default()
        })
    }
}

/// Characters of the pattern that are enough.
const SHOWN: usize = 60;
const SAID: &str = "server sends the characters of ASCII in order";

/// Whether as many characters as are there, up to 60, follow each other as in ASCII.
fn pattern(bytes: &[u8]) -> bool {
    let line = bytes.get(..bytes.len().min(SHOWN)).unwrap_or_default();
    let next = |b: u8| if b == b'~' { b' ' } else { b.wrapping_add(1) };
    // Some servers leave the space out, or go on to the delete character.
    let follows =
        |w: &[u8]| matches!(w, [a, b] if *b == next(*a) || (*a == b'~' && matches!(b, b'!' | 0x7f)) || *a == 0x7f);
    line.windows(2).all(follows) && line.first().is_some_and(|b| matches!(b, 0x20..=0x7e))
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
            false => Opening::Foreign,
            true if bytes.len() < SHOWN => Opening::Short,
            true => Said::new(&PATTERN, 32, SAID).into(),
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
        let line: Vec<u8> = (0x20..=0x67).collect();
        assert!(found(&OverTcp, b"", &line).is_some());
        assert!(excluded(&OverTcp, b"", b"!!"));
    }

    #[test]
    fn over_udp() {
        replay::expect(&Chargen, "inetd-udp.pcap", Band::Certain);
    }
}
