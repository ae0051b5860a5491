//! TFTP: the request, and the transfer, which the server answers from another port and so in another flow.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol, announce};
use crate::flow::Head;
use crate::wire::tftp::Tftp as Packet;

/// Trivial File Transfer Protocol.
pub(super) struct Tftp;

/// A request: opcode, a file name, one of four modes and pairs of options fill the datagram. No other protocol has such
/// texts at this place; one-way, since the answer comes from another port.
static REQUEST: Family = Family { id: "tftp.request", cap: Bits::whole(24) };
/// Each 4-byte acknowledgement repeats the block number of the data before it, and the numbers count from 1: 2^-44 a
/// pair for random bytes. Other stop-and-wait protocols could number their blocks behind small opcodes, too.
static LOCKSTEP: Family = Family { id: "tftp.lock-step", cap: Bits::whole(24) };
/// An error or option acknowledgement with legal texts.
static TEXTS: Family = Family { id: "tftp.texts", cap: Bits::whole(8) };

impl Protocol for Tftp {
    fn name(&self) -> &'static str {
        "tftp"
    }

    fn reference(&self) -> &'static str {
        "RFC 1350"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 0,
            1 => matches!(byte, 1..=6),
            _ => true,
        }
    }

    fn announces(&self) -> Option<announce::Reader> {
        Some(announce::tftp)
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [0, 1..=6, ..] if d.len >= 4 => Packet::new(d.bytes, d.len),
            _ => None,
        });
        if reading.hits.is_empty() {
            return reading.nothing();
        }
        if reading.mostly_foreign() {
            return Assessment::NotNow;
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let request = reading.hits.iter().find_map(|h| match h.message {
            Packet::Request { file } => Some((h, file)),
            _ => None,
        });
        if let Some((hit, file)) = request {
            let text = "a request with a file name, a transfer mode and pairs of options that fill it";
            let requests = reading.frames(|p| matches!(p, Packet::Request { .. }));
            // Without a name nine bytes are left, all of them fixed but for the mode.
            let bits = if file.is_empty() { 16 } else { 21 + requests.len() as i32 };
            finding.evidence.push(item(&REQUEST, bits, requests, text));
            finding.server = Some(hit.datagram.dir.other());
            let named = (!file.is_empty()).then(|| ("file", String::from_utf8_lossy(file).into_owned()));
            finding.details.extend(named);
        }
        // Neighbours in time: data, then its acknowledgement from the other side.
        let pairs =
            reading.hits.iter().zip(reading.hits.iter().skip(1)).filter(|(a, b)| match (a.message, b.message) {
                (Packet::Data { block: sent }, Packet::Ack { block }) => {
                    sent == block && a.datagram.dir != b.datagram.dir
                }
                _ => false,
            });
        let pairs: Vec<_> = pairs.collect();
        // The file goes on with the next number, and ends with a block that is shorter than the others.
        let blocks =
            pairs.iter().filter_map(|(a, _)| if let Packet::Data { block } = a.message { Some(block) } else { None });
        let blocks: Vec<u16> = blocks.collect();
        let starts = blocks.first() == Some(&1);
        let counts = blocks.windows(2).all(|w| matches!(w, [a, b] if b.wrapping_sub(*a) <= 1));
        if counts && !pairs.is_empty() && (starts || pairs.len() >= 3) {
            let frames: Frames = pairs.iter().flat_map(|(a, b)| [a.datagram.frame, b.datagram.frame]).take(4).collect();
            let text = "each acknowledgement repeats the number of the block before it, and the numbers count";
            finding.evidence.push(item(&LOCKSTEP, 8 + 6 * pairs.len() as i32, frames, text));
        }
        let texts = reading.frames(|p| matches!(p, Packet::Error | Packet::OptionAck));
        if !texts.is_empty() {
            finding.evidence.push(item(&TEXTS, 8, texts, "an error or an acceptance of options in legal texts"));
        }
        if finding.evidence.is_empty() { Assessment::NotNow } else { Assessment::Recognised(finding) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Tftp, "tftpd-hpa.pcap", Band::Confident);
    }
}
