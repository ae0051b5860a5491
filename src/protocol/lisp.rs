//! LISP: its control messages and, in flows of their own, its encapsulated packets.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::lisp::{Control, is_data};

/// Locator/ID Separation Protocol.
pub(super) struct Lisp;

/// A type, counts, address families and masks whose records end with the message: 2^-60 for random bytes. What one side
/// alone sends may be a probe.
static MESSAGE: Family = Family { id: "lisp.message", cap: Bits::whole(24) };
/// The answer repeats the 64-bit nonce.
static ANSWER: Family = Family { id: "lisp.answer", cap: Bits::whole(14) };

static CONTROL: Shape = Shape {
    message: &MESSAGE,
    first: 21,
    further: 1,
    form: "a control message whose records end with it",
    answer: &ANSWER,
    answered: 14,
    link: "the answer repeats the nonce",
};

/// Eight bytes of which eleven bits are fixed or agree, then an IP packet that ends with the datagram: other tunnels put
/// eight bytes before an IP packet, too, so that several must agree and it is never certain.
static PACKET: Family = Family { id: "lisp.packet", cap: Bits::whole(24) };
/// Both sides send such packets in one flow; usually each direction has a source port of its own.
static BOTH: Family = Family { id: "lisp.both-sides", cap: Bits::whole(4) };

static DATA: Shape = Shape {
    message: &PACKET,
    first: 14,
    further: 2,
    form: "LISP's header, and an IP packet that ends with the datagram",
    answer: &BOTH,
    answered: 4,
    link: "both sides send such packets",
};

impl Protocol for Lisp {
    fn name(&self) -> &'static str {
        "lisp"
    }

    fn reference(&self) -> &'static str {
        "RFC 9300, RFC 9301"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte >> 4, 1..=5 | 8) || byte & 7 == 0
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let control = datagrams::read(head, |d| match d.bytes {
            [0x10..=0x5f | 0x80..=0x8f, ..] if d.is_whole() && d.len >= 24 => Control::new(d.bytes),
            _ => None,
        });
        if !control.hits.is_empty() {
            let finding = datagrams::judge(&control, &CONTROL, Control::is_answered_by);
            return control.conclude(finding.map(|f| Finding { variant: Some("control".into()), ..f }));
        }
        let data = datagrams::read(head, |d| match d.bytes {
            [first, ..] if first & 7 == 0 && d.len >= 28 => is_data(d.bytes, d.len).then_some(()),
            _ => None,
        });
        let finding = datagrams::tunnel(&data, &DATA);
        data.conclude(finding.map(|f| Finding { variant: Some("data".into()), ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_captures_are_recognised() {
        assert_eq!(replay::expect(&Lisp, "registration.pcap", Band::Certain).variant.as_deref(), Some("control"));
        assert_eq!(replay::expect(&Lisp, "tunnel.pcap", Band::Confident).variant.as_deref(), Some("data"));
    }
}
