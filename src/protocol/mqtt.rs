//! MQTT: CONNECT with the protocol's name from the client, CONNACK from the server (MQTT 3.1.1 section 3.1, 5.0 alike).
//!
//! ```text
//! 10 | remaining length (1..4) | 00 04 'MQTT' or 00 06 'MQIsdp' | level | flags | keepalive (2) | …
//! 20 | remaining length        | 00..01 | return code | properties (5.0)
//! 3x | remaining length        | topic length (2) | topic | packet identifier (2) unless QoS is 0 | message
//! 40, 50, 62, 70, 82, 90, a2, b0 | remaining length | packet identifier (2) | …          acknowledgements, subscriptions
//! c0 | 00, d0 | 00                                                                  ping and its answer
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::joined::Joined;
use super::{Bits, Family, counted};

/// The name between fixed bytes and lengths: over 60 bits. From a client alone it may be a probe.
static CONNECT: Family = Family { id: "mqtt.connect", cap: Bits::whole(26) };
/// Four bytes, 28 bits by chance; small binary acknowledgements are common, so it counts as the answer.
static CONNACK: Family = Family { id: "mqtt.connack", cap: Bits::whole(14) };

/// Packets joined in the middle that fill the stream to its end: a ping is 16 fixed bits, a message with a topic in text
/// some 30. Short binary frames are common, so that it takes both sides.
static PACKETS: [Family; 2] = [
    Family { id: "mqtt.client-packets", cap: Bits::whole(12) },
    Family { id: "mqtt.server-packets", cap: Bits::whole(12) },
];
/// Messages of one side: type, remaining length and topic length lead to each other's end, and the topic is text, some 30
/// bits each. Two are no accident, but what frames text by its length may look alike.
static TOPICS: Family = Family { id: "mqtt.topics", cap: Bits::whole(8) };
/// One side acknowledges a packet identifier of the other's, mostly a small number.
static ACKNOWLEDGED: Family = Family { id: "mqtt.packet-identifier-echo", cap: Bits::whole(8) };

/// The recogniser.
pub(super) struct Mqtt;

impl Dialogue for Mqtt {
    const NAME: &'static str = "mqtt";
    const REFERENCE: &'static str = "MQTT 5.0";

    fn client(&self, bytes: &[u8]) -> Opening {
        let [0x10, rest @ ..] = bytes else { return Opening::Foreign };
        let digits = rest.iter().take(4).take_while(|&&b| b & 0x80 != 0).count();
        let Some(body) = rest.get(digits + 1..) else {
            return if digits < 4 { Opening::Short } else { Opening::Foreign };
        };
        let name = [&b"\x00\x04MQTT"[..], b"\x00\x06MQIsdp"]
            .into_iter()
            .find(|name| body.iter().zip(*name).all(|(a, b)| a == b));
        let Some(name) = name else { return Opening::Foreign };
        let Some((level, flags)) = body.get(name.len()).zip(body.get(name.len() + 1)) else { return Opening::Short };
        let variant = match level & 0x7f {
            3 => "3.1",
            4 => "3.1.1",
            5 => "5.0",
            _ => return Opening::Foreign,
        };
        // Bit 0 of the flags is reserved.
        Opening::or_foreign(
            (flags & 1 == 0).then(|| Said::new(&CONNECT, 26, "client connects as in MQTT").variant(variant)),
        )
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let bits = if client.first() == Some(&0x10) { 14 } else { 4 };
        // Version 5 has codes of its own, and properties whose length fills the packet.
        let fits = match bytes {
            [0x20, 2, 0..=1, 0..=5, ..] => true,
            [0x20, length @ 3..=0x7f, 0..=1, 0 | 0x80..=0x9f, properties, ..] => length - 3 == *properties,
            [0x20, rest @ ..] if rest.len() < 4 => return Opening::Short,
            _ => false,
        };
        if !fits {
            return Opening::Foreign;
        }
        let said = Said::new(&CONNACK, bits, "server acknowledges the connect");
        // Of a server alone: what follows.
        match tell(bytes, Role::Server).filter(|_| client.is_empty()) {
            Some((told, topics)) => {
                let said = said.and(&PACKETS[1], told - 4, 0, "server sends packets of MQTT to the end");
                tell_topics(said, topics).unfinished(bytes.len() < 1024)
            }
            None => said,
        }
        .into()
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, other: &[u8]) -> Opening {
        let Some((bits, topics)) = tell(bytes, role) else { return Opening::Foreign };
        if bits == 0 {
            return Opening::Short;
        }
        let said =
            Said::new(role.of(&PACKETS), bits, format!("{role:?} sends packets of MQTT to the end").to_lowercase());
        let sent = |id| packets(other).flatten().any(|p| p.identifier() == Some(id));
        let echo = packets(bytes).flatten().filter_map(|p| p.acknowledges()).any(sent);
        let said = tell_topics(said, topics);
        match echo {
            true => said.and(&ACKNOWLEDGED, 8, 0, "a packet identifier of the other side is acknowledged"),
            false => said,
        }
        .unfinished(bits < 12)
        .into()
    }
}

