//! STUN over UDP and TCP, with TURN's methods and channel data, and the older form without a cookie.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::stun::{ChannelData, Class, Stun as Message};

/// STUN and TURN.
pub(super) struct Stun;

/// The cookie (32 bits), two zero bits, a length that agrees, attributes that fill the message. Several messages make
/// chance impossible; no other protocol carries the cookie here. RFC 3489's form has 2^-40 for random bytes, but its
/// bare request is "0001 0000 and 16 bytes", which gets little.
static MESSAGE: Family = Family { id: "stun.message", cap: Bits::whole(22) };
/// The reply repeats a transaction ID of 96 or 128 random bits.
static ECHO: Family = Family { id: "stun.transaction-echo", cap: Bits::whole(16) };
/// ChannelData: first byte 0x4x and a length that agrees, 2^-20 each; many formats have a type and a length.
static CHANNEL: Family = Family { id: "stun.channel-data", cap: Bits::whole(12) };

enum Unit<'a> {
    Message(Message<'a>),
    Channel,
}

impl Protocol for Stun {
    fn name(&self) -> &'static str {
        "stun"
    }

    fn reference(&self) -> &'static str {
        "RFC 8489"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0..0x50)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return over_tcp(head);
        }
        let reading = datagrams::read(head, |d| match d.bytes.first()? {
            0..0x40 if d.len >= 20 => Message::new(d.bytes, d.len).map(Unit::Message),
            0x40..0x50 => ChannelData::new(d.bytes, d.len).map(|_| Unit::Channel),
            _ => None,
        });
        if reading.hits.is_empty() {
            return reading.nothing();
        }
        let messages =
            || reading.hits.iter().filter_map(|h| if let Unit::Message(m) = &h.message { Some((h, m)) } else { None });
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        // Media follow in the same flow, so foreign datagrams do not speak against STUN once the cookie was seen.
        let cookies = messages().filter(|(_, m)| m.has_cookie()).count() as i32;
        if cookies > 0 {
            let frames = reading.frames(|u| matches!(u, Unit::Message(m) if m.has_cookie()));
            let text = "the magic cookie, and a length and attributes that fill the message";
            finding.evidence.push(item(&MESSAGE, 19 + cookies, frames, text));
        } else if !reading.mostly_foreign() && messages().next().is_some() {
            let frames = reading.frames(|u| matches!(u, Unit::Message(_)));
            let told: i32 = messages()
                .map(|(_, m)| match () {
                    _ if m.is_bare() => 2,
                    // Type, length and a whole attribute are fixed: over 90 bits.
                    _ if m.asks_for_change() => 14,
                    _ => 8,
                })
                .sum();
            let text = "a message of RFC 3489: type, length and attributes fill the datagram";
            finding.evidence.push(item(&MESSAGE, told.min(14), frames, text));
            finding.variant = Some("rfc3489".into());
        }
        let channels = reading.hits.iter().filter(|h| matches!(h.message, Unit::Channel)).count() as i32;
        if channels > 0 && !reading.mostly_foreign() {
            let frames = reading.frames(|u| matches!(u, Unit::Channel));
            let text = "channel data: a channel number and a length that agrees with the datagram";
            finding.evidence.push(item(&CHANNEL, channels * 3, frames, text));
        }
        let echo = reading.answer(|q, r| match (q, r) {
            (Unit::Message(q), Unit::Message(r)) => q.is_answered_by(r),
            _ => false,
        });
        if let Some((query, reply)) = echo {
            let frames = [query.datagram.frame, reply.datagram.frame];
            finding.evidence.push(item(&ECHO, 16, frames, "the response repeats the request's transaction ID"));
            // Peers of a media session test each other; a server does not ask.
            let asks = |dir: Dir| messages().any(|(h, m)| h.datagram.dir == dir && m.class() == Class::Request);
            finding.server = (!asks(reply.datagram.dir)).then_some(reply.datagram.dir);
        }
        if messages().any(|(_, m)| m.is_turn()) || (channels > 0 && finding.variant.is_none()) {
            finding.variant = Some("turn".into());
        }
        finding.details = software(messages().map(|(_, m)| m)).into_iter().collect();
        Assessment::Recognised(finding)
    }
}

/// The SOFTWARE attribute (0x8022) of the first message that has one.
fn software<'m, 'a: 'm>(mut messages: impl Iterator<Item = &'m Message<'a>>) -> Option<(&'static str, String)> {
    let value = messages.find_map(|m| m.attribute(0x8022))?;
    Some(("software", String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()))
}

fn over_tcp(head: &Head<'_>) -> Assessment {
    let streams = Dir::BOTH.map(|dir| head.stream(dir));
    let messages = streams.map(|s| {
        let bytes = s.bytes();
        let length = 20 + usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?));
        Message::new(bytes.get(..length)?, length).filter(Message::has_cookie)
    });
    if messages.iter().all(Option::is_none) {
        let foreign = streams.iter().any(|s| s.bytes().first().is_some_and(|b| *b >= 0x40) || s.bytes().len() >= 1500);
        return if foreign { Assessment::Excluded } else { Assessment::NotNow };
    }
    let spoke = messages.map(|m| m.is_some());
    let frames: Frames = streams.iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
    let text = "the magic cookie, and a length and attributes that fill the message";
    let mut finding = Finding { evidence: vec![item(&MESSAGE, 20, frames.clone(), text)], spoke, ..Finding::default() };
    if let [Some(a), Some(b)] = &messages {
        let server =
            if a.is_answered_by(b) { Some(Dir::Responder) } else { b.is_answered_by(a).then_some(Dir::Originator) };
        if server.is_some() {
            finding.evidence.push(item(&ECHO, 16, frames, "the response repeats the request's transaction ID"));
            (finding.server, finding.settled) = (server, true);
        }
    }
    if messages.iter().flatten().any(Message::is_turn) {
        finding.variant = Some("turn".into());
    }
    finding.details = software(messages.iter().flatten()).into_iter().collect();
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Stun, "coturn.pcap", Band::Certain);
        assert_eq!((finding.server, finding.variant.as_deref()), (Some(Dir::Responder), Some("turn")));
    }
}
