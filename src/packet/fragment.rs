//! Putting IP fragments together: in any order, overlapping or not, within fixed bounds of memory and packet time.
//!
//! Where IPv4 fragments overlap, what came first stays. IPv6 forbids overlap and the whole datagram is dropped
//! (RFC 8200 section 4.5); an exact duplicate is no overlap. A datagram that never gets whole is given up after 30 seconds,
//! when memory is short or at the end; if its start is there, that is handed on as a packet cut short.
//!
//! etherparse's pool does not serve here: it has no bound of memory, knows no fragments that the capture cut, lets the last of
//! overlapping fragments win, and gives nothing of a datagram that stays incomplete.

use super::ip::FragmentHeader;
use super::rest::Rest;
use super::{Fate, Ip, Malformed, Other, Time, Tunnel};
use etherparse::IpNumber;
use std::collections::{HashMap, VecDeque};

/// How long fragments wait for the others, nanoseconds: as long as Linux (net.ipv4.ipfrag_time).
const PATIENCE: i64 = 30_000_000_000;
/// Most datagrams under way.
const MAX_DATAGRAMS: usize = 4096;
/// Most bytes held.
const MAX_BYTES: usize = 8 << 20;
/// Most fragments of one datagram: 65,535 bytes over the smallest MTU of IPv4 that is met (RFC 791's 68) are never seen.
const MAX_PIECES: usize = 256;
/// The longest datagram payload, bytes.
const MAX_LENGTH: u32 = 65_535;

/// What a fragment belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Key {
    pub source: Ip,
    pub destination: Ip,
    pub id: u32,
    /// IPv4 counts identifications per protocol, IPv6 does not: `None`.
    pub protocol: Option<IpNumber>,
    pub tunnel: Option<Tunnel>,
}

/// Which frame brought a fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub frame: u64,
    pub time: Time,
    pub vlan: Option<u16>,
    pub tunnel: Option<Tunnel>,
}

/// A datagram put together, or the start of one that never got whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub key: Key,
    /// IP protocol, as the first fragment says.
    pub protocol: IpNumber,
    /// The bytes up to the first that were not captured.
    pub bytes: Vec<u8>,
    /// Length on the wire. `None`: not known, the last fragment is missing.
    pub wire: Option<u32>,
    /// The first fragment's frame.
    pub origin: Origin,
    /// The frames that brought the fragments, as they came.
    pub frames: Vec<u64>,
}

/// Counts of what became of fragmented datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FragmentCounts {
    /// Datagrams put together.
    pub reassembled: u64,
    /// Datagrams given up because fragments were missing or memory was short.
    pub incomplete: u64,
    /// Datagrams whose fragments overlapped.
    pub overlapping: u64,
}

impl FragmentCounts {
    /// Adds another capture's counts.
    pub fn add(&mut self, other: &Self) {
        self.reassembled += other.reassembled;
        self.incomplete += other.incomplete;
        self.overlapping += other.overlapping;
    }
}

/// Fragments waiting for the others.
#[derive(Debug, Default)]
pub(super) struct Reassembler {
    datagrams: HashMap<Key, Partial>,
    /// Oldest first. Entries of datagrams that are done stay until they come up or are swept out.
    order: VecDeque<(u64, Key)>,
    serial: u64,
    bytes: usize,
    pub counts: FragmentCounts,
}

#[derive(Debug)]
struct Partial {
    serial: u64,
    since: Time,
    /// Sorted and disjoint.
    pieces: Vec<Piece>,
    /// Sum of the pieces' wire lengths.
    covered: u32,
    total: Option<u32>,
    /// Protocol and frame of the first fragment.
    first: Option<(IpNumber, Origin)>,
    /// Frames that brought something new.
    frames: Vec<u64>,
    overlapped: bool,
    /// Overlapping or too many: what still comes is dropped.
    dead: bool,
}

#[derive(Debug)]
struct Piece {
    start: u32,
    wire: u32,
    /// The captured part.
    data: Vec<u8>,
}

