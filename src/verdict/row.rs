//! One row: a port (or endpoint), what was observed there, and what the row shows of it.

use super::addresses::Addresses;
use super::record::{FlowRecord, ServerBy};
use super::{Reason, Verdict, proto};
use crate::packet::{Ip, Transport};
use crate::protocol::{Band, Bits, evidence};
use crate::registry::{Lore, Range, State, Transports, lore};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Forms that are remembered of a protocol on a port.
const VARIANTS: usize = 64;

/// What a row is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RowKey {
    /// Server port.
    pub port: u16,
    /// UDP or TCP.
    pub transport: Transport,
    /// The server's address when rows are by endpoint.
    pub server: Option<Ip>,
}

/// A protocol observed on a port, with one verdict.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its name, or "unknown".
    pub protocol: &'static str,
    /// Its verdict on this port.
    pub verdict: Verdict,
    /// Why, for some verdicts; of several the first in the order of [`Reason`].
    pub reason: Option<Reason>,
    /// The forms seen.
    pub variants: BTreeSet<String>,
    /// What went along.
    pub also: BTreeSet<&'static str>,
    /// What was suspected where nothing was named.
    pub suspected: BTreeSet<&'static str>,
    /// Whether all its flows are on ports that the row's service announced.
    pub announced: bool,
    /// What else is to be said of flows without a name.
    pub notes: BTreeSet<&'static str>,
    /// Flows, packets, payload bytes.
    pub flows: u64,
    /// Packets.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// The best band and odds of a flow.
    pub band: Option<Band>,
    /// The best flow's posterior odds.
    pub odds: Bits,
    /// The best flow: its ends, and what speaks for it.
    pub best: Best,
}

/// The flow that supports an observation best: the surest, of equal ones the earliest.
#[derive(Clone, Debug)]
pub struct Best {
    /// Flow number.
    pub flow: u64,
    /// Client and server address.
    pub client: Ip,
    /// Server address.
    pub server: Ip,
    /// Whether the ends are peers of equal rank.
    pub peers: bool,
    /// The strongest item of evidence, as a sentence.
    pub text: String,
    /// The frames of all its evidence, at most four.
    pub frames: Vec<u64>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct PortRow {
    /// What it is about.
    pub key: RowKey,
    /// State of the port in the registry.
    pub state: State,
    /// Service names (for another transport, with state assigned-other-transport).
    pub services: Vec<String>,
    /// Where `services` are assigned, with state assigned-other-transport.
    pub other_transports: Transports,
    /// What was observed, by verdict, then by protocol.
    pub observed: Vec<Observed>,
    /// Flows per verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Client addresses seen.
    pub clients: Addresses,
    /// Server addresses seen.
    pub servers: Addresses,
    /// Flows in which the server's payload was seen or implied.
    pub answered: u64,
    /// Flows that are part of a scan.
    pub probes: u64,
}

impl PortRow {
    /// The range of the port.
    pub fn range(&self) -> Range {
        Range::of(self.key.port)
    }

    /// The observation that the row shows, and whether it is only likely (to be marked).
    ///
    /// First what is at least confident (or has no name and is contradicted), then what is likely, then the rest.
    pub fn shown(&self) -> Option<(&Observed, bool)> {
        let decides = |o: &&Observed| o.verdict < Verdict::Unverifiable;
        let sure = |o: &&Observed| o.verdict == Verdict::Contradicted || o.band >= Some(Band::Confident);
        let first = self.observed.iter().filter(decides).find(sure).map(|o| (o, false));
        let likely = || self.observed.iter().find(decides).map(|o| (o, true));
        first.or_else(likely).or_else(|| self.observed.first().map(|o| (o, false)))
    }

    /// The row's verdict.
    pub fn verdict(&self) -> Verdict {
        self.shown().map_or(Verdict::Insufficient, |(o, _)| o.verdict)
    }

    /// The posterior probability that supports the shown verdict; `None` for unknown.
    pub fn confidence(&self) -> Option<f64> {
        self.shown().and_then(|(o, _)| o.band.map(|_| evidence::probability(o.odds)))
    }

    /// What is said of the port elsewhere: no evidence.
    pub fn lore(&self) -> impl Iterator<Item = Lore> + use<> {
        lore(self.key.port, proto(self.key.transport))
    }

    /// Whether more than one protocol (unknown counting as one) was served.
    pub fn mixed(&self) -> bool {
        if self.observed.len() < 2 {
            return false;
        }
        let served = self.observed.iter().filter(|o| o.verdict != Verdict::Insufficient && !o.announced);
        served.map(|o| o.protocol).collect::<BTreeSet<_>>().len() > 1
    }

    /// Flows, packets and payload bytes of all observations.
    pub fn totals(&self) -> (u64, u64, u64) {
        self.observed.iter().fold((0, 0, 0), |(f, p, b), o| (f + o.flows, p + o.packets, b + o.bytes))
    }
}

impl PortRow {
    pub(super) fn count(&mut self, flow: &FlowRecord<'_>) {
        let place = (flow.judgement.verdict, flow.protocol());
        let known = self.observed.iter().position(|o| (o.verdict, o.protocol) == place);
        let mut at = known.unwrap_or_else(|| {
            self.observed.push(Observed::like(flow));
            self.observed.len() - 1
        });
        if let Some(known) = self.observed.get_mut(at) {
            known.count(flow);
        }
        // What is counted can only rise in the order.
        while at > 0 && self.observed.get(at - 1..=at).is_some_and(|pair| !pair.is_sorted_by(|a, b| a.order(b).is_le()))
        {
            self.observed.swap(at - 1, at);
            at -= 1;
        }
    }

