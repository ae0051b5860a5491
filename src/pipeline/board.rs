//! What a live run comes to so far: the merge, one change at a time.
//!
//! Workers tell what their flows come to; the board keeps the flows it needs to judge (those that go on and the latest
//! that are over), and of the others only what they added to their rows. It comes to what [`super::merge`] comes to over
//! the same flows, as long as none of them was forgotten.

mod settle;

use super::announced::{Heard, Offers};
use super::arrivals::Arrivals;
use super::ended::{Change, Ended, Standing};
use super::event::{Event, Tell, Told};
use super::keep::{Held, Keeping};
use super::merge::{self, Company, Merged};
use super::moved;
use super::questions::{KNOWN, Questions};
use super::scans::{Scans, Tried};
use super::taken::Taken;
use crate::flow::FlowKey;
use crate::packet::Time;
use crate::protocol::{Band, Bits};
use crate::registry::Registry;
use crate::verdict::{FlowRecord, LeftOut, RowKey, Rows, Share};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::collections::VecDeque;
use std::io;

/// Flows that are over and kept, in case others throw a light on them.
const RECENT: usize = 16_384;
/// What identifies a flow: its first frame, and its key, since a frame may carry several.
pub(super) type Id = (u64, FlowKey);

/// A flow at hand.
#[derive(Debug)]
struct Known {
    id: Id,
    merged: Merged,
    standing: Standing,
    /// What it added to its row.
    added: Option<(Share, Bits)>,
    /// It counts among the arrivals at its ends.
    arrived: bool,
    /// What it is among what its source tried.
    tried: Option<Tried>,
    /// How many of its announcements are known.
    offered: usize,
    /// What was told last, and whether as the end.
    told: Option<(Told, bool)>,
}

impl Known {
    fn new(id: Id, merged: Merged) -> Self {
        let standing = Standing::Open;
        Self { id, merged, standing, added: None, arrived: false, tried: None, offered: 0, told: None }
    }
}

