//! DNS over UDP and, with a length in front of each message (RFC 1035 section 4.2.2), over TCP.
//!
//! Also the judgement that mDNS, LLMNR and the NetBIOS name service share, whose messages have the same format.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head, Stream};
use crate::packet::Transport;
use crate::wire::dns::{Dialect, HEADER_LEN, Message};

/// DNS.
pub(super) struct Dns;

/// What each protocol of the family may prove.
pub(super) struct Weights {
    /// A message that holds together to its last byte. Random bytes do with less than 2^-50 (flags, counts, label
    /// chain, class, exact end), so that only protocols of the family itself can share the shape.
    pub(super) message: &'static Family,
    /// For the first message.
    pub(super) first: i32,
    /// For each further message.
    pub(super) further: i32,
    /// A response with the ID and the question of a query before it: the question alone is more than 40 bits that no
    /// other protocol echoes at this place. It stands beside the shape, which it presupposes.
    pub(super) answer: &'static Family,
}

static MESSAGE: Family = Family { id: "dns.message", cap: Bits::whole(22) };
static ANSWER: Family = Family { id: "dns.answer", cap: Bits::whole(14) };
static WEIGHTS: Weights = Weights { message: &MESSAGE, first: 20, further: 1, answer: &ANSWER };

/// Bits for the first message of which the snaplen left only some of the question: flags and counts have 60 bits, of which
/// 50 are zeros, and eight letters at places that a length before them says another 20. Formats made of zeros, a one and a
/// name may exist.
const PART: i32 = 16;

impl Protocol for Dns {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn reference(&self) -> &'static str {
        "RFC 1035"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        may_have(Dialect::Dns, at, byte)
    }

    fn shortest(&self) -> usize {
        SHORTEST
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        match head.transport() {
            Transport::Udp => judge(head, Dialect::Dns, &WEIGHTS),
            Transport::Tcp => over_tcp(head, Dialect::Dns, &WEIGHTS),
        }
    }
}

/// The bits that are zero in the first eight bytes of messages of `dialect`: what it wants of the ID and the flags; the
/// reserved flag; few questions and answers.
fn zeros(dialect: Dialect) -> u64 {
    match dialect {
        Dialect::Mdns => 0xffff_7bff_ff80_fc00,
        Dialect::Llmnr => 0x0000_79ff_fffe_fc00,
        Dialect::Dns | Dialect::NetbiosNs => 0x0000_0040_ff80_fc00,
    }
}

/// Bytes of the shortest message: a header and a question for the root.
pub(super) const SHORTEST: usize = HEADER_LEN + 5;

/// See [`Protocol::may_have`]: also, the opcode is in use.
pub(super) fn may_have(dialect: Dialect, at: usize, byte: u8) -> bool {
    let zero = zeros(dialect).to_be_bytes().get(at).is_none_or(|bits| byte & bits == 0);
    zero && (at != 2 || matches!(byte >> 3 & 15, 0..=2 | 4..=9 | 15))
}

/// Whether a message of `dialect` can begin so.
fn may_begin(dialect: Dialect, bytes: &[u8]) -> bool {
    let header = bytes.first_chunk().is_none_or(|first| u64::from_be_bytes(*first) & zeros(dialect) == 0);
    // NetBIOS names have 32 letters.
    header && (dialect != Dialect::NetbiosNs || bytes.get(HEADER_LEN).is_none_or(|&length| length == 32))
}

/// Judges the datagrams of `head` that are of `dialect`.
pub(super) fn judge(head: &Head<'_>, dialect: Dialect, weights: &Weights) -> Assessment {
    let reading = datagrams::read(head, |d| {
        let plausible = d.len >= SHORTEST && may_begin(dialect, d.bytes);
        let message = plausible.then(|| Message::new(d.bytes, d.len)).flatten()?;
        (message.dialect() == dialect).then_some(message)
    });
    let Some(first) = reading.hits.first() else { return reading.nothing() };
    if reading.mostly_foreign() {
        return Assessment::NotNow;
    }
    let more = reading.hits.len() as i32 - 1;
    let (first_bits, text) = match reading.hits.iter().all(|h| h.message.is_part()) {
        true => (PART, "header and counts, and a host's name as far as it is visible"),
        false => (weights.first, "the message holds together to its last byte: header, names, types and counts"),
    };
    let mut finding = Finding {
        evidence: vec![item(weights.message, first_bits + more * weights.further, reading.frames(|_| true), text)],
        spoke: reading.spoke(),
        details: vec![("qname", first.message.name())],
        ..Finding::default()
    };
    let both = reading.both();
    if let Some((query, reply)) = reading.answer(Message::is_answered_by) {
        let frames = [query.datagram.frame, reply.datagram.frame];
        finding.evidence.push(item(weights.answer, 14, frames, "the response echoes the query's ID and question"));
        finding.server = Some(reply.datagram.dir);
        finding.settled = reading.misses == [0; 2];
    } else if matches!(dialect, Dialect::Dns | Dialect::Llmnr) && !both {
        let dir = first.datagram.dir;
        finding.server = Some(if first.message.is_response() { dir } else { dir.other() });
    }
    Assessment::Recognised(finding)
}

