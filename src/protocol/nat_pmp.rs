//! NAT-PMP: a client asks its router for an address or a port mapping.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::nat_pmp::Mapping;

/// NAT Port Mapping Protocol.
pub(super) struct NatPmp;

/// Zeros, a small operation and a length: a request says nearly nothing by itself.
static MESSAGE: Family = Family { id: "nat-pmp.message", cap: Bits::whole(8) };
/// The response repeats operation and internal port, with just its length and a legal result: 2^-60 for random bytes.
/// Small fixed-size exchanges that start with a zero are many.
static ANSWER: Family = Family { id: "nat-pmp.answer", cap: Bits::whole(18) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 4,
    further: 1,
    form: "version 0, an operation and the length that belongs to it",
    answer: &ANSWER,
    answered: 18,
    link: "the response repeats operation and port, with a result and an epoch",
};

impl Protocol for NatPmp {
    fn name(&self) -> &'static str {
        "nat-pmp"
    }

    fn reference(&self) -> &'static str {
        "RFC 6886"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        may_have(0, at, byte)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        judge(head, 0, &SHAPE)
    }
}

/// See [`Protocol::may_have`], of messages of `version`, 0 or PCP's 2: an operation, a zero and a result.
pub(super) fn may_have(version: u8, at: usize, byte: u8) -> bool {
    match at {
        0 => byte == version,
        1 => matches!(byte, 0..=2 | 0x80..=0x82),
        2 => byte == 0,
        3 => byte <= 13,
        _ => true,
    }
}

/// Judges the messages of `version`.
pub(super) fn judge(head: &Head<'_>, version: u8, shape: &'static Shape) -> Assessment {
    let reading = datagrams::read(head, |d| match d.bytes {
        [first, ..] if *first == version => Mapping::new(d.bytes, d.len),
        _ => None,
    });
    reading.conclude(datagrams::judge(&reading, shape, Mapping::is_answered_by))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&NatPmp, "miniupnpd.pcap", Band::Confident);
    }
}
