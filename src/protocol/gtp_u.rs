//! GTP-U: mobile networks' user data, the outer packets.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::gtp::Gtp;

/// GTP-U.
pub(super) struct GtpU;

/// Flags, type, a length that agrees and an inner IP packet that fits: 2^-60 for random bytes. One-way as a rule, so that
/// several packets must be able to carry the name.
static PACKET: Family = Family { id: "gtp-u.packet", cap: Bits::whole(30) };
/// Both sides send tunnelled packets.
static ANSWER: Family = Family { id: "gtp-u.answer", cap: Bits::whole(6) };
/// An error indication with a tunnel's identifier and a node's address, as only the user plane has them: 96 fixed bits.
static ERRORS: Family = Family { id: "gtp-u.error-indication", cap: Bits::whole(18) };
/// Echoes are the same in the control plane, so that they name nothing, however many.
static ECHOES: Family = Family { id: "gtp-u.echo", cap: Bits::whole(8) };
/// An echo response repeats the request's sequence number.
static ECHOED: Family = Family { id: "gtp-u.echo-answer", cap: Bits::whole(5) };

static DATA: Shape = Shape {
    message: &PACKET,
    first: 24,
    further: 1,
    form: "GTP's header, and an IP packet that ends with the datagram",
    answer: &ANSWER,
    answered: 6,
    link: "both sides send such packets",
};
static ERROR: Shape = Shape {
    message: &ERRORS,
    first: 16,
    further: 1,
    form: "an error indication whose elements fill it",
    answer: &ANSWER,
    answered: 6,
    link: "both sides send such packets",
};
static ECHO: Shape = Shape {
    message: &ECHOES,
    first: 6,
    further: 1,
    form: "GTP's header with a length that agrees",
    answer: &ECHOED,
    answered: 5,
    link: "the echo response repeats the request's sequence number",
};

impl Protocol for GtpU {
    fn name(&self) -> &'static str {
        "gtp-u"
    }

    fn reference(&self) -> &'static str {
        "3GPP TS 29.281, GSM 09.60"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x30..=0x37 | 0x1e | 0x1f),
            1 => matches!(byte, 1 | 2 | 26 | 31 | 254 | 255),
            _ => true,
        }
    }

    fn is_one_way(&self) -> bool {
        // The other direction comes from a source port of its own (3GPP TS 29.281 section 4.4.2.3).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let mut control = false;
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x30..=0x37, 1 | 2 | 26 | 31 | 254 | 255, ..] if d.len >= 8 => Gtp::new(d.bytes, d.len),
            [0x1e | 0x1f, 1 | 2 | 255, ..] if d.len >= 20 => Gtp::new(d.bytes, d.len),
            [0x30..=0x37 | 0x1e | 0x1f, 3..=255, ..] if d.len >= 8 => {
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
        let error = reading.hits.iter().any(|h| matches!(h.message, Gtp::Error));
        let shape = match (data, error) {
            (true, _) => &DATA,
            (_, true) => &ERROR,
            _ => &ECHO,
        };
        let finding = datagrams::judge(&reading, shape, answers);
        reading.conclude(finding.map(|f| Finding { server: None, ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Dir, HeadBuf};
    use crate::packet::{Time, Transport};
    use crate::protocol::evidence::PRIOR;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&GtpU, "osmo-ggsn.pcap", Band::Confident);
        replay::expect(&GtpU, "osmo-ggsn-echo.pcap", Band::Certain);
    }

    #[test]
    fn echoes_alone_name_nothing() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..16 {
            let request = [0x32, 1, 0, 4, 0, 0, 0, 0, 0, n, 0, 0];
            let response = [0x32, 2, 0, 6, 0, 0, 0, 0, 0, n, 0, 0, 14, 0];
            buf.push_datagram(u64::from(n) * 2, Time(0), Dir::Originator, request.len(), &request);
            buf.push_datagram(u64::from(n) * 2 + 1, Time(0), Dir::Responder, response.len(), &response);
        }
        let Assessment::Recognised(found) = GtpU.assess(&buf.view(None, false)) else { panic!("nothing found") };
        assert!(found.evidence.len() == 2 && Band::of(PRIOR + found.bits()).is_none(), "{found:?}");
    }
}
