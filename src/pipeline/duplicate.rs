//! The same packet seen twice: on several interfaces (`-i any`), or on both ports of a mirror, tagged and untagged.
//!
//! Two packets are one when everything that a host sets is equal (ends, IPv4 identification, TCP numbers and flags,
//! lengths, both ends of the payload) and they are so close in time that no host sent it again: a millisecond, or, when
//! the VLANs differ, a tenth of a second, since no host sends one packet into two VLANs. Retransmissions wait longer
//! (OpenVPN's reset 2 s, DNS 1 s, TCP 200 ms by RFC 6298's common minimum) and get a new IPv4 identification.
//!
//! It is done in the capture's order by the thread that reads, over a table of fixed size, so that the number of workers
//! changes nothing.

use crate::flow::FlowKey;
use crate::packet::{Packet, Time};
use foldhash::fast::FixedState;
use std::hash::{BuildHasher, Hash, Hasher};
use std::num::NonZero;

/// Longest time between two sights of a packet, nanoseconds.
const CLOSE: i64 = 1_000_000;
/// The same, when the VLANs differ.
const CLOSE_ACROSS: i64 = 100_000_000;
/// Packets remembered: about 16 ms at a million packets a second.
const RECENT: usize = 1 << 14;
/// They are found by 4 places in each of 4,096 sets.
const SETS: usize = 1 << 12;
const WAYS: usize = 4;

/// Bytes of payload compared of packets that have an identification or a sequence number.
const TOLD: usize = 64;
/// Bytes compared at either end of other payloads. Whoever sends many without numbers in the IP header numbers them itself, in
/// front (or encrypts them, and then they differ everywhere).
const END: usize = 128;

/// The packets seen last.
///
/// They are written one behind the other, and read only if a place's bits say that one may be the same: a table written
/// here and there would wait for memory at each packet.
#[derive(Debug)]
pub(super) struct Duplicates {
    recent: Vec<Seen>,
    next: usize,
    /// The latest first; of each the top bits of the print and where in `recent` it is.
    sets: Vec<[u32; WAYS]>,
    hasher: FixedState,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    print: u64,
    time: Time,
    frame: u64,
    vlan: Option<u16>,
}

impl Default for Duplicates {
    fn default() -> Self {
        let nothing = Seen { print: 0, time: Time(i64::MIN), frame: 0, vlan: None };
        Self { recent: vec![nothing; RECENT], next: 0, sets: vec![[0; WAYS]; SETS], hasher: FixedState::default() }
    }
}

impl Duplicates {
    /// Whether the packet was seen in an earlier frame; if not, it is remembered. `key` is its flow's, and `from_low` says
    /// whether the lesser end sent it.
    pub(super) fn seen(&mut self, key: &FlowKey, from_low: bool, packet: &Packet, payload: &[u8]) -> bool {
        // A bare acknowledgement without an identification may rightly be sent twice.
        let bare = packet.ip_id.is_none() && payload.is_empty() && !packet.tcp.is_some_and(|tcp| tcp.syn);
        let print = self.print(key, from_low, packet, payload);
        let new = Seen { print, time: packet.time, frame: packet.frame, vlan: packet.vlan };
        let top = (print >> 32) as u32 & !(RECENT as u32 - 1);
        let Some(set) = self.sets.get_mut(print as usize % SETS) else { return false };
        let twin = |&place: &u32| {
            let seen = self.recent.get(place as usize % RECENT);
            (place ^ top) < RECENT as u32 && seen.is_some_and(|seen| seen.is_twin(&new, bare))
        };
        if set.iter().any(twin) {
            return true;
        }
        let [first, second, third, _] = *set;
        *set = [top | self.next as u32, first, second, third];
        if let Some(oldest) = self.recent.get_mut(self.next) {
            *oldest = new;
        }
        self.next = (self.next + 1) % RECENT;
        false
    }

