//! DHCP for IPv6.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::dhcpv6::Dhcpv6 as Message;

/// DHCP for IPv6.
pub(super) struct Dhcpv6;

/// Options with codes of the registry that fill the message, one of them a DUID: 2^-40 for random bytes; few formats
/// chain 16-bit codes and lengths from byte 4 on. Multicasts are answered in another flow.
static MESSAGE: Family = Family { id: "dhcpv6.message", cap: Bits::whole(26) };
/// The reply repeats the transaction identifier (24 bits).
static ANSWER: Family = Family { id: "dhcpv6.answer", cap: Bits::whole(12) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 20,
    further: 2,
    form: "a message type, and options that fill the message, among them a DUID",
    answer: &ANSWER,
    answered: 12,
    link: "the reply repeats the transaction identifier",
};

impl Protocol for Dhcpv6 {
    fn name(&self) -> &'static str {
        "dhcpv6"
    }

    fn reference(&self) -> &'static str {
        "RFC 8415"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 1..=13)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [1..=13, ..] if d.len >= 8 => Message::new(d.bytes, d.len),
            _ => None,
        });
        let answers =
            |q: &Message, r: &Message| !q.is_from_server() && r.is_from_server() && q.transaction == r.transaction;
        let mut finding = datagrams::judge(&reading, &SHAPE, answers);
        if let (Some(finding), Some(first)) = (&mut finding, reading.hits.first()) {
            let sender = first.datagram.dir;
            finding.server = Some(if first.message.is_from_server() { sender } else { sender.other() });
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
        replay::expect(&Dhcpv6, "dnsmasq.pcap", Band::Confident);
    }
}
