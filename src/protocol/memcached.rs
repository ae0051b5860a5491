//! memcached: over UDP with a frame in front of the text, over TCP the text alone.

use super::datagrams::{self, Shape, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::memcached::{MemcachedUdp as Message, is_answer, is_command};

/// memcached.
pub(super) struct Memcached;

/// A UDP frame with its zeros, and a word of the protocol: 2^-60 for random bytes; no other protocol has a word eight
/// bytes in. What a client alone sends may be a probe (or an attempt to have an answer sent elsewhere).
static MESSAGE: Family = Family { id: "memcached.message", cap: Bits::whole(22) };
/// The answer repeats the request's identifier.
static ANSWER: Family = Family { id: "memcached.answer", cap: Bits::whole(14) };
/// Over TCP: a command line that other line protocols (beanstalkd, some shells) could share.
static COMMAND: Family = Family { id: "memcached.command", cap: Bits::whole(8) };
/// Over TCP: an answer that only memcached gives.
static LINE: Family = Family { id: "memcached.answer-line", cap: Bits::whole(18) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 20,
    further: 1,
    form: "memcached's UDP frame, and a command or answer of its text protocol",
    answer: &ANSWER,
    answered: 14,
    link: "the answer repeats the request's identifier",
};

impl Protocol for Memcached {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn reference(&self) -> &'static str {
        "memcached protocol.txt"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        !matches!(at, 6 | 7) || byte == 0
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return over_tcp(head);
        }
        let reading = datagrams::read(head, |d| match d.bytes {
            [_, _, _, _, _, _, 0, 0, b'A'..=b'Z' | b'a'..=b'z', ..] => Message::new(d.bytes),
            _ => None,
        });
        let answers = |q: &Message, r: &Message| q.command && !r.command && q.request == r.request;
        reading.conclude(datagrams::judge(&reading, &SHAPE, answers))
    }
}

fn over_tcp(head: &Head<'_>) -> Assessment {
    let [client, server] = Dir::BOTH.map(|dir| head.stream(dir));
    let (asks, says) = (is_command(client.bytes()), is_answer(server.bytes()));
    if !asks {
        // A server's answer may be captured before the question.
        let foreign = client.bytes().len() > 10 || (server.bytes().len() > 64 && !client.bytes().is_empty());
        return if foreign { Assessment::Excluded } else { Assessment::NotNow };
    }
    let frame = |s: crate::flow::Stream<'_>| s.origin(0).map(|(frame, _)| frame).into_iter().collect::<Frames>();
    let mut finding = Finding { spoke: [true, says], server: Some(Dir::Responder), ..Finding::default() };
    finding.evidence.push(item(&COMMAND, 8, frame(client), "the client's first line is a command of memcached"));
    if says {
        finding.evidence.push(item(&LINE, 18, frame(server), "the server's first line is one of memcached's answers"));
        finding.settled = true;
    }
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Memcached, "memcached-udp.pcap", Band::Certain);
    }
}
