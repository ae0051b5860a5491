//! CoAP over UDP.

use super::datagrams::{self, Shape, item};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::coap::Coap as Message;

/// Constrained Application Protocol.
pub(super) struct Coap;

/// Version, token length, code and options that hold together: only about 2^-10 for random bytes, so that the form alone
/// never names a flow.
static MESSAGE: Family = Family { id: "coap.message", cap: Bits::whole(12) };
/// A request names its resource in readable path options.
static PATH: Family = Family { id: "coap.path", cap: Bits::whole(6) };
/// The path begins with ".well-known" in an option of just that length: 96 bits. Only the web uses the name, and not so.
static WELL_KNOWN: Family = Family { id: "coap.well-known", cap: Bits::whole(10) };
/// The reply acknowledges the message (16 bits) or repeats the token (up to 64), in roles that the codes give.
static ANSWER: Family = Family { id: "coap.answer", cap: Bits::whole(14) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 6,
    further: 1,
    form: "version, token, code and options of CoAP hold together",
    answer: &ANSWER,
    answered: 14,
    link: "the reply acknowledges the request's message ID or repeats its token",
};

impl Protocol for Coap {
    fn name(&self) -> &'static str {
        "coap"
    }

    fn reference(&self) -> &'static str {
        "RFC 7252"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x40..=0x7f)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x40..=0x7f, ..] if d.len >= 4 && !is_transport_stream(d.bytes, d.len) => Message::new(d.bytes, d.len),
            _ => None,
        });
        let finding = datagrams::judge(&reading, &SHAPE, Message::is_answered_by).map(|mut finding| {
            let named = reading.frames(|m| m.path && (1..=7).contains(&m.code));
            if let Some(request) = reading.hits.iter().find(|h| h.message.path) {
                finding.server = finding.server.or(Some(request.datagram.dir.other()));
                finding.evidence.push(item(&PATH, 5 + named.len() as i32, named, "a request with a readable path"));
                let known = reading.frames(|m| m.well_known);
                if !known.is_empty() {
                    finding.evidence.push(item(&WELL_KNOWN, 10, known, "the path begins with .well-known"));
                }
            }
            finding
        });
        reading.conclude(finding)
    }
}

/// Whether a datagram holds packets of an MPEG transport stream: 188 bytes each, the first of which is 47.
fn is_transport_stream(bytes: &[u8], len: usize) -> bool {
    len.is_multiple_of(188) && bytes.iter().step_by(188).all(|first| *first == 0x47)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Dir, HeadBuf};
    use crate::packet::{Time, Transport};
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Coap, "libcoap.pcap", Band::Confident);
    }

    #[test]
    fn a_transport_stream_over_udp_is_none() {
        let judged = |skipped: usize| {
            let mut buf = HeadBuf::new(Transport::Udp);
            for n in 0..8u8 {
                // Program identifier 256 and a continuity counter are a request; a path in an option follows, and payload.
                let packet =
                    |i: u8| [&[0x47, 1, 0, 0x10 | (n + i) & 15][..], &[7; 7], &[0xb4], b"path", &[0xff; 172]].concat();
                let data = [packet(0), packet(1)].concat();
                let data = data.get(..data.len() - skipped).unwrap_or_default();
                buf.push_datagram(u64::from(n), Time(0), Dir::Originator, data.len(), data);
            }
            matches!(Coap.assess(&buf.view(None, false)), Assessment::Recognised(_))
        };
        assert_eq!((judged(0), judged(1)), (false, true));
    }
}
