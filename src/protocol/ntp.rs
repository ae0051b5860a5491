//! NTP: client and server, symmetric peers, broadcasts, and control messages.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::ntp::{Control, Mode, Ntp as Packet, Private, unix_seconds};

/// Network Time Protocol.
pub(super) struct Ntp;

/// A packet with legal version, mode, stratum, poll, precision and length, and small delay and dispersion: about 2^-25
/// for random bytes. A request is little more than zeros, which other formats with a mode byte could share.
static PACKET: Family = Family { id: "ntp.packet", cap: Bits::whole(14) };
/// The server's origin timestamp is the request's transmit timestamp: 64 bits that are echoed at another place.
static ECHO: Family = Family { id: "ntp.origin-echo", cap: Bits::whole(20) };
/// A server's timestamps lie within a day of the capture's clock: two of them by chance with 2^-28, but other protocols
/// send the time as well.
static CLOCK: Family = Family { id: "ntp.clock", cap: Bits::whole(8) };
/// The timestamps that are set lie within a day of each other: 2^-15 for each but the first. Other formats may hold a
/// time twice.
static TIMES: Family = Family { id: "ntp.timestamps", cap: Bits::whole(10) };
/// A control message whose length agrees with its count; a response repeats sequence and opcode, and requests count
/// their sequence. Requests are 12 bytes of mostly zeros, so that the shape alone says little.
static CONTROL: Family = Family { id: "ntp.control", cap: Bits::whole(20) };

/// A private request: 50 bits of header, most of them zero; the answer repeats two bytes of it.
static PRIVATE: Family = Family { id: "ntp.private", cap: Bits::whole(20) };

const DAY: i64 = 86_400;

enum Message {
    Time(Packet),
    Control(Control),
    Private(Private),
}

impl Message {
    /// The sequence number of a control message.
    fn sequence(&self) -> Option<u16> {
        if let Self::Control(control) = self { Some(control.sequence) } else { None }
    }
}

impl Protocol for Ntp {
    fn name(&self) -> &'static str {
        "ntp"
    }

    fn reference(&self) -> &'static str {
        "RFC 5905"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || byte & 7 != 0
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes.first()? & 7 {
            1..=5 if d.len >= 48 => Packet::new(d.bytes, d.len).map(Message::Time),
            6 if d.len >= 12 => Control::new(d.bytes, d.len).map(Message::Control),
            7 if d.len >= 8 => Private::new(d.bytes, d.len).map(Message::Private),
            _ => None,
        });
        let Some(first) = reading.hits.first() else { return reading.nothing() };
        if reading.mostly_foreign() {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let time = |m: &Message| matches!(m, Message::Time(_));
        let echo = reading.answer(|q, r| match (q, r) {
            (Message::Time(q), Message::Time(r)) => q.is_answered_by(r),
            (Message::Control(q), Message::Control(r)) => {
                !q.response && r.response && q.opcode == r.opcode && q.sequence == r.sequence
            }
            (Message::Private(q), Message::Private(r)) => !q.response && r.response && q.request == r.request,
            _ => false,
        });
        let packets = reading.frames(time);
        if !packets.is_empty() {
            let bits = 11 + packets.len() as i32;
            let text = "version, mode, stratum, poll, precision, delays and length are those of NTP";
            finding.evidence.push(item(&PACKET, bits, packets, text));
        }
        if let Some((query, reply)) = echo {
            let frames = [query.datagram.frame, reply.datagram.frame];
            finding.server = Some(reply.datagram.dir);
            if let Message::Time(packet) = &reply.message {
                let text = "the reply's origin timestamp is the request's transmit timestamp";
                finding.evidence.push(item(&ECHO, 20, frames, text));
                finding.settled = packet.mode == Mode::Server && reading.misses == [0; 2];
                if packet.mode == Mode::Symmetric {
                    finding.server = None;
                }
            } else if let Message::Control(_) = &reply.message {
                finding.evidence.push(item(&CONTROL, 20, frames, "the control response repeats sequence and opcode"));
            } else {
                finding.evidence.push(item(&PRIVATE, 20, frames, "the private response repeats the request's code"));
            }
        } else if let Message::Control(_) = first.message {
            let sequences = || reading.hits.iter().filter_map(|h| h.message.sequence());
            let steps = sequences().zip(sequences().skip(1)).filter(|(a, b)| a.wrapping_add(1) == *b).count() as i32;
            let text = "control messages whose lengths agree with their counts";
            finding.evidence.push(item(&CONTROL, 8 + 4 * steps, reading.frames(|m| m.sequence().is_some()), text));
        } else if let Message::Private(packet) = &first.message {
            let text = "a private message whose length agrees with its items";
            // Implementation 0 stands for any, and is one zero more.
            let [implementation, _] = packet.request;
            let bits = if implementation == 0 { 8 } else { 14 };
            finding.evidence.push(item(&PRIVATE, bits, [first.datagram.frame], text));
        }
        finding.variant = match first.message {
            Message::Control(_) => Some("control".into()),
            Message::Private(_) => Some("private".into()),
            Message::Time(_) => None,
        };
        let agreeing = |m: &Message| if let Message::Time(p) = m { p.agreeing() } else { 0 };
        if let Some(hit) = reading.hits.iter().max_by_key(|h| agreeing(&h.message)).filter(|h| agreeing(&h.message) > 1)
        {
            let bits = 2 + 2 * agreeing(&hit.message) as i32;
            let text = "the timestamps that are set lie within a day of each other";
            finding.evidence.push(item(&TIMES, bits, [hit.datagram.frame], text));
        }
        let timely = reading.hits.iter().find(|h| match &h.message {
            Message::Time(p) if p.mode != Mode::Client && p.stratum != 0 => {
                let near = |t| (unix_seconds(t) - h.datagram.time.0 / 1_000_000_000).abs() < DAY;
                near(p.transmit) && (p.mode != Mode::Server || near(p.receive))
            }
            _ => false,
        });
        if let Some(hit) = timely {
            let text = "the timestamps are those of the capture's day";
            finding.evidence.push(item(&CLOCK, 8, [hit.datagram.frame], text));
        }
        let version = reading.hits.iter().find_map(|h| match &h.message {
            Message::Time(p) => Some(p.version),
            _ => None,
        });
        finding.variant = finding.variant.or_else(|| version.map(|v| format!("v{v}").into()));
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dir;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Ntp, "chrony.pcap", Band::Certain);
        assert_eq!((finding.server, finding.variant.as_deref()), (Some(Dir::Responder), Some("v4")));
    }
}
