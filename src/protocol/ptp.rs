//! PTP version 2, event and general messages.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::ptp::Ptp as Message;

/// Precision Time Protocol.
pub(super) struct Ptp;

/// Version, type, a length that agrees, control field and interval: 2^-35 for random bytes, but a version and a length with
/// zeros behind them begin other formats, too. Messages go to a multicast group, so that several of one side must be able to
/// carry the name.
static MESSAGE: Family = Family { id: "ptp.message", cap: Bits::whole(22) };
/// Messages of one type from one clock (80 equal bits) whose sequence number counts.
static SEQUENCE: Family = Family { id: "ptp.sequence", cap: Bits::whole(12) };

impl Protocol for Ptp {
    fn name(&self) -> &'static str {
        "ptp"
    }

    fn reference(&self) -> &'static str {
        "IEEE 1588-2008"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte >> 4 <= 2 && matches!(byte & 15, 0..=3 | 8..=13),
            1 => byte & 15 == 2,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [_, version, ..] if version & 15 == 2 && d.len >= 44 => Message::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() || reading.mostly_foreign() {
            return if reading.hits.is_empty() { reading.nothing() } else { Assessment::NotNow };
        }
        let text = "version, type, length, control field and interval agree";
        let bits = 13 + reading.hits.len() as i32;
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        finding.evidence.push(item(&MESSAGE, bits, reading.frames(|_| true), text));
        let counts = reading.hits.iter().enumerate().filter(|(n, h)| {
            let mut before = reading.hits.iter().take(*n).rev();
            let same = before.find(|b| b.message.kind == h.message.kind && b.message.source == h.message.source);
            same.is_some_and(|b| (1..=64).contains(&h.message.sequence.wrapping_sub(b.message.sequence)))
        });
        let counts = counts.count() as i32;
        if counts > 0 {
            let text = "messages of one clock count their sequence numbers";
            finding.evidence.push(item(&SEQUENCE, 4 + 4 * counts, reading.frames(|_| true), text));
        }
        finding.settled = finding.bits() >= datagrams::CERTAIN;
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Ptp, "ptp4l.pcap", Band::Certain);
    }
}
