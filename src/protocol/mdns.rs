//! Multicast DNS: the DNS format with ID zero, no flag but AA, names below "local" and the top bit of the class in use.

use super::dns::{self, Weights};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::dns::Dialect;

/// Multicast DNS.
pub(super) struct Mdns;

/// A message of RFC 6762 section 18. Beside the shape of a DNS message 32 bits of ID and flags are fixed, which sets it
/// apart from DNS; nothing answers a multicast with an echo, so that two such messages must be able to carry the name.
static MESSAGE: Family = Family { id: "mdns.message", cap: Bits::whole(30) };
/// Never given: a response has no transaction to echo (RFC 6762 section 18.1).
static ANSWER: Family = Family { id: "mdns.answer", cap: Bits::ZERO };
static WEIGHTS: Weights = Weights { message: &MESSAGE, first: 26, further: 4, answer: &ANSWER };

impl Protocol for Mdns {
    fn name(&self) -> &'static str {
        "mdns"
    }

    fn reference(&self) -> &'static str {
        "RFC 6762"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        dns::may_have(Dialect::Mdns, at, byte)
    }

    fn shortest(&self) -> usize {
        dns::SHORTEST
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        dns::judge(head, Dialect::Mdns, &WEIGHTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Mdns, "zeroconf.pcap", Band::Certain);
    }
}