/// The first message of a TCP direction, once all of it has come.
fn first_message(stream: Stream<'_>, dialect: Dialect) -> Option<Message<'_>> {
    let (length, rest) = stream.bytes().split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if !may_begin(dialect, rest) {
        return None;
    }
    // Where the snaplen cut it, what is visible.
    let cut = stream.is_broken() && stream.total() >= 2 + length as u64;
    let visible = if cut { length.min(rest.len()) } else { length };
    let message = Message::new(rest.get(..visible)?, length)?;
    (message.dialect_over_tcp() == dialect).then_some(message)
}

/// Judges the first messages of a TCP connection, each behind its length, as messages of `dialect`.
pub(super) fn over_tcp(head: &Head<'_>, dialect: Dialect, weights: &Weights) -> Assessment {
    let streams = [head.stream(Dir::Originator), head.stream(Dir::Responder)];
    let [originator, responder] = streams;
    let messages = [first_message(originator, dialect), first_message(responder, dialect)];
    if let [None, None] = messages {
        // A stream that begins otherwise, goes on past the length it would announce or joins in the middle will not become one.
        let foreign = |s: &Stream<'_>| match s.bytes() {
            [a, b, rest @ ..] => {
                !may_begin(dialect, rest) || rest.len() >= usize::from(u16::from_be_bytes([*a, *b])).max(64)
            }
            _ => false,
        };
        return if streams.iter().any(foreign) { Assessment::Excluded } else { Assessment::NotNow };
    }
    let spoke = messages.map(|m| m.is_some());
    let frame = |dir: Dir| dir.of(&streams).origin(0).map(|(frame, _)| frame);
    let frames: Frames = Dir::BOTH.into_iter().filter(|d| *d.of(&spoke)).filter_map(frame).collect();
    let text = "a length, then a message that ends with it: header, names, types and counts";
    let first_bits = if messages.iter().flatten().all(Message::is_part) { PART } else { weights.first };
    let mut finding = Finding {
        evidence: vec![item(weights.message, first_bits, frames.clone(), text)],
        spoke,
        details: messages.iter().flatten().take(1).map(|m| ("qname", m.name())).collect(),
        ..Finding::default()
    };
    if let [Some(a), Some(b)] = &messages {
        let answered =
            if a.is_answered_by(b) { Some(Dir::Responder) } else { b.is_answered_by(a).then_some(Dir::Originator) };
        if let Some(server) = answered {
            finding.evidence.push(item(weights.answer, 14, frames, "the response echoes the query's ID and question"));
            finding.server = Some(server);
            finding.settled = true;
        }
    }
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::Time;
    use crate::protocol::Band;
    use crate::protocol::replay;

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Dns, "dnsmasq.pcap", Band::Certain);
        assert_eq!(finding.server, Some(Dir::Responder));
        assert!(finding.settled && finding.details.iter().any(|(_, v)| v.ends_with("example.net")));
    }

    #[test]
    fn over_tcp_with_a_length_in_front() {
        let query = b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01".to_vec();
        let query = [&[0, (query.len() - 2) as u8], &query[2..]].concat();
        let mut reply = query.clone();
        reply[4] = 0x81;
        let mut buf = HeadBuf::new(Transport::Tcp);
        buf.stream_mut(Dir::Originator).push(1, 1, Time(0), query.len(), &query);
        let Assessment::Recognised(alone) = Dns.assess(&buf.view(None, false)) else { panic!("not recognised") };
        assert_eq!(alone.bits(), Bits::whole(20));
        buf.stream_mut(Dir::Responder).push(1, 2, Time(0), reply.len(), &reply);
        let Assessment::Recognised(both) = Dns.assess(&buf.view(None, false)) else { panic!("not recognised") };
        assert_eq!((both.bits(), both.server), (Bits::whole(34), Some(Dir::Responder)));
    }
}
