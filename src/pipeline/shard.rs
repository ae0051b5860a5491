//! One worker's share of the flows. Shards share nothing, so their number changes nothing in the result.

use super::announced::Heard;
use super::board::Id;
use super::claimed::Claimed;
use super::undecided::{Progress, Undecided};
use super::{Options, Wanted, merge};
use crate::flow::{Dir, Flow, FlowKey, Keyed, Table};
use crate::packet::{Packet, Time, Transport};
use crate::protocol::Decision;
use crate::registry::Registry;
use crate::verdict::Rows;
use std::collections::VecDeque;

/// A packet with the hash of its flow key.
pub type Hashed = (u64, Packet);

/// A flow that is over, or that the capture's end cut off.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Counters.
    pub flow: Flow,
    /// What recognition concluded; `None` when there was no payload.
    pub decision: Option<Box<Decision>>,
    /// Whether the exchange was seen whole.
    pub complete: bool,
    /// Per direction: payload was sent, but the deciding bytes are missing.
    pub lossy: [bool; 2],
    /// What it announced of ports for other flows.
    pub heard: Option<Box<Heard>>,
}

/// News of a flow for who watches a live run.
#[derive(Clone, Debug)]
pub enum Change {
    /// What the flow comes to so far, or, if it is over, in the end.
    Judged(Ended, Standing),
    /// It goes on, with these counters.
    Counted(Flow),
    /// It announced more.
    Announced(Id, Heard),
}

/// How far a flow is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// Recognisers are still being asked.
    Open,
    /// Decided or given up; packets are counted.
    Decided,
    /// Over, or forced out for want of room.
    Over,
}

/// How far recognition came.
#[derive(Clone, Debug)]
enum Stage {
    /// No payload yet.
    Silent,
    /// Recognisers are being asked.
    Open(Box<Undecided>),
    /// Decided or given up: nobody is asked any more.
    Closed(Closed),
}

#[derive(Clone, Debug)]
struct Closed {
    decision: Box<Decision>,
    complete: bool,
    lossy: [bool; 2],
    /// Its packets are to be saved.
    wanted: bool,
}

#[derive(Clone, Debug)]
struct Slot {
    flow: Flow,
    stage: Stage,
    heard: Option<Box<Heard>>,
}

impl Keyed for Slot {
    fn key(&self) -> &FlowKey {
        &self.flow.key
    }
}

impl Slot {
    /// Reads what the payload announces, if the flow's protocol announces anything.
    fn listen(&mut self, packet: &Packet, dir: Dir, payload: &[u8], news: Option<&mut Vec<Change>>) {
        let Some(heard) = &mut self.heard else { return };
        let said = heard.listen(packet, dir, payload);
        if let Some(news) = news.filter(|_| said > 0) {
            news.push(Change::Announced((self.flow.first_frame, self.flow.key), heard.latest(said)));
        }
    }
}

/// What a shard gives back.
#[derive(Debug, Default)]
pub struct Harvest {
    /// All flows that were kept, in no order.
    pub flows: Vec<Ended>,
    /// What the flows were that had to be judged early because there was no room for more.
    pub rows: Rows,
    /// Their number.
    pub evicted: u64,
    /// Flows whose head was given up because the heads' memory was full.
    pub hurried: u64,
}

/// The flows of one worker.
#[derive(Clone, Debug)]
pub struct Shard<'a> {
    registry: &'a Registry,
    claimed: Claimed<'a>,
    table: Table<Slot>,
    ended: Vec<Ended>,
    /// Flows that were judged early, by what they were and in all.
    rows: Rows,
    by_endpoint: bool,
    evicted: u64,
    /// Heads that no flow needs any more, in the boxes in which they go back into a slot.
    #[allow(clippy::vec_box)]
    spare: Vec<Box<Undecided>>,
    places: Vec<(usize, bool)>,
    udp_idle: i64,
    tcp_idle: i64,
    max_flows: usize,
    hand: usize,
    head_memory: usize,
    head_limit: usize,
    heads: VecDeque<(usize, u64)>,
    hurried: u64,
    /// In a live run: what is to be told.
    news: Option<Vec<Change>>,
    keep: Option<Wanted>,
    swept: Time,
}

/// How long a closed TCP connection is remembered, for packets that come late, nanoseconds.
const LINGER: i64 = 10_000_000_000;

