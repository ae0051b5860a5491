//! One direction of the data channel: the header its packets share, and what counts behind it.

mod lengths;

use super::families::*;
use super::items::Items;
use super::message::Message;
use crate::flow::tally::Lengths;
use crate::flow::{Dir, Head};
use crate::protocol::{Strand, counted, link};
use crate::wire::openvpn::{Digest, Opcode, PING};
use std::collections::BTreeSet;

/// Packets of one direction below which nothing is said of its data channel.
pub(super) const FEWEST: usize = 3;
/// Packets of a direction from which a counter may have gaps.
const FEWEST_LOSSY: usize = 4;
/// Packets of each direction from which a random peer ID that both use is believed.
const MANY: u64 = 8;
/// Packet IDs that are believed behind a random peer ID or none. They start anew with each key, every hour unless told otherwise;
/// 2^24 packets of full size in an hour are 50 Mbit/s without a pause. A random first number of another protocol, or
/// one that `xorptrpos` did not make, passes with 2^-8.
const EARLY: u32 = 1 << 24;
/// What a random peer ID that both sides use says, bits.
pub(super) const SHARED: i32 = 4;
/// Peer IDs are given out from 0; this many clients are believed. 0xffffff means unset.
const PEERS: u32 = 0x1_0000;
const UNSET: u32 = 0xff_ffff;
/// The peer ID of point-to-point mode where the TLS library exports no keys, "vpn" (OpenVPN `ssl_ncp.c`).
const VPN: u32 = 0x76_706e;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// A counter of 32 bits behind the header.
    Counter,
    /// Epoch 1 and a counter of 48 bits.
    Epoch,
    /// No counter to be seen: CBC, or something else.
    Opaque,
}

/// One direction's data packets under their most frequent header.
pub(super) struct Side<'m> {
    pub(super) dir: Dir,
    /// Bytes before the packet ID: 1 or 4.
    pub(super) header: usize,
    pub(super) first: u8,
    pub(super) peer: Option<u32>,
    pub(super) form: Form,
    pub(super) packets: Vec<&'m Message<'m>>,
    /// Packets in all, the tally's included.
    total: u64,
    /// Lengths of all of them, where a tally has them.
    tallied: Option<Lengths>,
    /// Packet ID and frame of the last one, where a tally has them.
    last: Option<(u32, u64)>,
}

