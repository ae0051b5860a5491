//! SSDP: HTTP-like messages over UDP, to a multicast group, with unicast answers.

use super::datagrams::{self, Shape};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::wire::cursor::text;

/// Simple Service Discovery Protocol.
pub(super) struct Ssdp;

/// A start line and a header that only SSDP has. Searches are answered in other flows, so that several messages must be
/// able to carry the name.
static MESSAGE: Family = Family { id: "ssdp.message", cap: Bits::whole(30) };
/// A response of the other side.
static ANSWER: Family = Family { id: "ssdp.answer", cap: Bits::whole(8) };

static SHAPE: Shape = Shape {
    message: &MESSAGE,
    first: 25,
    further: 2,
    form: "an M-SEARCH or NOTIFY of HTTP over UDP, or its response, with SSDP's headers",
    answer: &ANSWER,
    answered: 8,
    link: "a search is answered",
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Search,
    Notify,
    Response,
}

/// Reads the visible bytes of a message; `whole` when nothing is cut off.
fn read(bytes: &[u8], whole: bool) -> Option<Message> {
    let (start, headers) = text(bytes).split_once("\r\n")?;
    let message = match start {
        "M-SEARCH * HTTP/1.1" | "M-SEARCH * HTTP/1.0" => Message::Search,
        "NOTIFY * HTTP/1.1" | "NOTIFY * HTTP/1.0" => Message::Notify,
        _ if start.starts_with("HTTP/1.1 200") => Message::Response,
        _ => return None,
    };
    let mut names = headers.split("\r\n").filter_map(|l| l.split_once(':')).map(|(name, _)| name.trim_end());
    let own = ["ST", "NT", "NTS", "USN", "MAN"];
    let searches = matches!(message, Message::Search | Message::Notify);
    (names.any(|n| own.iter().any(|o| o.eq_ignore_ascii_case(n))) || (searches && !whole)).then_some(message)
}

impl Protocol for Ssdp {
    fn name(&self) -> &'static str {
        "ssdp"
    }

    fn reference(&self) -> &'static str {
        "UPnP Device Architecture 2.0"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, b'M' | b'N' | b'H'),
            1 => matches!(byte, b'-' | b'O' | b'T'),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'M' | b'N' | b'H', b'-' | b'O' | b'T', ..] => read(d.bytes, d.is_whole()),
            _ => None,
        });
        let answers = |q: &Message, r: &Message| *q == Message::Search && *r == Message::Response;
        reading.conclude(datagrams::judge(&reading, &SHAPE, answers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Ssdp, "minidlna.pcap", Band::Certain);
    }
}
