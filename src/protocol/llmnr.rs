//! Link-Local Multicast Name Resolution: a DNS message with one question for a single-label name and no recursion.

use super::dns::{self, Weights};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::packet::Transport;
use crate::wire::dns::Dialect;

/// Link-Local Multicast Name Resolution.
pub(super) struct Llmnr;

/// A query or response of RFC 4795 section 2.1. The shape is that of DNS; what tells the two apart (no recursion wanted,
/// one label) also holds for a resolver that asks a root server for a top-level domain, which is rare.
static MESSAGE: Family = Family { id: "llmnr.message", cap: Bits::whole(22) };
/// A response that echoes ID and question, as for DNS.
static ANSWER: Family = Family { id: "llmnr.answer", cap: Bits::whole(14) };
static WEIGHTS: Weights = Weights { message: &MESSAGE, first: 20, further: 1, answer: &ANSWER };

impl Protocol for Llmnr {
    fn name(&self) -> &'static str {
        "llmnr"
    }

    fn reference(&self) -> &'static str {
        "RFC 4795"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        dns::may_have(Dialect::Llmnr, at, byte)
    }

    fn shortest(&self) -> usize {
        dns::SHORTEST
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        match head.transport() {
            Transport::Udp => dns::judge(head, Dialect::Llmnr, &WEIGHTS),
            // Answers that do not fit a datagram, and reverse lookups (RFC 4795 section 2.4).
            Transport::Tcp => dns::over_tcp(head, Dialect::Llmnr, &WEIGHTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Llmnr, "resolved.pcap", Band::Confident);
    }
}
