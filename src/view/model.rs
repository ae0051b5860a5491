//! What the view shows: the ports in an order, one of them selected, and what is known of the run.

use super::detail::Detail;
use super::line::{Cell, Line};
use super::series::Series;
use crate::packet::Transport;
use crate::report::ORDER;
use crate::verdict::{Counts, FlowRecord, RowKey, Rows, Verdict};
use std::cmp::Ordering;
use std::time::Duration;

/// Samples of all traffic that are kept.
const SAMPLES: usize = 600;
/// Time that a sample covers at least.
const SAMPLE: Duration = Duration::from_secs(1);

/// What the rows are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sort {
    /// What asks for attention first.
    #[default]
    Verdict,
    /// Port number.
    Port,
    /// The claim's name.
    Claim,
    /// What was observed.
    Observed,
    /// Packets per second.
    Rate,
    /// Payload bytes.
    Size,
}

impl Sort {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 6] = [Self::Verdict, Self::Port, Self::Claim, Self::Observed, Self::Rate, Self::Size];

    /// The next one, around.
    #[must_use]
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        *Self::ALL.iter().cycle().nth(place + 1).unwrap_or(&self)
    }
}

/// How much room the detail has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Pane {
    /// Beside the rows, or below them.
    #[default]
    Shared,
    /// All: the rows give way.
    Whole,
    /// None.
    Hidden,
}

impl Pane {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Shared => Self::Whole,
            Self::Whole => Self::Hidden,
            Self::Hidden => Self::Shared,
        }
    }
}

/// A live run at one time.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Since the run began.
    pub at: Duration,
    /// All rows by port.
    pub rows: &'a Rows,
    /// Frames by fate.
    pub counts: &'a Counts,
    /// Flows that go on.
    pub open: u64,
    /// All flows.
    pub flows: u64,
    /// Flows forced out for want of room.
    pub evicted: u64,
}

/// The state of the view.
#[derive(Clone, Debug)]
pub struct Model {
    /// What is captured on.
    pub title: String,
    /// Whether colours are wanted.
    pub colour: bool,
    /// What else is to be said: the last fault of the capture.
    pub notice: Option<String>,
    pub(super) sort: Sort,
    pub(super) reversed: bool,
    pub(super) filter: String,
    /// Whether keys go into the filter.
    pub(super) typing: bool,
    pub(super) paused: bool,
    pub(super) pane: Pane,
    pub(super) help: bool,
    /// All ports, by key.
    pub(super) lines: Vec<Line>,
    /// Places in `lines` of what the filter lets through, in order.
    pub(super) shown: Vec<usize>,
    selected: Option<RowKey>,
    /// Whether that was a choice; otherwise it is the first.
    pub(super) chosen: bool,
    /// First row on the screen.
    pub(super) offset: usize,
    pub(super) detail: Option<Detail>,
    pub(super) at: Duration,
    pub(super) counts: Counts,
    pub(super) open: u64,
    pub(super) flows: u64,
    pub(super) evicted: u64,
    pub(super) verdicts: Vec<(Verdict, usize)>,
    pub(super) rate: u64,
    pub(super) byte_rate: u64,
    pub(super) traffic: Series,
    /// The widest claim and observation drawn so far: columns that moved with every line would be hard to read.
    pub(super) widest: [usize; 3],
}

impl Model {
    /// Nothing seen yet.
    pub fn new(title: &str, colour: bool) -> Self {
        Self {
            title: title.to_owned(),
            colour,
            notice: None,
            sort: Sort::default(),
            reversed: false,
            filter: String::new(),
            typing: false,
            paused: false,
            pane: Pane::default(),
            help: false,
            lines: Vec::new(),
            shown: Vec::new(),
            selected: None,
            chosen: false,
            offset: 0,
            detail: None,
            at: Duration::ZERO,
            counts: Counts::default(),
            open: 0,
            flows: 0,
            evicted: 0,
            verdicts: Vec::new(),
            rate: 0,
            byte_rate: 0,
            traffic: Series::new(SAMPLES),
            widest: [0; 3],
        }
    }

    /// Whether enough time has passed for another [`Self::update`].
    pub fn is_due(&self, at: Duration) -> bool {
        !self.paused && (self.at.is_zero() || at.saturating_sub(self.at) >= SAMPLE)
    }

