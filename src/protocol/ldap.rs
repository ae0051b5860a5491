//! LDAP over TCP, and the same in datagrams (RFC 1798, MS-ADTS 6.3.3): BER messages, each a sequence of a message ID and an operation (RFC 4511 section 4.1.1).
//!
//! ```text
//! 30 length | 02 n message ID (n) | operation tag | length | …
//! bind request:   60 length | 02 01 version 2..3 | 04 length name | …
//! search request: 63 length | 04 length base | 0A 01 scope | 0A 01 deref | …
//! result:         61, 65, 78 … length | 0A 01 code | 04 length matched DN | …
//! ```

use super::datagrams::{self, Shape};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::{Assessment, Bits, Family, Protocol};
use crate::flow::Head;
use crate::packet::Transport;

/// Nested lengths, an ID and an operation of the right side with its first fields: about 50 bits; SNMP over TCP shares
/// the first bytes. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "ldap.request", cap: Bits::whole(22) };
/// The same with an operation of the server's.
static RESPONSE: Family = Family { id: "ldap.response", cap: Bits::whole(24) };
/// The response bears the ID of the first request, a small number.
static ECHO: Family = Family { id: "ldap.message-id-echo", cap: Bits::whole(6) };

/// A datagram that is one message, by the same signs.
static DATAGRAM: Family = Family { id: "ldap.datagram", cap: Bits::whole(22) };

static SHAPE: Shape = Shape {
    message: &DATAGRAM,
    first: 20,
    further: 1,
    form: "a message of LDAP whose nested lengths agree",
    answer: &ECHO_UDP,
    answered: 10,
    link: "the response bears the request's message ID",
};
/// A response with the ID of a request before it.
static ECHO_UDP: Family = Family { id: "ldap.datagram-answer", cap: Bits::whole(10) };

/// The recogniser.
pub(super) struct Ldap;

impl Protocol for Ldap {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        at != 0 || byte == 0x30
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| {
            let message = message(d.bytes)?;
            let request = matches!(OverTcp.client(d.bytes), Opening::Spoken(_));
            let response = matches!(OverTcp.server(d.bytes, &[]), Opening::Spoken(_));
            (request || response).then_some((message.id, request))
        });
        let finding = datagrams::judge(&reading, &SHAPE, |a, b| a.1 && !b.1 && a.0 == b.0);
        reading.conclude(finding)
    }
}

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "ldap";
    const REFERENCE: &'static str = "RFC 4511";

    fn client(&self, bytes: &[u8]) -> Opening {
        let Some(message) = message(bytes) else { return short(bytes) };
        let bits = match (message.tag, message.body) {
            (0x60, [2, 1, 2..=3, 4, ..]) => 22,
            (0x63, [4, n, rest @ ..]) if *n < 0x80 => match rest.get(usize::from(*n)..) {
                Some([0x0a, 1, 0..=3, 0x0a, 1, 0..=3, ..]) => 22,
                _ => 12,
            },
            (0x63, [4, 0x81..=0x84, ..]) => 14,
            (0x77, [0x80, n, b'1', b'.', ..]) if *n < 0x80 => 22,
            // Unbind, delete, abandon.
            (0x42, []) => 14,
            (0x4a | 0x50, _) => 8,
            (0x66 | 0x68 | 0x6c | 0x6e, [4, ..]) => 16,
            (0x60 | 0x63 | 0x77 | 0x66 | 0x68 | 0x6c | 0x6e, []) => return Opening::Short,
            _ => return Opening::Foreign,
        };
        Said::new(&REQUEST, bits, "client sends a request of LDAP whose nested lengths agree").into()
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let Some(response) = message(bytes) else { return short(bytes) };
        let bits = match (response.tag, response.body) {
            (0x61 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x78, [0x0a, 1, 0..=0x7f, 4, ..]) => 24,
            (0x64, [4, ..]) => 18,
            (0x73, [4, ..]) => 14,
            // The segment ends within the operation's first field.
            (0x61 | 0x64 | 0x65 | 0x67 | 0x69 | 0x6b | 0x6d | 0x6f | 0x73 | 0x78, [] | [_] | [_, _] | [_, _, _]) => {
                return Opening::Short;
            }
            _ => return short(bytes),
        };
        let said = Said::new(&RESPONSE, bits, "server sends a response of LDAP whose nested lengths agree");
        match message(client) {
            Some(request) if request.id == response.id => {
                said.and(&ECHO, 6, 2, "the response bears the request's message ID")
            }
            _ => said,
        }
        .into()
    }
}

/// What a beginning that is no message is. Two lengths of the long form and an identifier take 21 bytes.
fn short(bytes: &[u8]) -> Opening {
    if bytes.first() == Some(&0x30) && bytes.len() < 22 { Opening::Short } else { Opening::Foreign }
}

struct Message<'a> {
    id: &'a [u8],
    tag: u8,
    /// As much of the operation as there is.
    body: &'a [u8],
}

fn message(bytes: &[u8]) -> Option<Message<'_>> {
    let (0x30, length, inner) = element(bytes)? else { return None };
    let (2, id_length, rest) = element(inner)? else { return None };
    let (id, rest) = rest.split_at_checked(id_length)?;
    let (tag, operation, body) = element(rest)?;
    let before = inner.len() - body.len();
    // The operation fills the message, but for controls ([0], tag A0).
    let rest = length.checked_sub(before + operation)?;
    let controls = rest == 0 || body.get(operation).is_none_or(|&t| t == 0xa0);
    let body = body.get(..operation.min(body.len()))?;
    ((1..=4).contains(&id_length) && controls).then_some(Message { id, tag, body })
}

/// A BER element with a definite length: tag, length, and what follows.
fn element(bytes: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (&[tag, length], rest) = bytes.split_first_chunk()?;
    let extra = match length {
        0..=0x7f => return Some((tag, usize::from(length), rest)),
        0x81..=0x84 => usize::from(length & 0x7f),
        _ => return None,
    };
    let (long, rest) = rest.split_at_checked(extra)?;
    Some((tag, long.iter().fold(0, |n, &b| n << 8 | usize::from(b)), rest))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn bind_and_result() {
        let bind = [0x30, 0x0c, 2, 1, 1, 0x60, 7, 2, 1, 3, 4, 0, 0x80, 0];
        let result = [0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0];
        assert_eq!(found(&Ldap, &bind, &result).unwrap().bits(), Bits::whole(52));
        assert!(excluded(&Ldap, &bind, b"HTTP/1.1 400 Bad\r\n"));
    }

    #[test]
    fn snmp_is_not_ldap() {
        let snmp = [0x30, 0x26, 2, 1, 1, 4, 6, b'p', b'u', b'b', b'l', b'i', b'c', 0xa0, 0x19, 2, 4, 1];
        assert!(found(&Ldap, &snmp, &snmp).is_none());
    }
}