impl Reassembler {
    /// Adds a fragment that these frames brought. Gives the datagram if it is whole now, else the frame's fate.
    pub(super) fn add(
        &mut self,
        key: Key,
        header: FragmentHeader,
        protocol: IpNumber,
        payload: Rest<'_>,
        origin: Origin,
        frames: &[u64],
    ) -> Result<Whole, Fate> {
        let (start, wire) = (header.offset, payload.wire);
        if wire == 0 || start + wire > MAX_LENGTH || header.more && wire % 8 != 0 {
            return Err(Fate::Malformed(Malformed::FragmentLength));
        }
        let serial = self.serial;
        let partial = self.datagrams.entry(key).or_insert_with(|| Partial {
            serial,
            since: origin.time,
            pieces: Vec::new(),
            covered: 0,
            total: None,
            first: None,
            frames: Vec::new(),
            overlapped: false,
            dead: false,
        });
        if partial.serial == serial {
            self.serial += 1;
            self.order.push_back((serial, key));
        }
        if partial.dead {
            return Err(Fate::Other(Other::Fragment));
        }
        let end = start + wire;
        let known_end = partial.pieces.last().map_or(0, |piece| piece.start + piece.wire);
        match partial.total {
            _ if !header.more && known_end > end => return Err(Fate::Malformed(Malformed::FragmentLength)),
            Some(total) if end > total || !header.more && end != total => {
                return Err(Fate::Malformed(Malformed::FragmentLength));
            }
            _ => {}
        }
        let v6 = key.protocol.is_none();
        let (before, covered) = (partial.bytes(), partial.covered);
        let overlap = partial.insert(start, payload);
        if partial.covered > covered {
            partial.frames.extend(frames);
        }
        let after = partial.bytes();
        self.bytes += after - before;
        if overlap && !partial.overlapped {
            partial.overlapped = true;
            self.counts.overlapping += 1;
        }
        if overlap && v6 || partial.pieces.len() > MAX_PIECES {
            partial.dead = true;
            partial.pieces.clear();
            partial.frames.clear();
            self.bytes -= after;
            return Err(Fate::Malformed(Malformed::FragmentOverlap));
        }
        if !header.more {
            partial.total = Some(end);
        }
        if start == 0 && partial.first.is_none() {
            partial.first = Some((protocol, origin));
        }
        if partial.total != Some(partial.covered) {
            return Err(Fate::Other(Other::Fragment));
        }
        let whole = self.remove(&key);
        self.counts.reassembled += u64::from(whole.is_some());
        whole.ok_or(Fate::Other(Other::Fragment))
    }

    /// Gives up what waited too long at `now` or does not fit into memory. Call until it gives `None`; `Some(None)` is a
    /// datagram of which not even the start is known.
    pub(super) fn give_up(&mut self, now: Option<Time>) -> Option<Option<Whole>> {
        if self.order.len() > 2 * self.datagrams.len() + 64 {
            let datagrams = &self.datagrams;
            self.order.retain(|(serial, key)| datagrams.get(key).is_some_and(|partial| partial.serial == *serial));
        }
        loop {
            let &(serial, key) = self.order.front()?;
            let Some(partial) = self.datagrams.get(&key).filter(|partial| partial.serial == serial) else {
                self.order.pop_front();
                continue;
            };
            let stays = now.is_some_and(|now| {
                now.since(partial.since) <= PATIENCE && self.datagrams.len() <= MAX_DATAGRAMS && self.bytes <= MAX_BYTES
            });
            if stays {
                return None;
            }
            self.order.pop_front();
            self.counts.incomplete += 1;
            return Some(self.remove(&key));
        }
    }

    /// Takes a datagram out: its bytes from the start to the first gap.
    fn remove(&mut self, key: &Key) -> Option<Whole> {
        let partial = self.datagrams.remove(key)?;
        self.bytes -= partial.bytes();
        let (protocol, origin) = partial.first.filter(|_| !partial.dead)?;
        let mut bytes = Vec::with_capacity(partial.covered as usize);
        for piece in &partial.pieces {
            if bytes.len() != piece.start as usize {
                break;
            }
            bytes.extend_from_slice(&piece.data);
        }
        Some(Whole { key: *key, protocol, bytes, wire: partial.total, origin, frames: partial.frames })
    }
}

