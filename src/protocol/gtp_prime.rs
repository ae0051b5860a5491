//! GTP′, by which mobile networks hand on their charging records: over UDP, and over TCP, where one message follows the other.

use super::datagrams::{self, item};
use super::joined::Joined;
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::gtp_prime::GtpPrime as Message;

/// GTP prime.
pub(super) struct GtpPrime;

/// Flags, a type and a length that agrees: 2^-27 for random bytes. Six bytes with a type, a length and a number begin other
/// formats as well.
static MESSAGE: Family = Family { id: "gtp-prime.message", cap: Bits::whole(12) };
/// Elements of few kinds that fill the message: 2^-12 for the first alone. Of those with records the lengths agree twice
/// more.
static ELEMENTS: Family = Family { id: "gtp-prime.elements", cap: Bits::whole(14) };
/// The response has the request's type plus one and its sequence number.
static ANSWER: Family = Family { id: "gtp-prime.answer", cap: Bits::whole(12) };

impl Protocol for GtpPrime {
    fn name(&self) -> &'static str {
        "gtp-prime"
    }

    fn reference(&self) -> &'static str {
        "3GPP TS 32.295"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x0e | 0x0f | 0x2e | 0x4e),
            1 => matches!(byte, 1..=7 | 240 | 241),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return over_tcp(head);
        }
        let reading = datagrams::read(head, |d| Message::new(d.bytes, d.len));
        if reading.hits.is_empty() || reading.mostly_foreign() {
            return reading.conclude(None);
        }
        let count = reading.hits.len() as i32;
        let form = item(&MESSAGE, 7 + count, reading.frames(|_| true), "GTP′'s header with a length that agrees");
        let mut finding = Finding { evidence: vec![form], spoke: reading.spoke(), ..Finding::default() };
        if reading.hits.iter().any(|h| h.message.elements > 0) {
            let records = reading.hits.iter().any(|h| h.message.records);
            let frames = reading.frames(|m| m.elements > 0 && m.records == records);
            let (bits, text) = weigh(records);
            finding.evidence.push(item(&ELEMENTS, bits, frames, text));
        }
        if let Some((query, reply)) = reading.answer(Message::is_answered_by) {
            let frames = [query.datagram.frame, reply.datagram.frame];
            finding.evidence.push(item(&ANSWER, 12, frames, ANSWERED));
            // Either side asks whether the other is alive; records go to the server.
            let records = query.message.kind == 240;
            finding.server = records.then_some(reply.datagram.dir);
            finding.settled = records && reading.misses == [0; 2] && finding.bits() >= datagrams::CERTAIN;
        }
        Assessment::Recognised(finding)
    }
}

/// The whole messages of a side, where they follow each other from its first byte to the end, or from the start of a later
/// segment if the side was joined in the middle; none if something else is among them.
fn messages(sent: Joined<'_>, start_seen: bool) -> Option<Vec<Message>> {
    let from = |start: usize| {
        let (mut rest, mut all) = (sent.get(start..)?, Vec::new());
        while rest.len() >= Message::HEADER {
            let length = Message::measure(rest)?;
            // The last one may not have come to its end yet.
            let Some((message, behind)) = rest.split_at_checked(length) else { break };
            all.push(Message::new(message, length)?);
            rest = behind;
        }
        Some(all)
    };
    let starts = sent.starts().take(if start_seen { 1 } else { usize::MAX });
    starts.filter_map(from).max_by_key(Vec::len)
}

/// What the two streams are. A length that leads to the next message, or to the end, counts as that of a datagram does.
fn over_tcp(head: &Head<'_>) -> Assessment {
    let streams = Dir::BOTH.map(|dir| head.stream(dir));
    if streams.iter().all(|s| s.bytes().is_empty()) {
        return Assessment::NotNow;
    }
    let all = streams.map(|s| messages(s.into(), s.start_seen()));
    let foreign = |dir: Dir| dir.of(&all).is_none() && !dir.of(&streams).bytes().is_empty();
    if Dir::BOTH.into_iter().any(|dir| foreign(dir) && dir.of(&streams).start_seen()) {
        return Assessment::Excluded;
    }
    if Dir::BOTH.into_iter().all(foreign) {
        return Assessment::Never;
    }
    let all = all.map(Option::unwrap_or_default);
    let count: usize = all.iter().map(Vec::len).sum();
    if count == 0 {
        return Assessment::NotNow;
    }
    let spoke = all.each_ref().map(|messages| !messages.is_empty());
    let frames: super::Frames = streams.iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
    let form =
        item(&MESSAGE, 7 + count as i32, frames.clone(), "GTP′'s header with a length that leads to the next one");
    let mut finding = Finding { evidence: vec![form], spoke, ..Finding::default() };
    let (elements, records) = (all.iter().flatten().any(|m| m.elements > 0), all.iter().flatten().any(|m| m.records));
    if elements {
        let (bits, text) = weigh(records);
        finding.evidence.push(item(&ELEMENTS, bits, frames.clone(), text));
    }
    let [a, b] = &all;
    let answered = |asked: &[Message], replies: &[Message]| {
        asked.iter().filter(|q| replies.iter().any(|r| q.is_answered_by(r))).map(|q| q.kind == 240).max()
    };
    let pair = answered(a, b).map(|records| (Dir::Responder, records));
    if let Some((server, records)) = pair.or_else(|| answered(b, a).map(|records| (Dir::Originator, records))) {
        finding.evidence.push(item(&ANSWER, 12, frames, ANSWERED));
        finding.server = records.then_some(server);
        finding.settled = records && finding.bits() >= datagrams::CERTAIN;
    }
    Assessment::Recognised(finding)
}

/// What elements prove, with or without records among them.
fn weigh(records: bool) -> (i32, &'static str) {
    match records {
        true => (14, "elements that fill the message, with charging records that fill theirs"),
        false => (6, "elements that fill the message"),
    }
}

const ANSWERED: &str = "the response has the request's type plus one and its sequence number";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Dir, HeadBuf};
    use crate::packet::{Time, Transport};
    use crate::protocol::evidence::PRIOR;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&GtpPrime, "records.pcap", Band::Certain);
        let finding = replay::expect(&GtpPrime, "records-tcp.pcap", Band::Certain);
        assert_eq!((finding.server, finding.spoke), (Some(Dir::Responder), [true, true]));
    }

    #[test]
    fn streams_of_other_protocols_are_none() {
        let judged = |bytes: &[u8]| {
            let mut buf = HeadBuf::new(Transport::Tcp);
            buf.stream_mut(Dir::Originator).open(0);
            buf.stream_mut(Dir::Originator).push(1, 1, Time(0), bytes.len(), bytes);
            GtpPrime.assess(&buf.view(None, false))
        };
        assert!(
            matches!(judged(&[0x2e, 1, 0, 0, 0, 1, 0x2e]), Assessment::Recognised(f) if f.bits() < Bits::whole(14))
        );
        assert!(matches!(judged(&[0x2e, 1, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9]), Assessment::Excluded));
        assert!(matches!(judged(&[0x2e, 240, 0, 200, 0]), Assessment::NotNow));
    }

    #[test]
    fn an_echo_without_elements_names_nothing() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..8 {
            buf.push_datagram(n, Time(0), Dir::Originator, 6, &[0x2e, 1, 0, 0, 0, n as u8]);
        }
        let Assessment::Recognised(found) = GtpPrime.assess(&buf.view(None, false)) else { panic!("nothing found") };
        assert!(Band::of(PRIOR + found.bits()).is_none(), "{found:?}");
    }
}