    /// Always the same for the same packet: which of many are remembered must not change from run to run.
    fn print(&self, key: &FlowKey, from_low: bool, packet: &Packet, payload: &[u8]) -> u64 {
        let mut state = self.hasher.build_hasher();
        key.hash(&mut state);
        let number = packet.ip_id.map_or(0, NonZero::get);
        state.write_u64(u64::from(number) << 48 | u64::from(packet.wire_len) << 8 | u64::from(from_low));
        if let Some(tcp) = packet.tcp {
            let flags = [tcp.syn, tcp.ack, tcp.fin, tcp.rst];
            state.write_u64(u64::from(tcp.sequence) << 32 | u64::from(tcp.acknowledgement));
            state.write_u8(flags.iter().fold(0, |bits, &flag| bits << 1 | u8::from(flag)));
        }
        // Where numbers of the sender tell packets apart already, the first bytes are enough.
        let told = packet.ip_id.is_some() || packet.tcp.is_some();
        let (first, last) = if told { (TOLD, 0) } else { (END, END) };
        match (payload.get(..first), payload.len().checked_sub(last)) {
            (Some(start), Some(end)) if end > first => {
                state.write(start);
                state.write(payload.get(end..).unwrap_or_default());
            }
            _ => state.write(payload),
        }
        state.finish()
    }
}

impl Seen {
    /// Whether `later` is the same packet again.
    fn is_twin(&self, later: &Self, bare: bool) -> bool {
        let apart = later.time.since(self.time).unsigned_abs();
        let same = self.vlan == later.vlan;
        let close = if same { CLOSE } else { CLOSE_ACROSS };
        self.print == later.print && !(bare && same) && self.frame != later.frame && apart <= close as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoint, Ip, Payload};

    fn packet(frame: u64, time: i64) -> Packet {
        let end = |last, port| Endpoint { ip: Ip::v4([10, 0, 0, last]), port };
        Packet {
            frame,
            time: Time(time),
            ip_id: NonZero::new(7),
            wire_len: 4,
            payload: Payload::Block(0..4),
            ..Packet::between(end(1, 40000), end(2, 1197))
        }
    }

    fn seen_by(duplicates: &mut Duplicates, packet: &Packet, payload: &[u8]) -> bool {
        let (key, from_low) = FlowKey::of(packet);
        duplicates.seen(&key, from_low, packet, payload)
    }

    #[test]
    fn a_copy_is_told_from_a_retransmission() {
        let seen = |change: &dyn Fn(&mut Packet), payload: &[u8], later: i64| {
            let mut duplicates = Duplicates::default();
            assert!(!seen_by(&mut duplicates, &packet(1, 5), b"abcd"));
            let mut second = packet(2, 5 + later);
            change(&mut second);
            seen_by(&mut duplicates, &second, payload)
        };
        assert!(seen(&|_| {}, b"abcd", 0) && seen(&|_| {}, b"abcd", CLOSE));
        assert!(!seen(&|_| {}, b"abcd", CLOSE + 1));
        assert!(seen(&|p| p.vlan = Some(42), b"abcd", CLOSE_ACROSS));
        assert!(!seen(&|p| p.vlan = Some(42), b"abcd", 2_000_000_000));
        assert!(!seen(&|_| {}, b"abce", 10));
        assert!(!seen(&|p| p.ip_id = NonZero::new(8), b"abcd", 10));
        assert!(!seen(&|p| p.wire_len = 5, b"abcd", 10));
        assert!(!seen(&|p| std::mem::swap(&mut p.source, &mut p.destination), b"abcd", 10));
        // Two layers of one frame are no copies of each other.
        assert!(!seen(&|p| p.frame = 1, b"abcd", 0));
    }

    #[test]
    fn without_a_number_both_ends_of_the_payload_count() {
        let first = [7; 3 * END];
        let seen = |id: Option<u16>, changed: usize| {
            let mut duplicates = Duplicates::default();
            let of = |frame| Packet { ip_id: id.and_then(NonZero::new), ..packet(frame, 5) };
            let mut second = first;
            second[changed] = 8;
            !seen_by(&mut duplicates, &of(1), &first) && seen_by(&mut duplicates, &of(2), &second)
        };
        assert!(!seen(None, END - 1) && !seen(None, 2 * END) && seen(None, END) && seen(None, 2 * END - 1));
        assert!(!seen(Some(9), TOLD - 1) && seen(Some(9), TOLD));
    }

    #[test]
    fn bare_acknowledgements_without_identification_are_left_alone() {
        let mut duplicates = Duplicates::default();
        let bare = |frame| Packet { ip_id: None, wire_len: 0, ..packet(frame, 5) };
        assert!(!seen_by(&mut duplicates, &bare(1), b"") && !seen_by(&mut duplicates, &bare(2), b""));
        assert!(seen_by(&mut duplicates, &Packet { vlan: Some(3), ..bare(4) }, b""));
    }
}