/// What the packets of a side prove by their form, and how many of them are messages with a topic; none if they are no
/// packets to the very end.
fn tell(bytes: &[u8], role: Role) -> Option<(i32, usize)> {
    packets(bytes).try_fold((0, 0), |(bits, topics), packet| {
        let packet = packet?;
        let told = packet.told(role)?;
        Some((bits + told, topics + usize::from(packet.first >> 4 == 3 && told >= 10)))
    })
}

fn tell_topics(said: Said, count: usize) -> Said {
    match count {
        0 | 1 => said,
        _ => said.and(&TOPICS, 4 * count as i32 - 4, 0, counted!("{count} messages with topics in text", count)),
    }
}

/// A control packet on the wire.
struct Packet<'a> {
    first: u8,
    length: usize,
    /// What is visible behind the remaining length.
    body: &'a [u8],
}

/// The packets of a stream, each following the one before; none in the place of what is no packet.
fn packets(bytes: &[u8]) -> impl Iterator<Item = Option<Packet<'_>>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let digits = after.iter().take(4).take_while(|&&b| b & 0x80 != 0).count();
        let Some(body) = after.get(digits + 1..) else {
            // The last packet may be cut.
            rest = &[];
            return (digits == 4 || matches!(first >> 4, 0 | 15)).then_some(None);
        };
        let value = after.iter().take(digits + 1).rev().fold(0, |n, &b| n << 7 | usize::from(b & 0x7f));
        let (body, next) = body.split_at(value.min(body.len()));
        rest = next;
        Some(Some(Packet { first, length: value, body }))
    })
}

impl Packet<'_> {
    /// What it proves if `role` sent it, in bits; none if that cannot be.
    fn told(&self, role: Role) -> Option<i32> {
        let length = self.length;
        let bits = match (self.first, role) {
            (0x30..=0x3d, _) if self.first & 6 != 6 => {
                let Some(topic) = be16(self.body, 0) else { return (self.body.len() < length).then_some(0) };
                if !(1..=length.saturating_sub(2)).contains(&topic) {
                    return None;
                }
                let Some(topic) = self.body.get(2..2 + topic) else { return Some(0) };
                topic.iter().all(|b| matches!(b, 0x20..=0x7e | 0x80..)).then_some(if topic.len() > 3 {
                    10
                } else {
                    3
                })?
            }
            (0x40 | 0x50 | 0x62 | 0x70, _) => (length == 2 || (3..64).contains(&length)).then_some(3)?,
            (0x82 | 0xa2, Role::Client) => (length >= 3).then_some(3)?,
            (0x90 | 0xb0, Role::Server) => (length >= 2).then_some(3)?,
            (0xc0, Role::Client) | (0xd0, Role::Server) => (length == 0).then_some(8)?,
            (0xe0, Role::Client) => (length == 0).then_some(5)?,
            (0x20, Role::Server) => (length >= 2).then_some(4)?,
            _ => return None,
        };
        Some(bits)
    }

    /// The identifier of a packet that asks for an acknowledgement.
    fn identifier(&self) -> Option<usize> {
        match self.first {
            0x32..=0x35 | 0x3a..=0x3d => be16(self.body, 2 + be16(self.body, 0)?),
            0x62 | 0x82 | 0xa2 => be16(self.body, 0),
            _ => None,
        }
    }

    /// The identifier that an acknowledgement names.
    fn acknowledges(&self) -> Option<usize> {
        matches!(self.first, 0x40 | 0x50 | 0x70 | 0x90 | 0xb0).then(|| be16(self.body, 0))?
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn connect_and_ack() {
        let connect = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test";
        let finding = found(&Mqtt, connect, &[0x20, 2, 0, 0]).unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(40), Some("3.1.1")));
        assert!(found(&Mqtt, b"", &[0x20, 2, 0, 0]).is_none());
        assert!(excluded(&Mqtt, connect, &[0x30, 2, 0, 0]));
        for n in 1..connect.len() {
            assert!(!matches!(Mqtt.client(&connect[..n]), Opening::Foreign), "{n}");
        }
    }
    #[test]
    fn packets_fill_a_stream_joined_in_the_middle() {
        let pings = joined(&Mqtt, &[0xc0, 0], &[0xd0, 0]).unwrap();
        assert_eq!((pings.bits(), pings.server), (Bits::whole(16), Some(crate::flow::Dir::Responder)));
        let publish = b"\x32\x0a\x00\x05a/b/c\x00\x07x";
        let finding = joined(&Mqtt, &publish.repeat(2), &[0x40, 2, 0, 7, 0xd0, 0]).unwrap();
        assert_eq!(finding.bits(), Bits::whole(12 + 4 + 11 + 8));
        // One side alone.
        assert_eq!(joined(&Mqtt, &publish.repeat(2), b"").unwrap().bits(), Bits::whole(12 + 4));
        assert_eq!(
            found(&Mqtt, b"", &[&[0x20, 2, 0, 0], &publish.repeat(2)[..]].concat()).unwrap().bits(),
            Bits::whole(4 + 12 + 4)
        );
        assert!(joined(&Mqtt, publish, b"").is_some_and(|f| f.bits() < Bits::whole(14)));
        let little = joined(&Mqtt, b"0\x05hello", b"\x20\x02ok");
        assert!(little.is_none_or(|f| f.bits() < Bits::whole(8)));
        assert!(joined(&Mqtt, b"\xc0\x00\x01", b"\xc0\x00").is_none_or(|f| f.bits() < Bits::whole(14)));
    }
}