    /// Takes what was seen so far. Nothing changes while the view is paused.
    pub fn update(&mut self, seen: &Seen<'_>) {
        if self.paused {
            return;
        }
        let elapsed = seen.at.saturating_sub(self.at).as_secs_f64().max(0.001);
        let per_second = |now: u64, before: u64| (now.saturating_sub(before) as f64 / elapsed).round() as u64;
        // Lines and rows both go by key. A scan leaves tens of thousands that never change again.
        let mut before = std::mem::take(&mut self.lines).into_iter().peekable();
        self.lines = Vec::with_capacity(seen.rows.len());
        for row in seen.rows.iter() {
            while before.next_if(|line| line.key < row.key).is_some() {}
            let old = before.next_if(|line| line.key == row.key);
            let packets = old.as_ref().map_or(0, |line| line.packets);
            let Some(mut line) = Line::of(row, old) else { continue };
            line.sample(per_second(line.packets, packets));
            self.lines.push(line);
        }
        self.rate = per_second(seen.counts.received, self.counts.received);
        self.byte_rate = per_second(seen.counts.bytes, self.counts.bytes);
        self.traffic.push(self.rate);
        self.counts = *seen.counts;
        (self.at, self.open, self.flows, self.evicted) = (seen.at, seen.open, seen.flows, seen.evicted);
        self.verdicts = ORDER.map(|verdict| (verdict, 0)).to_vec();
        for line in &self.lines {
            self.verdicts.iter_mut().filter(|(verdict, _)| *verdict == line.verdict).for_each(|(_, n)| *n += 1);
        }
        self.verdicts.retain(|(_, n)| *n > 0);
        self.arrange();
        let row = self.selected.and_then(|key| seen.rows.get(key));
        self.detail = row.map(|row| Detail::of(row, self.detail.take()));
    }

    /// The number of the flow whose evidence the detail pane wants.
    pub fn wanted_flow(&self) -> Option<u64> {
        self.detail.as_ref().filter(|_| self.pane != Pane::Hidden && !self.paused).map(|detail| detail.flow)
    }

    /// Takes the flow asked for, with the process that owns it, if that is known.
    pub fn explain(&mut self, flow: &FlowRecord<'_>, process: Option<String>) {
        if let Some(detail) = &mut self.detail {
            detail.explain(flow, process);
        }
    }

    /// Sorts and filters.
    pub(super) fn arrange(&mut self) {
        let wanted: Vec<String> = self.filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |line: &Line| {
            if wanted.is_empty() {
                return true;
            }
            let text = Cell::ALL.map(|cell| line.cell(cell)).join(" ").to_lowercase();
            wanted.iter().all(|word| text.contains(word))
        };
        let lines = &self.lines;
        self.shown = lines.iter().enumerate().filter(|(_, line)| fits(line)).map(|(place, _)| place).collect();
        let (sort, reversed) = (self.sort, self.reversed);
        // Those of equal rank stay in the order of their keys.
        self.shown.sort_by(|a, b| {
            let (Some(a), Some(b)) = (lines.get(*a), lines.get(*b)) else { return Ordering::Equal };
            let order = match sort {
                Sort::Verdict => a.rank().cmp(&b.rank()),
                Sort::Port => a.key.cmp(&b.key),
                Sort::Claim => a.claim.cmp(&b.claim),
                Sort::Observed => a.observed.cmp(&b.observed),
                Sort::Rate => b.rate.cmp(&a.rate),
                Sort::Size => b.bytes.cmp(&a.bytes),
            };
            if reversed { order.reverse() } else { order }
        });
        if self.place().is_none() {
            self.chosen = false;
        }
        if !self.chosen {
            self.select(0);
        }
    }

    /// The lines shown, in order.
    pub(super) fn shown_lines(&self) -> impl Iterator<Item = &Line> {
        self.shown.iter().filter_map(|place| self.lines.get(*place))
    }

    /// Where the selected line is among those shown.
    pub(super) fn place(&self) -> Option<usize> {
        let selected = self.selected?;
        self.shown_lines().position(|line| line.key == selected)
    }

    /// Selects the line at this place, or the last.
    pub(super) fn select(&mut self, place: usize) {
        let place = place.min(self.shown.len().saturating_sub(1));
        let key = self.shown_lines().nth(place).map(|line| line.key);
        if key != self.selected {
            self.detail = None;
        }
        self.selected = key;
    }

    /// Moves the selection by so many lines.
    pub(super) fn step(&mut self, lines: isize) {
        let place = self.place().unwrap_or(0);
        self.select(place.saturating_add_signed(lines));
    }

    /// The port and transport selected.
    pub fn selection(&self) -> Option<(u16, Transport)> {
        self.selected.map(|key| (key.port, key.transport))
    }

    /// Shows the detail of the selected row at once, whether or not an update is due.
    pub fn show_detail(&mut self, rows: &Rows) {
        if self.detail.is_none()
            && let Some(row) = self.selected.and_then(|key| rows.get(key))
        {
            self.detail = Some(Detail::of(row, None));
        }
    }

    /// Moves the first row on the screen so that the selected one is among `height`.
    pub(super) fn scroll(&mut self, height: usize) {
        let place = self.place().unwrap_or(0);
        let most = self.shown.len().saturating_sub(height);
        let first = place.saturating_sub(height.saturating_sub(1));
        self.offset = self.offset.clamp(first.min(place), place.max(first)).min(most);
    }
}
