//! fastd, the tunnel daemon of mesh networks, by its handshake. Its data are a counter and noise.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::fastd::Fastd as Packet;

/// fastd.
pub(super) struct Fastd;

/// A length, a first record of fixed form and records in little-endian order that fill the packet, with the name of a key
/// exchange among them: 2^-80 for random bytes. What one side alone sends may be a probe.
static HANDSHAKE: Family = Family { id: "fastd.handshake", cap: Bits::whole(24) };
/// The other side sends the handshake's next step.
static ANSWER: Family = Family { id: "fastd.next-step", cap: Bits::whole(12) };

static SHAPE: Shape = Shape {
    message: &HANDSHAKE,
    first: 22,
    further: 1,
    form: "a handshake packet: its step, then records that fill it",
    answer: &ANSWER,
    answered: 12,
    link: "the other side answers with the handshake's next step",
};

impl Protocol for Fastd {
    fn name(&self) -> &'static str {
        "fastd"
    }

    fn reference(&self) -> &'static str {
        "fastd src/handshake.h"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 1 | 0xc8),
            1 => matches!(byte, 0 | 3),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let mut reading = datagrams::read(head, |d| match d.bytes {
            [1, 0, ..] | [0xc8, 3, 0, 12, ..] if d.is_whole() => Packet::new(d.bytes).filter(|p| p.protocol.is_some()),
            _ => None,
        });
        if !reading.hits.is_empty() {
            // Data follow, which nobody can read.
            reading.misses = [0; 2];
        }
        let finding = datagrams::judge(&reading, &SHAPE, |q, r| r.step == q.step + 1).map(|mut finding| {
            // Who takes the first step asks.
            let asks = reading.hits.iter().find(|h| h.message.step == 1);
            finding.server = asks.map(|h| h.datagram.dir.other()).or(finding.server);
            let said = reading.hits.iter().find_map(|h| h.message.version);
            finding.details.extend(said.map(|v| ("version", String::from_utf8_lossy(v).into_owned())));
            finding
        });
        reading.conclude(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dir;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Fastd, "handshake.pcap", Band::Certain);
        assert_eq!((finding.server, finding.settled), (Some(Dir::Responder), true));
    }
}
