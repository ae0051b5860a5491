//! One worker's share of the flows. Shards share nothing, so their number changes nothing in the result.

mod haste;
mod heads;
mod live;
mod slot;

use super::ended::{Change, Ended};
use super::merge::{self, Merged};
use super::undecided::Progress;
use super::{End, Options, Wanted};
use crate::flow::head::WHOLE_BYTES;
use crate::flow::{FlowKey, Table};
use crate::packet::{Packet, Time, Transport};
use crate::protocol::Band;
use crate::registry::Registry;
use crate::verdict::{LeftOut, Rows};
use heads::Heads;
use slot::{Slot, Stage};
use std::hint::black_box;

/// A packet with the hash of its flow key.
pub type Hashed = (u64, Packet);

/// What a shard gives back.
#[derive(Debug, Default)]
pub struct Harvest {
    /// All flows that were kept, in no order.
    pub flows: Vec<Merged>,
    /// What the flows were that had to be judged early because there was no room for more.
    pub rows: Rows,
    /// Their number.
    pub evicted: u64,
    /// Flows that went on after they were judged for want of memory.
    pub hurried: u64,
}

/// The flows of one worker.
#[derive(Clone, Debug)]
pub struct Shard<'a> {
    registry: &'a Registry,
    table: Table<Slot>,
    heads: Heads<'a>,
    ended: Vec<Ended>,
    /// Flows that were judged early, by what they were and in all.
    rows: Rows,
    by_endpoint: bool,
    evicted: u64,
    /// Flows that are in `rows` and were not told.
    untold: u64,
    /// What is in no row.
    left: LeftOut,
    places: Vec<(usize, bool)>,
    udp_idle: i64,
    tcp_idle: i64,
    max_flows: usize,
    hand: usize,
    hurried: u64,
    /// In a live run: what is to be told.
    news: Option<Vec<Change>>,
    keep: Option<Wanted>,
    swept: Time,
    /// Whether the run ends, and how much time is left.
    ending: End,
}

/// Packets whose flows are fetched together: what they hold stays in the processor's first caches.
const TOGETHER: usize = 64;

/// How long a closed TCP connection is remembered, for packets that come late, nanoseconds.
const LINGER: i64 = 10_000_000_000;

impl<'a> Shard<'a> {
    /// One of `shards` shards.
    pub fn new(options: &Options, shards: usize, registry: &'a Registry) -> Self {
        Self {
            registry,
            table: Table::default(),
            heads: Heads::new(options, shards, registry),
            ended: Vec::new(),
            rows: Rows::new(options.by_endpoint),
            by_endpoint: options.by_endpoint,
            evicted: 0,
            untold: 0,
            left: LeftOut::default(),
            places: Vec::new(),
            udp_idle: options.udp_idle,
            tcp_idle: options.tcp_idle,
            max_flows: (options.max_flows / shards.max(1)).max(1),
            hand: 0,
            hurried: 0,
            news: None,
            keep: options.keep,
            swept: Time(i64::MIN),
            ending: End::NotYet,
        }
    }

    /// Takes packets whose payloads lie in `block`.
    pub fn take(&mut self, packets: &[Hashed], block: &[u8]) {
        for packets in packets.chunks(TOGETHER) {
            self.take_together(packets, block);
        }
        self.make_room();
    }

    /// Prefetches what the packets' flows hold, step by step for all of them, so that the waits for memory overlap. Gives
    /// where the flows probably lie.
    fn fetch(&self, packets: &[Hashed]) -> [Option<usize>; TOGETHER] {
        let mut places = [None; TOGETHER];
        for (place, (hash, _)) in places.iter_mut().zip(packets) {
            *place = self.table.likely(*hash);
        }
        let slots = || places.iter().flatten().filter_map(|&place| self.table.get(place));
        black_box(slots().fold(0, |touched, slot| touched ^ slot.touch()));
        black_box(slots().fold(0, |touched, slot| touched ^ slot.touch_head()));
        black_box(slots().fold(0, |touched, slot| touched ^ slot.touch_streams()));
        places
    }

