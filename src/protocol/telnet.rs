//! Telnet: a side that begins with option negotiation (RFC 854, RFC 855).
//!
//! ```text
//! FF FB..FE option        WILL, WON'T, DO, DON'T
//! FF FA option … FF F0    subnegotiation
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// Each command is 16 bits by chance with the options in use; uniform bytes that begin with FF are 1 in 2^8.
static CLIENT: Family = Family { id: "telnet.client-negotiation", cap: Bits::whole(16) };
/// The same from the server.
static SERVER: Family = Family { id: "telnet.server-negotiation", cap: Bits::whole(28) };

/// The recogniser.
pub(super) struct Telnet;

impl Dialogue for Telnet {
    const NAME: &'static str = "telnet";
    const REFERENCE: &'static str = "RFC 854";

    fn client(&self, bytes: &[u8]) -> Opening {
        match negotiation(bytes, &CLIENT, 16, "client") {
            // People type before they negotiate.
            Opening::Foreign => Opening::Neutral,
            opening => opening,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match negotiation(bytes, &SERVER, 28, "server") {
            // A server may greet before it answers the client's negotiation.
            Opening::Foreign if matches!(client, [0xff, 0xfa..=0xfe, ..]) => Opening::Neutral,
            Opening::Foreign if matches!(client, [] | [0xff]) => Opening::Short,
            opening => opening,
        }
    }
}

fn negotiation(bytes: &[u8], family: &'static Family, cap: i32, who: &str) -> Opening {
    let mut rest = bytes;
    let mut count = 0;
    loop {
        match rest {
            // Options up to 49 are assigned, and 255 is the extended list.
            [0xff, 0xfb..=0xfe, 0..=49 | 255, after @ ..] => rest = after,
            [0xff, 0xfa, 0..=49, after @ ..] => {
                let end = after.windows(2).position(|w| w == [0xff, 0xf0]);
                match end.and_then(|end| after.get(end + 2..)) {
                    Some(after) => rest = after,
                    None => break,
                }
            }
            // GA, NOP and others alone.
            [0xff, 0xf1..=0xf9, after @ ..] if count > 0 => rest = after,
            _ => break,
        }
        count += 1;
    }
    match (count, bytes) {
        (0, [0xff] | [0xff, 0xfa..=0xfe]) => Opening::Short,
        (0, [0xff, 0xfa, ..]) if bytes.len() < 64 => Opening::Short,
        (0, _) => Opening::Foreign,
        (count, _) => Said::new(
            family,
            (count * 10).min(cap),
            format!("{who} begins with {count} commands of Telnet negotiation"),
        )
        .unfinished(count < 3 && bytes.len() < 64)
        .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn negotiation_on_both_sides() {
        let finding =
            found(&Telnet, &[0xff, 0xfd, 3, 0xff, 0xfb, 24], &[0xff, 0xfd, 24, 0xff, 0xfd, 32, 0xff, 0xfb, 1]).unwrap();
        assert_eq!(finding.bits(), Bits::whole(16 + 28));
        assert!(excluded(&Telnet, b"ls\r\n", b"login: "));
        assert!(found(&Telnet, &[], &[0xff, 0xfb, 200]).is_none());
    }
}
