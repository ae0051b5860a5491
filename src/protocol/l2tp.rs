//! L2TP, by its control messages. Data messages without them are too plain to name.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::l2tp::L2tp as Message;

/// Layer Two Tunneling Protocol.
pub(super) struct L2tp;

/// Flags and version (16 bits), a length that agrees, AVPs that fill the message with the message type in front: 2^-60
/// for random bytes.
static MESSAGE: Family = Family { id: "l2tp.message", cap: Bits::whole(24) };
/// The peer's next expected number is this side's number plus one: both sides keep count of each other.
static ANSWER: Family = Family { id: "l2tp.acknowledged", cap: Bits::whole(10) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 20,
    further: 1,
    form: "control flags, version, and a length and AVPs that fill the message",
    answer: &ANSWER,
    answered: 10,
    link: "the other side acknowledges the control message by its number",
};

impl Protocol for L2tp {
    fn name(&self) -> &'static str {
        "l2tp"
    }

    fn reference(&self) -> &'static str {
        "RFC 2661, RFC 3931"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 0xc8,
            1 => matches!(byte, 2 | 3),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let mut data = 0;
        let mut reading = datagrams::read(head, |d| match d.bytes {
            [0xc8, 2 | 3, ..] if d.len >= 12 => Message::new(d.bytes, d.len),
            // Data messages of version 2 in company.
            [0..=0x4f, 2, ..] => {
                data += 1;
                None
            }
            _ => None,
        });
        if reading.hits.is_empty()
            || reading.misses.iter().sum::<u64>().saturating_sub(data) > reading.hits.len() as u64
        {
            return if reading.hits.is_empty() { reading.nothing() } else { Assessment::NotNow };
        }
        let answers = |q: &Message, r: &Message| {
            q.version == r.version && q.kind.is_some() && r.received == q.sent.wrapping_add(1)
        };
        reading.misses = [0; 2];
        let mut finding = datagrams::judge(&reading, &SHAPE, answers);
        if let (Some(finding), Some(first)) = (&mut finding, reading.hits.first()) {
            finding.variant = Some(if first.message.version == 2 { "v2" } else { "v3" }.into());
            // SCCRQ (1) comes from the side that wants the tunnel.
            let asks = reading.hits.iter().find(|h| h.message.kind == Some(1));
            finding.server = asks.map(|h| h.datagram.dir.other());
        }
        reading.conclude(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&L2tp, "xl2tpd.pcap", Band::Certain);
    }
}