impl<'m> Side<'m> {
    pub(super) fn find(messages: &'m [Message<'m>], head: &Head<'_>, dir: Dir) -> Option<Self> {
        let mine = || messages.iter().filter(move |m| m.dir == dir);
        let opcode = |m: &Message<'_>| m.first().and_then(Opcode::of).map(|(opcode, _)| opcode);
        let (mut count, mut legal) = (0, 0);
        for message in mine() {
            count += 1;
            legal += usize::from(opcode(message).is_some());
        }
        if legal < FEWEST || legal * 10 < count * 9 {
            return None;
        }
        let data: Vec<&'m Message<'m>> = mine().filter(|m| opcode(m).is_some_and(Opcode::is_data)).collect();
        if data.len() < FEWEST {
            return None;
        }
        // A header that at least half have; of two the first. One of the first half has it.
        let key = |m: &'m Message<'m>| {
            let first = m.first()?;
            let long = Opcode(first >> 3) == Opcode::DATA_V2;
            m.bytes.get(..if long { 4 } else { 1 })
        };
        let half = data.len().div_ceil(2);
        let common = |k: &Option<&[u8]>| data.iter().filter(|m| key(m) == *k).count() >= half;
        let prefix = data.iter().take(half + 1).map(|m| key(m)).find(common)??;
        let packets: Vec<&Message<'_>> =
            data.iter().copied().filter(|m| key(m) == Some(prefix) && m.len >= prefix.len() + PING.len()).collect();
        if packets.len() < FEWEST {
            return None;
        }
        let header = prefix.len();
        let first = *prefix.first()?;
        let peer = match *prefix {
            [_, a, b, c] => Some(u32::from_be_bytes([0, a, b, c])),
            _ => None,
        };
        let counted = head.tally(dir).and_then(|t| t.prefixes().iter().find(|p| p.prefix.as_slice() == prefix));
        let total = counted.map_or(packets.len() as u64, |t| u64::from(t.packets).max(packets.len() as u64));
        // Behind one constant byte the tally cannot tell the data packets, but in the middle of a session all are.
        let whole = || head.tally(dir).filter(|_| header == 1 && data.len() == count);
        let tallied = counted.map(|t| t.lengths).or(whole().map(|t| t.lengths));
        // Behind one byte only, constant bytes with a little counter at their end would be a packet ID as well.
        let late = header == 1 && packets.first().and_then(|m| m.u32_at(1)).is_some_and(|id| id >= EARLY);
        let form = if late { Form::Opaque } else { form(&packets, header) };
        let last = counted
            .map(|t| if form == Form::Epoch { ((t.next.last >> 32) as u32, t.frames.1) } else { (t.last, t.frames.1) });
        // Without a counter an HMAC follows, which never repeats.
        let after = |m: &&&Message<'_>| m.u32_at(header);
        let repeats = packets.windows(2).filter(|w| matches!(w, [a, b] if after(&a) == after(&b))).count();
        if form == Form::Opaque && repeats * 4 > packets.len() {
            return None;
        }
        Some(Self { dir, header, first, peer, form, packets, total, tallied, last })
    }

    pub(super) fn small_peer(&self) -> bool {
        self.peer.is_some_and(|p| p < PEERS || p == UNSET || p == VPN)
    }

    pub(super) fn frames(&self) -> Vec<u64> {
        self.packets.iter().take(3).map(|m| m.frame).collect()
    }

    pub(super) fn header_bits(&self, other: Option<&Self>) -> i32 {
        match self.peer {
            Some(_) if self.small_peer() => 8,
            Some(_) if self.shares_peer(other) => SHARED,
            Some(_) => 2,
            None if other.is_some() => 5,
            None => 2,
        }
    }

    /// Whether both sides use one random peer ID, as point-to-point mode does, over so many packets, none of them shorter
    /// than a ping.
    pub(super) fn shares_peer(&self, other: Option<&Self>) -> bool {
        let believed = |o: &Self| o.peer == self.peer && o.is_plenty();
        !self.small_peer() && self.peer.is_some() && self.is_plenty() && other.is_some_and(believed)
    }

    /// Whether the packet ID starts here: this is the first packet of its key.
    pub(super) fn starts(&self) -> bool {
        self.form == Form::Counter && self.first_id().is_some_and(|id| id <= 1)
    }

    fn first_id(&self) -> Option<u32> {
        self.packet_id(self.packets.first()?)
    }

    fn packet_id(&self, m: &Message<'_>) -> Option<u32> {
        match self.form {
            Form::Counter => m.u32_at(self.header),
            Form::Epoch => m.u32_at(8),
            Form::Opaque => None,
        }
    }

    /// The packet IDs under this header, from the first to the last.
    pub(super) fn strand(&self) -> Option<Strand> {
        let (first, last) = (self.packets.first()?, self.packets.last()?);
        let header = [self.peer.map_or(0, |p| p | 1 << 24), u32::from(self.first)].map(u32::to_be_bytes).concat();
        let ends = self.last.or(self.packet_id(last).map(|id| (id, last.frame)))?;
        Some(Strand {
            mark: link("openvpn-data", &header),
            dir: self.dir,
            numbers: (self.packet_id(first)?, ends.0),
            frames: (first.frame, ends.1),
        })
    }

    fn is_plenty(&self) -> bool {
        let shortest = self.tallied.map_or(usize::MAX, |t| t.range.0 as usize);
        let late = self.form == Form::Counter && self.first_id().is_some_and(|id| id >= EARLY);
        self.total >= MANY && !late && self.packets.iter().map(|m| m.len).fold(shortest, usize::min) >= self.ping()
    }

    pub(super) fn header(&self, items: &mut Items, other: Option<&Self>) {
        let (first, key) = (self.first, self.first & 7);
        let bits = self.header_bits(other);
        let text = match self.peer {
            Some(UNSET) => {
                counted!(
                    "data packets start with {first:02x} ffffff: P_DATA_V2, key ID {key}, peer ID unset",
                    first,
                    key
                )
            }
            Some(peer) => {
                counted!(
                    "data packets start with {first:02x} {peer:06x}: P_DATA_V2, key ID {key}, peer ID {peer}",
                    first,
                    peer,
                    key
                )
            }
            None => counted!("data packets start with {first:02x}: P_DATA_V1, key ID {key}", first, key),
        };
        items.add(&DATA_HEADER, bits, &self.frames(), text);
    }

    pub(super) fn counter(&self, items: &mut Items) {
        let total = self.total;
        let text = match self.form {
            Form::Counter => counted!("a packet ID behind the header counts by one over {total} packets", total),
            Form::Epoch => {
                counted!("a packet ID of epoch 1 behind the header counts by one over {total} packets", total)
            }
            Form::Opaque => return,
        };
        items.add(&DATA_COUNTER, 8, &self.frames(), text);
        if self.form == Form::Epoch {
            items.add(&DATA_EPOCH, 6, &self.frames(), "the epoch stays 1 before a counter of 48 bits");
        }
    }

    /// The IV that repeats the last block of the packet before.
    pub(super) fn chain(&self, items: &mut Items) {
        if self.form != Form::Opaque {
            return;
        }
        let Some((16, _)) = self.block_size() else { return };
        for digest in Digest::ALL {
            let at = self.header + digest.size();
            let chained = |pair: &[&Message<'_>]| {
                let [before, after] = pair else { return None };
                let iv = after.bytes.get(at..at + 16)?;
                // What never changes is no ciphertext.
                let fresh = before.bytes.get(at..at + 16) != Some(iv);
                (fresh && before.tail.len() == 16 && iv == before.tail).then_some(after.frame)
            };
            let frames: Vec<u64> = self.packets.windows(2).filter_map(chained).collect();
            if frames.len() >= 2 {
                let text =
                    format!("the IV behind an HMAC of {} bytes is the last block of the packet before", digest.size());
                items.add(&DATA_CHAIN, 12, &frames, text);
                return;
            }
        }
    }
}

