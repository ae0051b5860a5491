//! SOCKS 4, 4a (Ying-Da Lee, 1992) and 5 (RFC 1928). A proxy's dialogue comes before whatever it carries.

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::joined::Joined;
use super::{Bits, Family, counted};

/// Version 5: a list of small numbers, 20 bits by chance; small numbers begin many protocols.
static METHODS: Family = Family { id: "socks.methods", cap: Bits::whole(8) };
/// A request of either version: 24 to 40 bits by chance.
static REQUEST: Family = Family { id: "socks.request", cap: Bits::whole(14) };
/// Version 5: two bytes, the second one that the client offered.
static CHOICE: Family = Family { id: "socks.method-choice", cap: Bits::whole(8) };
/// The reply to a request: 24 bits or more.
static REPLY: Family = Family { id: "socks.reply", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct Socks;

impl Dialogue for Socks {
    const NAME: &'static str = "socks";
    const REFERENCE: &'static str = "RFC 1928";

    fn client(&self, bytes: &[u8]) -> Opening {
        match bytes {
            [4] | [4, 1 | 2] => Opening::Short,
            [4, 1 | 2, rest @ ..] => version4(rest),
            [5] => Opening::Short,
            [5, count @ 1..=9, rest @ ..] => {
                let Some((methods, rest)) = rest.split_at_checked(usize::from(*count)) else { return Opening::Short };
                if !methods.iter().all(|m| matches!(m, 0..=9 | 0x80..=0xfe)) {
                    return Opening::Foreign;
                }
                let said = Said::new(&METHODS, 8, "client offers SOCKS 5 authentication methods").variant("5");
                // A user name and password may come first (RFC 1929).
                let rest = match rest {
                    [1, n, more @ ..] => skip(skip_n(more, usize::from(*n))),
                    _ => Some(rest),
                };
                match rest {
                    Some([5, 1..=3, 0, kind @ (1 | 3 | 4), address @ ..]) => {
                        let host = match (kind, address) {
                            (3, [n, name @ ..]) => name.get(..usize::from(*n)),
                            _ => None,
                        };
                        said.and(&REQUEST, 14, 2 + methods.len(), "client requests a connection")
                            .detail("host", host)
                            .into()
                    }
                    // Where no login was offered nothing else can follow.
                    Some([_, _, _, _, ..]) if methods == [0] => Opening::Foreign,
                    Some([_, _, _, _, ..]) => said.into(),
                    _ => said.unfinished(true).into(),
                }
            }
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (bytes, client) {
            (_, []) | ([_], _) => {
                if matches!(bytes.first(), Some(0 | 5)) {
                    Opening::Short
                } else {
                    Opening::Foreign
                }
            }
            (&[0, code @ 0x5a..=0x5d, ..], [4, 1 | 2, ..]) => {
                if bytes.len() < 8 {
                    return Opening::Short;
                }
                // Behind a refusal the server closes the connection.
                if code != 0x5a && bytes.len() > 8 {
                    return Opening::Foreign;
                }
                Said::new(&REPLY, 14, counted!("server replies with SOCKS 4 code {code}", code)).variant("4").into()
            }
            ([5, ..], [5]) => Opening::Short,
            ([5, choice, rest @ ..], [5, count @ 1..=9, offered @ ..]) => {
                let Some(offered) = offered.get(..usize::from(*count)) else { return Opening::Short };
                if *choice != 0xff && !offered.contains(choice) {
                    return Opening::Foreign;
                }
                let said = Said::new(&CHOICE, 8, "server chooses one of the offered methods").variant("5");
                let rest = match (choice, rest) {
                    (2, [1, _, rest @ ..]) => rest,
                    _ => rest,
                };
                match rest {
                    [5, 0..=8, 0, 1 | 3 | 4, ..] => said.and(&REPLY, 14, 2, "server replies to the request").into(),
                    // Without a login nothing else can follow.
                    [_, _, _, _, ..] if *choice == 0 => Opening::Foreign,
                    [_, _, _, _, ..] => said.into(),
                    _ => said.unfinished(*choice != 0xff).into(),
                }
            }
            _ => Opening::Foreign,
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, other: &[u8]) -> Opening {
        // Behind the choice of a method.
        match (role, &**bytes, other) {
            (Role::Client, [5, 1..=3, 0, kind @ (1 | 3 | 4), address @ ..], _) if may_be_address(*kind, address) => {
                Said::new(&REQUEST, 14, "client requests a connection").variant("5").into()
            }
            (Role::Server, [5, 0..=8, 0, 1 | 3 | 4, ..], [5, 1..=3, 0, 1 | 3 | 4, ..]) => {
                Said::new(&REPLY, 14, "server replies to the request").variant("5").into()
            }
            _ => Opening::Foreign,
        }
    }
}

/// Whether what is visible behind its kind can be an address and a port: a name is printable.
fn may_be_address(kind: u8, bytes: &[u8]) -> bool {
    match (kind, bytes) {
        (3, [n, name @ ..]) => {
            *n > 3 && name.get(..usize::from(*n).min(name.len())).is_some_and(|n| n.iter().all(u8::is_ascii_graphic))
        }
        _ => true,
    }
}

fn skip_n(bytes: &[u8], n: usize) -> Option<&[u8]> {
    bytes.get(n..)
}

/// What follows a string with a length byte.
fn skip(bytes: Option<&[u8]>) -> Option<&[u8]> {
    let (n, rest) = bytes?.split_first()?;
    rest.get(usize::from(*n)..)
}

/// A SOCKS 4 request after the command: port, address, user ID, and in 4a a name.
fn version4(rest: &[u8]) -> Opening {
    let (Some(port), Some(address), Some(strings)) = (be16(rest, 0), rest.get(2..6), rest.get(6..)) else {
        return Opening::Short;
    };
    let Some(end) = strings.iter().take(256).position(|&b| b == 0) else {
        let may_be = strings.len() < 256 && strings.iter().all(u8::is_ascii_graphic);
        return if may_be { Opening::Short } else { Opening::Foreign };
    };
    let (user, rest) = strings.split_at_checked(end).unwrap_or_default();
    let named = matches!(address, [0, 0, 0, 1..=255]);
    if port == 0 || (address.first() == Some(&0) && !named) || !user.iter().all(u8::is_ascii_graphic) {
        return Opening::Foreign;
    }
    let name = rest.get(1..).and_then(|r| r.split(|&b| b == 0).next()).filter(|_| named);
    let bits = if named && name.is_some_and(|n| n.len() > 3 && n.iter().all(u8::is_ascii_graphic)) { 14 } else { 12 };
    Said::new(&REQUEST, bits, "client requests a connection by SOCKS 4")
        .variant(if named { "4a" } else { "4" })
        .detail("host", name)
        .into()
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn version_5_with_a_request() {
        let client = b"\x05\x02\x00\x01\x05\x01\x00\x03\x04a.io\x00\x50GET /";
        let server = b"\x05\x00\x05\x00\x00\x01\x0a\x00\x00\x01\x00\x50HTTP";
        let finding = found(&Socks, client, server).unwrap();
        assert_eq!((finding.bits(), finding.details.len()), (Bits::whole(44), 1));
        let login = b"\x05\x01\x02\x01\x01u\x01p\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50";
        assert_eq!(found(&Socks, login, b"\x05\x02\x01\x00\x05\x00\x00\x01").unwrap().bits(), Bits::whole(44));
    }

    #[test]
    fn version_4() {
        let finding = found(&Socks, b"\x04\x01\x00\x50\x0a\x00\x00\x01joe\x00", b"\x00\x5a\x00\x50\x0a\x00\x00\x01");
        assert_eq!(finding.unwrap().bits(), Bits::whole(26));
        assert!(excluded(&Socks, b"\x04\x01\x00\x50\x0a\x00\x00\x01joe\x00", b"\x00\x50"));
    }

    #[test]
    fn small_numbers_alone_are_not_socks() {
        assert!(found(&Socks, b"\x05\x01\x00", b"").is_none());
        assert!(excluded(&Socks, b"\x05\x01\x00", b"\x05\x02"));
    }
}
