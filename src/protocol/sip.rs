//! SIP over UDP and TCP.

use super::datagrams::{self, Shape, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol, announce, text};
use crate::flow::{Dir, Head, Stream};
use crate::packet::Transport;
use crate::wire::sip::Sip as Message;

/// Session Initiation Protocol.
pub(super) struct Sip;

/// A start line with "SIP/2.0" and SIP headers: text that nothing else sends. What a client alone sends may be a probe.
static MESSAGE: Family = Family { id: "sip.message", cap: Bits::whole(26) };
/// A response with the request's Call-ID or CSeq.
static ANSWER: Family = Family { id: "sip.answer", cap: Bits::whole(12) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 22,
    further: 1,
    form: "a start line with SIP/2.0 and headers",
    answer: &ANSWER,
    answered: 12,
    link: "the response repeats the request's Call-ID or CSeq",
};

impl Protocol for Sip {
    fn name(&self) -> &'static str {
        "sip"
    }

    fn reference(&self) -> &'static str {
        "RFC 3261"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 | 1 => byte.is_ascii_uppercase(),
            _ => true,
        }
    }

    fn announces(&self) -> Option<announce::Reader> {
        Some(announce::session)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return over_tcp(head);
        }
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'A'..=b'Z', b'A'..=b'Z', ..] if d.len > 30 => Message::new(d.bytes),
            _ => None,
        });
        if reading.hits.is_empty() {
            return reading.nothing();
        }
        // Phones send four zero bytes or two line ends to keep a binding alive.
        let finding = datagrams::judge(&reading, &SHAPE, Message::is_answered_by).map(|mut finding| {
            let asks = |dir: Dir| reading.by(dir).any(|h| h.message.method.is_some());
            match Dir::BOTH.map(asks) {
                [true, false] => finding.server = Some(Dir::Responder),
                [false, true] => finding.server = Some(Dir::Originator),
                _ => {}
            }
            finding
        });
        reading.conclude(finding)
    }
}

fn over_tcp(head: &Head<'_>) -> Assessment {
    let streams = [head.stream(Dir::Originator), head.stream(Dir::Responder)];
    // Some answer a request of HTTP as if it had been SIP's; it was not.
    let http = |s: &Stream<'_>| match s.bytes() {
        [b'A'..=b'Z', ..] => text::line(s.bytes()).is_some_and(|(line, _)| line.ends_with(b" HTTP/1.1")),
        _ => false,
    };
    if streams.iter().any(http) {
        return Assessment::Excluded;
    }
    let messages = streams.map(|s| match s.bytes() {
        [b'A'..=b'Z', b'A'..=b'Z', ..] => Message::new(s.bytes()),
        _ => None,
    });
    if messages.iter().all(Option::is_none) {
        let foreign = |b: &[u8]| {
            b.first().is_some_and(|b| !b.is_ascii_uppercase() && !matches!(b, b'\r' | b'\n')) || b.len() > 2000
        };
        let excluded = streams.iter().any(|s| foreign(s.bytes()));
        return if excluded { Assessment::Excluded } else { Assessment::NotNow };
    }
    let frames: Frames = streams.iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
    let mut finding = Finding {
        evidence: vec![item(&MESSAGE, 22, frames.clone(), SHAPE.form)],
        spoke: messages.map(|m| m.is_some()),
        ..Finding::default()
    };
    if let [Some(a), Some(b)] = &messages {
        let server =
            if a.is_answered_by(b) { Some(Dir::Responder) } else { b.is_answered_by(a).then_some(Dir::Originator) };
        if server.is_some() {
            finding.evidence.push(item(&ANSWER, 12, frames, SHAPE.link));
            (finding.server, finding.settled) = (server, true);
        }
    }
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Sip, "sipp.pcap", Band::Confident);
    }
}
