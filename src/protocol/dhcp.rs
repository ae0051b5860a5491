//! DHCP for IPv4, and BOOTP with vendor options.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::dhcp::Dhcp as Message;

/// Dynamic Host Configuration Protocol.
pub(super) struct Dhcp;

/// The cookie at byte 236, op, lengths and options: 2^-60 for random bytes, and no other protocol has the cookie there.
/// Broadcasts are answered in another flow, so that several messages must be able to carry the name.
static MESSAGE: Family = Family { id: "dhcp.message", cap: Bits::whole(30) };
/// The reply repeats the transaction identifier.
static ANSWER: Family = Family { id: "dhcp.answer", cap: Bits::whole(10) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 24,
    further: 3,
    form: "a BOOTP header, the DHCP cookie, and options that end where they should",
    answer: &ANSWER,
    answered: 10,
    link: "the reply repeats the transaction identifier",
};

impl Protocol for Dhcp {
    fn name(&self) -> &'static str {
        "dhcp"
    }

    fn reference(&self) -> &'static str {
        "RFC 2131"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 1 | 2),
            2 => matches!(byte, 0..=16),
            3 => matches!(byte, 0..=32),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [1 | 2, _, 0..=16, ..] if d.len >= 240 => Message::new(d.bytes, d.len),
            _ => None,
        });
        let mut finding = datagrams::judge(&reading, &SHAPE, |q, r| !q.reply && r.reply && q.xid == r.xid);
        if let (Some(finding), Some(first)) = (&mut finding, reading.hits.first()) {
            let sender = first.datagram.dir;
            finding.server = Some(if first.message.reply { sender } else { sender.other() });
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
        replay::expect(&Dhcp, "dnsmasq.pcap", Band::Confident);
    }
}
