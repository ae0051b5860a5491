//! NTP: client and server, symmetric peers, broadcasts, and control messages.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::ntp::{Control, Mode, Ntp as Packet, unix_seconds};

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
/// A control message whose length agrees with its count; a response repeats sequence and opcode. Requests are 12 bytes
/// of mostly zeros, so that the shape alone says little.
static CONTROL: Family = Family { id: "ntp.control", cap: Bits::whole(20) };

const DAY: i64 = 86_400;

enum Message {
    Time(Packet),
    Control(Control),
}

impl Protocol for Ntp {
    fn name(&self) -> &'static str {
        "ntp"
    }

    fn reference(&self) -> &'static str {
        "RFC 5905"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte & 7, 1..=6)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes.first()? & 7 {
            1..=5 if d.len >= 48 => Packet::new(d.bytes, d.len).map(Message::Time),
            6 if d.len >= 12 => Control::new(d.bytes, d.len).map(Message::Control),
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
            _ => false,
        });
        let packets = reading.frames(time);
        if !packets.is_empty() {
            let bits = 11 + packets.len() as i32;
            let text = "version, mode, stratum, poll, precision, delays and length are those of NTP";
            finding.evidence.push(item(&PACKET, bits, packets, text));
        }
        if let Some((query, reply)) = echo {
            let frames = vec![query.datagram.frame, reply.datagram.frame];
            finding.server = Some(reply.datagram.dir);
            if let Message::Time(packet) = &reply.message {
                let text = "the reply's origin timestamp is the request's transmit timestamp";
                finding.evidence.push(item(&ECHO, 20, frames, text));
                finding.settled = packet.mode == Mode::Server && reading.misses == [0; 2];
                if packet.mode == Mode::Symmetric {
                    finding.server = None;
                }
            } else {
                finding.evidence.push(item(&CONTROL, 20, frames, "the control response repeats sequence and opcode"));
                finding.variant = Some("control".into());
            }
        } else if let Message::Control(_) = first.message {
            let text = "a control message whose length agrees with its count";
            finding.evidence.push(item(&CONTROL, 8, vec![first.datagram.frame], text));
            finding.variant = Some("control".into());
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
            finding.evidence.push(item(&CLOCK, 8, vec![hit.datagram.frame], text));
        }
        let version = reading.hits.iter().find_map(|h| match &h.message {
            Message::Time(p) => Some(p.version),
            Message::Control(_) => None,
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
