//! Echo: the server sends back what it gets, over TCP and UDP (RFC 862).

use super::datagrams::item;
use super::dialogue::{self, Dialogue, Opening, Said};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;

/// All bytes of the answer are the question's, 32 or more. Terminals, mirrors and loops do that too, so it is likely at best.
static ECHO: Family = Family { id: "echo.same-bytes", cap: Bits::whole(16) };

/// Exchanges after which a flow that goes on counts as an echo: peers that count in step look the same for a while.
const PATIENCE: usize = 8;

/// The recogniser.
pub(super) struct Echo;

struct OverTcp;

impl Protocol for Echo {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        match head.transport() {
            Transport::Tcp if may_be_a_greeting(head) => Assessment::NotNow,
            Transport::Tcp => dialogue::assess(&OverTcp, head),
            Transport::Udp => over_udp(head),
        }
    }

    fn heeds_end(&self) -> bool {
        true
    }
}

/// Whether only the first bytes of a side can be compared, since they are cut off, or only the first segment of a connection
/// joined in the middle: peers may greet and negotiate alike.
fn may_be_a_greeting(head: &Head<'_>) -> bool {
    let side = |dir| {
        let stream = head.stream(dir);
        stream.is_broken() || !stream.start_seen() && stream.starts().count() < 2
    };
    Dir::BOTH.into_iter().any(side)
}

/// Every datagram of the server is the client's latest one.
fn over_udp(head: &Head<'_>) -> Assessment {
    let Some(client) = head.datagrams().next().map(|d| d.dir) else { return Assessment::NotNow };
    let mut asked = None;
    let (mut same, mut frames, mut questions) = (0, Vec::new(), Vec::new());
    for datagram in head.datagrams() {
        if datagram.dir == client {
            asked = Some(datagram);
            continue;
        }
        let Some(question) = asked.take() else { continue };
        let visible = datagram.bytes.len().min(question.bytes.len());
        if datagram.len != question.len || datagram.bytes.get(..visible) != question.bytes.get(..visible) {
            // Other services answer an echo of theirs, and then something else.
            return if datagram.nth < 2 { Assessment::Excluded } else { Assessment::NotNow };
        }
        same += visible;
        frames.push(datagram.frame);
        questions.push(question.bytes);
    }
    // Peers may greet alike; an echo repeats whatever comes.
    questions.dedup();
    let enough = questions.len() >= PATIENCE || (head.ended() && questions.len() >= 2);
    if same < 32 || !enough {
        return Assessment::NotNow;
    }
    let text = "the server sends back each datagram of the client";
    Assessment::Recognised(Finding {
        evidence: vec![item(&ECHO, 16, frames.into_iter().take(4).collect::<Frames>(), text)],
        server: Some(client.other()),
        spoke: [true; 2],
        ..Finding::default()
    })
}

impl Dialogue for OverTcp {
    const NAME: &'static str = "echo";
    const REFERENCE: &'static str = "RFC 862";

    /// Anything may be sent.
    fn client(&self, _bytes: &[u8]) -> Opening {
        Opening::Neutral
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let length = bytes.len().min(client.len());
        match bytes.get(..length) == client.get(..length) {
            false => Opening::Foreign,
            // Both sides of many protocols greet alike, but then differ.
            true if length < 32 || bytes.len() > client.len() => Opening::Short,
            true if changes(bytes) < 16 => Opening::Short,
            true => Said::new(&ECHO, 16, format!("server sends back the client's first {length} bytes"))
                .unfinished(length < 256)
                .into(),
        }
    }
}

/// How often a byte differs from the one before: a side that fills with zeros says nothing that could be sent back.
fn changes(bytes: &[u8]) -> usize {
    bytes.windows(2).filter(|pair| matches!(pair, [a, b] if a != b)).count()
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_same_bytes() {
        let text = b"the quick brown fox jumps over the lazy dog";
        assert!(found(&OverTcp, text, text).is_some());
        assert!(found(&OverTcp, &[7; 40], &[7; 40]).is_none());
        assert!(found(&OverTcp, &[7; 10], &[7; 10]).is_none());
        assert!(excluded(&OverTcp, b"abc", b"abd"));
    }

    #[test]
    fn over_udp() {
        replay::expect(&Echo, "inetd-udp.pcap", Band::Likely);
    }
}
