//! Modbus over TCP (MODBUS Messaging on TCP/IP Implementation Guide, section 3.1.3).
//!
//! ```text
//! transaction (2) | protocol 00 00 | length (2) | unit | function | …
//! ```
//! The server repeats transaction, unit and function (with the top bit set on an error).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be16, chain};
use super::joined::Joined;
use super::{Bits, Family, counted};

/// Protocol zero, a length that fits the function: 35 bits. Zeros and small numbers are common, so little counts.
static REQUEST: Family = Family { id: "modbus.request", cap: Bits::whole(14) };
/// Responses that repeat transaction, unit and function of the requests; the more of them the better.
static ECHO: Family = Family { id: "modbus.response-echo", cap: Bits::whole(20) };

/// The recogniser.
pub(super) struct Modbus;

impl Dialogue for Modbus {
    const NAME: &'static str = "modbus";
    const REFERENCE: &'static str = "Modbus TCP";

    fn client(&self, bytes: &[u8]) -> Opening {
        match chain(bytes, 8, |b| adu(b, true)) {
            None => Opening::Foreign,
            Some(0) => plausible(bytes),
            Some(n) => {
                // 43 with 14 and a category of device identification has two fixed bytes more (section 6.21 of the protocol).
                let identification = matches!(bytes.get(7..10), Some([43, 14, 1..=4]));
                let further = if counts(bytes) { 4 } else { 2 };
                let bits = 10 + (n - 1) * further + if identification { 4 } else { 0 };
                Said::new(&REQUEST, bits, counted!("{n} requests whose lengths fit their functions", n))
                    .unfinished(n < 3 && bytes.len() < 256)
                    .into()
            }
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match chain(bytes, 8, |b| adu(b, false)) {
            None => Opening::Foreign,
            Some(0) => plausible(bytes),
            Some(count) => {
                let key = |m: &[u8]| Some((be16(m, 0)?, *m.get(6)?, *m.get(7)? & 0x7f));
                let (mut asked, mut replied, mut echoes) = (client, bytes, 0);
                while let (Some(a), Some(b)) = (key(asked), key(replied)) {
                    if a != b {
                        break;
                    }
                    echoes += 1;
                    let next = |m: &mut &[u8]| *m = m.get(6 + be16(m, 4).unwrap_or(0)..).unwrap_or_default();
                    next(&mut asked);
                    next(&mut replied);
                }
                let distinct = if key(client).is_some_and(|(transaction, ..)| transaction > 255) { 4 } else { 0 };
                match echoes {
                    0 if client.is_empty() => {
                        let bits = if counts(bytes) { 6 + 4 * (count - 1) } else { 6 };
                        let text = counted!("{count} responses whose lengths fit their functions", count);
                        Said::new(&ALONE, bits, text).unfinished(bytes.len() < 256).into()
                    }
                    0 => Opening::Foreign,
                    n => Said::new(
                        &ECHO,
                        10 + n * 3 + distinct,
                        counted!("{n} responses repeat the requests' transaction, unit and function", n),
                    )
                    .unfinished(n < 4 && bytes.len() < 256)
                    .into(),
                }
            }
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, other: &[u8]) -> Opening {
        let alike = |a: &[u8], b: &[u8]| a.get(6..8).zip(b.get(6..8)).is_some_and(|(a, b)| a == b);
        let count = chain(bytes, 8, |b| adu(b, false))
            .filter(|count| *count > 0 && role == Role::Server && alike(bytes, other));
        Opening::or_foreign(count.map(|count| {
            let text = counted!("{count} responses of the unit and function of the requests", count);
            Said::new(&RESPONSES, (4 + 4 * count).min(10), text)
        }))
    }
}

/// Where a connection was joined between a request and its response, the two sides' first messages belong to different
/// transactions; unit and function are those of the requests all the same.
static RESPONSES: Family = Family { id: "modbus.responses", cap: Bits::whole(10) };

/// The server's responses alone: each has protocol zero, and a length that its function and the number behind that fix, 30
/// bits, of which zeros are half; where the transactions count by one, each further one has 16 bits more.
static ALONE: Family = Family { id: "modbus.responses-alone", cap: Bits::whole(16) };

/// Whether the transactions count by one from each message to the next, and change.
fn counts(mut bytes: &[u8]) -> bool {
    let mut before = None;
    while let Some((transaction, length)) = be16(bytes, 0).zip(be16(bytes, 4)) {
        if before.is_some_and(|before: u16| before.wrapping_add(1) != transaction as u16) {
            return false;
        }
        before = Some(transaction as u16);
        bytes = bytes.get(6 + length..).unwrap_or_default();
    }
    before.is_some()
}

/// The length on the wire of the message at the start of `bytes`, if it can be one of this side's.
fn adu(bytes: &[u8], request: bool) -> Option<usize> {
    let (&[_, _, 0, 0, _, _, _, function], body) = bytes.split_first_chunk()? else { return None };
    let length = be16(bytes, 4)?;
    let counted = body.first().map(|&n| usize::from(n) + 3);
    let fits = match (function, request) {
        (1..=6 | 8, true) | (5 | 6 | 8 | 15 | 16, false) => length == 6 || function == 8,
        (15 | 16, true) => body.get(4).is_none_or(|&n| usize::from(n) + 7 == length),
        (1..=4 | 12 | 17 | 20 | 21 | 23, false) => counted.is_none_or(|n| n == length),
        (7 | 11 | 12 | 17, true) => length == 2,
        (20 | 21, true) => counted.is_none_or(|n| n == length),
        (22, _) => length == 8,
        (24, true) => length == 4,
        // Function 0 exists for nobody, so that servers refuse it.
        (0, true) => length == 6,
        (0x80..=0xff, false) => length == 3 && body.first().is_none_or(|&code| (1..=11).contains(&code)),
        (7 | 11 | 23 | 24 | 43 | 65..=72 | 90 | 100..=110, _) => length >= 2,
        _ => false,
    };
    (fits && (2..=254).contains(&length)).then_some(6 + length)
}

fn plausible(bytes: &[u8]) -> Opening {
    if bytes.get(2..).is_none_or(|b| b.iter().take(3).all(|&b| b == 0)) { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn requests_and_responses() {
        let request = [0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2];
        let response = [0, 1, 0, 0, 0, 7, 1, 3, 4, 0, 0, 0, 9];
        assert_eq!(found(&Modbus, &request, &response).unwrap().bits(), Bits::whole(10 + 13));
        let many = (found(&Modbus, &request.repeat(4), &response.repeat(4))).unwrap();
        assert_eq!((many.bits(), many.settled), (Bits::whole(34), true));
        assert!(excluded(&Modbus, &request, &[0, 2, 0, 0, 0, 7, 1, 3, 4, 0, 0, 0, 9]));
        assert!(excluded(&Modbus, &request, &[0; 20]));
        let identification = [0, 1, 0, 0, 0, 5, 10, 43, 14, 1, 0];
        assert_eq!(found(&Modbus, &identification, &[]).unwrap().bits(), Bits::whole(14));
        assert!(found(&Modbus, &request.repeat(2), &[]).is_none());
        let counting =
            |message: &[u8], n: u8| (1..=n).flat_map(|n| [&[0, n], &message[2..]].concat()).collect::<Vec<_>>();
        assert_eq!(found(&Modbus, &counting(&request, 2), &[]).unwrap().bits(), Bits::whole(14));
        assert_eq!(found(&Modbus, &[], &counting(&response, 3)).unwrap().bits(), Bits::whole(14));
        assert!(found(&Modbus, &[], &response.repeat(9)).is_none());
    }
}