/// Changes that are told at a time: many more would need large pieces of memory, and whoever hears them would be busy for long.
const PORTION: usize = 1024;

/// How many heads wait for another flow at a time, and how large they may be, bytes.
const SPARE: usize = 256;
const SPARE_BYTES: usize = 8192;

impl<'a> Shard<'a> {
    /// One of `shards` shards.
    pub fn new(options: &Options, shards: usize, registry: &'a Registry) -> Self {
        Self {
            registry,
            claimed: Claimed::new(registry, options.exhaustive),
            table: Table::default(),
            ended: Vec::new(),
            rows: Rows::new(options.by_endpoint),
            by_endpoint: options.by_endpoint,
            evicted: 0,
            spare: Vec::new(),
            places: Vec::new(),
            udp_idle: options.udp_idle,
            tcp_idle: options.tcp_idle,
            max_flows: (options.max_flows / shards.max(1)).max(1),
            hand: 0,
            head_memory: 0,
            head_limit: options.head_memory / shards.max(1),
            heads: VecDeque::new(),
            hurried: 0,
            news: None,
            keep: options.keep,
            swept: Time(i64::MIN),
        }
    }

    /// One of `shards` shards of a live run: it tells what flows come to, and forgets those that are over.
    pub fn live(options: &Options, shards: usize, registry: &'a Registry) -> Self {
        Self { news: Some(Vec::new()), ..Self::new(options, shards, registry) }
    }

    /// What happened since the last call, with the number of flows forced out and of those judged in a hurry.
    pub fn news(&mut self) -> (Vec<Change>, u64, u64) {
        let news = self.news.as_mut().map(std::mem::take).unwrap_or_default();
        (news, std::mem::take(&mut self.evicted), std::mem::take(&mut self.hurried))
    }

    /// The flow of a packet, if its packets are to be saved or that is not known yet.
    pub(super) fn keeps(&self, hash: u64, packet: &Packet) -> Option<Id> {
        let slot = self.table.get(self.table.find(hash, &FlowKey::of(packet).0)?)?;
        let unwanted = matches!(&slot.stage, Stage::Closed(closed) if !closed.wanted);
        (!unwanted).then_some((slot.flow.first_frame, slot.flow.key))
    }

    /// Whether recognition of the packet's flow is over.
    pub(super) fn is_decided(&self, hash: u64, packet: &Packet) -> bool {
        let place = self.table.find(hash, &FlowKey::of(packet).0);
        place.and_then(|place| self.table.get(place)).is_some_and(|slot| matches!(slot.stage, Stage::Closed(_)))
    }

    /// Ends the flows that were silent too long at `now`, and tells the counters of those that were not silent since the
    /// last sweep. It goes through the flows in portions, from `from` downwards, and gives the place to go on from; 0: that
    /// was all.
    pub fn sweep(&mut self, now: Time, from: usize) -> usize {
        let mut place = from.min(self.table.len());
        while place > 0 && self.news.as_ref().is_some_and(|news| news.len() < PORTION) {
            place -= 1;
            let Some(Slot { flow, .. }) = self.table.get(place) else { continue };
            let silent = now.since(flow.last);
            let idle = if flow.key.transport == Transport::Udp { self.udp_idle } else { self.tcp_idle };
            if silent > idle || (flow.is_closed() && silent > LINGER) {
                let Some(slot) = self.table.remove(place) else { continue };
                if let Some(Slot { flow, stage: Stage::Open(_), .. }) = self.table.get(place) {
                    self.heads.push_back((place, flow.first_frame));
                }
                let ended = self.end(slot);
                self.over(ended);
            } else if flow.last >= self.swept
                && let Some(news) = &mut self.news
            {
                news.push(Change::Counted(flow.clone()));
            }
        }
        if place == 0 {
            self.swept = now;
        }
        place
    }

    /// Ends flows of a live run, in portions; false: there are no more.
    pub fn wind_up(&mut self) -> bool {
        for _ in 0..PORTION {
            let Some(slot) = self.table.remove(self.table.len().wrapping_sub(1)) else { return false };
            let ended = self.end(slot);
            self.over(ended);
        }
        true
    }

