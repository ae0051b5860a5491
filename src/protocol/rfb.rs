//! RFB, the protocol of VNC: the server greets with its version, the client repeats one (RFC 6143 section 7.1.1).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{be16, be32};
use super::joined::{self, Chain, Joined};
use super::{Bits, Family, counted};

/// "RFB ddd.ddd" in twelve bytes: over 80 bits. From a client alone it may be a probe.
static CLIENT: Family = Family { id: "rfb.client-version", cap: Bits::whole(24) };
/// Only a VNC server greets so.
static SERVER: Family = Family { id: "rfb.server-version", cap: Bits::whole(34) };

/// Joined in the middle: the client's messages (section 7.5), which have a type, fields in their ranges and a fixed length each,
/// follow each other from the start of a segment to the end. Events of the pointer near the one before and of keys that
/// exist have 25 bits; the request for the screen, 20, is mostly the same again and counts once.
static EVENTS: Family = Family { id: "rfb.client-messages", cap: Bits::whole(16) };
/// A segment of the server's begins with an update whose first rectangle lies in the screen that the client asked for, in a
/// known encoding: 60 bits, of which half are zeros.
static UPDATE: Family = Family { id: "rfb.update", cap: Bits::whole(8) };

/// The recogniser.
pub(super) struct Rfb;

impl Dialogue for Rfb {
    const NAME: &'static str = "rfb";
    const REFERENCE: &'static str = "RFC 6143";

    fn client(&self, bytes: &[u8]) -> Opening {
        version(bytes, &CLIENT, 24, "client answers with its RFB version")
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        version(bytes, &SERVER, 34, "server greets with its RFB version")
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, other: &[u8]) -> Opening {
        if role == Role::Server {
            let screen = messages(other).and_then(|sent| sent.screen);
            let fits = screen.is_some_and(|screen| bytes.segments().any(|segment| is_update(segment, screen)));
            let said =
                || Said::new(&UPDATE, 8, "a segment begins with an update of the screen that the client asked for");
            return if fits { said().into() } else { Opening::Neutral };
        }
        match joined::heaviest_run(bytes, |bytes| messages(bytes).map(|sent| (sent.count, sent.bits))) {
            Some(Chain { offset, count, bits }) => {
                let text =
                    counted!("{count} messages of RFB's client follow each other from byte {offset} on", count, offset);
                Said::new(&EVENTS, bits, text).unfinished(bits < 16).into()
            }
            None => Opening::Neutral,
        }
    }
}

/// The messages of a client.
#[derive(Default)]
struct Messages {
    count: usize,
    bits: i32,
    /// Width and height of what was asked for last.
    screen: Option<(usize, usize)>,
}

