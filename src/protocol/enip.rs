//! EtherNet/IP's encapsulation (CIP Networks Library, volume 2, chapter 2) over TCP, and over UDP, where devices are looked
//! for and list what they are.
//!
//! ```text
//! command (2, LE) | length (2) | session (4) | status (4) | sender context (8) | options 00000000
//! items of a list:  count (2) | type (2) | length (2) | … | type …
//! ```

use super::datagrams::{self, Shape};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::framing::{le16, le32};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::packet::Transport;

/// A command of a short list, a length, zero status and options: over 70 bits, but made of zeros.
static REQUEST: Family = Family { id: "enip.request", cap: Bits::whole(16) };
/// The answer with the same command.
static ANSWER: Family = Family { id: "enip.answer", cap: Bits::whole(14) };
/// A sender context that is not zero comes back, or a session is given.
static ECHO: Family = Family { id: "enip.context-echo", cap: Bits::whole(8) };

/// A command of three, and twenty bytes of which most are zero: little of it is the protocol's own.
static QUESTION: Family = Family { id: "enip.datagram-request", cap: Bits::whole(13) };
/// The same with items whose lengths end with the datagram: over 80 bits.
static LIST: Family = Family { id: "enip.datagram-list", cap: Bits::whole(26) };
/// The same command and sender context, which is often zero.
static LISTED: Family = Family { id: "enip.datagram-answer", cap: Bits::whole(8) };

const ASKED: Shape = Shape {
    message: &QUESTION,
    first: 12,
    further: 1,
    form: "a command of EtherNet/IP that asks for a list, and nothing else",
    answer: &LISTED,
    answered: 8,
    link: "the answer repeats command and sender context",
};

static ITEMS: Shape = Shape {
    message: &LIST,
    first: 24,
    form: "a header of EtherNet/IP, and a list whose items end with the datagram",
    ..ASKED
};

/// Length of the header in bytes.
const HEADER: usize = 24;

/// The recogniser.
pub(super) struct Enip;

impl Protocol for Enip {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0x04 | 0x63 | 0x64),
            1 => byte == 0,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| List::new(d.bytes, d.len));
        let shape = if reading.hits.iter().any(|h| h.message.items) { &ITEMS } else { &ASKED };
        let answers = |a: &List, b: &List| !a.items && b.items && (a.command, a.context) == (b.command, b.context);
        let mut finding = datagrams::judge(&reading, shape, answers);
        if let (Some(finding), Some(hit)) = (&mut finding, reading.hits.first()) {
            // An answer to a broadcast has a flow of its own.
            let dir = hit.datagram.dir;
            finding.server.get_or_insert(if hit.message.items { dir } else { dir.other() });
        }
        reading.conclude(finding)
    }
}

/// A datagram that asks for a list of services, identities or interfaces, or is one.
#[derive(Clone, Copy, Debug)]
struct List {
    command: usize,
    context: [u8; 8],
    /// Whether there are items, as only an answer has.
    items: bool,
}

impl List {
    /// Reads a datagram of `len` bytes, of which `bytes` are visible.
    fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let (command, length, session) = header(bytes).filter(|(command, ..)| matches!(command, 0x04 | 0x63 | 0x64))?;
        let context = *bytes.get(12..)?.first_chunk()?;
        let items = length > 0;
        let quiet = session == 0 && le32(bytes, 8) == Some(0);
        let fits = quiet && length + HEADER == len && (!items || are_items(bytes.get(HEADER..)?, len - HEADER));
        fits.then_some(Self { command, context, items })
    }
}

