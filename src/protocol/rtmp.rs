//! RTMP (Adobe's RTMP Specification 1.0, section 5.2): handshake blocks of fixed sizes.
//!
//! ```text
//! client: C0 = 03 | C1 = time(4) zero(4) random(1528) | C2 = echo of S1
//! server: S0 = 03 | S1 = time(4) zero(4) random(1528) | S2 = time(4) time2(4) echo of C1's random
//! ```
//! A first byte 3 on both sides is not enough: TPKT (RDP, H.323, S7, MMS) begins so too, but is never this long without
//! a second header. Flash Player 9 and later put a version in place of the zeros and a digest into the random bytes.

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::be16;
use super::{Bits, Family, text};

const BLOCK: usize = 1536;

/// 40 bits by chance with the zeros, then 1,528 bytes that are no text and hold no TPKT header where its length points.
static CLIENT: Family = Family { id: "rtmp.client-block", cap: Bits::whole(16) };
/// The command after the handshake: a chunk header of type 20 and the word "connect" in AMF (section 7.2.1.1).
static CONNECT: Family = Family { id: "rtmp.connect", cap: Bits::whole(12) };
/// The same shape from the server.
static SERVER: Family = Family { id: "rtmp.server-block", cap: Bits::whole(14) };
/// The server repeats the client's random bytes, of which 64 are compared.
static ECHO: Family = Family { id: "rtmp.random-echo", cap: Bits::whole(22) };

/// The server's first control message after the handshake: twelve bytes, of which eleven are fixed.
static CONTROL: Family = Family { id: "rtmp.control-message", cap: Bits::whole(16) };

/// The recogniser.
pub(super) struct Rtmp;

impl Dialogue for Rtmp {
    const NAME: &'static str = "rtmp";
    const REFERENCE: &'static str = "Adobe RTMP 1.0";

    fn client(&self, bytes: &[u8]) -> Opening {
        let Some(bits) = block(bytes) else { return refuse(bytes) };
        let said = Said::new(&CLIENT, bits, "client opens with version 3 and a handshake block");
        match bytes.get(1 + 2 * BLOCK..) {
            Some(rest) if rest.len() > 12 + 10 => {
                let connect = rest.get(7) == Some(&20)
                    && text::contains(rest.get(..64.min(rest.len())).unwrap_or_default(), b"\x02\x00\x07connect");
                if connect {
                    said.and(&CONNECT, 12, 1 + 2 * BLOCK, "the command connect follows the handshake")
                } else {
                    said
                }
                .into()
            }
            _ => said.unfinished(true).into(),
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        // Servers that answer Flash Player's digest put any version there.
        let bits = block(bytes).or_else(|| block(client).filter(|_| plain(bytes)).map(|_| 8));
        let Some(bits) = bits else {
            return if client.is_empty() && plain(bytes) { Opening::Short } else { refuse(bytes) };
        };
        let said = Said::new(&SERVER, bits - 2, "server answers with version 3 and a handshake block");
        let random = |b: &[u8], at: usize| b.get(at..at + 64).map(<[u8]>::to_vec);
        let echo = random(bytes, 1 + BLOCK + 8);
        let filler = |bytes: &[u8]| bytes.iter().filter(|b| **b == 0).count() * 2 > bytes.len();
        if echo.as_deref().is_some_and(|random| !filler(random)) && echo == random(client, 9) {
            return said.and(&ECHO, 22, 1 + BLOCK, "server repeats the client's random bytes").into();
        }
        match bytes.get(1 + 2 * BLOCK..).and_then(|rest| rest.first_chunk()) {
            Some([2, _, _, _, 0, 0, 4 | 5, 1 | 5 | 6, 0, 0, 0, 0]) => {
                said.and(&CONTROL, 16, 1 + 2 * BLOCK, "a control message follows the handshake").into()
            }
            Some(_) => said.into(),
            None => said.unfinished(true).into(),
        }
    }
}

/// Whether it is version 3 and a whole block that is no text.
fn plain(bytes: &[u8]) -> bool {
    let random = bytes.get(9..=BLOCK).unwrap_or_default();
    let printable = random.iter().filter(|b| matches!(b, 0x20..=0x7e)).count();
    bytes.first() == Some(&3) && !random.is_empty() && printable * 3 <= random.len() * 2
}

/// What a beginning that is no whole block is.
fn refuse(bytes: &[u8]) -> Opening {
    if bytes.first() == Some(&3) && bytes.len() <= BLOCK { Opening::Short } else { Opening::Foreign }
}

/// Bits for the version and the first block.
fn block(bytes: &[u8]) -> Option<i32> {
    let (&[_, _, _, _, _, z0, z1, z2, z3], _) = bytes.get(..=BLOCK)?.split_first_chunk()?;
    let tpkt = |length: usize| length >= 4 && bytes.get(length..length + 2) == Some(&[3, 0]);
    if !plain(bytes) || bytes.get(1) == Some(&0) && be16(bytes, 2).is_some_and(tpkt) {
        return None;
    }
    let zeros = bytes.iter().take(BLOCK).filter(|b| **b == 0).count();
    match [z0, z1, z2, z3] {
        // The random bytes may be any, but zeros prove nothing.
        [0, 0, 0, 0] if zeros * 4 > 3 * BLOCK => Some(9),
        [0, 0, 0, 0] => Some(16),
        // A version such as 128.0.7.2 or 9.0.124.2.
        [9..=128, 0, _, 0..=16] => Some(12),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    fn side(time: u8, random: u8, second: &[u8]) -> Vec<u8> {
        let mut bytes = vec![3, 0, 0, 0, time, 0, 0, 0, 0];
        bytes.extend((0..1528).map(|n| (n as u8).wrapping_mul(random)));
        bytes.extend([0; 8]);
        bytes.extend(second);
        bytes
    }

    #[test]
    fn a_handshake_is_proved_by_the_echo() {
        let client = side(1, 7, &[]);
        let server = side(2, 11, &client[9..1537]);
        let finding = found(&Rtmp, &client, &server).unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(16 + 14 + 22), [true, true]));
        assert!(!excluded(&Rtmp, &client[..5], &server[..700]));
    }

    #[test]
    fn tpkt_is_not_rtmp() {
        let tpkt = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x0b\x00\x00\x00";
        assert!(found(&Rtmp, tpkt, tpkt).is_none());
        assert!(excluded(&Rtmp, tpkt, &tpkt.repeat(100)));
    }
}
