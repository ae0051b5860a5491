//! What a live run comes to so far: the merge, one change at a time.
//!
//! Workers tell what their flows come to; the board keeps the flows it needs to judge (those that go on and the latest
//! that are over), and of the others only what they added to their rows. It comes to what [`super::merge`] comes to over
//! the same flows, as long as none of them was forgotten.

use super::keep::{Held, Keeping};
use super::merge::{self, Company, End, FAN_IN, Merged};
use super::shard::{Change, Ended, Standing};
use super::{announced, probing};
use crate::flow::{Dir, FlowKey};
use crate::packet::{FragmentCounts, Time, TunnelCounts};
use crate::protocol::{Band, Bits};
use crate::registry::Registry;
use crate::verdict::{Counts, FlowRecord, IpProto, Rows, Share, Verdict};
use hashbrown::HashMap;
use std::collections::VecDeque;
use std::io;

/// Flows that are over and kept, in case others throw a light on them.
const RECENT: usize = 16_384;
/// Ends and sessions of which something is known from earlier flows.
const KNOWN: usize = 1 << 17;
/// Flows of one end that are judged anew when more is known of it.
const REVISED: usize = 16;

/// What identifies a flow: its first frame, and its key, since a frame may carry several.
pub(super) type Id = (u64, FlowKey);

/// What happened to a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is judged for the first time.
    New,
    /// It is judged otherwise than before.
    Change,
    /// It is over.
    End,
}

impl Event {
    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Change => "change",
            Self::End => "end",
        }
    }
}

/// Takes the flows whose judgement is new, changed or final.
pub type Tell<'t> = dyn FnMut(&FlowRecord<'_>, Event) -> io::Result<()> + 't;

/// A capture thread's side, as it stands.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Frames by fate.
    pub counts: Counts,
    /// First and last packet.
    pub span: Option<(Time, Time)>,
    /// Traffic without ports.
    pub ipprotos: Vec<IpProto>,
    /// What became of fragmented datagrams.
    pub fragments: FragmentCounts,
    /// Tunnels opened.
    pub tunnels: TunnelCounts,
}

impl Taken {
    /// Adds another capture thread's.
    pub(super) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((a, b))) => Some((first.min(a), last.max(b))),
            (known, other) => known.or(other),
        };
        for kind in &other.ipprotos {
            match self.ipprotos.iter_mut().find(|known| known.protocol == kind.protocol) {
                Some(known) => {
                    known.packets += kind.packets;
                    known.bytes += kind.bytes;
                }
                None => self.ipprotos.push(kind.clone()),
            }
        }
        self.fragments.add(&other.fragments);
        for (kind, opened) in &other.tunnels {
            *self.tunnels.entry(*kind).or_default() += opened;
        }
    }
}

/// What was told of a flow last.
type Told = (Verdict, &'static str, Option<Band>);

#[derive(Debug)]
struct Known {
    number: u64,
    merged: Merged,
    standing: Standing,
    share: Share,
    odds: Bits,
    /// It counts among the arrivals at its ends.
    arrived: bool,
    /// What was told last, and whether as the end.
    told: Option<(Told, bool)>,
}

/// A live run so far.
#[derive(Debug)]
pub struct Board<'a> {
    registry: &'a Registry,
    rows: Rows,
    flows: HashMap<Id, Known>,
    over: VecDeque<Id>,
    numbers: u64,
    arrivals: HashMap<End, i64>,
    company: Company,
    /// Undecided questions by the end that may answer them: who serves, and is it what is suspected.
    open: HashMap<End, Vec<Id>>,
    linked: HashMap<u64, Vec<Id>>,
    /// Flows forced out because there was no room for more.
    pub evicted: u64,
    /// Flows judged on fewer packets than usual because the heads' memory was full.
    pub hurried: u64,
    /// The capture threads' side.
    pub taken: Taken,
    /// Packets being saved.
    pub keeping: Option<Keeping>,
}

impl<'a> Board<'a> {
    /// Nothing so far.
    pub(super) fn new(registry: &'a Registry, by_endpoint: bool) -> Self {
        Self {
            registry,
            rows: Rows::new(by_endpoint),
            flows: HashMap::new(),
            over: VecDeque::new(),
            numbers: 0,
            arrivals: HashMap::new(),
            company: Company::default(),
            open: HashMap::new(),
            linked: HashMap::new(),
            evicted: 0,
            hurried: 0,
            taken: Taken::default(),
            keeping: None,
        }
    }

    /// Takes a frame of a flow whose packets may be wanted.
    pub(super) fn keep(&mut self, held: Held) {
        let Some(keeping) = &mut self.keeping else { return };
        let known = self.flows.get(&held.id).filter(|known| known.told.is_some());
        let record = known.map(|known| merge::record(known.number, &known.merged, self.registry));
        let judged = record.as_ref().map(|record| (keeping.wanted.takes(record), record));
        keeping.frame(held, judged);
    }

