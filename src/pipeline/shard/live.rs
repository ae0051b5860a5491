//! A shard of a live run: it tells what flows come to while they go on, and forgets those that are over.

use super::slot::{Closed, Slot, Stage};
use super::{LINGER, Shard};
use crate::flow::FlowKey;
use crate::packet::{Packet, Time, Transport};
use crate::pipeline::board::Id;
use crate::pipeline::ended::{Change, Ended, Standing};
use crate::pipeline::{End, Options, merge};
use crate::protocol::Band;
use crate::registry::Registry;

/// Changes that are told at a time: many more would need large pieces of memory, and whoever hears them would be busy for long.
const PORTION: usize = 1024;

/// How long a payload waits for the next before recognisers are asked about it, nanoseconds.
const WAIT: i64 = 1_000_000_000;

impl<'a> Shard<'a> {
    /// One of `shards` shards of a live run.
    pub fn live(options: &Options, shards: usize, registry: &'a Registry) -> Self {
        Self { news: Some(Vec::new()), ..Self::new(options, shards, registry) }
    }

    /// What happened since the last call, with the number of flows forced out and of those judged in a hurry.
    pub fn news(&mut self) -> (Vec<Change>, u64, u64) {
        let news = self.news.as_mut().map(std::mem::take).unwrap_or_default();
        (news, std::mem::take(&mut self.evicted), std::mem::take(&mut self.hurried))
    }

    /// The flow of a packet, if its packets are to be saved or that is not known yet.
    pub(in crate::pipeline) fn keeps(&self, hash: u64, packet: &Packet) -> Option<Id> {
        let slot = self.table.get(self.table.find(hash, &FlowKey::of(packet).0)?)?;
        let unwanted = matches!(&slot.stage, Stage::Closed(closed) if !closed.wanted);
        (!unwanted).then_some((slot.flow.first_frame, slot.flow.key))
    }

    /// Whether recognition of the packet's flow is over.
    pub(in crate::pipeline) fn is_decided(&self, hash: u64, packet: &Packet) -> bool {
        let place = self.table.find(hash, &FlowKey::of(packet).0);
        place.and_then(|place| self.table.get(place)).is_some_and(|slot| matches!(slot.stage, Stage::Closed(_)))
    }

    /// Ends the flows that were silent too long at `now`, asks about payloads that waited in vain for more, and tells the
    /// counters of flows that were not silent since the last sweep. It goes through the flows in portions, from `from`
    /// downwards, and gives the place to go on from; 0: that was all.
    pub fn sweep(&mut self, now: Time, from: usize) -> usize {
        if self.ending != End::NotYet {
            // All flows are about to end.
            return 0;
        }
        let mut place = from.min(self.table.len());
        while place > 0 && self.news.as_ref().is_some_and(|news| news.len() < PORTION) {
            place -= 1;
            let Some(slot) = self.table.get_mut(place) else { continue };
            let flow = &slot.flow;
            let silent = now.since(flow.last);
            // Who was silent so long at the last sweep was asked about then.
            let waits = silent >= WAIT && self.swept.since(flow.last) < WAIT;
            let idle = if flow.key.transport == Transport::Udp { self.udp_idle } else { self.tcp_idle };
            if silent > idle || (flow.is_closed() && silent > LINGER) {
                let Some(slot) = self.table.remove(place) else { continue };
                if let Some(moved) = self.table.get(place).filter(|slot| slot.is_open()) {
                    self.heads.note(place, moved);
                }
                let ended = self.end(slot);
                self.over(ended);
                continue;
            }
            if flow.last >= self.swept
                && let Some(news) = &mut self.news
            {
                news.push(Change::Counted(flow.clone()));
                slot.tell();
            }
            if waits {
                self.look(place);
            }
        }
        if place == 0 {
            self.swept = now;
        }
        place
    }