/// A live run so far.
#[derive(Debug)]
pub struct Board<'a> {
    registry: &'a Registry,
    by_endpoint: bool,
    rows: Rows,
    /// The flows at hand, by number. Boxed, since the table has room for more than there are.
    flows: HashMap<u64, Box<Known>>,
    numbers: HashMap<Id, u64>,
    /// Those that are over, in this order.
    over: VecDeque<u64>,
    seen: u64,
    arrivals: Arrivals,
    company: Company,
    questions: Questions,
    offers: Offers,
    /// Something was announced since the last survey.
    announced: bool,
    /// A flow that may go on in another was judged since the last survey.
    numbered: bool,
    scans: Scans,
    latest: Time,
    /// Flows to be judged anew, because more is known of others.
    again: Vec<u64>,
    /// Flows forced out because there was no room for more.
    pub evicted: u64,
    /// Flows judged on fewer packets than usual because the heads' memory was full, or the run ended.
    pub hurried: u64,
    /// What the run's end left no time to put into rows.
    pub left: LeftOut,
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
            by_endpoint,
            rows: Rows::new(by_endpoint),
            flows: HashMap::new(),
            numbers: HashMap::new(),
            over: VecDeque::new(),
            seen: 0,
            arrivals: Arrivals::default(),
            company: Company::default(),
            questions: Questions::default(),
            offers: Offers::default(),
            announced: false,
            numbered: false,
            scans: Scans::default(),
            latest: Time::default(),
            again: Vec::new(),
            evicted: 0,
            hurried: 0,
            left: LeftOut::default(),
            taken: Taken::default(),
            keeping: None,
        }
    }

    /// Takes a packet of a flow whose packets may be wanted.
    pub(super) fn keep(&mut self, held: Held) {
        let Some(keeping) = &mut self.keeping else { return };
        let number = self.numbers.get(&held.id).copied();
        let known = number.and_then(|n| self.flows.get(&n).map(|known| (n, known)));
        let record = known
            .filter(|(_, known)| known.told.is_some())
            .map(|(number, known)| merge::record(number, &known.merged, self.registry));
        let judged = record.as_ref().map(|record| (keeping.wanted.takes(record), record));
        keeping.packet(held, judged);
    }

    /// One row per port (or endpoint), of all flows so far.
    pub fn rows(&self) -> &Rows {
        &self.rows
    }

    /// The same, to be lent out.
    pub fn rows_mut(&mut self) -> &mut Rows {
        &mut self.rows
    }

    /// Flows seen so far.
    pub fn flows(&self) -> u64 {
        self.seen
    }

    /// Flows that go on.
    pub fn flows_open(&self) -> usize {
        self.flows.len() - self.over.len()
    }

    /// The flows at hand, in no order: those that go on and the latest that are over.
    pub fn records(&self) -> impl Iterator<Item = FlowRecord<'_>> {
        self.flows.iter().map(|(number, known)| merge::record(*number, &known.merged, self.registry))
    }

    /// The flow of this number, if it is still at hand.
    pub fn record(&self, number: u64) -> Option<FlowRecord<'_>> {
        self.flows.get(&number).map(|known| merge::record(number, &known.merged, self.registry))
    }

    /// Takes news of a flow.
    ///
    /// # Errors
    /// Those of `tell`.
    pub(super) fn take(&mut self, change: Change, tell: &mut Tell<'_>) -> io::Result<()> {
        match change {
            Change::Judged(ended, standing) => self.place(ended, standing),
            Change::Counted(flow) => match self.at((flow.first_frame, flow.key)) {
                Some((number, known)) => {
                    known.merged.ended.flow = flow;
                    self.again.push(number);
                }
                None => self.place(Ended::counted(flow), Standing::Open),
            },
            Change::Announced(id, heard) => self.hear(id, heard),
        }
        self.judge_again(tell)?;
        while self.over.len() > RECENT {
            self.forget();
        }
        Ok(())
    }

    fn at(&mut self, id: Id) -> Option<(u64, &mut Known)> {
        let number = *self.numbers.get(&id)?;
        self.flows.get_mut(&number).map(|known| (number, &mut **known))
    }

    /// Takes what a flow comes to by itself.
    fn place(&mut self, ended: Ended, standing: Standing) {
        let id = (ended.flow.first_frame, ended.flow.key);
        self.latest = self.latest.max(ended.flow.last);
        let counts = !merge::ends_by_itself(&ended);
        let merged = merge::seat(ended, &self.arrivals, self.registry);
        let number = *self.numbers.entry(id).or_insert_with(|| {
            self.seen += 1;
            self.seen
        });
        let known = match self.flows.entry(number) {
            Entry::Occupied(known) => {
                let known = known.into_mut();
                known.merged = Merged { answered_elsewhere: known.merged.answered_elsewhere, ..merged };
                known
            }
            Entry::Vacant(place) => place.insert(Box::new(Known::new(id, merged))),
        };
        self.again.push(number);
        self.numbered |= moved::may_move(&known.merged);
        if std::mem::replace(&mut known.standing, standing) != Standing::Over && standing == Standing::Over {
            self.over.push_back(number);
        }
        let suspected = is_suspected(&known.merged);
        if counts || suspected {
            self.questions.note(number, &known.merged, suspected);
        }
        if std::mem::replace(&mut known.arrived, counts) != counts {
            self.arrivals.bound(KNOWN);
            for end in self.arrivals.count(&known.merged.ended, counts).into_iter().flatten() {
                self.again.extend(self.questions.of_end(&end));
            }
        }
        let offered = self.offers.learn(number, &known.merged, known.offered);
        self.announced |= std::mem::replace(&mut known.offered, offered) < offered;
    }

    /// Takes what a flow announced since it was judged.
    fn hear(&mut self, id: Id, heard: Heard) {
        let Some(known) = self.numbers.get(&id).and_then(|number| self.flows.get_mut(number)) else { return };
        match &mut known.merged.ended.heard {
            Some(known) => known.append(heard),
            none => *none = Some(Box::new(heard)),
        }
        let number = self.numbers.get(&id).copied().unwrap_or_default();
        let offered = self.offers.learn(number, &known.merged, known.offered);
        self.announced |= std::mem::replace(&mut known.offered, offered) < offered;
    }

    /// Judges anew the flows of which more is known now, and those that this throws a light on.
    fn judge_again(&mut self, tell: &mut Tell<'_>) -> io::Result<()> {
        let mut next = 0;
        while let Some(&number) = self.again.get(next) {
            next += 1;
            self.judge(number, tell)?;
        }
        self.again.clear();
        Ok(())
    }

    /// Looks at all flows side by side: those that others announced are filed with them, probes are told from clients, and
    /// flows that go on in others are linked to them. To be called now and then, and at the end.
    ///
    /// # Errors
    /// Those of `tell`.
    pub(super) fn survey(&mut self, tell: &mut Tell<'_>) -> io::Result<()> {
        let sources = self.scans.survey();
        let announced = std::mem::take(&mut self.announced);
        if !sources.is_empty() {
            self.rows.probers = self.scans.probers();
        }
        for (end, transport, flows) in self.scans.take_unmarked() {
            let server = self.by_endpoint.then_some(end.ip);
            self.rows.probed(RowKey { port: end.port, transport, server }, flows);
        }
        if announced || !sources.is_empty() {
            let probes = |known: &Known| {
                let tried = known.tried.filter(|tried| sources.contains(&tried.source));
                tried.is_some_and(|tried| self.scans.is_probe(&tried) != known.merged.probe)
            };
            let offered = |number, known: &Known| {
                announced && known.merged.announced.is_none() && known.merged.offered(number, &self.offers).is_some()
            };
            let news = self.flows.iter().filter(|(number, known)| probes(known) || offered(**number, known));
            self.again = news.map(|(number, _)| *number).collect();
            self.again.sort_unstable();
        }
        self.offers.make_room(KNOWN, self.latest);
        if std::mem::take(&mut self.numbered) {
            self.link();
        }
        self.judge_again(tell)
    }

    /// Links the flows that go on in others.
    fn link(&mut self) {
        let moving = self.flows.iter().filter(|(_, known)| moved::may_move(&known.merged));
        let mut moving: Vec<(Id, u64)> = moving.map(|(number, known)| (known.id, *number)).collect();
        moving.sort_unstable();
        let flows = moving.iter().filter_map(|(_, n)| self.flows.get(n).map(|known| (*n, &known.merged)));
        let pairs = moved::pairs(flows);
        if !pairs.is_empty() {
            let mut flows = self.flows.iter_mut().map(|(number, known)| (*number, &mut known.merged)).collect();
            self.again.extend(moved::tell(&pairs, &mut flows));
        }
    }

    /// Files the flow with the one that announced it, if there is one.
    fn file(&mut self, number: u64) {
        let Some(known) = self.flows.get_mut(&number) else { return };
        if known.merged.announced.is_none() {
            let offer = if self.offers.is_empty() { None } else { known.merged.offered(number, &self.offers) };
            let Some(offer) = offer.filter(|offer| known.merged.accept(offer)) else { return };
            if offer.strict
                && let Some(announcer) = self.flows.get_mut(&offer.announced.by)
                && !std::mem::replace(&mut announcer.merged.answered_elsewhere, true)
            {
                self.again.push(offer.announced.by);
            }
        }
        let by = self.flows.get(&number).and_then(|known| known.merged.announced.as_ref()).map(|by| by.by);
        // What is no longer at hand was judged while it was.
        let Some(announcer) = by.and_then(|by| self.flows.get(&by)) else { return };
        let inherited = merge::record(0, &announcer.merged, self.registry).judgement;
        if let Some(known) = self.flows.get_mut(&number) {
            known.merged.inherited = Some(inherited);
        }
    }

    /// Judges a flow with all that is known, puts it into its row, and tells it if that is news. A flow that has become
    /// certain may then throw a light on others.
    fn judge(&mut self, number: u64, tell: &mut Tell<'_>) -> io::Result<()> {
        self.file(number);
        let Some(known) = self.flows.get_mut(&number) else { return Ok(()) };
        if known.merged.announced.is_none() {
            known.merged.reseat(&self.arrivals, self.registry);
        }
        self.company.lift(&mut known.merged);
        known.tried = self.scans.enter(known.tried, &known.merged);
        known.merged.probe = known.tried.is_some_and(|tried| self.scans.is_probe(&tried));
        let record = merge::record(number, &known.merged, self.registry);
        let band = record.decision.and_then(|d| d.band);
        let adds = (self.rows.share(&record), record.decision.map_or(Bits::ZERO, |d| d.odds));
        if known.added != Some(adds) {
            if let Some((share, _)) = known.added.replace(adds) {
                self.rows.take_back(&share);
            }
            self.rows.add(&record);
        }
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
                keeping.judged(known.id, &record);
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
        if self.company.len() > KNOWN {
            self.company = Company::default();
        }
        self.again.extend(self.questions.of_end(&known.merged.server_end()));
        for mark in known.merged.marks() {
            self.again.extend(self.questions.of_mark(mark));
        }
        Ok(())
    }

    /// Lets go of the flow that has been over longest. What it added to its row stays.
    fn forget(&mut self) {
        let Some(number) = self.over.pop_front() else { return };
        let Some(known) = self.flows.remove(&number) else { return };
        self.numbers.remove(&known.id);
        self.questions.forget(number, &known.merged);
        if let Some(tried) = known.tried {
            self.scans.forget(tried, known.merged.probe);
        }
    }
}

/// Whether a flow looks like something and is not certain to be it.
fn is_suspected(flow: &Merged) -> bool {
    let decision = flow.ended.decision.as_deref();
    decision.is_some_and(|d| d.band != Some(Band::Certain) && d.protocol.or(d.suspected).is_some())
}