    /// First finds all flows, then updates them.
    fn take_together(&mut self, packets: &[Hashed], block: &[u8]) {
        let likely = self.fetch(packets);
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        let evicted = self.evicted;
        for ((hash, packet), likely) in packets.iter().zip(likely) {
            let (key, from_low) = FlowKey::of(packet);
            let lies = |place: &usize| self.table.get(*place).is_some_and(|slot| slot.flow.key == key);
            let found = likely.filter(lies).or_else(|| self.table.find(*hash, &key));
            // An ICMP error speaks of a flow, but makes none.
            let place = match found {
                None if packet.refused => usize::MAX,
                None => self.insert(*hash, key, packet, from_low),
                Some(place) => place,
            };
            places.push((place, from_low));
        }
        for ((hash, packet), &(place, from_low)) in packets.iter().zip(&places) {
            let payload = packet.payload.of(block);
            let mut place = place;
            if self.evicted != evicted && !packet.refused {
                // Eviction within this batch may have given the slot to another flow.
                let key = FlowKey::of(packet).0;
                place = match self.table.get(place) {
                    Some(slot) if slot.flow.key == key => place,
                    _ => self.table.find(*hash, &key).unwrap_or_else(|| self.insert(*hash, key, packet, from_low)),
                };
            }
            self.update(place, packet, from_low, payload);
        }
        self.places = places;
    }

    fn insert(&mut self, hash: u64, key: FlowKey, packet: &Packet, from_low: bool) -> usize {
        let slot = Slot::new(key, packet, from_low);
        if self.table.len() + self.ended.len() < self.max_flows {
            return self.table.insert(hash, slot);
        }
        if self.table.len() < self.max_flows && !self.ended.is_empty() {
            // Flows that are over go first.
            let over = std::mem::take(&mut self.ended);
            self.evicted += over.len() as u64;
            over.into_iter().for_each(|ended| self.tally(ended));
            return self.table.insert(hash, slot);
        }
        let victim = self.victim();
        if let Some(old) = self.table.replace(victim, hash, slot) {
            self.evicted += 1;
            self.let_go(old);
        }
        victim
    }

    /// Judges a flow alone, and keeps of it what its row needs.
    fn tally(&mut self, ended: Ended) {
        let merged = merge::alone(ended, self.registry);
        self.rows.add(&merge::record(0, &merged, self.registry));
    }

    /// The slot that was silent longest among the next eight; in haste the next one.
    fn victim(&mut self) -> usize {
        let (len, many) = (self.table.len().max(1), if self.ending == End::NotYet { 8 } else { 1 });
        let candidates = (self.hand..self.hand + many).map(|n| if n < len { n } else { n % len });
        let oldest = candidates.min_by_key(|&n| self.table.get(n).map(|slot| slot.flow.last));
        self.hand = (self.hand + many) % len;
        oldest.unwrap_or(0)
    }

