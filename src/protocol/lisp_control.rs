//! LISP's control messages: requests for the locators of an address, and registrations.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::lisp::Control;

/// The control plane of the Locator/ID Separation Protocol.
pub(super) struct LispControl;

/// A type, counts, address families and masks whose records end with the message: 2^-60 for random bytes. What one side
/// alone sends may be a probe.
static MESSAGE: Family = Family { id: "lisp-control.message", cap: Bits::whole(24) };
/// The answer repeats the 64-bit nonce.
static ANSWER: Family = Family { id: "lisp-control.answer", cap: Bits::whole(14) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 21,
    further: 1,
    form: "a control message whose records end with it",
    answer: &ANSWER,
    answered: 14,
    link: "the answer repeats the nonce",
};

impl Protocol for LispControl {
    fn name(&self) -> &'static str {
        "lisp-control"
    }

    fn reference(&self) -> &'static str {
        "RFC 9301"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte >> 4, 1..=5 | 8)
    }

    fn shortest(&self) -> usize {
        24
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x10..=0x5f | 0x80..=0x8f, ..] if d.is_whole() && d.len >= self.shortest() => Control::new(d.bytes),
            _ => None,
        });
        reading.conclude(datagrams::judge(&reading, &SHAPE, Control::is_answered_by))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&LispControl, "oor.pcap", Band::Certain);
    }
}
