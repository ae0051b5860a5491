//! RTPS, the wire protocol of DDS.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::discovery::Rtps as Message;

/// RTPS, the wire protocol of DDS.
pub(super) struct Rtps;

/// "RTPS" and a major version: 2^-39 for random bytes, and a name of its own. Discovery goes to a multicast group.
static MESSAGE: Family = Family { id: "rtps.message", cap: Bits::whole(30) };
/// Both sides send such messages.
static ANSWER: Family = Family { id: "rtps.answer", cap: Bits::whole(6) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 24,
    further: 2,
    form: "the letters RTPS and a version",
    answer: &ANSWER,
    answered: 6,
    link: "both sides send RTPS messages",
};

impl Protocol for Rtps {
    fn name(&self) -> &'static str {
        "rtps"
    }

    fn reference(&self) -> &'static str {
        "OMG DDSI-RTPS 2.5"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == b'R',
            1 => byte == b'T',
            2 => byte == b'P',
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'R', b'T', b'P', _, ..] if d.len >= 20 => Message::new(d.bytes, d.len),
            _ => None,
        });
        let finding = datagrams::judge(&reading, &SHAPE, |_, _| true);
        reading.conclude(finding.map(|f| super::Finding { server: None, ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Rtps, "cyclonedds.pcap", Band::Certain);
    }
}