    /// Counts a flow anew that was counted with so many packets and bytes, and the same verdict. `false`: it was not.
    pub(super) fn recount(&mut self, packets: u64, bytes: u64, flow: &FlowRecord<'_>) -> bool {
        let place = (flow.judgement.verdict, flow.protocol());
        let Some(known) = self.observed.iter_mut().find(|o| (o.verdict, o.protocol) == place) else { return false };
        known.flows = known.flows.saturating_sub(1);
        known.packets = known.packets.saturating_sub(packets);
        known.bytes = known.bytes.saturating_sub(bytes);
        known.count(flow);
        self.sort();
        true
    }

    pub(super) fn merge(&mut self, new: Observed) {
        let place = |o: &Observed| (o.verdict, o.protocol);
        match self.observed.iter_mut().find(|o| place(o) == place(&new)) {
            Some(known) => known.merge(new),
            None => self.observed.push(new),
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.observed.sort_by(Observed::order);
    }
}

impl Observed {
    /// What flows like this one come to; none is counted yet.
    fn like(flow: &FlowRecord<'_>) -> Self {
        Self {
            protocol: flow.protocol(),
            verdict: flow.judgement.verdict,
            reason: None,
            variants: BTreeSet::new(),
            also: BTreeSet::new(),
            suspected: BTreeSet::new(),
            notes: BTreeSet::new(),
            announced: true,
            flows: 0,
            packets: 0,
            bytes: 0,
            band: None,
            odds: odds(flow),
            best: Best::of(flow),
        }
    }

    /// By verdict, then the surest and the most frequent first.
    fn order(&self, other: &Self) -> Ordering {
        let by_verdict = self.verdict.cmp(&other.verdict).then(self.announced.cmp(&other.announced));
        let by_weight = other.odds.cmp(&self.odds).then(other.flows.cmp(&self.flows));
        by_verdict.then(by_weight).then(self.protocol.cmp(other.protocol))
    }

    /// Counts a flow. Most say what others have said, so little is made anew.
    fn count(&mut self, flow: &FlowRecord<'_>) {
        self.reason = least(self.reason, flow.judgement.reason);
        self.announced &= flow.announced.is_some();
        self.notes.extend(flow.note());
        self.flows += 1;
        self.packets += flow.packets.0 + flow.packets.1;
        self.bytes += flow.bytes.0 + flow.bytes.1;
        if odds(flow) > self.odds {
            self.odds = odds(flow);
            self.best = Best::of(flow);
        }
        let Some(decision) = flow.decision else { return };
        self.band = self.band.max(decision.band);
        self.also.extend(&decision.also);
        self.suspected.extend(decision.suspected);
        let variant = decision.variant.as_deref().filter(|_| decision.protocol.is_some());
        if let Some(variant) = variant.filter(|v| !self.variants.contains(*v)) {
            self.variants.insert(variant.to_string());
            self.bound();
        }
    }

    /// Whoever sends version numbers can make up many. The first in their order are kept, whatever the flows' order.
    fn bound(&mut self) {
        while self.variants.len() > VARIANTS {
            self.variants.pop_last();
        }
    }

    fn merge(&mut self, new: Self) {
        self.reason = least(self.reason, new.reason);
        self.variants.extend(new.variants);
        self.bound();
        self.also.extend(new.also);
        self.suspected.extend(new.suspected);
        self.announced &= new.announced;
        self.notes.extend(new.notes);
        self.flows += new.flows;
        self.packets += new.packets;
        self.bytes += new.bytes;
        self.band = self.band.max(new.band);
        if new.odds > self.odds {
            self.odds = new.odds;
            self.best = new.best;
        }
    }
}

impl Best {
    fn of(flow: &FlowRecord<'_>) -> Self {
        let evidence = flow.decision.filter(|d| d.protocol.is_some()).map_or(&[][..], |d| &d.evidence);
        let mut frames: Vec<u64> = evidence.iter().flat_map(|e| e.frames.iter()).copied().collect();
        frames.sort_unstable();
        frames.dedup();
        frames.truncate(4);
        Self {
            flow: flow.id,
            client: flow.client.ip,
            server: flow.server.ip,
            peers: flow.server_by == ServerBy::Nobody,
            text: evidence.iter().max_by_key(|e| e.bits).map(|e| e.text.to_string()).unwrap_or_default(),
            frames,
        }
    }
}

/// The posterior odds of what is named.
fn odds(flow: &FlowRecord<'_>) -> Bits {
    flow.decision.filter(|d| d.protocol.is_some()).map_or(Bits::ZERO, |d| d.odds)
}

/// The first of two reasons, if there is one.
fn least(a: Option<Reason>, b: Option<Reason>) -> Option<Reason> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_made_up_variants_the_same_few_are_kept_in_any_order() {
        let nobody = Ip::v4([0; 4]);
        let best =
            Best { flow: 1, client: nobody, server: nobody, peers: false, text: String::new(), frames: Vec::new() };
        let of = |variants: &mut dyn Iterator<Item = u32>| Observed {
            protocol: "rfb",
            verdict: Verdict::Match,
            reason: None,
            variants: variants.map(|n| format!("{n:07}")).collect(),
            also: BTreeSet::new(),
            suspected: BTreeSet::new(),
            announced: false,
            notes: BTreeSet::new(),
            flows: 1,
            packets: 2,
            bytes: 24,
            band: None,
            odds: Bits::ZERO,
            best: best.clone(),
        };
        let merged = |numbers: &mut dyn Iterator<Item = u32>| {
            let mut all = of(&mut std::iter::empty());
            numbers.for_each(|n| all.merge(of(&mut std::iter::once(n))));
            all.variants
        };
        let (up, down) = (merged(&mut (0..1000)), merged(&mut (0..1000).rev()));
        assert_eq!((up.len(), &up), (VARIANTS, &down));
    }
}
