//! NetFlow versions 5 and 9, the export of flow records.

use super::flow_export;
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;

/// NetFlow versions 5 and 9, the export of flow records.
pub(super) struct Netflow;

/// Version, a count that agrees with the length (v5) or flow sets that fill the message (v9): 2^-35 for random bytes.
static MESSAGE: Family = Family { id: "netflow.message", cap: Bits::whole(20) };
/// The export time lies within a day of the capture's clock (2^-15).
static CLOCK: Family = Family { id: "netflow.clock", cap: Bits::whole(8) };
/// Several messages whose sequence numbers do not go back.
static SEQUENCE: Family = Family { id: "netflow.sequence", cap: Bits::whole(6) };

impl Protocol for Netflow {
    fn name(&self) -> &'static str {
        "netflow"
    }

    fn reference(&self) -> &'static str {
        "RFC 3954"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 0,
            1 => matches!(byte, 5 | 9),
            _ => true,
        }
    }

    fn is_one_way(&self) -> bool {
        // Exporters send to a collector, which does not answer.
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        flow_export::assess(head, &[5, 9], [&MESSAGE, &CLOCK, &SEQUENCE], |version| {
            Some(if version == 5 { "v5" } else { "v9" })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Netflow, "openvswitch-v5.pcap", Band::Confident);
    }
}
