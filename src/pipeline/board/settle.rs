//! The end of a live run when there is no time left: flows are put into their rows one by one, and forgotten.

use super::{Board, Ended, Standing};
use crate::pipeline::ended::Change;
use crate::pipeline::event::{Event, Tell};
use crate::pipeline::merge::{self, Merged};
use crate::verdict::Rows;
use std::io;

impl Board<'_> {
    /// Takes what flows came to of which nothing was told before, and their number.
    pub(in crate::pipeline) fn absorb(&mut self, rows: Rows, flows: u64) {
        self.rows.absorb(rows);
        self.seen += flows;
    }

    /// Takes the last word of a flow, and lets go of it, when there is no time left to ask what it means for others. What is
    /// not the last is followed by it.
    pub(in crate::pipeline) fn settle(&mut self, change: Change, tell: &mut Tell<'_>) -> io::Result<()> {
        let Change::Judged(mut ended, Standing::Over) = change else { return Ok(()) };
        let id = (ended.flow.first_frame, ended.flow.key);
        let number = self.numbers.remove(&id);
        let mut known = number.and_then(|number| self.flows.remove(&number));
        let odds = |ended: &Ended| ended.decision.as_ref().map(|decision| decision.odds);
        if let Some(known) = &mut known
            && odds(&known.merged.ended) > odds(&ended)
        {
            // Others have strengthened it.
            ended.decision = known.merged.ended.decision.take();
        }
        let mut merged = merge::seat(ended, &self.arrivals, self.registry);
        if let Some(known) = &known {
            let Merged { announced, inherited, answered_elsewhere, .. } = known.merged;
            merged = Merged { announced, inherited, answered_elsewhere, ..merged };
        }
        self.company.lift(&mut merged);
        let tried = self.scans.enter(known.as_ref().and_then(|known| known.tried), &merged);
        merged.probe = tried.is_some_and(|tried| self.scans.is_probe(&tried));
        if let Some((share, _)) = known.and_then(|known| known.added) {
            self.rows.take_back(&share);
        }
        let number = number.unwrap_or_else(|| {
            self.seen += 1;
            self.seen
        });
        let record = merge::record(number, &merged, self.registry);
        self.rows.add(&record);
        if let Some(keeping) = &mut self.keeping {
            keeping.judged(id, &record);
        }
        tell(&record, Event::End)?;
        if let Some(tried) = tried {
            self.scans.forget(tried, merged.probe);
        }
        Ok(())
    }
}
