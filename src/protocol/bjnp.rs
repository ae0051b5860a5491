//! BJNP, Canon's protocol for printers and scanners.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::discovery::Bjnp as Message;

/// BJNP, Canon's protocol for printers and scanners.
pub(super) struct Bjnp;

/// The four letters, a device type and a length that agrees: 2^-60 for random bytes.
static MESSAGE: Family = Family { id: "bjnp.message", cap: Bits::whole(28) };
/// The answer repeats command and sequence.
static ANSWER: Family = Family { id: "bjnp.answer", cap: Bits::whole(8) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 24,
    further: 1,
    form: "the letters of BJNP, a device type and a length that agrees",
    answer: &ANSWER,
    answered: 8,
    link: "the answer repeats command and sequence",
};

impl Protocol for Bjnp {
    fn name(&self) -> &'static str {
        "bjnp"
    }

    fn reference(&self) -> &'static str {
        "nmap and SANE bjnp sources"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, b'B' | b'M' | b'E'),
            1 => matches!(byte, b'J' | b'F' | b'P'),
            2 => matches!(byte, b'N' | b'S'),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'B' | b'M' | b'E', b'J' | b'F' | b'P', b'N' | b'S', _, ..] if d.len >= 16 => Message::new(d.bytes, d.len),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, Message::is_answered_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Bjnp, "sane-answered.pcap", Band::Certain);
    }
}
