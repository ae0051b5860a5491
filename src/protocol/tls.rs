//! TLS: the hello messages at the start of a connection, or the chain of records where it was joined in the middle.
//!
//! Records at byte 0 only: OpenVPN over TCP carries TLS behind its own length and opcode, and STARTTLS belongs to the
//! protocol that spoke first. In the middle the headers must chain without a fault to the last byte there is, which the
//! fragments inside other tunnels do not.

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::{Bits, Family, joined, text};
use crate::wire::tls::{Handshake, Hello, Record};

/// Record and handshake headers agree: 40 bits by chance. Anybody can send a hello to anything, so it stays below certain.
static CLIENT: Family = Family { id: "tls.client-hello", cap: Bits::whole(24) };
/// 40 bits by chance; no other protocol begins its answer so.
static SERVER: Family = Family { id: "tls.server-hello", cap: Bits::whole(30) };
/// The session ID is up to 32 random bytes of the client's choice.
static ECHO: Family = Family { id: "tls.session-id-echo", cap: Bits::whole(16) };
/// An alert is seven bytes, five of them fixed and two from short lists: 46 bits. Short, so held below certain alone.
static ALERT: Family = Family { id: "tls.alert", cap: Bits::whole(24) };
/// Web servers say so in plain text when HTTP comes to a port that wants TLS. The word of a server, not its TLS.
static TOLD: Family = Family { id: "tls.server-asks-for-it", cap: Bits::whole(18) };
/// Each header is 21 bits by chance and counts 8; the search over the stream takes 13 back. No other framing like it is
/// known, but the chains are short and lie inside any STARTTLS: both sides together stay below certain.
static RECORDS: [Family; 2] = [
    Family { id: "tls.client-records", cap: Bits::whole(14) },
    Family { id: "tls.server-records", cap: Bits::whole(14) },
];

/// A record that ends where the side's bytes do has 14 bits more by chance: its length is right.
const ENDS: i32 = 14;

/// The recogniser.
pub(super) struct Tls;

impl Dialogue for Tls {
    const NAME: &'static str = "tls";
    const REFERENCE: &'static str = "RFC 8446";

    fn client(&self, bytes: &[u8]) -> Opening {
        if bytes.first().is_some_and(|b| b & 0x80 != 0) {
            return ssl2_hello(bytes);
        }
        let hello = match opening(bytes, 1) {
            Ok(handshake) => Hello::client(handshake.body),
            Err(opening) => return opening,
        };
        let Some(hello) = hello else {
            return Said::new(&CLIENT, 16, "first bytes are a handshake record with a client hello")
                .unfinished(true)
                .into();
        };
        let protocols = hello.alpn().collect::<Vec<_>>().join(&b","[..]);
        Said::new(&CLIENT, 24, "client hello in a handshake record whose lengths agree")
            .detail("sni", hello.server_name())
            .detail("alpn", Some(&protocols))
            .unfinished(!hello.complete && bytes.len() < 4096)
            .into()
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match bytes.first() {
            Some(b'H') => return told(bytes),
            Some(21) => return alert(bytes),
            Some(0x80..) => return ssl2_answer(bytes),
            _ => {}
        }
        let hello = match opening(bytes, 2) {
            Ok(handshake) => Hello::server(handshake.body),
            Err(opening) => return opening,
        };
        let Some(hello) = hello else {
            return Said::new(&SERVER, 16, "first bytes are a handshake record with a server hello")
                .unfinished(true)
                .into();
        };
        let mut said = Said::new(&SERVER, 30, "server hello in a handshake record whose lengths agree")
            .unfinished(!hello.complete && bytes.len() < 4096);
        let asked = opening(client, 1).ok().and_then(|handshake| Hello::client(handshake.body));
        if hello.session_id.len() >= 8 && asked.is_some_and(|asked| asked.session_id == hello.session_id) {
            said = said.and(&ECHO, 16, 44, "server hello answers the client hello's session ID");
        }
        match hello.chosen_version() {
            0x0304 => said.variant("1.3"),
            0x0303 => said.variant("1.2"),
            0x0302 => said.variant("1.1"),
            0x0301 => said.variant("1.0"),
            0x0300 => said.variant("ssl3"),
            draft @ 0x7f00..=0x7f1f => said.variant(format!("1.3-draft{}", draft & 0xff)),
            _ => said,
        }
        .into()
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let record = |b: &[u8]| match b {
            [20..=24, 3, ..] => {
                let length = Record::new(b)?.wire_len();
                Some((length, if length == b.len() { ENDS } else { 8 }))
            }
            _ => None,
        };
        // The major version stands behind the record's type.
        let places = memchr::memchr_iter(3, bytes).filter_map(|at| at.checked_sub(1));
        joined::opening(joined::heaviest_anywhere(bytes, places, Record::HEADER, record), &RECORDS, role)
    }
}