    /// Takes a flow that is over.
    fn over(&mut self, ended: Ended) {
        match &mut self.news {
            Some(news) => news.push(Change::Judged(ended, Standing::Over)),
            None => self.ended.push(ended),
        }
    }

    /// Takes a batch of packets whose payloads lie in `block`: first finds all flows (the look-ups miss the cache and
    /// overlap), then updates them.
    pub fn take(&mut self, packets: &[Hashed], block: &[u8]) {
        let mut places = std::mem::take(&mut self.places);
        places.clear();
        let evicted = self.evicted;
        for (hash, packet) in packets {
            let (key, from_low) = FlowKey::of(packet);
            let found = self.table.find(*hash, &key);
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
        self.hurry();
    }

    fn insert(&mut self, hash: u64, key: FlowKey, packet: &Packet, from_low: bool) -> usize {
        let slot = Slot { flow: Flow::new(key, packet, from_low), stage: Stage::Silent, heard: None };
        if self.table.len() + self.ended.len() < self.max_flows {
            return self.table.insert(hash, slot);
        }
        if self.table.len() < self.max_flows && !self.ended.is_empty() {
            // Flows that are over go first.
            let over = std::mem::take(&mut self.ended);
            over.into_iter().for_each(|ended| self.evict(ended));
            return self.table.insert(hash, slot);
        }
        let victim = self.victim();
        if let Some(old) = self.table.replace(victim, hash, slot) {
            let ended = self.end(old);
            self.evict(ended);
        }
        victim
    }

    /// Judges a flow alone, and keeps of it what its row needs.
    fn evict(&mut self, ended: Ended) {
        if self.news.is_some() {
            self.evicted += 1;
            self.over(ended);
            return;
        }
        let merged = merge::alone(ended, self.registry);
        self.rows.add(&merge::record(0, &merged, self.registry));
        self.evicted += 1;
    }

    /// The slot that was silent longest among the next eight.
    fn victim(&mut self) -> usize {
        let len = self.table.len().max(1);
        let candidates = (0..8).map(|n| (self.hand + n) % len);
        let oldest = candidates.min_by_key(|&n| self.table.get(n).map(|slot| slot.flow.last));
        self.hand = (self.hand + 8) % len;
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
            let fresh = Slot { flow: Flow::new(slot.flow.key, packet, from_low), stage: Stage::Silent, heard: None };
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
        slot.flow.count(packet, dir, payload.len());
        if packet.wire_len == 0 {
            return;
        }
        if matches!(slot.stage, Stage::Closed(_)) {
            slot.listen(packet, dir, payload, self.news.as_mut());
            return;
        }
        let fresh = matches!(slot.stage, Stage::Silent);
        if fresh {
            let mut undecided = match self.spare.pop() {
                Some(mut spare) => {
                    spare.reuse(packet.transport);
                    spare
                }
                None => Box::new(Undecided::new(packet.transport)),
            };
            for dir in Dir::BOTH {
                if let Some(sequence) = slot.flow.syn(dir) {
                    undecided.open(dir, sequence);
                }
            }
            slot.stage = Stage::Open(undecided);
            self.heads.push_back((place, slot.flow.first_frame));
        }
        let Stage::Open(undecided) = &mut slot.stage else { return };
        let before = if fresh { 0 } else { undecided.memory() };
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
        if let Some(reader) = undecided.reader() {
            let fresh = slot.heard.is_none();
            let heard = slot.heard.get_or_insert_with(|| Box::new(Heard::so_far(undecided, reader)));
            if let Some(news) = self.news.as_mut().filter(|_| fresh && heard.len() > 0) {
                news.push(Change::Announced((slot.flow.first_frame, slot.flow.key), heard.latest(heard.len())));
            }
            // The packet may be among what was kept.
            if !fresh || !heard.has(packet.frame) {
                slot.listen(packet, dir, payload, self.news.as_mut());
            }
        }
        let Stage::Open(undecided) = &mut slot.stage else { return };
        if progress == Progress::Open
            && undecided.band() != band
            && let Some(news) = &mut self.news
        {
            let mut so_far = undecided.clone();
            let complete = so_far.complete(packet.transport) && !slot.flow.cut();
            let lossy = Dir::BOTH.map(|dir| so_far.lossy(dir));
            let decision = Some(Box::new(so_far.conclude(false, self.claimed.of(&slot.flow.key))));
            news.push(Change::Judged(
                Ended { flow: slot.flow.clone(), decision, complete, lossy, heard: slot.heard.clone() },
                Standing::Open,
            ));
        }
        let after = undecided.memory();
        self.head_memory = (self.head_memory + after).saturating_sub(before);
        if progress == Progress::Done {
            self.close(place);
        }
    }

    /// Concludes slot `place` with what was seen and frees its head.
    fn close(&mut self, place: usize) {
        let Some(slot) = self.table.get_mut(place) else { return };
        let stage = std::mem::replace(&mut slot.stage, Stage::Silent);
        let key = slot.flow.key;
        let mut stage = match stage {
            Stage::Open(undecided) => Stage::Closed(self.conclude(undecided, &key, false)),
            other => other,
        };
        if let Some(slot) = self.table.get_mut(place) {
            if let (Some(news), Stage::Closed(closed)) = (&mut self.news, &mut stage) {
                let Closed { decision, complete, lossy, .. } = closed.clone();
                let complete = complete && !slot.flow.cut();
                let heard = slot.heard.clone();
                let ended = Ended { flow: slot.flow.clone(), decision: Some(decision), complete, lossy, heard };
                if let Some(wanted) = &self.keep {
                    let merged = merge::alone(ended.clone(), self.registry);
                    closed.wanted = wanted.takes(&merge::record(0, &merged, self.registry));
                }
                news.push(Change::Judged(ended, Standing::Decided));
            }
            slot.stage = stage;
        }
    }

    /// Judges the oldest open flows on what they have while the heads hold too much memory.
    fn hurry(&mut self) {
        while self.head_memory > self.head_limit {
            let Some((place, first_frame)) = self.heads.pop_front() else { return };
            let open = |slot: &Slot| slot.flow.first_frame == first_frame && matches!(slot.stage, Stage::Open(_));
            if self.table.get(place).is_some_and(open) {
                self.close(place);
                self.hurried += 1;
            }
        }
        // Entries of flows that were closed in the meantime are dropped now and then.
        if self.heads.len() > 2 * self.table.len() + 64 {
            let table = &self.table;
            self.heads.retain(|&(place, first_frame)| {
                table.get(place).is_some_and(|s| s.flow.first_frame == first_frame && matches!(s.stage, Stage::Open(_)))
            });
        }
    }

    fn end(&mut self, slot: Slot) -> Ended {
        let closed = match slot.stage {
            Stage::Silent => None,
            Stage::Open(undecided) => Some(self.conclude(undecided, &slot.flow.key, true)),
            Stage::Closed(closed) => Some(closed),
        };
        let (decision, complete, lossy) = match closed {
            Some(closed) => (Some(closed.decision), closed.complete, closed.lossy),
            None => (None, false, [false; 2]),
        };
        let complete = complete && !slot.flow.cut();
        Ended { flow: slot.flow, decision, complete, lossy, heard: slot.heard }
    }

    /// What `finish` would give if the capture ended here; the shard goes on. Flows judged early are given once.
    pub fn so_far(&mut self) -> Harvest {
        self.spare.clear();
        let harvest = self.clone().finish();
        self.evicted = 0;
        self.rows = Rows::new(self.by_endpoint);
        harvest
    }

    /// Concludes with what was seen, and takes the head back.
    fn conclude(&mut self, mut undecided: Box<Undecided>, key: &FlowKey, ended: bool) -> Closed {
        let memory = undecided.memory();
        self.head_memory = self.head_memory.saturating_sub(memory);
        let complete = undecided.complete(key.transport);
        let lossy = Dir::BOTH.map(|dir| undecided.lossy(dir));
        let decision = Box::new(undecided.conclude(ended, self.claimed.of(key)));
        if self.spare.len() < SPARE && memory <= SPARE_BYTES {
            self.spare.push(undecided);
        }
        Closed { decision, complete, lossy, wanted: false }
    }

    /// Ends all flows.
    pub fn finish(mut self) -> Harvest {
        let table = std::mem::take(&mut self.table);
        for slot in table.into_slots() {
            let ended = self.end(slot);
            self.ended.push(ended);
        }
        Harvest { flows: self.ended, rows: self.rows, evicted: self.evicted, hurried: self.hurried }
    }
}