/// Reads a client's messages that follow each other to the end; none if something else is among them.
fn messages(bytes: &[u8]) -> Option<Messages> {
    let (mut all, mut rest) = (Messages::default(), bytes);
    let mut pointer: Option<&[u8]> = None;
    while let Some(kind) = rest.first() {
        let number = |at| be16(rest, at);
        let length = match kind {
            0 => 20,
            2 => 4 + 4 * number(2).unwrap_or(0),
            3 => 10,
            4 => 8,
            5 => 6,
            6 => 8 + be32(rest, 4).unwrap_or(0) as usize,
            _ => return None,
        };
        // The last message may not have come to its end yet.
        let Some((message, behind)) = rest.split_at_checked(length) else { break };
        let bits = match *message {
            [0, 0, 0, 0, 8 | 16 | 32, 1..=32, 0 | 1, 0 | 1, ..] => 8,
            [2, 0, 0, 1..=64, ref encodings @ ..] => {
                // Those from -1 down stand for other abilities.
                let pseudo = encodings.chunks_exact(4).any(|encoding| encoding.starts_with(&[0xff; 3]));
                if pseudo { 8 } else { 0 }
            }
            [3, 0 | 1, ..] => {
                let (x, y, width, height) = (number(2)?, number(4)?, number(6)?, number(8)?);
                if width == 0 || height == 0 || x + width > 1 << 14 || y + height > 1 << 14 {
                    return None;
                }
                let first = all.screen.replace((x + width, y + height)).is_none();
                if first { 6 } else { 0 }
            }
            // Keysyms: Latin 1, function keys, Unicode.
            [4, 0 | 1, 0, 0, ..] => match be32(message, 4)? {
                0x20..=0xff | 0xfd00..=0xffff | 0x0100_0100..=0x0110_ffff => 6,
                _ => return None,
            },
            [5, buttons, ..] => {
                let place = |m: &[u8]| be16(m, 2).zip(be16(m, 4));
                let (x, y) = place(message)?;
                if x >= 1 << 14 || y >= 1 << 14 {
                    return None;
                }
                let near = pointer.replace(message).is_some_and(|last| {
                    let close = |(a, b): (usize, usize)| a.abs_diff(x) < 256 && b.abs_diff(y) < 256;
                    last != message && place(last).is_some_and(close)
                });
                // One button at a time, or none, or the wheel.
                if near && buttons.count_ones() <= 1 { 5 } else { 0 }
            }
            [6, 0, 0, 0, ..] => 2,
            _ => return None,
        };
        (all.count, all.bits, rest) = (all.count + 1, all.bits + bits, behind);
    }
    Some(all)
}

/// Whether a server's message is an update with a rectangle in the screen (section 7.6.1).
fn is_update(message: &[u8], (right, bottom): (usize, usize)) -> bool {
    let number = |at| be16(message, at).unwrap_or(usize::MAX / 2);
    let (x, y, width, height) = (number(4), number(6), number(8), number(10));
    // Raw, copied, RRE, CoRRE, hextile, zlib, tight, zlibhex, TRLE, ZRLE.
    let known = matches!(be32(message, 12), Some(0..=2 | 4..=8 | 15 | 16));
    matches!(message, [0, _, 0..=15, _, ..])
        && known
        && width > 0
        && height > 0
        && x + width <= right
        && y + height <= bottom
}

fn version(bytes: &[u8], family: &'static Family, bits: i32, what: &'static str) -> Opening {
    let pattern = b"RFB 000.000\n";
    let fits = |(&byte, &expected): (&u8, &u8)| if expected == b'0' { byte.is_ascii_digit() } else { byte == expected };
    match bytes.iter().zip(pattern).all(fits) {
        false => Opening::Foreign,
        true if bytes.len() < pattern.len() => Opening::Short,
        true => {
            let number = bytes.get(4..11).unwrap_or_default();
            Said::new(family, bits, what).variant(String::from_utf8_lossy(number).into_owned()).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::*;

    #[test]
    fn versions() {
        let finding = found(&Rfb, b"RFB 003.003\n", b"RFB 003.008\n\x00\x00\x00\x02").unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(58), Some("003.008")));
        assert!(excluded(&Rfb, b"", b"RFC 822\n"));
    }

    #[test]
    fn events_in_the_middle() {
        let ask = [3, 1, 0, 0, 0, 0, 4, 0, 3, 0];
        let events =
            [&ask[..], &[5, 0, 2, 0x9f, 0, 0xf1], &ask, &[5, 1, 2, 0x92, 0, 0xf1], &[4, 1, 0, 0, 0, 0, 0xff, 0x0d]]
                .concat();
        let update = [0, 0, 0, 1, 0, 0, 2, 0xc0, 4, 0, 0, 0x20, 0, 0, 0, 6, 0, 0, 0, 1, 9];
        let finding = joined(&Rfb, &events, &update).unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(16 + 8), [true, true]));
        // A heartbeat may look like that.
        assert!(joined(&Rfb, &ask.repeat(20), &[0; 200]).is_none_or(|f| f.bits() < Bits::whole(14)));
        assert!(joined(&Rfb, &[5; 60], &[0; 60]).is_none());
    }
}
