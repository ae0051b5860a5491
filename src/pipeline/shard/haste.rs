//! The end of a live run when there is no time left: packets are counted, and no recogniser is asked any more.

use super::Shard;
use super::heads::Heads;
use super::slot::{Slot, Stage};
use crate::verdict::Rows;

impl Shard<'_> {
    /// From now on only what is quick is done. Flows that are forced out, and that whoever watches does not know of, are in
    /// the rows of [`Self::rest`] and told no other way.
    pub fn make_haste(&mut self) {
        self.hasty = true;
    }

    /// What those flows came to, and their number.
    pub fn rest(self) -> (Rows, u64) {
        (self.rows, self.untold)
    }
}

impl Heads<'_> {
    /// Concludes what a flow is by what was found before. Whether more could have come of it.
    pub(super) fn give_up(&mut self, slot: &mut Slot) -> bool {
        match std::mem::replace(&mut slot.stage, Stage::Silent) {
            Stage::Silent => slot.flow.bytes != [0, 0],
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
