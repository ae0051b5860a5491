//! GTP-C: mobile networks' control messages, versions 0 to 2. Version 0 has user data in the same flow.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::gtp::Gtp;

/// GTP-C.
pub(super) struct GtpC;

/// Flags with their fixed bits, a length that agrees, and (version 2) elements that fill the message: 2^-24 to 2^-40 for
/// random bytes. Type, length and a chain of elements occur elsewhere.
static MESSAGE: Family = Family { id: "gtp-c.message", cap: Bits::whole(20) };
/// The response has the request's type plus one and its sequence number.
static ANSWER: Family = Family { id: "gtp-c.answer", cap: Bits::whole(14) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 14,
    further: 2,
    form: "GTP's control header with a length that agrees, and elements that fill it",
    answer: &ANSWER,
    answered: 14,
    link: "the response has the request's type plus one and its sequence number",
};

impl Protocol for GtpC {
    fn name(&self) -> &'static str {
        "gtp-c"
    }

    fn reference(&self) -> &'static str {
        "3GPP TS 29.060, TS 29.274, GSM 09.60"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || matches!(byte, 0x40 | 0x48 | 0x32 | 0x1e | 0x1f)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        // An error indication, 26, is the user plane's.
        let reading = datagrams::read(head, |d| match d.bytes {
            [0x40 | 0x48, ..] if d.len >= 12 => Gtp::new(d.bytes, d.len),
            [0x32, 1..=3 | 16..=25 | 27..=30 | 128..=130, ..] if d.len >= 12 => Gtp::new(d.bytes, d.len),
            [0x1e | 0x1f, ..] if d.len >= 20 => Gtp::new(d.bytes, d.len),
            _ => None,
        });
        // Echoes are the same in both planes.
        if reading.hits.iter().all(|h| matches!(h.message, Gtp::Signal { kind: 1 | 2, .. } | Gtp::Data { .. })) {
            return reading.conclude(None);
        }
        let answers = |q: &Gtp, r: &Gtp| match (q, r) {
            (Gtp::Control { kind: a, sequence: s }, Gtp::Control { kind: b, sequence: t }) => {
                *b == a.wrapping_add(1) && s == t
            }
            (Gtp::Signal { kind: a, sequence: s }, Gtp::Signal { kind: b, sequence: t }) => {
                *b == a.wrapping_add(1) && s == t
            }
            // Who does not have version 2 says so in version 1.
            (Gtp::Control { kind: 1, .. }, Gtp::Signal { kind: 3, .. }) => true,
            _ => false,
        };
        reading.conclude(datagrams::judge(&reading, &SHAPE, answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&GtpC, "echo.pcap", Band::Certain);
        replay::expect(&GtpC, "osmo-ggsn-echo.pcap", Band::Certain);
        replay::expect(&GtpC, "osmo-ggsn-v0.pcap", Band::Certain);
    }
}
