//! What the view shows: the ports in an order, one of them selected, and what is known of the run.

use super::detail::Detail;
use super::series::Series;
use crate::packet::Transport;
use crate::protocol::Band;
use crate::report::{ORDER, cells};
use crate::verdict::{Counts, FlowRecord, Observed, PortRow, RowKey, Rows, Verdict};
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

/// Samples of all traffic that are kept.
const SAMPLES: usize = 600;
/// Samples kept of a port.
const PORT_SAMPLES: usize = 60;
/// Time that a sample covers at least.
const SAMPLE: Duration = Duration::from_secs(1);
/// Samples that the rate of a port is the mean of: the counters of its flows come one after another.
const MEAN: usize = 3;

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

/// A port as a line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub key: RowKey,
    pub verdict: Verdict,
    band: Option<Band>,
    /// Verdict, port, claim, observed, sure, flows, size.
    pub cells: Vec<String>,
    pub rate: u64,
    flows: u64,
    packets: u64,
    bytes: u64,
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
    bytes: u64,
    pub(super) traffic: Series,
    ports: HashMap<RowKey, Series>,
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
            bytes: 0,
            traffic: Series::new(SAMPLES),
            ports: HashMap::new(),
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
        let mut before: HashMap<RowKey, Line> = self.lines.drain(..).map(|line| (line.key, line)).collect();
        self.lines.extend(seen.rows.iter().filter_map(|row| {
            let old = before.remove(&row.key);
            let packets = old.as_ref().map_or(0, |line| line.packets);
            // A scan leaves tens of thousands of rows that never change again.
            let mut line = match old {
                Some(old) if old.shows(row) => old,
                _ => line(row)?,
            };
            line.rate = per_second(line.packets, packets);
            Some(line)
        }));
        for line in &self.lines {
            if line.rate > 0 && !self.ports.contains_key(&line.key) {
                self.ports.insert(line.key, Series::new(PORT_SAMPLES));
            }
        }
        let rates: HashMap<RowKey, u64> = self.lines.iter().map(|line| (line.key, line.rate)).collect();
        self.ports.retain(|key, series| {
            series.push(rates.get(key).copied().unwrap_or(0));
            !series.is_flat()
        });
        for line in &mut self.lines {
            line.rate = self.ports.get(&line.key).map_or(0, |series| series.mean(MEAN));
        }
        let bytes = self.lines.iter().map(|line| line.bytes).sum();
        self.rate = per_second(seen.counts.received, self.counts.received);
        self.byte_rate = per_second(bytes, self.bytes);
        self.traffic.push(self.rate);
        self.bytes = bytes;
        self.counts = *seen.counts;
        (self.at, self.open, self.flows, self.evicted) = (seen.at, seen.open, seen.flows, seen.evicted);
        let count = |verdict| self.lines.iter().filter(|line| line.verdict == verdict).count();
        self.verdicts = ORDER.iter().map(|&verdict| (verdict, count(verdict))).filter(|(_, n)| *n > 0).collect();
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
        let (sort, reversed) = (self.sort, self.reversed);
        self.lines.sort_by(|a, b| {
            let order = match sort {
                Sort::Verdict => a.place().cmp(&b.place()),
                Sort::Port => a.key.cmp(&b.key),
                Sort::Claim => a.cell(2).cmp(b.cell(2)).then(a.key.cmp(&b.key)),
                Sort::Observed => a.cell(3).cmp(b.cell(3)).then(a.key.cmp(&b.key)),
                Sort::Rate => b.rate.cmp(&a.rate).then(a.key.cmp(&b.key)),
                Sort::Size => b.bytes.cmp(&a.bytes).then(a.key.cmp(&b.key)),
            };
            if reversed { order.reverse() } else { order }
        });
        let wanted: Vec<String> = self.filter.to_lowercase().split_whitespace().map(str::to_owned).collect();
        let fits = |line: &Line| {
            if wanted.is_empty() {
                return true;
            }
            let text = line.cells.join(" ").to_lowercase();
            wanted.iter().all(|word| text.contains(word))
        };
        self.shown = self.lines.iter().enumerate().filter(|(_, line)| fits(line)).map(|(place, _)| place).collect();
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

    /// The last samples of a port's rate.
    pub(super) fn port_traffic(&self, key: RowKey, width: usize) -> Vec<u64> {
        self.ports.get(&key).map_or_else(|| vec![0; width], |series| series.last(width))
    }

    /// Moves the first row on the screen so that the selected one is among `height`.
    pub(super) fn scroll(&mut self, height: usize) {
        let place = self.place().unwrap_or(0);
        let most = self.shown.len().saturating_sub(height);
        let first = place.saturating_sub(height.saturating_sub(1));
        self.offset = self.offset.clamp(first.min(place), place.max(first)).min(most);
    }
}

fn line(row: &PortRow) -> Option<Line> {
    let (shown, _) = row.shown()?;
    let (flows, packets, bytes) = row.totals();
    let cells = cells(row)?;
    Some(Line { key: row.key, verdict: shown.verdict, band: shown.band, cells, rate: 0, flows, packets, bytes })
}

impl Line {
    /// Whether it would be the same if it were made anew.
    fn shows(&self, row: &PortRow) -> bool {
        let same = |(shown, _): (&Observed, bool)| (shown.verdict, shown.band) == (self.verdict, self.band);
        row.totals() == (self.flows, self.packets, self.bytes) && row.shown().is_some_and(same)
    }

    fn place(&self) -> impl Ord + use<> {
        let rank = ORDER.iter().position(|verdict| *verdict == self.verdict);
        (rank, Reverse(self.band), Reverse(self.bytes), self.key)
    }

    /// The text of a cell.
    pub(super) fn cell(&self, place: usize) -> &str {
        self.cells.get(place).map_or("", String::as_str)
    }
}