/// Whether `bytes`, the visible ones of `len`, are a count and as many items of known types. A list may be empty.
fn are_items(bytes: &[u8], len: usize) -> bool {
    let Some(count @ 0..=16) = le16(bytes, 0) else { return false };
    let mut at = 2;
    for _ in 0..count {
        let (Some(0x00 | 0x0c | 0x86 | 0x100), Some(length)) = (le16(bytes, at), le16(bytes, at + 2)) else {
            return bytes.len() < len && at > 2;
        };
        at += 4 + length;
    }
    at == len
}

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "enip";
    const REFERENCE: &'static str = "CIP volume 2";

    fn client(&self, bytes: &[u8]) -> Opening {
        match header(bytes) {
            Some((command, length, session)) => {
                let fits = match command {
                    0x65 => length == 4 && session == 0 && le16(bytes, HEADER).is_none_or(|version| version == 1),
                    0x63 | 0x64 | 0x04 => length <= 32,
                    _ => length >= 6 && session != 0,
                };
                // Where nothing but the command is not zero it says little.
                let bare = command != 0x65 && bytes.iter().take(HEADER).skip(4).all(|byte| *byte == 0);
                let bits = if bare { 12 } else { 16 };
                Opening::or_foreign(
                    fits.then(|| Said::new(&REQUEST, bits, "client sends an encapsulated command of EtherNet/IP")),
                )
            }
            None => short(bytes),
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (header(bytes), header(client)) {
            (Some((command, _, session)), Some((asked, ..))) if command == asked => {
                let said = Said::new(&ANSWER, 14, "server answers with the same command");
                let context = |b: &[u8]| b.get(12..20).map(<[u8]>::to_vec).filter(|c| c.iter().any(|&b| b != 0));
                let echo = context(client).is_some_and(|c| context(bytes) == Some(c));
                if echo || (command == 0x65 && session != 0) {
                    said.and(&ECHO, 8, 4, "the answer repeats the sender context or gives a session").into()
                } else {
                    said.into()
                }
            }
            (Some(_), None) if matches!(short(client), Opening::Short) => Opening::Short,
            (None, _) => short(bytes),
            _ => Opening::Foreign,
        }
    }
}

/// Command, length and session.
fn header(bytes: &[u8]) -> Option<(usize, usize, u32)> {
    let (command, length) = (le16(bytes, 0)?, le16(bytes, 2)?);
    let known = matches!(command, 0x04 | 0x63..=0x66 | 0x6f | 0x70);
    let status = le32(bytes, 8)?;
    let options = le32(bytes, 20)?;
    (known && length <= 65_511 && (status < 4 || status == 0x64 || status == 0x65 || status == 0x69) && options == 0)
        .then_some((command, length, le32(bytes, 4)?))
}

fn short(bytes: &[u8]) -> Opening {
    let known = bytes.first().is_none_or(|b| matches!(b, 0x04 | 0x63..=0x66 | 0x6f | 0x70));
    if known && bytes.get(1).is_none_or(|&b| b == 0) && bytes.len() < 24 { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn register_session() {
        let mut client = [0u8; 28];
        client[..3].copy_from_slice(&[0x65, 0, 4]);
        client[24] = 1;
        let mut server = client;
        server[4] = 9;
        assert_eq!(found(&Enip, &client, &server).unwrap().bits(), Bits::whole(38));
        server[0] = 0x66;
        assert!(excluded(&Enip, &client, &server));
    }

    #[test]
    fn lists_in_datagrams() {
        use crate::protocol::{Band, replay};
        replay::expect(&Enip, "cpppo-udp.pcap", Band::Confident);
    }

    #[test]
    fn the_items_of_a_list_end_with_it() {
        let mut list = [0u8; 24 + 2 + 4 + 6];
        list[0] = 0x63;
        list[2] = 12;
        list[24] = 1;
        list[26] = 0x0c;
        list[28] = 6;
        assert!(List::new(&list, list.len()).is_some_and(|l| l.items));
        list[28] = 5;
        assert!(List::new(&list, list.len()).is_none());
        assert!(List::new(&list[..24], 24).is_none());
        list[2] = 0;
        assert!(List::new(&list[..24], 24).is_some_and(|l| !l.items));
    }
}
