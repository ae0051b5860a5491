//! GTP-U: mobile networks' user data, the outer packets.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::gtp::Gtp;

/// GTP-U.
pub(super) struct GtpU;

/// Flags, type, a length that agrees and an inner IP packet that fits: 2^-60 for random bytes. An echo request alone is
/// little more than a type and a length. One-way as a rule, so that several packets must be able to carry the name.
static PACKET: Family = Family { id: "gtp-u.packet", cap: Bits::whole(30) };
/// An echo response repeats the request's sequence number, or both sides send tunnelled packets.
static ANSWER: Family = Family { id: "gtp-u.answer", cap: Bits::whole(10) };

static DATA: Shape = Shape {
    message: &PACKET,
    first: 24,
    further: 1,
    form: "GTP's header, and an IP packet that ends with the datagram",
    answer: &ANSWER,
    answered: 6,
    link: "both sides send such packets",
};
static ECHO: Shape = Shape {
    message: &PACKET,
    first: 6,
    further: 1,
    form: "GTP's header with a length that agrees",
    answer: &ANSWER,
    answered: 10,
    link: "the echo response repeats the request's sequence number",
};

impl Protocol for GtpU {
    fn name(&self) -> &'static str {
        "gtp-u"
    }

    fn reference(&self) -> &'static str {
        "3GPP TS 29.281"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x30..=0x37),
            1 => matches!(byte, 1 | 2 | 26 | 31 | 254 | 255),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let mut control = false;
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x30..=0x37, 1 | 2 | 26 | 31 | 254 | 255, ..] if d.len >= 8 => Gtp::new(d.bytes, d.len),
            [0x30..=0x37, 3..=255, ..] if d.len >= 8 => {
                control |= Gtp::new(d.bytes, d.len).is_some();
                None
            }
            _ => None,
        });
        // The echo is the same in both planes; other messages are the control plane's.
        if control {
            return Assessment::NotNow;
        }
        let data = reading.hits.iter().any(|h| matches!(h.message, Gtp::Data { .. }));
        let answers = |q: &Gtp, r: &Gtp| match (q, r) {
            (Gtp::Signal { kind: 1, sequence: a }, Gtp::Signal { kind: 2, sequence: b }) => a == b && a.is_some(),
            _ => data,
        };
        let finding = datagrams::judge(&reading, if data { &DATA } else { &ECHO }, answers);
        reading.conclude(finding.map(|f| Finding { server: None, ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&GtpU, "tunnel.pcap", Band::Certain);
    }
}