    fn update(&mut self, place: usize, packet: &Packet, from_low: bool, payload: &[u8]) {
        let Some(slot) = self.table.get_mut(place) else { return };
        if packet.refused {
            let of_this = slot.flow.key == FlowKey::of(packet).0;
            let to = slot.flow.dir(from_low).other();
            if of_this {
                slot.flow.refuse(to);
            }
            return;
        }
        let idle = if packet.transport == Transport::Udp { self.udp_idle } else { self.tcp_idle };
        let dir = slot.flow.dir(from_low);
        if packet.time.since(slot.flow.last) > idle || slot.flow.is_reopened_by(packet, dir) {
            let fresh = Slot::new(slot.flow.key, packet, from_low);
            let old = std::mem::replace(slot, fresh);
            let ended = self.end(old);
            self.over(ended);
        }
        let Some(slot) = self.table.get_mut(place) else { return };
        if packet.duplicate {
            slot.flow.duplicates = slot.flow.duplicates.saturating_add(1);
            return;
        }
        let dir = slot.flow.dir(from_low);
        let overlooked = self.ending != End::NotYet && !matches!(slot.stage, Stage::Closed(_));
        if matches!(slot.stage, Stage::Waiting(_)) && packet.wire_len > 0 && !overlooked {
            // Before the packet is counted: what is counted is that payload.
            self.heads.open(slot);
        }
        slot.flow.count(packet, dir, if overlooked { 0 } else { payload.len() });
        if packet.wire_len == 0 || overlooked {
            return;
        }
        if let Stage::Closed(closed) = &mut slot.stage {
            self.hurried += u64::from(std::mem::take(&mut closed.early));
            let said = slot.listen(packet, dir, payload);
            self.announce(place, said);
            return;
        }
        if matches!(slot.stage, Stage::Silent) {
            self.heads.note(place, slot);
            if packet.tcp.is_none() && packet.frame == slot.flow.first_frame && payload.len() <= WHOLE_BYTES {
                return self.heads.wait(slot, payload);
            }
            self.heads.open(slot);
        }
        let Stage::Open(undecided) = &mut slot.stage else { return };
        let band = undecided.band();
        let len = packet.wire_len as usize;
        let progress = match packet.tcp {
            None => undecided.datagram(packet.frame, packet.time, dir, len, payload),
            Some(tcp) => {
                if let Some(sequence) = slot.flow.syn(dir) {
                    undecided.open(dir, sequence);
                }
                let sequence = tcp.sequence.wrapping_add(u32::from(tcp.syn));
                undecided.segment(packet.frame, packet.time, dir, sequence, len, payload)
            }
        };
        self.heads.account(undecided);
        let said = slot.listen(packet, dir, payload);
        self.announce(place, said);
        self.progress(place, progress, band);
    }

    /// After an assessment; `before` is how sure the one before was.
    fn progress(&mut self, place: usize, progress: Progress, before: Option<Band>) {
        match progress {
            Progress::Done => self.close(place, false),
            Progress::Open => self.tell_open(place, before),
        }
    }

    /// Concludes slot `place` with what was seen, as if it had ended if it is judged `early`, and frees its head.
    fn close(&mut self, place: usize, early: bool) {
        if let Some(slot) = self.table.get_mut(place) {
            self.heads.conclude(slot, early);
            if let Stage::Closed(closed) = &mut slot.stage {
                closed.early = early;
            }
            self.tell_closed(place);
        }
    }

    /// Judges the open flows that were silent longest on what they have while the heads hold too much memory.
    fn make_room(&mut self) {
        while let Some(place) = self.heads.excess(&self.table) {
            self.close(place, true);
        }
    }

    fn end(&mut self, mut slot: Slot) -> Ended {
        if self.ending != End::NotYet {
            self.hurried += u64::from(self.heads.give_up(&mut slot, self.ending >= End::Late));
        } else {
            self.heads.conclude(&mut slot, true);
        }
        slot.ended()
    }

    /// What `finish` would give if the capture ended here; the shard goes on. Flows judged early are given once.
    pub fn so_far(&mut self) -> Harvest {
        self.heads.trim();
        let harvest = self.clone().finish();
        self.evicted = 0;
        self.rows = Rows::new(self.by_endpoint);
        harvest
    }

    /// Ends all flows.
    pub fn finish(mut self) -> Harvest {
        let (table, ended) = (std::mem::take(&mut self.table), std::mem::take(&mut self.ended));
        let mut flows = Vec::with_capacity(table.len() + ended.len());
        flows.extend(ended.into_iter().map(Merged::from));
        flows.extend(table.into_slots().map(|slot| Merged::from(self.end(slot))));
        Harvest { flows, rows: self.rows, evicted: self.evicted, hurried: self.hurried }
    }
}