impl Partial {
    /// Bytes held.
    fn bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.data.len()).sum::<usize>() + size_of_val(self.frames.as_slice())
    }

    /// Adds the parts of a fragment that are new. Returns whether it overlapped others, exact duplicates aside.
    fn insert(&mut self, start: u32, payload: Rest<'_>) -> bool {
        let end = start + payload.wire;
        let mut index = self.pieces.partition_point(|piece| piece.start + piece.wire <= start);
        if let Some(same) = self.pieces.get(index)
            && (same.start, same.wire) == (start, payload.wire)
            && same.data == payload.data
        {
            return false;
        }
        let mut cursor = start;
        let mut overlap = false;
        while cursor < end {
            let next = self.pieces.get(index).map_or(end, |piece| piece.start.min(end));
            if cursor < next {
                let from = (cursor - start) as usize;
                let to = (next - start) as usize;
                let data = payload.data.get(from..).unwrap_or_default();
                let data = data.get(..to - from).unwrap_or(data).to_vec();
                self.pieces.insert(index, Piece { start: cursor, wire: next - cursor, data });
                self.covered += next - cursor;
                index += 1;
                cursor = next;
            }
            if cursor < end {
                overlap = true;
                cursor = self.pieces.get(index).map_or(end, |piece| piece.start + piece.wire);
                index += 1;
            }
        }
        overlap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::ip_number::UDP;

    fn key(id: u32, protocol: Option<IpNumber>) -> Key {
        Key { source: Ip::v4([10, 0, 0, 1]), destination: Ip::v4([10, 0, 0, 2]), id, protocol, tunnel: None }
    }

    fn origin(frame: u64, seconds: i64) -> Origin {
        Origin { frame, time: Time(seconds * 1_000_000_000), vlan: None, tunnel: None }
    }

    /// Adds `data[from..to]` of a datagram as long as `data`.
    fn add(r: &mut Reassembler, key: Key, data: &[u8], from: usize, to: usize) -> Result<Whole, Fate> {
        let header = FragmentHeader { id: key.id, offset: from as u32, more: to < data.len() };
        r.add(key, header, UDP, Rest::whole(&data[from..to]), origin(from as u64, 0), &[from as u64])
    }

    #[test]
    fn every_order_of_the_fragments_gives_the_datagram() {
        let data: Vec<u8> = (0..100).collect();
        let pieces = [(0, 24), (24, 48), (48, 80), (80, 100)];
        let orders = (0..256).map(|n| [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6 & 3]);
        let orders: Vec<_> = orders.filter(|o| (0..4).all(|piece| o.contains(&piece))).collect();
        assert_eq!(orders.len(), 24);
        for protocol in [None, Some(UDP)] {
            for order in &orders {
                let mut r = Reassembler::default();
                for (i, &piece) in order.iter().enumerate() {
                    let (from, to) = pieces[piece];
                    let result = add(&mut r, key(7, protocol), &data, from, to);
                    if i < 3 {
                        assert_eq!(result.err(), Some(Fate::Other(Other::Fragment)));
                        // A duplicate changes nothing.
                        let again = add(&mut r, key(7, protocol), &data, from, to);
                        assert_eq!(again.err(), Some(Fate::Other(Other::Fragment)));
                    } else {
                        let whole = result.unwrap();
                        assert_eq!((whole.bytes, whole.wire, whole.origin.frame), (data.clone(), Some(100), 0));
                        let came: Vec<u64> = order.iter().map(|&piece| pieces[piece].0 as u64).collect();
                        assert_eq!(whole.frames, came);
                    }
                }
                assert_eq!((r.bytes, r.datagrams.len()), (0, 0));
                assert_eq!(r.counts, FragmentCounts { reassembled: 1, ..FragmentCounts::default() });
            }
        }
    }

    #[test]
    fn the_first_content_stays_in_ipv4_and_ipv6_drops_the_datagram() {
        let (good, bad): (Vec<u8>, Vec<u8>) = ((0..64).collect(), vec![0xff; 64]);
        let mut r = Reassembler::default();
        assert!(add(&mut r, key(1, Some(UDP)), &good, 16, 32).is_err());
        assert!(add(&mut r, key(1, Some(UDP)), &good, 40, 48).is_err());
        assert!(add(&mut r, key(1, Some(UDP)), &bad, 8, 56).is_err());
        assert!(add(&mut r, key(1, Some(UDP)), &good, 0, 8).is_err());
        let whole = add(&mut r, key(1, Some(UDP)), &good, 56, 64).unwrap();
        let expected: Vec<u8> = (0..64)
            .map(|i| if (8..16).contains(&i) || (32..40).contains(&i) || (48..56).contains(&i) { 0xff } else { i })
            .collect();
        assert_eq!(whole.bytes, expected);
        assert_eq!((r.bytes, r.counts.overlapping), (0, 1));

        let mut r = Reassembler::default();
        assert!(add(&mut r, key(1, None), &good, 16, 32).is_err());
        assert_eq!(add(&mut r, key(1, None), &bad, 8, 24).err(), Some(Fate::Malformed(Malformed::FragmentOverlap)));
        assert!(add(&mut r, key(1, None), &good, 0, 16).is_err());
        assert!(add(&mut r, key(1, None), &good, 32, 64).is_err());
        assert_eq!((r.bytes, r.counts.reassembled), (0, 0));
    }

    #[test]
    fn contradicting_lengths_are_malformed() {
        let data = vec![1; 64];
        let mut r = Reassembler::default();
        let malformed = Some(Fate::Malformed(Malformed::FragmentLength));
        assert_eq!(add(&mut r, key(1, Some(UDP)), &data, 0, 12).err(), malformed, "no multiple of 8");
        assert!(add(&mut r, key(1, Some(UDP)), &data, 56, 64).is_err());
        assert_eq!(add(&mut r, key(1, Some(UDP)), &[1; 72], 64, 72).err(), malformed, "beyond the end");
        let header = FragmentHeader { id: 1, offset: 65_528, more: false };
        let result = r.add(key(2, Some(UDP)), header, UDP, Rest::whole(&data), origin(1, 0), &[1]);
        assert_eq!(result.err(), malformed, "the ping of death");
    }

    #[test]
    fn what_stays_incomplete_is_given_up_with_its_start() {
        let data = vec![7; 64];
        let mut r = Reassembler::default();
        assert!(add(&mut r, key(1, Some(UDP)), &data, 0, 24).is_err());
        assert!(add(&mut r, key(1, Some(UDP)), &data, 40, 64).is_err());
        assert!(add(&mut r, key(2, Some(UDP)), &data, 40, 64).is_err());
        assert!(r.give_up(Some(origin(0, 30).time)).is_none());
        let whole = r.give_up(Some(origin(0, 31).time)).unwrap().unwrap();
        assert_eq!((whole.bytes.len(), whole.wire), (24, Some(64)));
        assert!(r.give_up(Some(origin(0, 31).time)).unwrap().is_none(), "no start");
        assert!(r.give_up(Some(origin(0, 31).time)).is_none());
        assert_eq!((r.bytes, r.counts.incomplete), (0, 2));
    }

    #[test]
    fn memory_is_bounded() {
        let data = vec![7; 60_008];
        let mut r = Reassembler::default();
        let mut given_up = 0;
        for id in 0..20_000 {
            let _ = add(&mut r, key(id, Some(UDP)), &data, 0, if id % 2 == 0 { 60_000 } else { 8 });
            while r.give_up(Some(origin(0, 0).time)).is_some() {
                given_up += 1;
            }
            assert!(r.bytes <= MAX_BYTES && r.datagrams.len() <= MAX_DATAGRAMS && r.order.len() < 9000);
        }
        assert_eq!(r.counts.incomplete, given_up);
    }

    #[test]
    fn a_cut_fragment_cuts_the_datagram_there() {
        let mut r = Reassembler::default();
        let header = |offset, more| FragmentHeader { id: 1, offset, more };
        let cut = Rest { data: &[1; 10], wire: 24, at: 0 };
        assert!(r.add(key(1, Some(UDP)), header(0, true), UDP, cut, origin(1, 0), &[1]).is_err());
        let whole = r.add(key(1, Some(UDP)), header(24, false), UDP, Rest::whole(&[2; 9]), origin(2, 0), &[2]).unwrap();
        assert_eq!((whole.bytes, whole.wire), (vec![1; 10], Some(33)));
    }
}