/// The handshake message of `kind` in the record at the start, or what to say if it is not there.
fn opening(bytes: &[u8], kind: u8) -> Result<Handshake<'_>, Opening> {
    let [first, major, ..] = bytes else {
        return Err(if bytes.first().is_none_or(|&b| b == 22) { Opening::Short } else { Opening::Foreign });
    };
    if (*first, *major) != (22, 3) {
        return Err(Opening::Foreign);
    }
    if bytes.len() < Record::HEADER + if kind == 1 { 4 } else { 6 } {
        return Err(Opening::Short);
    }
    let record = Record::new(bytes).ok_or(Opening::Foreign)?;
    let handshake = Handshake::new(record.fragment).ok_or(Opening::Foreign)?;
    let version = match (handshake.body, kind) {
        ([3, 0..=4, ..], _) | ([0x7f, 0..=31, ..], 2) => true,
        // Cut by the snaplen in front of it: the lengths must agree instead.
        ([] | [3], 1) => record.length == handshake.length + 4,
        _ => false,
    };
    let sane = handshake.kind == kind
        && (38..=0xffff).contains(&handshake.length)
        && version
        // A hello shares its record only with messages of the same flight, and is split only if it is long.
        && (record.length <= handshake.length + 4 || kind == 2);
    if sane { Ok(handshake) } else { Err(Opening::Foreign) }
}

/// An SSL 2.0 client hello that offers SSL 3.0 or TLS (RFC 5246 appendix E.2).
fn ssl2_hello(bytes: &[u8]) -> Opening {
    let Some((&[high, low, kind, major, minor, c1, c2, s1, s2, n1, n2], _)) = bytes.split_first_chunk() else {
        return if matches!(bytes, [_] | [_, _] | [_, _, 1, ..]) { Opening::Short } else { Opening::Foreign };
    };
    let length = u16::from_be_bytes([high & 0x7f, low]);
    let (ciphers, session, nonce) =
        (u16::from_be_bytes([c1, c2]), u16::from_be_bytes([s1, s2]), u16::from_be_bytes([n1, n2]));
    let sane = kind == 1
        && ((major == 3 && minor <= 3) || (major, minor) == (0, 2))
        && ciphers.is_multiple_of(3)
        && matches!(session, 0 | 16)
        && (16..=32).contains(&nonce)
        && u32::from(length) == 9 + u32::from(ciphers) + u32::from(session) + u32::from(nonce);
    Opening::or_foreign(sane.then(|| Said::new(&CLIENT, 22, "SSL 2.0 client hello whose lengths add up")))
}

/// An SSL 2.0 server hello (draft-hickman-netscape-ssl-00 section 2.6): lengths of certificate, ciphers and connection ID.
fn ssl2_answer(bytes: &[u8]) -> Opening {
    let Some((&[high, low, kind, hit, certificate, 0, 2, c1, c2, s1, s2, n1, n2], _)) = bytes.split_first_chunk()
    else {
        return if bytes.len() < 13 && bytes.get(2).is_none_or(|&kind| kind == 4) {
            Opening::Short
        } else {
            Opening::Foreign
        };
    };
    let sum: u32 = [[c1, c2], [s1, s2], [n1, n2]].iter().map(|n| u32::from(u16::from_be_bytes(*n))).sum();
    let sane = kind == 4
        && hit <= 1
        && certificate <= 1
        && u16::from_be_bytes([s1, s2]).is_multiple_of(3)
        && u32::from(u16::from_be_bytes([high & 0x7f, low])) == 11 + sum;
    Opening::or_foreign(
        sane.then(|| Said::new(&SERVER, 24, "SSL 2.0 server hello whose lengths add up").variant("ssl2")),
    )
}

fn alert(bytes: &[u8]) -> Opening {
    match bytes {
        [21, 3, 0..=4, 0, 2, 1 | 2, 0..=120, ..] => {
            Said::new(&ALERT, 24, "server answers with a TLS alert in the clear").into()
        }
        _ if bytes.len() < 7 && [21, 3].starts_with(bytes.get(..bytes.len().min(2)).unwrap_or_default()) => {
            Opening::Short
        }
        _ => Opening::Foreign,
    }
}

