//! SNMP v1, v2c and v3.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::snmp::Snmp as Message;

/// Simple Network Management Protocol.
pub(super) struct Snmp;

/// Nested BER elements with the right tags whose lengths agree with the datagram: 2^-50 for random bytes. Other
/// protocols use BER (LDAP, Kerberos), but with other tags at these places. Traps are not answered.
static MESSAGE: Family = Family { id: "snmp.message", cap: Bits::whole(24) };
/// The response repeats request or message identifier.
static ANSWER: Family = Family { id: "snmp.answer", cap: Bits::whole(12) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 21,
    further: 1,
    form: "version, community or header, and PDU nest in BER elements that fill the datagram",
    answer: &ANSWER,
    answered: 12,
    link: "the response repeats the request's identifier",
};

impl Protocol for Snmp {
    fn name(&self) -> &'static str {
        "snmp"
    }

    fn reference(&self) -> &'static str {
        "RFC 1157, RFC 1901, RFC 3412"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || byte == 0x30
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x30, ..] if d.len >= 20 => Message::new(d.bytes, d.len),
            _ => None,
        });
        let mut finding = datagrams::judge(&reading, &SHAPE, Message::is_answered_by);
        if let (Some(finding), Some(first)) = (&mut finding, reading.hits.first()) {
            finding.variant =
                Some(["v1", "v2c", "v3"].get(first.message.version.min(2) as usize).copied().unwrap_or("v3").into());
            // Traps (a4, a7) go to the manager, requests to the agent: either way to the side that serves.
            if !finding.settled && first.message.pdu != 0xa2 {
                finding.server = Some(first.datagram.dir.other());
            }
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
        replay::expect(&Snmp, "net-snmp.pcap", Band::Certain);
    }
}
