//! RTMP (Adobe's RTMP Specification 1.0, section 5.2): handshake blocks of fixed sizes.
//!
//! ```text
//! client: C0 = 03 | C1 = time(4) zero(4) random(1528) | C2 = echo of S1
//! server: S0 = 03 | S1 = time(4) zero(4) random(1528) | S2 = time(4) time2(4) echo of C1's random
//! ```
//! A first byte 3 on both sides is not enough: TPKT (RDP, H.323, S7, MMS) begins so too, but is never this long without
//! a second header. Flash Player 9 and later put a version in place of the zeros and a digest into the random bytes.

use super::datagrams::item;
use super::dialogue::{self, Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::joined::{self, Chain, Joined};
use super::{Assessment, Bits, Family, Finding, Protocol, counted, text};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::rtmp::Messages;

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

/// Behind the handshake: the name of a command in AMF and its transaction, a whole number in eight bytes: 100 bits and more.
/// AMF's strings are met elsewhere, but no names of RTMP before numbers.
static COMMANDS: [Family; 2] = [
    Family { id: "rtmp.client-commands", cap: Bits::whole(20) },
    Family { id: "rtmp.server-commands", cap: Bits::whole(20) },
];
/// Behind the handshake: messages that follow each other from the start of a segment to the end. A header has some 25 fixed
/// bits, mostly zeros, and its length leads to the next one.
static MESSAGES: [Family; 2] = [
    Family { id: "rtmp.client-messages", cap: Bits::whole(18) },
    Family { id: "rtmp.server-messages", cap: Bits::whole(18) },
];

/// Commands of NetConnection and NetStream (section 7.2), and what clients and servers of Flash added.
const NAMES: &[&[u8]] = &[
    b"connect",
    b"_result",
    b"_error",
    b"createStream",
    b"deleteStream",
    b"releaseStream",
    b"closeStream",
    b"publish",
    b"play",
    b"play2",
    b"pause",
    b"seek",
    b"onStatus",
    b"onBWDone",
    b"_checkbw",
    b"FCPublish",
    b"FCUnpublish",
    b"onFCPublish",
    b"FCSubscribe",
    b"onFCSubscribe",
    b"getStreamLength",
];

/// The recogniser.
pub(super) struct Rtmp;

/// What the connection says from its start, or joined in the middle.
struct Connection;

impl Protocol for Rtmp {
    fn name(&self) -> &'static str {
        Connection::NAME
    }

    fn reference(&self) -> &'static str {
        Connection::REFERENCE
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        match dialogue::assess(&Connection, head) {
            Assessment::NotNow if head.transport() == Transport::Tcp => behind_the_cut(head),
            assessment => assessment,
        }
    }
}

/// Where the snaplen cut the handshake's blocks: the commands behind them, in the visible starts of segments.
fn behind_the_cut(head: &Head<'_>) -> Assessment {
    let mut finding = Finding::default();
    for dir in Dir::BOTH {
        let stream = head.stream(dir);
        let with_command = stream.pieces().iter().filter(|piece| commands(&piece.data) > 0);
        let frames: Vec<u64> = with_command.map(|piece| piece.frame).collect();
        if !frames.is_empty() {
            let bits = 12 + 4 * frames.len() as i32;
            let text = "segments begin with a command in AMF and its transaction";
            finding.evidence.push(item(dir.of(&COMMANDS), bits, frames.into_iter().collect::<super::Frames>(), text));
            *dir.of_mut(&mut finding.spoke) = true;
        }
    }
    if finding.evidence.is_empty() { Assessment::NotNow } else { Assessment::Recognised(finding) }
}

/// How many commands stand in `bytes`.
fn commands(bytes: &[u8]) -> i32 {
    let is_command = |at: usize| -> Option<()> {
        let string = bytes.get(at + 2..)?;
        let (length, rest) = string.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        // Whole numbers below 2^21 end with five zeros.
        let number = rest.first_chunk()?;
        let whole = matches!(
            number,
            [0, 0, 0, 0, 0, 0, 0, 0, 0] | [0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0] | [0, 0x40, _, _, 0, 0, 0, 0, 0]
        );
        (whole && NAMES.contains(&name)).then_some(())
    };
    memchr::memmem::find_iter(bytes, b"\x02\0").filter_map(is_command).count() as i32
}

/// The messages of a side that follow each other from the start of a segment to the end.
fn messages(sent: &Joined<'_>) -> Option<Chain> {
    joined::heaviest_run(sent, |bytes| {
        let Messages { typed, short } = Messages::new(bytes)?;
        Some((typed + short, 8 * typed as i32 + 2 * short as i32))
    })
}

impl Dialogue for Connection {
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
            return match control(bytes) {
                true if client.is_empty() && plain(bytes) => {
                    Said::new(&CONTROL, 16, "a control message follows a handshake of two blocks").into()
                }
                _ if client.is_empty() && plain(bytes) => Opening::Short,
                _ => refuse(bytes),
            };
        };
        let said = Said::new(&SERVER, bits - 2, "server answers with version 3 and a handshake block");
        let random = |b: &[u8], at: usize| b.get(at..at + 64).map(<[u8]>::to_vec);
        let echo = random(bytes, 1 + BLOCK + 8);
        let filler = |bytes: &[u8]| bytes.iter().filter(|b| **b == 0).count() * 2 > bytes.len();
        if echo.as_deref().is_some_and(|random| !filler(random)) && echo == random(client, 9) {
            return said.and(&ECHO, 22, 1 + BLOCK, "server repeats the client's random bytes").into();
        }
        match bytes.len() >= 1 + 2 * BLOCK + 12 {
            true if control(bytes) => {
                said.and(&CONTROL, 16, 1 + 2 * BLOCK, "a control message follows the handshake").into()
            }
            true => said.into(),
            false => said.unfinished(true).into(),
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        let (commands, messages) = (bytes.parts().map(commands).sum::<i32>(), messages(bytes));
        let said = (commands > 0).then(|| {
            let text = counted!("{commands} commands in AMF with their transactions", commands);
            Said::new(role.of(&COMMANDS), 12 + 4 * commands, text)
        });
        match (said, messages.filter(|chain| chain.count > 1)) {
            (None, None) => Opening::Neutral,
            (Some(said), None) => said.into(),
            (said, Some(Chain { offset, count, bits })) => {
                let text = counted!("{count} messages follow each other from byte {offset} to the end", count, offset);
                let family = role.of(&MESSAGES);
                said.map_or_else(
                    || Said::new(family, bits, text.clone()),
                    |said| said.and(family, bits, offset, text.clone()),
                )
                .into()
            }
        }
    }
}