fn told(bytes: &[u8]) -> Opening {
    if text::start(bytes, b"HTTP/1.") == text::Start::Other || bytes.get(9..12).is_some_and(|code| code != b"400") {
        Opening::Foreign
    } else if asks_for_tls(bytes) {
        Said::new(&TOLD, 18, "server answers plain HTTP with the words that this port wants TLS").into()
    } else if bytes.len() < 1024 {
        Opening::Short
    } else {
        Opening::Foreign
    }
}

/// Whether an HTTP answer says that the port wants TLS, in the words of nginx, Apache httpd or Go.
pub(super) fn asks_for_tls(answer: &[u8]) -> bool {
    let head = answer.get(..answer.len().min(1024)).unwrap_or_default();
    [
        &b"plain HTTP request was sent to HTTPS port"[..],
        b"speaking plain HTTP to an SSL-enabled server port",
        b"sent an HTTP request to an HTTPS server",
    ]
    .iter()
    .any(|words| text::contains(head, words))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    /// A hello of `kind` with a session ID of 32 bytes `id` and the given extensions.
    fn hello(kind: u8, id: u8, extensions: &[u8]) -> Vec<u8> {
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.push(32);
        body.extend([id; 32]);
        body.extend(if kind == 1 { &[0, 2, 0x13, 0x01, 1, 0][..] } else { &[0x13, 0x01, 0] });
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        let mut record = vec![22, 3, 1];
        record.extend((body.len() as u16 + 4).to_be_bytes());
        record.extend([kind, 0]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn a_handshake_is_certain_and_tells_version_and_name() {
        let client = hello(1, 5, b"\x00\x00\x00\x09\x00\x07\x00\x00\x04a.io");
        let server = hello(2, 5, &[0, 43, 0, 2, 3, 4]);
        let finding = found(&Tls, &client, &server).unwrap();
        assert_eq!(finding.variant.as_deref(), Some("1.3"));
        assert_eq!(finding.details, [("sni", "a.io".to_owned())]);
        assert_eq!((finding.spoke, finding.settled, finding.bits()), ([true, true], true, Bits::whole(70)));
        let alone = found(&Tls, &client, b"").unwrap();
        assert_eq!((alone.spoke, alone.bits()), ([true, false], Bits::whole(24)));
    }

    #[test]
    fn the_server_decides() {
        let client = hello(1, 5, b"");
        assert!(excluded(&Tls, &client, b"220 mail ESMTP\r\n"));
        assert_eq!(found(&Tls, b"GET / HTTP/1.1\r\n\r\n", &[21, 3, 1, 0, 2, 2, 70]).unwrap().spoke, [false, true]);
        let told = b"HTTP/1.1 400 Bad Request\r\n\r\nThe plain HTTP request was sent to HTTPS port";
        assert_eq!(found(&Tls, b"GET / HTTP/1.1\r\n\r\n", told).unwrap().bits(), Bits::whole(18));
    }

    #[test]
    fn every_prefix_stays_possible() {
        let (client, server) = (hello(1, 5, b""), hello(2, 6, b""));
        for n in 0..client.len() {
            assert!(!excluded(&Tls, &client[..n], &server[..n.min(server.len())]), "{n}");
        }
    }

    #[test]
    fn tls_behind_another_header_is_not_claimed() {
        let mut openvpn = vec![0, 200, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 1];
        openvpn.extend(hello(1, 5, b""));
        openvpn.extend([0, 30, 0x28, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(excluded(&Tls, &openvpn, &openvpn));
        assert!(joined(&Tls, &openvpn, &openvpn).is_none());
    }

    #[test]
    fn records_chain_when_joined_in_the_middle() {
        let record = |n: u8| [&[23, 3, 3, 0, n][..], &vec![0xaa; usize::from(n)]].concat();
        let first = [vec![1, 2, 3], record(30), record(40), record(50)].concat();
        let second = [record(60), record(20)].concat();
        let finding = joined(&Tls, &first, &second).unwrap();
        assert_eq!((finding.spoke, finding.bits()), ([true, true], Bits::whole(14 + 14)));
        // One record is enough if it fills what there is, and not if something is missing.
        assert_eq!(joined(&Tls, &record(60), b"").unwrap().bits(), Bits::whole(14));
        assert!(joined(&Tls, &record(60)[..50], b"").is_none_or(|f| f.bits() < Bits::whole(14)));
    }
}
