//! A worker of a live run.

use super::News;
use crate::capture::Block;
use crate::packet::Payload;
use crate::pipeline::keep::{Content, Held};
use crate::pipeline::pieces::Copied;
use crate::pipeline::run::{BUSY, Batch, Order};
use crate::pipeline::shard::{Hashed, Shard};
use crate::pipeline::shed::Shed;
use crate::pipeline::{Control, Options};
use crossbeam_channel::{Receiver, Sender};

/// A worker: takes what comes through its lane.
pub(super) struct Worker<'w> {
    pub(super) lane: Receiver<Batch>,
    pub(super) spent: Sender<Vec<Hashed>>,
    pub(super) news: Sender<News>,
    pub(super) shed: &'w Shed,
    pub(super) control: &'w Control,
    pub(super) options: &'w Options,
}

impl Worker<'_> {
    /// Works until the lane is closed, then ends all flows.
    pub(super) fn work(&self, mut shard: Shard<'_>) {
        let saves = self.options.keep.is_some_and(|wanted| !wanted.all);
        for mut batch in &self.lane {
            self.look_at_the_time(&mut shard);
            shard.take(&batch.packets, &batch.block.bytes);
            self.tell(&mut shard);
            if let Some(Order::Sweep(now)) = batch.order {
                let mut from = usize::MAX;
                while from > 0 {
                    from = shard.sweep(now, from);
                    self.tell(&mut shard);
                    self.look_at_the_time(&mut shard);
                }
            }
            if saves {
                let held = batch.packets.iter().filter_map(|packet| held(&shard, &batch.block, packet));
                let held: Vec<Held> = held.collect();
                if !held.is_empty() {
                    let _ = self.news.send(News::Packets(held));
                }
            }
            if self.lane.len() > BUSY {
                let note = |(hash, packet): &_| self.shed.note(*hash, shard.is_decided(*hash, packet));
                batch.packets.iter().for_each(note);
            }
            // A sweep came with no room for packets. If that went round, there would be more to go round with each.
            if batch.order.is_none() {
                batch.packets.clear();
                let _ = self.spent.send(batch.packets);
            }
        }
        while shard.wind_up() {
            self.tell(&mut shard);
            self.look_at_the_time(&mut shard);
        }
        self.tell(&mut shard);
        let (rows, flows, left) = shard.rest();
        // Fails only if the board is gone.
        let _ = self.news.send(News::Rest(rows, flows, left));
    }

    fn look_at_the_time(&self, shard: &mut Shard<'_>) {
        shard.make_haste(self.control.end(self.options));
    }

    fn tell(&self, shard: &mut Shard<'_>) {
        let (changes, evicted, hurried) = shard.news();
        if !changes.is_empty() || evicted + hurried > 0 {
            // Fails only if the board is gone, and then nobody wants it.
            let _ = self.news.send(News::Flows { changes, evicted, hurried });
        }
    }
}

/// What the packet came in, if it may be wanted.
fn held(shard: &Shard<'_>, block: &Block, (hash, packet): &Hashed) -> Option<Held> {
    let id = shard.keeps(*hash, packet)?;
    let content = match &packet.payload {
        Payload::Joined(joined) => Content::Fragments(joined.frames.clone()),
        Payload::Block(_) => {
            let place = block.frames.binary_search_by_key(&packet.frame, |frame| frame.number).ok()?;
            Content::Frame(Copied::new(block, block.frames.get(place)?))
        }
    };
    Some(Held { id, content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Time;
    use crate::registry::Registry;
    use crossbeam_channel::unbounded;

    #[test]
    fn only_room_for_packets_goes_round() {
        let (lane, batches) = unbounded();
        let ((spent, emptied), (news, _heard)) = (unbounded(), unbounded());
        let (shed, control, options) = (Shed::default(), Control::default(), Options::default());
        for second in 0..100 {
            let order = Some(Order::Sweep(Time(second * 1_000_000_000)));
            lane.send(Batch { block: Default::default(), packets: Vec::new(), order }).unwrap();
        }
        lane.send(Batch { block: Default::default(), packets: Vec::with_capacity(7), order: None }).unwrap();
        drop(lane);
        let worker = Worker { lane: batches, spent, news, shed: &shed, control: &control, options: &options };
        worker.work(Shard::live(&options, 1, Registry::embedded()));
        assert_eq!(emptied.try_iter().map(|room| room.capacity()).collect::<Vec<_>>(), [7]);
    }
}
