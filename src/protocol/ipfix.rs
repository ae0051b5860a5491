//! IPFIX, the export of flow records.

use super::flow_export;
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;

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

    fn is_one_way(&self) -> bool {
        // Exporters send to a collector, which does not answer (RFC 7011 section 10.3).
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        flow_export::assess(head, &[10], [&MESSAGE, &CLOCK, &SEQUENCE], |_| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Ipfix, "openvswitch.pcap", Band::Confident);
    }
}
