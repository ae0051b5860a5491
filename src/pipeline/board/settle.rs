//! The end of a live run when there is no time left: flows are put into their rows one by one.

use super::{Board, Ended, Known, Standing};
use crate::pipeline::ended::Change;
use crate::pipeline::event::{Event, Tell};
use crate::pipeline::merge::{self, Merged};
use crate::protocol::Bits;
use crate::verdict::{LeftOut, Rows};
use hashbrown::hash_map::Entry;
use std::io;

impl Board<'_> {
    /// Takes what flows came to of which nothing was told before, their number, and what is in no row; so are
    /// those for which there is no time.
    pub(in crate::pipeline) fn absorb(&mut self, rows: Rows, flows: u64, left: LeftOut, time: impl FnMut() -> bool) {
        let (more_flows, more_packets) = self.rows.absorb_in(rows, time);
        self.seen += flows + left.flows;
        self.left.flows += left.flows + more_flows;
        self.left.packets += left.packets + more_packets;
    }

    /// Takes news of a flow when there is no time left to ask what they mean for others. Whoever watches is told of flows that
    /// are over if there is time for that, which is when there is a `tell`.
    pub(in crate::pipeline) fn settle(&mut self, change: Change, tell: Option<&mut Tell<'_>>) -> io::Result<()> {
        let (ended, judged) = match change {
            Change::Judged(ended, standing) => (ended, Some(standing)),
            Change::Counted(flow) => (Ended::counted(flow), None),
            Change::Announced(..) => return Ok(()),
        };
        let id = (ended.flow.first_frame, ended.flow.key);
        let over = judged == Some(Standing::Over);
        let number = self.numbers.get(&id).copied().unwrap_or_else(|| {
            self.seen += 1;
            self.seen
        });
        let mut passing;
        let known = match self.flows.entry(number) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                if judged.is_some() {
                    known.merged.settle(ended, |ended| merge::seat(ended, &self.arrivals, self.registry));
                    self.company.lift(&mut known.merged);
                } else {
                    known.merged.ended.flow = ended.flow;
                }
                known
            }
            Entry::Vacant(place) => {
                let mut merged = merge::seat(ended, &self.arrivals, self.registry);
                self.company.lift(&mut merged);
                passing = Box::new(Known::new(id, merged));
                if over {
                    // Nobody will ask for it again.
                    &mut passing
                } else {
                    self.numbers.insert(id, number);
                    place.insert(passing)
                }
            }
        };
        let record = merge::record(number, &known.merged, self.registry);
        let adds = (self.rows.share(&record), record.decision.map_or(Bits::ZERO, |d| d.odds));
        match known.added.replace(adds) {
            Some((before, _)) => self.rows.replace(&before, &record),
            None => self.rows.add(&record),
        }
        if !over {
            return Ok(());
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.judged(id, &record);
        }
        tell.map_or(Ok(()), |tell| tell(&record, Event::End))
    }
}

impl Merged {
    /// Takes what the flow comes to now, and keeps what others have made of it.
    fn settle(&mut self, mut ended: Ended, seat: impl Fn(Ended) -> Self) {
        let odds = |ended: &Ended| ended.decision.as_ref().map(|decision| decision.odds);
        if odds(&self.ended) > odds(&ended) {
            ended.decision = self.ended.decision.take();
        }
        let Self { inherited, answered_elsewhere, probe, .. } = *self;
        let announced = self.announced.take();
        *self = Self { announced, inherited, answered_elsewhere, probe, ..seat(ended) };
    }
}
