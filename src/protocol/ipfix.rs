//! IPFIX, the export of flow records.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::ipfix::Export;

/// IPFIX, the export of flow records.
pub(super) struct Ipfix;

/// Version, a length that agrees and sets that fill the message: 2^-45 for random bytes; few formats start with 000a and
/// the length.
static MESSAGE: Family = Family { id: "ipfix.message", cap: Bits::whole(20) };
/// The export time lies within a day of the capture's clock (2^-15).
static CLOCK: Family = Family { id: "ipfix.clock", cap: Bits::whole(8) };
/// Several messages whose sequence numbers do not go back.
static SEQUENCE: Family = Family { id: "ipfix.sequence", cap: Bits::whole(6) };

impl Protocol for Ipfix {
    fn name(&self) -> &'static str {
        "ipfix"
    }

    fn reference(&self) -> &'static str {
        "RFC 7011"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 0,
            1 => byte == 10,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0, 10, ..] if d.len >= 20 => Export::new(d.bytes, d.len),
            _ => None,
        });
        let Some(first) = reading.hits.first() else { return reading.nothing() };
        // Collectors do not answer.
        if reading.misses != [0; 2] || reading.both() {
            return Assessment::NotNow;
        }
        let mut finding =
            Finding { spoke: reading.spoke(), server: Some(first.datagram.dir.other()), ..Finding::default() };
        let text = "version and counts agree, and the records or sets fill the datagram";
        finding.evidence.push(item(&MESSAGE, 15 + reading.hits.len() as i32, reading.frames(|_| true), text));
        let near = |h: &&datagrams::Hit<'_, Export>| {
            (i64::from(h.message.seconds) - h.datagram.time.0 / 1_000_000_000).abs() < 86_400
        };
        if let Some(hit) = reading.hits.iter().find(near) {
            finding.evidence.push(item(
                &CLOCK,
                8,
                vec![hit.datagram.frame],
                "the export time is that of the capture's day",
            ));
        }
        let pairs = reading.hits.iter().zip(reading.hits.iter().skip(1));
        let steps = pairs.map(|(a, b)| b.message.sequence.wrapping_sub(a.message.sequence)).collect::<Vec<_>>();
        if !steps.is_empty() && steps.iter().all(|s| *s < 1 << 16) {
            let text = "the sequence numbers of the messages advance";
            finding.evidence.push(item(&SEQUENCE, 2 * steps.len() as i32, reading.frames(|_| true), text));
        }
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Ipfix, "export.pcap", Band::Confident);
    }
}