/// Whether a control message follows the handshake.
fn control(bytes: &[u8]) -> bool {
    let behind = bytes.get(1 + 2 * BLOCK..).and_then(|rest| rest.first_chunk());
    matches!(behind, Some([2, _, _, _, 0, 0, 4 | 5, 1 | 5 | 6, 0, 0, 0, 0]))
}

/// Whether it is version 3 and a whole block that is no text.
fn plain(bytes: &[u8]) -> bool {
    let [3, ..] = bytes else { return false };
    let random = bytes.get(9..=BLOCK).unwrap_or_default();
    let printable = random.iter().filter(|b| matches!(b, 0x20..=0x7e)).count();
    !random.is_empty() && printable * 3 <= random.len() * 2
}

/// What a beginning that is no whole block is.
fn refuse(bytes: &[u8]) -> Opening {
    if bytes.first() == Some(&3) && bytes.len() <= BLOCK { Opening::Short } else { Opening::Foreign }
}

/// Bits for the version and the first block; the cheaper tests first.
fn block(bytes: &[u8]) -> Option<i32> {
    let (&[3, _, _, _, _, z0, z1, z2, z3], random) = bytes.get(..=BLOCK)?.split_first_chunk()? else { return None };
    let bits = match [z0, z1, z2, z3] {
        // The random bytes may be any, but such of few values, as zeros and small numbers, prove nothing.
        [0, 0, 0, 0] if values(random) < 32 => 9,
        [0, 0, 0, 0] => 16,
        // A version such as 128.0.7.2 or 9.0.124.2.
        [9..=128, 0, _, 0..=16] => 12,
        _ => return None,
    };
    let tpkt = |length: usize| length >= 4 && bytes.get(length..length + 2) == Some(&[3, 0]);
    let is_tpkt = bytes.get(1) == Some(&0) && be16(bytes, 2).is_some_and(tpkt);
    (plain(bytes) && !is_tpkt && !is_framed(bytes)).then_some(bits)
}

/// Whether the first two bytes are a length that leads to another and on to a third, with one byte behind all of them, as in
/// RTP over TCP (RFC 4571): 2^-16 by chance.
fn is_framed(bytes: &[u8]) -> bool {
    let first = |at: usize| bytes.get(at + 2);
    let next = |at: usize| {
        let length = be16(bytes, at).filter(|length| *length > 0)?;
        Some(at + 2 + length).filter(|next| first(*next).is_some_and(|byte| Some(byte) == first(0)))
    };
    next(0).and_then(next).is_some()
}

/// How many different bytes there are.
fn values(bytes: &[u8]) -> u32 {
    let seen = bytes.iter().fold([0u64; 4], |mut seen, &byte| {
        seen.get_mut(usize::from(byte >> 6)).into_iter().for_each(|bits| *bits |= 1 << (byte & 63));
        seen
    });
    seen.iter().map(|bits| bits.count_ones()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
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
    fn rtp_behind_lengths_is_none() {
        let packet = |len: u16, n: u8| {
            let noise = (0..len - 8).map(|at| (at * 37 + u16::from(n)).wrapping_mul(2_477).to_be_bytes()[0]);
            [&len.to_be_bytes()[..], &[0x80, 96, 0, n, 0, 0, 0, n], &noise.collect::<Vec<u8>>()].concat()
        };
        let sent = [packet(0x320, 0), packet(300, 1), packet(700, 2)].concat();
        assert!(found(&Rtmp, &sent, &sent).is_none());
        assert!(found(&Rtmp, &sent[..1700], &[]).is_none());
    }

    #[test]
    fn joined_in_the_middle() {
        let audio = [0x44, 0, 0, 0x17, 0, 0, 5, 8, 0xaf, 1, 1, 2, 3];
        let acknowledgement = [2, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 1, 2, 3];
        let finding = joined(&Rtmp, &audio.repeat(3), &acknowledgement.repeat(2)).unwrap();
        assert_eq!((finding.bits(), finding.spoke), (Bits::whole(18 + 16), [true, true]));
        assert!(joined(&Rtmp, &audio, b"").is_none());
        let command = b"\x03\0\0\0\0\0\x19\x14\0\0\0\0\x02\0\x0ccreateStream\0\x40\x10\0\0\0\0\0\0\x05";
        assert_eq!(joined(&Rtmp, &command[3..], b"").unwrap().bits(), Bits::whole(16));
        assert!(joined(&Rtmp, &[1; 300], &[2; 300]).is_none());
    }

    #[test]
    fn tpkt_is_not_rtmp() {
        let tpkt = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x0b\x00\x00\x00";
        assert!(found(&Rtmp, tpkt, tpkt).is_none());
        assert!(excluded(&Rtmp, tpkt, &tpkt.repeat(100)));
    }
}
