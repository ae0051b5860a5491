//! The DHT of BitTorrent.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::bittorrent::Dht as Message;

/// The DHT of BitTorrent.
pub(super) struct BittorrentDht;

/// A bencoded dictionary with the DHT's keys in their places: text that nothing else sends. A query alone may be a probe.
static MESSAGE: Family = Family { id: "bittorrent-dht.message", cap: Bits::whole(28) };
/// The response repeats the query's transaction.
static ANSWER: Family = Family { id: "bittorrent-dht.answer", cap: Bits::whole(10) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 24,
    further: 1,
    form: "a bencoded dictionary with the keys of a DHT message",
    answer: &ANSWER,
    answered: 10,
    link: "the response repeats the query's transaction",
};

impl Protocol for BittorrentDht {
    fn name(&self) -> &'static str {
        "bittorrent-dht"
    }

    fn reference(&self) -> &'static str {
        "BEP 5"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == b'd',
            1 => matches!(byte, b'1' | b'2'),
            2 => byte == b':',
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'd', b'1' | b'2', b':', ..] if d.len >= 20 => Message::new(d.bytes, d.len),
            _ => None,
        });
        let finding = datagrams::judge(&reading, &SHAPE, Message::is_answered_by);
        reading.conclude(finding.map(|f| super::Finding { server: None, ..f }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&BittorrentDht, "aria2.pcap", Band::Certain);
    }
}
