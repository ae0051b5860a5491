//! Mosh, the mobile shell: each datagram is an OCB nonce, whose top bit is the direction and whose rest counts from zero,
//! and ciphertext (Winstein and Balakrishnan, Mosh, USENIX ATC 2012, section 2; `src/network/network.cc` of mosh).
//!
//! ```text
//! |D|              sequence number (63)             |
//! | ciphertext: timestamps (16, 16), fragment (80) ... | tag (128) |
//! ```

use super::datagrams::{self, Reading, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::{Dir, Head};

/// Mobile shell.
pub(super) struct Mosh;

/// Big-endian 64-bit counters that step by a little: formats with a counter in front are many, so that alone it is nothing.
static COUNTER: Family = Family { id: "mosh.counter", cap: Bits::whole(10) };
/// The same counter both ways, but with its top bit set in all datagrams of one side and in none of the other's: eight
/// equal bytes but for one bit, which other counters do not have.
static DIRECTION: Family = Family { id: "mosh.direction-bit", cap: Bits::whole(14) };
/// Both sides count from zero.
static START: Family = Family { id: "mosh.from-zero", cap: Bits::whole(8) };

/// Nonce, timestamps, fragment header and tag, bytes.
const SHORTEST: usize = 8 + 4 + 10 + 16;
/// Whoever sent more is no terminal.
const MOST: u64 = 1 << 40;

#[derive(Clone, Copy)]
struct Nonce {
    to_client: bool,
    sequence: u64,
}

impl Protocol for Mosh {
    fn name(&self) -> &'static str {
        "mosh"
    }

    fn reference(&self) -> &'static str {
        "mosh src/network/network.cc"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte & 0x7f == 0,
            1 | 2 => byte == 0,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| {
            let (first, _) = d.bytes.split_first_chunk::<8>().filter(|_| d.len >= SHORTEST)?;
            let nonce = u64::from_be_bytes(*first);
            let (to_client, sequence) = (nonce >> 63 == 1, nonce & !(1 << 63));
            (sequence < MOST).then_some(Nonce { to_client, sequence })
        });
        if reading.hits.is_empty() || reading.misses != [0; 2] {
            return reading.conclude(None);
        }
        let side = |dir: Dir| {
            let mut bits = reading.by(dir).map(|h| h.message.to_client);
            bits.next().filter(|first| bits.all(|bit| bit == *first))
        };
        let [Some(a), Some(b)] = Dir::BOTH.map(side) else { return Assessment::NotNow };
        if a == b {
            return Assessment::NotNow;
        }
        let Some(steps) = Dir::BOTH.iter().map(|dir| steps(&reading, *dir)).sum::<Option<i32>>() else {
            return Assessment::NotNow;
        };
        if steps == 0 {
            return Assessment::NotNow;
        }
        let frames = reading.frames(|_| true);
        let mut finding = Finding {
            evidence: vec![
                item(&COUNTER, 4 + 2 * steps, frames.clone(), "the first eight bytes count in either direction"),
                item(&DIRECTION, 14, frames, "their top bit is set in one direction only"),
            ],
            spoke: reading.spoke(),
            server: Some(if a { Dir::Originator } else { Dir::Responder }),
            ..Finding::default()
        };
        let first = |dir: Dir| reading.by(dir).next().filter(|h| h.datagram.nth == 0 && h.message.sequence == 0);
        if let [Some(a), Some(b)] = Dir::BOTH.map(first) {
            let frames = [a.datagram.frame, b.datagram.frame];
            finding.evidence.push(item(&START, 8, frames, "both sides count from zero"));
        }
        Assessment::Recognised(finding)
    }
}

/// Small steps forward of one direction's counter; none if it does anything but step or come late by a little.
fn steps(reading: &Reading<'_, Nonce>, dir: Dir) -> Option<i32> {
    let pairs = reading.by(dir).zip(reading.by(dir).skip(1));
    let mut good = 0;
    for (a, b) in pairs {
        let apart = b.datagram.nth - a.datagram.nth;
        match b.message.sequence.wrapping_sub(a.message.sequence) as i64 {
            step if (1..=apart as i64 * 4).contains(&step) => good += 1,
            -4..=-1 => {}
            _ => return None,
        }
    }
    Some(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::{Time, Transport};
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&Mosh, "session.pcap", Band::Certain);
        assert_eq!((finding.server, finding.spoke), (Some(Dir::Responder), [true, true]));
    }

    #[test]
    fn counters_without_a_direction_bit_are_others() {
        let mut buf = HeadBuf::new(Transport::Udp);
        for n in 0..12u64 {
            let dir = if n % 2 == 0 { Dir::Originator } else { Dir::Responder };
            let mut data = [0x5a; 60];
            data[..8].copy_from_slice(&(n / 2).to_be_bytes());
            buf.push_datagram(n, Time(0), dir, 60, &data);
        }
        assert!(matches!(Mosh.assess(&buf.view(None, false)), Assessment::NotNow));
    }
}