fn form(packets: &[&Message<'_>], header: usize) -> Form {
    if counts(packets.iter().filter_map(|m| m.u32_at(header))) {
        return Form::Counter;
    }
    // 16 bits of epoch, from 1, and the upper 16 bits of the counter, 0 for the first 2^32 packets.
    let epoch = |m: &&Message<'_>| m.u32_at(header) == Some(0x0001_0000);
    if header == 4 && packets.iter().all(epoch) && counts(packets.iter().filter_map(|m| m.u32_at(8))) {
        return Form::Epoch;
    }
    Form::Opaque
}

/// Whether the values are a counter: three of four steps are exactly one (all of the first few), or, in disorder, at least
/// eight different values lie closely together and hardly any comes twice, as one of a few small values does, or, where a
/// capture lost some, at least four rise by three or less on average, or eight by eight or less. A random last byte behind
/// constant ones passes none of them: 2^-16.
pub(super) fn counts(values: impl Iterator<Item = u32>) -> bool {
    let values: Vec<u32> = values.collect();
    let steps = || values.windows(2).filter_map(|w| Some(w.get(1)?.wrapping_sub(*w.first()?))).filter(|s| *s != 0);
    let (all, ones) = (steps().count(), steps().filter(|s| *s == 1).count());
    if all >= 2 && ones * 4 >= all * 3 {
        return true;
    }
    // The newest packet may be far ahead of those kept from the start.
    let mut early: Vec<u32> = values.iter().copied().take(16).collect();
    let rising = early.is_sorted_by(|a, b| a < b);
    let forward = early.last().zip(early.first()).is_some_and(|(l, f)| l.wrapping_sub(*f) < 0x8000_0000);
    early.sort_unstable();
    let all = early.len();
    early.dedup();
    let spread = early.last().zip(early.first()).map_or(u32::MAX, |(l, f)| l - f);
    let widest = if all < 2 * FEWEST_LOSSY { 3 } else { 8 };
    if rising && all >= FEWEST_LOSSY && spread as usize <= widest * (all - 1) {
        return true;
    }
    forward && early.len() >= 8 && early.len() * 16 >= all * 15 && spread as usize <= 2 * early.len() + 32
}
