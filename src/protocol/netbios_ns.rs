//! NetBIOS name service: the DNS format with names of 32 letters that stand for 16 bytes.

use super::dns::{self, Weights};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::dns::Dialect;

/// NetBIOS name service.
pub(super) struct NetbiosNs;

/// A message of RFC 1002 section 4.2. Beside the shape of a DNS message the first label has 32 letters from A to P
/// (2^-128 for random bytes), which no host name has by accident. Broadcasts go unanswered: several may carry the name.
static MESSAGE: Family = Family { id: "netbios-ns.message", cap: Bits::whole(30) };
/// A response that echoes ID and question, as for DNS.
static ANSWER: Family = Family { id: "netbios-ns.answer", cap: Bits::whole(10) };
static WEIGHTS: Weights = Weights { message: &MESSAGE, first: 26, further: 2, answer: &ANSWER };

impl Protocol for NetbiosNs {
    fn name(&self) -> &'static str {
        "netbios-ns"
    }

    fn reference(&self) -> &'static str {
        "RFC 1002"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        dns::may_have(Dialect::NetbiosNs, at, byte)
    }

    fn shortest(&self) -> usize {
        dns::SHORTEST
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        dns::judge(head, Dialect::NetbiosNs, &WEIGHTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&NetbiosNs, "nmbd.pcap", Band::Certain);
    }
}
