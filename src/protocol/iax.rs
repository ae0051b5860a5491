//! IAX2, by its control frames.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::iax::Iax as Message;

/// IAX2, by its control frames.
pub(super) struct Iax;

/// The full frame bit, control type, subclass and elements that fill the frame: 2^-20 for random bytes, more with each
/// element.
static MESSAGE: Family = Family { id: "iax.message", cap: Bits::whole(14) };
/// The reply is to the call that the frame came from: 15 bits chosen at random that move to another place.
static ANSWER: Family = Family { id: "iax.answer", cap: Bits::whole(18) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 10,
    further: 1,
    form: "a full control frame whose elements fill it",
    answer: &ANSWER,
    answered: 18,
    link: "the reply goes to the call number of the first frame",
};

impl Protocol for Iax {
    fn name(&self) -> &'static str {
        "iax"
    }

    fn reference(&self) -> &'static str {
        "RFC 5456"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x80..=0xff)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let mut others = Vec::new();
        let mut reading = datagrams::read(head, |d| match d.bytes {
            [0x80..=0xff, _, _, _, _, _, _, _, _, _, 6, 1..=40, ..] if d.len >= 12 => Message::new(d.bytes, d.len),
            [a, b, _, _, ..] => {
                others.push((d.dir, u16::from_be_bytes([*a, *b]) & 0x7fff));
                None
            }
            _ => None,
        });
        // Media frames, short or full, bear the call number of the side that sends them.
        for (dir, call) in others {
            let known = reading.by(dir).any(|h| h.message.source == call);
            let misses = dir.of_mut(&mut reading.misses);
            *misses = misses.saturating_sub(u64::from(known));
        }
        let mut finding =
            datagrams::judge(&reading, &SHAPE, |q: &Message, r: &Message| q.source != 0 && q.is_answered_by(r));
        if let (Some(finding), Some(first)) = (&mut finding, reading.hits.first()) {
            finding.server = (first.message.destination == 0).then_some(first.datagram.dir.other());
        }
        reading.conclude(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Iax, "iaxmodem.pcap", Band::Confident);
    }
}
