//! The end of a live run when there is no time left: packets are counted, and no recogniser is asked any more.

use super::Shard;
use super::heads::Heads;
use super::slot::{Slot, Stage};
use crate::pipeline::End;
use crate::verdict::{LeftOut, Rows};

impl Shard<'_> {
    /// From now on only what is quick is done, unless `ending` says that there is time. Flows that nobody was told of are in
    /// the rows of [`Self::rest`] and told no other way; when it is late, flows of which there is nothing new are not told
    /// again; when it is over, none is told or put into a row.
    pub(in crate::pipeline) fn make_haste(&mut self, ending: End) {
        self.ending = ending;
    }

    /// Judges a flow that has to go; a live run tells it.
    pub(super) fn let_go(&mut self, old: Slot) {
        let (live, known, hurried) = (self.news.is_some(), old.told.is_some(), self.hurried);
        if self.ending == End::Over || (self.ending == End::Late && old.is_told()) {
            let (flow, packets) = old.untold();
            self.left.flows += u64::from(flow);
            self.left.packets += packets;
            self.hurried += u64::from(flow || packets > 0 || old.is_open());
            // The process is about to end, and to give the memory back would take longer than all else here.
            std::mem::forget(old);
            return;
        }
        let ended = self.end(old);
        if live && (known || self.ending == End::NotYet) {
            return self.over(ended);
        }
        if live {
            // Nobody hears of it who could make more of it.
            self.untold += 1;
            self.hurried = hurried + 1;
        }
        self.tally(ended);
    }

    /// What those flows came to, their number, and what is in no row.
    pub fn rest(self) -> (Rows, u64, LeftOut) {
        (self.rows, self.untold, self.left)
    }
}

impl Heads<'_> {
    /// Concludes what a flow is by what was found before; when it is `late`, by what was told before. Whether more could
    /// have come of it.
    pub(super) fn give_up(&mut self, slot: &mut Slot, late: bool) -> bool {
        match std::mem::replace(&mut slot.stage, Stage::Silent) {
            Stage::Silent => slot.flow.bytes != [0, 0],
            Stage::Waiting(payload) => {
                self.memory = self.memory.saturating_sub(payload.len());
                slot.flow.overlook();
                true
            }
            Stage::Open(undecided) if late => {
                slot.flow.overlook();
                // The process is about to end.
                std::mem::forget(undecided);
                true
            }
            Stage::Open(mut undecided) => {
                if undecided.is_overlooked() {
                    slot.flow.overlook();
                } else {
                    let decision = undecided.decide(true);
                    slot.stage = Stage::Closed(self.closed(&undecided, decision));
                }
                self.take_back(undecided);
                true
            }
            closed @ Stage::Closed(_) => {
                slot.stage = closed;
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoint, Ip, Packet, Payload, Time};
    use crate::pipeline::Options;
    use crate::registry::Registry;

    fn packet(frame: u64, port: u16) -> (u64, Packet) {
        let end = |last, port| Endpoint { ip: Ip::v4([10, 0, 0, last]), port };
        let packet = Packet {
            frame,
            time: Time(frame as i64),
            wire_len: 4,
            payload: Payload::Block(0..4),
            ..Packet::between(end(1, port), end(2, 1197))
        };
        (u64::from(port), packet)
    }

    #[test]
    fn what_nobody_was_told_of_is_left_out_when_it_is_over() {
        for (ending, rows, left) in
            [(End::Late, 1, LeftOut::default()), (End::Over, 0, LeftOut { flows: 1, packets: 1 + 2, ports: 0 })]
        {
            let mut shard = Shard::live(&Options::default(), 1, Registry::embedded());
            shard.take(&[packet(1, 40_000)], b"abcd");
            shard.sweep(Time(2), usize::MAX);
            assert_eq!(shard.news().0.len(), 1);
            shard.take(&[packet(2, 40_000), packet(3, 40_000), packet(4, 50_000)], b"abcd");
            shard.make_haste(ending);
            while shard.wind_up() {}
            // The flow that is known is told once more, if there is time.
            assert_eq!(shard.news().0.len(), rows);
            let (filed, untold, left_out) = shard.rest();
            assert_eq!((filed.len(), untold, left_out), (rows, rows as u64, left));
            // So are the rows themselves, once there is no time for them.
            let mut all = filed.clone();
            assert_eq!(all.absorb_in(filed, || false), (rows as u64, rows as u64));
        }
    }
}
