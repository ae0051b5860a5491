//! GTP′, by which mobile networks hand on their charging records.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::gtp_prime::GtpPrime as Message;

/// GTP prime.
pub(super) struct GtpPrime;

/// Flags, a type and a length that agrees: 2^-27 for random bytes. Six bytes with a type, a length and a number begin other
/// formats as well.
static MESSAGE: Family = Family { id: "gtp-prime.message", cap: Bits::whole(12) };
/// Elements of few kinds that fill the message: 2^-12 for the first alone. Of those with records the lengths agree twice
/// more.
static ELEMENTS: Family = Family { id: "gtp-prime.elements", cap: Bits::whole(14) };
/// The response has the request's type plus one and its sequence number.
static ANSWER: Family = Family { id: "gtp-prime.answer", cap: Bits::whole(12) };

impl Protocol for GtpPrime {
    fn name(&self) -> &'static str {
        "gtp-prime"
    }

    fn reference(&self) -> &'static str {
        "3GPP TS 32.295"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x0e | 0x0f | 0x2e | 0x4e),
            1 => matches!(byte, 1..=7 | 240 | 241),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| Message::new(d.bytes, d.len));
        if reading.hits.is_empty() || reading.mostly_foreign() {
            return reading.conclude(None);
        }
        let count = reading.hits.len() as i32;
        let form = item(&MESSAGE, 7 + count, reading.frames(|_| true), "GTP′'s header with a length that agrees");
        let mut finding = Finding { evidence: vec![form], spoke: reading.spoke(), ..Finding::default() };
        if reading.hits.iter().any(|h| h.message.elements > 0) {
            let records = reading.hits.iter().any(|h| h.message.records);
            let frames = reading.frames(|m| m.elements > 0 && m.records == records);
            let (bits, text) = match records {
                true => (14, "elements that fill the message, with charging records that fill theirs"),
                false => (6, "elements that fill the message"),
            };
            finding.evidence.push(item(&ELEMENTS, bits, frames, text));
        }
        if let Some((query, reply)) = reading.answer(Message::is_answered_by) {
            let frames = [query.datagram.frame, reply.datagram.frame];
            let text = "the response has the request's type plus one and its sequence number";
            finding.evidence.push(item(&ANSWER, 12, frames, text));
            // Either side asks whether the other is alive; records go to the server.
            let records = query.message.kind == 240;
            finding.server = records.then_some(reply.datagram.dir);
            finding.settled = records && reading.misses == [0; 2] && finding.bits() >= datagrams::CERTAIN;
        }
        Assessment::Recognised(finding)
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
        replay::expect(&GtpPrime, "records.pcap", Band::Certain);
    }

    #[test]
    fn an_echo_without_elements_names_nothing() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..8 {
            buf.push_datagram(n, Time(0), Dir::Originator, 6, &[0x2e, 1, 0, 0, 0, n as u8]);
        }
        let Assessment::Recognised(found) = GtpPrime.assess(&buf.view(None, false)) else { panic!("nothing found") };
        assert!(Band::of(PRIOR + found.bits()).is_none(), "{found:?}");
    }
}
