//! A port as a line of the view.

use super::series::Series;
use crate::protocol::Band;
use crate::report::text::size;
use crate::report::{ORDER, claim_text, few, names_of, shown_bytes, sure};
use crate::verdict::{Observed, PortRow, RowKey, Verdict};
use std::borrow::Cow;
use std::cmp::Reverse;

/// Samples kept of a port's traffic.
const SAMPLES: usize = 60;
/// Samples that the rate is the mean of: the counters of a port's flows come one after another.
const MEAN: usize = 3;
/// Packets a second that a whole cell stands for at least: a knock is no storm.
const LEAST: u64 = 8;

/// What a line has to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cell {
    Verdict,
    Port,
    Claim,
    Observed,
    Sure,
    Flows,
    Size,
}

impl Cell {
    pub(super) const ALL: [Self; 7] =
        [Self::Verdict, Self::Port, Self::Claim, Self::Observed, Self::Sure, Self::Flows, Self::Size];
}

/// A port. Its texts are made when they are drawn, but for those that lines are sorted by.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) key: RowKey,
    pub(super) verdict: Verdict,
    /// It is only likely.
    likely: bool,
    band: Option<Band>,
    pub(super) claim: String,
    pub(super) observed: String,
    /// Packets per second.
    pub(super) rate: u64,
    /// The last rates, as long as they are not all 0.
    traffic: Option<Box<Series>>,
    /// Flows of what is shown, and all.
    flows: (u64, u64),
    pub(super) packets: u64,
    /// Payload bytes of all flows, and of what is shown.
    pub(super) bytes: u64,
    shown_bytes: u64,
}

impl Line {
    /// The line of a row. What was known of it before stays as far as it is still true.
    pub(super) fn of(row: &PortRow, before: Option<Self>) -> Option<Self> {
        let (shown, likely) = row.shown()?;
        let (flows, packets, bytes) = row.totals();
        if let Some(known) = before {
            if (known.flows.1, known.packets, known.bytes) == (flows, packets, bytes) && known.shows(shown) {
                return Some(known);
            }
            return Self::of(row, None).map(|line| Self { traffic: known.traffic, ..line });
        }
        Some(Self {
            key: row.key,
            verdict: shown.verdict,
            likely,
            band: shown.band,
            claim: claim_text(row),
            observed: names_of(shown),
            rate: 0,
            traffic: None,
            flows: (shown.flows, flows),
            packets,
            bytes,
            shown_bytes: shown_bytes(row, shown),
        })
    }

    fn shows(&self, shown: &Observed) -> bool {
        (shown.verdict, shown.band, shown.flows) == (self.verdict, self.band, self.flows.0)
    }

    /// Takes the latest packets per second.
    pub(super) fn sample(&mut self, rate: u64) {
        if rate > 0 || self.traffic.is_some() {
            self.traffic.get_or_insert_with(|| Box::new(Series::new(SAMPLES))).push(rate);
        }
        if self.traffic.as_ref().is_some_and(|series| series.is_flat()) {
            self.traffic = None;
        }
        self.rate = self.traffic.as_ref().map_or(0, |series| series.mean(MEAN));
    }

    /// The last samples of its rate, and what a whole cell stands for.
    pub(super) fn traffic(&self, width: usize) -> (Vec<u64>, u64) {
        let none = || (vec![0; width], LEAST);
        self.traffic.as_ref().map_or_else(none, |series| (series.last(width), series.peak().max(LEAST)))
    }

    /// Its place among others by verdict.
    pub(super) fn rank(&self) -> impl Ord + use<> {
        let rank = ORDER.iter().position(|verdict| *verdict == self.verdict);
        (rank, Reverse(self.band), Reverse(self.bytes))
    }

    /// The text of a cell.
    pub(super) fn cell(&self, cell: Cell) -> Cow<'_, str> {
        let (flows, all) = self.flows;
        match cell {
            Cell::Verdict => format!("{}{}", self.verdict, if self.likely { "?" } else { "" }).into(),
            Cell::Port => format!("{}/{}", self.key.port, self.key.transport).into(),
            Cell::Claim => self.claim.as_str().into(),
            Cell::Observed => self.observed.as_str().into(),
            Cell::Sure => sure(self.band).into(),
            Cell::Flows if flows == all => few(all).into(),
            Cell::Flows => format!("{}/{}", few(flows), few(all)).into(),
            Cell::Size => size(self.shown_bytes).into(),
        }
    }
}
