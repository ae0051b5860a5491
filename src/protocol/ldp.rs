//! LDP's sessions over TCP (RFC 5036 section 3.1), and its hellos over UDP, most of them to a multicast group (section 3.5.2).
//!
//! ```text
//! version 0001 | PDU length (2) | router ID (4) | label space (2) | message type (2) | length (2) | ID (4) | …
//! hello:                         … message type 0100 | length | ID | 0400 0004 | hold time (2) | T, R, 0 (2) | …
//! ```

use super::datagrams::{self, Shape};
use super::dialogue::{self, Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::packet::Transport;

/// Version, a message type of a short list and two lengths that fit into each other: 50 bits.
static SIDES: [Family; 2] =
    [Family { id: "ldp.client-pdu", cap: Bits::whole(20) }, Family { id: "ldp.server-pdu", cap: Bits::whole(22) }];

/// Version, two lengths that end with the datagram, the hello's type and its first parameter: over 80 fixed bits.
static HELLO: Family = Family { id: "ldp.hello", cap: Bits::whole(28) };
/// Both sides send hellos in one flow, as those do that are not for the group.
static BOTH: Family = Family { id: "ldp.both-sides", cap: Bits::whole(6) };

static SHAPE: Shape = Shape {
    message: &HELLO,
    first: 24,
    further: 1,
    form: "a hello of LDP whose lengths end with the datagram",
    answer: &BOTH,
    answered: 6,
    link: "both sides send hellos",
};

/// The recogniser.
pub(super) struct Ldp;

impl Protocol for Ldp {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 0,
            1 => byte == 1,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| is_hello(d.bytes, d.len).then_some(()));
        // Neither side serves the other.
        let finding = datagrams::judge(&reading, &SHAPE, |(), ()| true);
        reading.conclude(finding.map(|f| Finding { server: None, ..f }))
    }
}

/// Whether a datagram of `len` bytes, of which `bytes` are visible, is one hello.
fn is_hello(bytes: &[u8], len: usize) -> bool {
    let number = |at| be16(bytes, at);
    number(0) == Some(1)
        && number(2) == len.checked_sub(4)
        && number(10) == Some(0x0100)
        && number(12) == len.checked_sub(14)
        && (number(18), number(20)) == (Some(0x0400), Some(4))
        && number(24).is_some_and(|flags| flags & 0x1fff == 0)
}

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "ldp";
    const REFERENCE: &'static str = "RFC 5036";

    fn client(&self, bytes: &[u8]) -> Opening {
        pdu(bytes, Role::Client, 20)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        pdu(bytes, Role::Server, 22)
    }
}

fn pdu(bytes: &[u8], role: Role, bits: i32) -> Opening {
    if ![0, 1].starts_with(bytes.get(..bytes.len().min(2)).unwrap_or_default()) {
        return Opening::Foreign;
    }
    let (Some(length), Some(kind), Some(inner)) = (be16(bytes, 2), be16(bytes, 10), be16(bytes, 12)) else {
        return Opening::Short;
    };
    // Notification, initialization, keepalive, address, label messages.
    let known = matches!(kind, 0x0001 | 0x0100 | 0x0200 | 0x0201 | 0x0300 | 0x0301 | 0x0400..=0x0404);
    // RFC 5036 sections 3.5.1 to 3.5.10: what the first message's first parameter is.
    let wanted = match kind {
        0x0001 => 0x0300,
        0x0200 => 0x0500,
        0x0300 | 0x0301 => 0x0101,
        0x0400.. => 0x0100,
        _ => 0,
    };
    let first = be16(bytes, 18).filter(|_| wanted != 0 && inner > 4).is_none_or(|first| first & 0x3fff == wanted);
    let fits = known && first && inner >= 4 && inner + 10 <= length && length <= 4096 && is_filled(bytes, 4 + length);
    // Label spaces of single interfaces have numbers of their own, but hardly any router has such.
    let bits = if be16(bytes, 8) == Some(0) { bits } else { bits - 10 };
    Opening::or_foreign(fits.then(|| Said::new(role.of(&SIDES), bits, "PDU of LDP whose lengths fit into each other")))
}

/// Whether the messages of a PDU, behind its header of ten bytes, end at `end`, as far as there are bytes.
fn is_filled(bytes: &[u8], end: usize) -> bool {
    let mut at = 10;
    while let Some(inner) = be16(bytes, at + 2).filter(|_| at < end) {
        at += 4 + inner;
    }
    at == end || at < end && at + 4 > bytes.len() || at > bytes.len() && at <= end
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn initialization() {
        let pdu = [0, 1, 0, 32, 10, 1, 1, 0, 0, 0, 2, 0, 0, 22, 0, 0, 0, 2];
        assert_eq!(found(&Ldp, &pdu, &pdu).unwrap().bits(), Bits::whole(42));
        let mut wrong = pdu;
        wrong[13] = 30;
        assert!(excluded(&Ldp, &pdu, &wrong));
    }

    #[test]
    fn hellos() {
        let mut hello = *b"\0\x01\0\x16\x0a\x01\x01\0\0\0\x01\0\0\x0c\0\0\0\x01\x04\0\0\x04\0\x0f\0\0";
        assert!(is_hello(&hello, hello.len()));
        assert!(!is_hello(&hello, hello.len() + 1));
        hello[19] = 1;
        assert!(!is_hello(&hello, hello.len()));
    }
}
