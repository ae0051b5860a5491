//! sFlow version 5, the export of packet samples.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::sflow::Sflow as Message;

/// sFlow version 5, the export of packet samples.
pub(super) struct Sflow;

/// Version, address type and samples that fill the datagram: 2^-90 for random bytes. Collectors do not answer, so that
/// several datagrams must be able to carry the name.
static MESSAGE: Family = Family { id: "sflow.message", cap: Bits::whole(30) };
/// Never given: collectors do not answer.
static ANSWER: Family = Family { id: "sflow.answer", cap: Bits::whole(0) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 24,
    further: 3,
    form: "version 5, an agent's address, and samples that fill the datagram",
    answer: &ANSWER,
    answered: 0,
    link: "",
};

impl Protocol for Sflow {
    fn name(&self) -> &'static str {
        "sflow"
    }

    fn reference(&self) -> &'static str {
        "sflow.org version 5"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0..=2 | 4..=6 => byte == 0,
            3 => byte == 5,
            7 => matches!(byte, 1 | 2),
            _ => true,
        }
    }

    fn is_one_way(&self) -> bool {
        // Agents send samples to a collector, which does not answer.
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0, 0, 0, 5, 0, 0, 0, 1 | 2, ..] if d.len >= 28 => Message::new(d.bytes, d.len),
            _ => None,
        });
        let finding = datagrams::judge(&reading, &SHAPE, |_, _| false);
        let server = reading.hits.first().map(|h| h.datagram.dir.other());
        reading.conclude(finding.map(|f| super::Finding { server, ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Sflow, "openvswitch.pcap", Band::Confident);
    }
}
