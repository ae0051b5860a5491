//! The end of a live run when there is no time left: packets are counted, and no recogniser is asked any more.

use super::Shard;
use super::heads::Heads;
use super::slot::{Slot, Stage};
use crate::pipeline::End;
use crate::verdict::Rows;

impl Shard<'_> {
    /// From now on only what is quick is done, unless `ending` says that there is time. Flows that nobody was told of are in
    /// the rows of [`Self::rest`] and told no other way; when it is late, flows of which there is nothing new are not told
    /// again.
    pub(in crate::pipeline) fn make_haste(&mut self, ending: End) {
        self.ending = ending;
    }

    /// Judges a flow that has to go; a live run tells it.
    pub(super) fn let_go(&mut self, old: Slot) {
        let (live, known, hurried) = (self.news.is_some(), old.told.is_some(), self.hurried);
        if self.ending == End::Late && old.is_told() {
            self.hurried += u64::from(old.is_open());
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

    /// What those flows came to, and their number.
    pub fn rest(self) -> (Rows, u64) {
        (self.rows, self.untold)
    }
}

impl Heads<'_> {
    /// Concludes what a flow is by what was found before; when it is `late`, by what was told before. Whether more could
    /// have come of it.
    pub(super) fn give_up(&mut self, slot: &mut Slot, late: bool) -> bool {
        match std::mem::replace(&mut slot.stage, Stage::Silent) {
            Stage::Silent => slot.flow.bytes != [0, 0],
            Stage::Open(undecided) if late => {
                slot.flow.overlook();
                // The process is about to end, and to give the memory back would take longer than all else here.
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
