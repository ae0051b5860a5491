//! IEC 60870-5-104: frames that begin with 68 and a length (section 5 of the standard).
//!
//! ```text
//! 68 | length 4..253 | control (4) | ASDU
//! I: bit 0 of control byte 0 clear, of byte 2 clear   S: 01 00 .. ..   U: 07 0B 13 23 43 83, then 00 00 00
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::chain;
use super::{Bits, Family};

/// A U or S frame alone has 40 bits or more, an I frame 20; they chain by their lengths. Other framings with 68 exist
/// (M-Bus repeats the length), so one frame counts little. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "iec104.client-frames", cap: Bits::whole(22) };
/// The same from the controlled station.
static SERVER: Family = Family { id: "iec104.server-frames", cap: Bits::whole(24) };

/// The recogniser.
pub(super) struct Iec104;

impl Dialogue for Iec104 {
    const NAME: &'static str = "iec104";
    const REFERENCE: &'static str = "IEC 60870-5-104";

    fn client(&self, bytes: &[u8]) -> Opening {
        frames(bytes, &CLIENT, 22, "client")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        frames(bytes, &SERVER, 24, "server")
    }
}

fn frames(bytes: &[u8], family: &'static Family, cap: i32, who: &str) -> Opening {
    if bytes.first() != Some(&0x68) {
        return Opening::Foreign;
    }
    match chain(bytes, 6, |b| frame(b).map(|(length, _)| length)) {
        None => Opening::Foreign,
        Some(_) if !counts(bytes) => Opening::Foreign,
        Some(0) => Opening::Short,
        Some(count) => {
            let first = frame(bytes).map_or(0, |(_, bits)| bits);
            // That the last frame ends where the bytes end is eight bits more, if it was sent so; a little of that counts.
            let bits = (first + (count - 1) * 8 + if ends(bytes) { 2 } else { 0 }).min(cap);
            Said::new(family, bits, format!("{who} sends {count} frames that chain"))
                .unfinished(bits < cap && bytes.len() < 1024)
                .into()
        }
    }
}

/// Whether each I frame has the number after the one before it, of 15 bits.
fn counts(bytes: &[u8]) -> bool {
    let (mut rest, mut last) = (bytes, None);
    while let (Some((length, _)), Some(&[_, _, a, b, ..])) = (frame(rest), rest.first_chunk::<6>()) {
        if a & 1 == 0 {
            let number = u16::from_le_bytes([a, b]) >> 1;
            if last.is_some_and(|last: u16| (last + 1) & 0x7fff != number) {
                return false;
            }
            last = Some(number);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    true
}

/// Whether the last frame is there to its end.
fn ends(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((length, _)) = frame(rest) {
        match rest.get(length..) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Length on the wire and bits of the frame at the start.
fn frame(bytes: &[u8]) -> Option<(usize, i32)> {
    let (&[0x68, length @ 4..=253, a, b, c, d], asdu) = bytes.split_first_chunk()? else { return None };
    let bits = match (a, length) {
        (0x07 | 0x0b | 0x13 | 0x23 | 0x43 | 0x83, 4) if [b, c, d] == [0; 3] => 16,
        (1, 4) if b == 0 && c & 1 == 0 => 14,
        // Type IDs 1..127, and a cause of transmission 1..63.
        (_, 10..) if a & 1 == 0 && c & 1 == 0 => match asdu {
            [1..=127, _, cause, ..] if (1..=63).contains(&(cause & 0x3f)) => 12,
            [] | [_] | [_, _] => 6,
            _ => return None,
        },
        _ => return None,
    };
    Some((usize::from(length) + 2, bits))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn start_and_its_confirmation() {
        let finding = found(&Iec104, &[0x68, 4, 7, 0, 0, 0], &[0x68, 4, 0x0b, 0, 0, 0]).unwrap();
        assert_eq!(finding.bits(), Bits::whole(36));
        assert!(excluded(&Iec104, &[0x68, 4, 7, 0, 0, 0], &[0x68, 4, 9, 0, 0, 0]));
    }
}