    /// One row per port (or endpoint), of all flows so far.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// Flows seen so far.
    pub fn flows(&self) -> u64 {
        self.numbers
    }

    /// Flows that go on.
    pub fn flows_open(&self) -> usize {
        self.flows.len() - self.over.len()
    }

    /// The flows at hand, in no order: those that go on and the latest that are over.
    pub fn records(&self) -> impl Iterator<Item = FlowRecord<'_>> {
        self.flows.values().map(|known| merge::record(known.number, &known.merged, self.registry))
    }

    /// The flow of this number, if it is still at hand.
    pub fn record(&self, number: u64) -> Option<FlowRecord<'_>> {
        let known = self.flows.values().find(|known| known.number == number)?;
        Some(merge::record(known.number, &known.merged, self.registry))
    }

    /// Takes news of a flow.
    ///
    /// # Errors
    /// Those of `tell`.
    pub(super) fn take(&mut self, change: Change, tell: &mut Tell<'_>) -> io::Result<()> {
        let (ended, standing) = match change {
            Change::Judged(ended, standing) => (ended, standing),
            Change::Counted(flow) => match self.flows.get_mut(&(flow.first_frame, flow.key)) {
                Some(known) => {
                    known.merged.ended.flow = flow;
                    let id = (known.merged.ended.flow.first_frame, known.merged.ended.flow.key);
                    return self.judge(id, tell);
                }
                None => {
                    (Ended { flow, decision: None, complete: false, lossy: [false; 2], heard: None }, Standing::Open)
                }
            },
        };
        let id = (ended.flow.first_frame, ended.flow.key);
        let by_itself = merge::ends_by_itself(&ended);
        let merged = merge::seat(ended, &self.arrivals, self.registry);
        let was_over = match self.flows.get_mut(&id) {
            Some(known) => {
                known.merged = merged;
                std::mem::replace(&mut known.standing, standing) == Standing::Over
            }
            None => {
                self.numbers += 1;
                let record = merge::record(self.numbers, &merged, self.registry);
                let share = self.rows.share(&record);
                self.rows.add(&record);
                let odds = odds(&record);
                let known = Known { number: self.numbers, merged, standing, share, odds, arrived: false, told: None };
                self.flows.insert(id, known);
                false
            }
        };
        let crossed = self.arrive(id, by_itself);
        self.ask(id);
        self.judge(id, tell)?;
        for end in crossed {
            self.revise(end, tell)?;
        }
        if standing == Standing::Over && !was_over {
            self.over.push_back(id);
            while self.over.len() > RECENT {
                self.forget();
            }
        }
        Ok(())
    }

    /// The end: flows that others announced are filed with them, and probes are told from clients. Both need to see all
    /// flows side by side; those that were forgotten by then are not among them.
    ///
    /// # Errors
    /// Those of `tell`.
    pub(super) fn settle(&mut self, tell: &mut Tell<'_>) -> io::Result<()> {
        let mut flows: Vec<(Id, Known)> = self.flows.drain().collect();
        flows.sort_unstable_by_key(|(id, _)| *id);
        let numbers: Vec<u64> = flows.iter().map(|(_, known)| known.number).collect();
        let (rest, mut merged): (Vec<_>, Vec<_>) = flows
            .into_iter()
            .map(|(id, Known { number, merged, standing, share, odds, arrived, told })| {
                ((id, number, standing, share, odds, arrived, told), merged)
            })
            .unzip();
        announced::settle(&mut merged, self.registry);
        self.rows.probers = probing::find(&mut merged);
        let mut ids = Vec::with_capacity(merged.len());
        for ((id, number, standing, share, odds, arrived, told), mut merged) in rest.into_iter().zip(merged) {
            if let Some(announced) = &mut merged.announced {
                // It was counted by place; flows have numbers of their own here.
                announced.by = numbers.get((announced.by as usize).saturating_sub(1)).copied().unwrap_or_default();
            }
            ids.push(id);
            self.flows.insert(id, Known { number, merged, standing, share, odds, arrived, told });
        }
        ids.into_iter().try_for_each(|id| self.judge(id, tell))
    }

    /// Counts the flow among those that came to its responder, unless it shows by itself who serves. Gives the ends that
    /// have become places many come to, or ceased to be.
    fn arrive(&mut self, id: Id, by_itself: bool) -> Vec<End> {
        let Some(known) = self.flows.get_mut(&id) else { return Vec::new() };
        let counts = !by_itself;
        if counts == known.arrived {
            return Vec::new();
        }
        known.arrived = counts;
        let (flow, key) = (&known.merged.ended.flow, &known.merged.ended.flow.key);
        let sign = if counts { 1 } else { -1 };
        let ends = [(Dir::Responder, sign), (Dir::Originator, -sign)]
            .map(|(dir, change)| ((flow.end(dir), key.transport, key.tunnel), change));
        if self.arrivals.len() > KNOWN {
            self.arrivals.retain(|_, n| *n >= FAN_IN);
            if self.arrivals.len() > KNOWN / 2 {
                self.arrivals.clear();
            }
        }
        let mut crossed = Vec::new();
        for (end, change) in ends {
            let n = self.arrivals.entry(end).or_default();
            let before = *n >= FAN_IN;
            *n += change;
            if before != (*n >= FAN_IN) {
                crossed.push(end);
            }
        }
        crossed
    }

    /// Notes what may throw a light on the flow later.
    fn ask(&mut self, id: Id) {
        let Some(known) = self.flows.get(&id) else { return };
        let decision = known.merged.ended.decision.as_deref();
        let suspicion = decision.filter(|d| d.band != Some(Band::Certain) && d.protocol.or(d.suspected).is_some());
        let note = |list: &mut Vec<Id>| {
            if list.len() < REVISED && !list.contains(&id) {
                list.push(id);
            }
        };
        if self.open.len() + self.linked.len() > KNOWN {
            self.open.clear();
            self.linked.clear();
        }
        if known.arrived || suspicion.is_some() {
            known.merged.ends().into_iter().for_each(|end| note(self.open.entry(end).or_default()));
        }
        if suspicion.is_some() {
            known.merged.marks().into_iter().for_each(|mark| note(self.linked.entry(mark).or_default()));
        }
    }

    /// Judges anew the flows of which an end could tell more.
    fn revise(&mut self, end: End, tell: &mut Tell<'_>) -> io::Result<()> {
        let ids = self.open.get(&end).cloned().unwrap_or_default();
        ids.into_iter().try_for_each(|id| self.judge(id, tell))
    }

    /// Judges a flow with all that is known, puts it into its row, and tells it if that is news. A flow that has become
    /// certain may then throw a light on others.
    fn judge(&mut self, id: Id, tell: &mut Tell<'_>) -> io::Result<()> {
        let Some(known) = self.flows.get_mut(&id) else { return Ok(()) };
        if known.merged.announced.is_none() {
            known.merged.reseat(&self.arrivals, self.registry);
        }
        self.company.lift(&mut known.merged);
        let record = merge::record(known.number, &known.merged, self.registry);
        let share = self.rows.share(&record);
        let odds = odds(&record);
        if share != known.share || odds != known.odds {
            self.rows.take_back(&known.share);
            self.rows.add(&record);
            (known.share, known.odds) = (share, odds);
        }
        let band = record.decision.and_then(|d| d.band);
        let now = (record.judgement.verdict, record.protocol(), band);
        let over = known.standing == Standing::Over;
        let event = match known.told {
            Some((before, true)) if before == now => None,
            _ if over => Some(Event::End),
            Some((before, _)) => (before != now).then_some(Event::Change),
            // What is still being asked about and has no name yet is no news.
            None => (known.standing == Standing::Decided || band.is_some()).then_some(Event::New),
        };
        if let Some(event) = event {
            if let Some(keeping) = &mut self.keeping {
                keeping.judged(id, &record);
            }
            tell(&record, event)?;
            known.told = Some((now, over));
        }
        if band != Some(Band::Certain) {
            return Ok(());
        }
        let before = self.company.len();
        self.company.learn(&known.merged);
        if self.company.len() == before {
            return Ok(());
        }
        let end = known.merged.server_end();
        let marks = known.merged.marks();
        if self.company.len() > KNOWN {
            self.company = Company::default();
        }
        self.revise(end, tell)?;
        for mark in marks {
            for other in self.linked.get(&mark).cloned().unwrap_or_default() {
                self.judge(other, tell)?;
            }
        }
        Ok(())
    }

    /// Lets go of the flow that has been over longest. What it added to its row stays.
    fn forget(&mut self) {
        let Some(id) = self.over.pop_front() else { return };
        let Some(known) = self.flows.remove(&id) else { return };
        for end in known.merged.ends() {
            if let Some(list) = self.open.get_mut(&end) {
                list.retain(|other| *other != id);
                if list.is_empty() {
                    self.open.remove(&end);
                }
            }
        }
        for mark in known.merged.marks() {
            if let Some(list) = self.linked.get_mut(&mark) {
                list.retain(|other| *other != id);
                if list.is_empty() {
                    self.linked.remove(&mark);
                }
            }
        }
    }
}

fn odds(record: &FlowRecord<'_>) -> Bits {
    record.decision.map_or(Bits::ZERO, |d| d.odds)
}
