//! Kerberos V5 over UDP and, with a length in front, over TCP.

use super::datagrams::{self, Shape, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::kerberos::Kerberos as Message;

/// Kerberos V5.
pub(super) struct Kerberos;

/// Nested DER elements that fill the message, version 5, and a type that repeats the tag: 2^-70 for random bytes.
static MESSAGE: Family = Family { id: "kerberos.message", cap: Bits::whole(24) };
/// A reply of the type that answers the request.
static ANSWER: Family = Family { id: "kerberos.answer", cap: Bits::whole(10) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 23,
    further: 1,
    form: "the tag, version 5 and message type agree, and the lengths fill the message",
    answer: &ANSWER,
    answered: 10,
    link: "the request is answered by the reply of its type, or by an error",
};

impl Protocol for Kerberos {
    fn name(&self) -> &'static str {
        "kerberos"
    }

    fn reference(&self) -> &'static str {
        "RFC 4120"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x6a..=0x6f | 0x7e)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return over_tcp(head);
        }
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x6a..=0x6f | 0x7e, ..] if d.len >= 14 => Message::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, Message::is_answered_by))
    }
}

/// RFC 4120 section 7.2.2: four bytes of length, then the message; its first bytes are enough.
fn over_tcp(head: &Head<'_>) -> Assessment {
    let streams = Dir::BOTH.map(|dir| head.stream(dir));
    let messages = streams.map(|s| {
        let (length, rest) = s.bytes().split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        Message::new(rest.get(..length).unwrap_or(rest), length)
    });
    let frames: Frames = streams.iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
    let spoke = messages.map(|m| m.is_some());
    if spoke == [false; 2] {
        let foreign = streams.iter().any(|s| s.bytes().first().is_some_and(|b| *b != 0) || s.bytes().len() > 64);
        return if foreign { Assessment::Excluded } else { Assessment::NotNow };
    }
    let form = item(&MESSAGE, 23, frames.clone(), SHAPE.form);
    let mut finding = Finding { evidence: vec![form], spoke, ..Finding::default() };
    if let [Some(a), Some(b)] = &messages
        && a.is_answered_by(b)
    {
        finding.evidence.push(item(&ANSWER, 10, frames, SHAPE.link));
        (finding.server, finding.settled) = (Some(Dir::Responder), true);
    }
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_captures_are_recognised() {
        replay::expect(&Kerberos, "mit-udp.pcap", Band::Certain);
        replay::expect(&Kerberos, "mit-tcp.pcap", Band::Certain);
    }
}
