//! CAPWAP, between wireless access points and their controller.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::capwap::Capwap as Packet;

/// Control And Provisioning of Wireless Access Points.
pub(super) struct Capwap;

/// A header with 60 fixed bits and elements that fill the packet, or four fixed bytes before DTLS records that do: 2^-70
/// for random bytes. What one side alone sends may be a probe.
static PACKET: Family = Family { id: "capwap.packet", cap: Bits::whole(26) };
/// The response has the request's type plus one and its sequence number; or both sides send DTLS.
static ANSWER: Family = Family { id: "capwap.answer", cap: Bits::whole(10) };

static SHAPE: Shape = Shape {
    message: &PACKET,
    first: 22,
    further: 1,
    form: "CAPWAP's header, and elements or DTLS records that fill the packet",
    answer: &ANSWER,
    answered: 10,
    link: "the other side answers in kind",
};

impl Protocol for Capwap {
    fn name(&self) -> &'static str {
        "capwap"
    }

    fn reference(&self) -> &'static str {
        "RFC 5415"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte <= 1,
            1 => byte == 0 || byte >> 3 >= 2,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0 | 1, ..] if d.is_whole() && d.len >= 16 => Packet::new(d.bytes),
            _ => None,
        });
        let answers = Packet::is_answered_by;
        let finding = datagrams::judge(&reading, &SHAPE, answers).map(|mut finding| {
            // Access points ask; what both sides send alike does not show who serves.
            let asks = |p: &Packet| matches!(p, Packet::Control { kind, .. } if kind % 2 == 1);
            let first = reading.hits.first();
            finding.server = first.map(|h| {
                if asks(&h.message) || !matches!(h.message, Packet::Control { .. }) {
                    h.datagram.dir.other()
                } else {
                    h.datagram.dir
                }
            });
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
        let finding = replay::expect(&Capwap, "discovery.pcap", Band::Certain);
        assert_eq!(finding.server, Some(Dir::Responder));
    }
}