    /// Asks about payloads that waited for more.
    fn look(&mut self, place: usize) {
        let Some(slot) = self.table.get_mut(place) else { return };
        let Some(undecided) = self.heads.of(slot) else { return };
        let band = undecided.band();
        let progress = undecided.look(false);
        let said = if slot.overhear() { slot.heard.as_ref().map_or(0, |heard| heard.len()) } else { 0 };
        self.announce(place, said);
        self.progress(place, progress, band);
    }

    /// Ends flows, in portions; false: there are no more.
    pub fn wind_up(&mut self) -> bool {
        for _ in 0..PORTION {
            let Some(slot) = self.table.pop() else { return false };
            self.let_go(slot);
        }
        true
    }

    /// Takes a flow that is over.
    pub(super) fn over(&mut self, ended: Ended) {
        match &mut self.news {
            Some(news) => news.push(Change::Judged(ended, Standing::Over)),
            None => self.ended.push(ended),
        }
    }

    /// Tells the last `said` announcements of a flow.
    pub(super) fn announce(&mut self, place: usize, said: usize) {
        let Some(news) = self.news.as_mut().filter(|_| said > 0) else { return };
        if let Some(Slot { flow, heard: Some(heard), told, .. }) = self.table.get_mut(place) {
            told.get_or_insert(0);
            news.push(Change::Announced((flow.first_frame, flow.key), heard.latest(said)));
        }
    }

    /// Tells what an open flow comes to so far, if that is not as sure any more as it was.
    pub(super) fn tell_open(&mut self, place: usize, before: Option<Band>) {
        let (Some(news), Some(slot)) = (&mut self.news, self.table.get_mut(place)) else { return };
        let Stage::Open(undecided) = &slot.stage else { return };
        if undecided.band() == before {
            return;
        }
        let mut so_far = slot.clone();
        so_far.stage = Stage::Closed(self.heads.judge(&mut undecided.clone(), &slot.flow.key, false));
        slot.tell();
        news.push(Change::Judged(so_far.ended(), Standing::Open));
    }

    /// Tells what a flow was decided to be, and notes whether its packets are to be saved.
    pub(super) fn tell_closed(&mut self, place: usize) {
        let (Some(news), Some(slot)) = (&mut self.news, self.table.get_mut(place)) else { return };
        let ended = slot.clone().ended();
        if let (Some(wanted), Stage::Closed(Closed { wanted: keep, .. })) = (&self.keep, &mut slot.stage) {
            let merged = merge::alone(ended.clone(), self.registry);
            *keep = wanted.takes(&merge::record(0, &merged, self.registry));
        }
        slot.tell();
        news.push(Change::Judged(ended, Standing::Decided));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoint, Ip, Payload};

    #[test]
    fn a_payload_waits_for_the_next_for_a_second() {
        let end = |last, port| Endpoint { ip: Ip::v4([10, 0, 0, last]), port };
        // RFC 7296 section 3.1: an IKE_SA_INIT request that proposes nothing but a nonce.
        let mut request =
            b"\x11\x22\x33\x44\x55\x66\x77\x88\0\0\0\0\0\0\0\0\x28\x20\x22\x08\0\0\0\0\0\0\0\x40".to_vec();
        request.extend(b"\0\0\0\x24");
        request.extend((1..=32).map(|n| n * 7));
        let packet = Packet {
            wire_len: request.len() as u32,
            payload: Payload::Block(0..request.len() as u32),
            ..Packet::between(end(1, 40000), end(2, 1197))
        };
        let mut shard = Shard::live(&Options::default(), 1, Registry::embedded());
        let told = |shard: &mut Shard<'_>, now| -> Vec<&str> {
            shard.sweep(Time(now), usize::MAX);
            let judged = |change: &Change| match change {
                Change::Judged(ended, _) => ended.decision.as_ref().and_then(|decision| decision.protocol),
                _ => None,
            };
            shard.news().0.iter().filter_map(judged).collect()
        };
        shard.take(&[(7, packet)], &request);
        assert!(told(&mut shard, WAIT - 1).is_empty());
        assert_eq!(told(&mut shard, WAIT), ["ike"]);
        assert!(told(&mut shard, 2 * WAIT).is_empty());
    }
}
