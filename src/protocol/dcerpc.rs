//! DCE/RPC: connection-oriented over TCP (C706 section 12.6.3.1, MS-RPCE), connectionless over UDP (section 12.5.3.1).
//!
//! ```text
//! 05 | 00..01 | type | flags | data representation (4) | fragment length (2) | auth length (2) | call ID (4)
//! ```
//! The first byte of the data representation says the byte order: 10 little-endian, 00 big-endian.
//!
//! ```text
//! 04 | type | flags (2) | data representation (3) | serial | object (16) | interface (16) | activity (16) | boot time (4)
//!    | interface version (4) | sequence (4) | operation (2) | hints (4) | length (2) | fragment (2) | auth | serial
//! ```

use super::datagrams::{self, Shape};
use super::dialogue::{self, Dialogue, Opening, Role, Said};
use super::framing::{be16, chain, le16};
use super::joined::Joined;
use super::{Assessment, Bits, Family, Protocol, counted};
use crate::flow::Head;
use crate::packet::Transport;

/// A bind: five fixed bytes, a type, flags and a length, over 50 bits. From a client alone it may be a probe.
static BIND: Family = Family { id: "dcerpc.client-pdu", cap: Bits::whole(24) };
/// Its answer, of one of four types.
static ANSWER: Family = Family { id: "dcerpc.server-pdu", cap: Bits::whole(26) };
/// Requests and responses in the middle, by their common header alone, chained to the end.
static MIDDLE: [Family; 2] = [
    Family { id: "dcerpc.client-chain", cap: Bits::whole(14) },
    Family { id: "dcerpc.server-chain", cap: Bits::whole(14) },
];

/// Version, type, representation and a length that fits the datagram: over 50 bits.
static DATAGRAM: Family = Family { id: "dcerpc.datagram", cap: Bits::whole(24) };
/// A response of the activity that asked: 128 random bits that come back.
static ACTIVITY: Family = Family { id: "dcerpc.activity-echo", cap: Bits::whole(14) };

static SHAPE: Shape = Shape {
    message: &DATAGRAM,
    first: 22,
    further: 1,
    form: "a header of connectionless DCE/RPC whose length fits the datagram",
    answer: &ACTIVITY,
    answered: 14,
    link: "the response is of the request's activity",
};

/// The recogniser.
pub(super) struct Dcerpc;

impl Protocol for Dcerpc {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 4,
            1 => byte <= 10,
            4 => matches!(byte, 0 | 0x10),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| {
            let (&[4, kind @ 0..=10, _, _, order @ (0 | 0x10), 0..=3, 0, _], _) = d.bytes.split_first_chunk()? else {
                return None;
            };
            let length = if order == 0 { be16(d.bytes, 74)? } else { le16(d.bytes, 74)? };
            let (activity, authenticated) = (d.bytes.get(40..56)?, *d.bytes.get(78)? != 0);
            let fits = d.len == HEADER + length || authenticated && d.len > HEADER + length;
            fits.then_some((kind, activity))
        });
        // A request, a ping or an acknowledgement is answered by anything else.
        let finding = datagrams::judge(&reading, &SHAPE, |a, b| a.0 == 0 && b.0 != 0 && a.1 == b.1);
        reading.conclude(finding)
    }
}

/// Bytes of a connectionless header.
const HEADER: usize = 80;

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "dcerpc";
    const REFERENCE: &'static str = "C706, MS-RPCE";

    fn client(&self, bytes: &[u8]) -> Opening {
        // Without a bind a request is refused, but it is one: its lengths agree with each other and with what was sent.
        match header(bytes) {
            Some((0, length)) if length == bytes.len() && hint(bytes).is_some_and(|hint| hint + 24 == length) => {
                Said::new(&MIDDLE[0], 14, "client sends a request without a bind").into()
            }
            _ => pdu(bytes, &[11, 14], || Said::new(&BIND, 24, "client binds to an interface of DCE/RPC")),
        }
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        pdu(bytes, &[12, 13, 15, 3], || Said::new(&ANSWER, 26, "server answers the bind"))
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        match chain(bytes, 16, |b| header(b).filter(|(kind, _)| matches!(kind, 0 | 2 | 3 | 11..=19)).map(|(_, n)| n)) {
            Some(count @ 1..) => {
                Said::new(role.of(&MIDDLE), (count * 10).min(14), counted!("{count} headers chain to the end", count))
                    .unfinished(count < 2)
                    .into()
            }
            _ => Opening::Neutral,
        }
    }
}

/// How many bytes of arguments a request announces; without authentication they are what follows its header of 24 bytes.
fn hint(bytes: &[u8]) -> Option<usize> {
    let field = *bytes.get(16..)?.first_chunk()?;
    let hint = if bytes.get(4) == Some(&0x10) { u32::from_le_bytes(field) } else { u32::from_be_bytes(field) };
    usize::try_from(hint).ok()
}

/// Type and fragment length of a header.
fn header(bytes: &[u8]) -> Option<(u8, usize)> {
    let (&[5, 0..=1, kind, _, order, 0..=3, 0, 0], _) = bytes.split_first_chunk()? else { return None };
    let length = match order {
        0x10 => le16(bytes, 8)?,
        0 => be16(bytes, 8)?,
        _ => return None,
    };
    (length >= 16).then_some((kind, length))
}

fn pdu(bytes: &[u8], kinds: &[u8], said: impl FnOnce() -> Said) -> Opening {
    match header(bytes) {
        Some((kind, _)) if kinds.contains(&kind) => said().into(),
        None if bytes.len() < 10 && [5, 0].starts_with(bytes.get(..bytes.len().min(2)).unwrap_or_default()) => {
            Opening::Short
        }
        _ => Opening::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn bind_and_ack() {
        let bind = [5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0];
        let ack = [5, 0, 12, 3, 0x10, 0, 0, 0, 60, 0, 0, 0, 1, 0, 0, 0];
        assert_eq!(found(&Dcerpc, &bind, &ack).unwrap().bits(), Bits::whole(50));
        assert!(excluded(&Dcerpc, &bind, &[5, 0, 11, 3, 0x20, 0, 0, 0, 60, 0]));
        assert!(!excluded(&Dcerpc, &bind, &[5, 0, 12]));
        let mut request = [5, 0, 0, 3, 0x10, 0, 0, 0, 28, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0, 9, 0, 1, 2, 3, 4];
        assert_eq!(found(&Dcerpc, &request, &[]).unwrap().bits(), Bits::whole(14));
        request[16] = 5;
        assert!(found(&Dcerpc, &request, &[]).is_none());
    }
}
