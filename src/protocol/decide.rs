//! From the findings of all recognisers to one decision about a flow.

use super::evidence::{self, Band, Bits, Candidate, Candidates, Evidence, PRIOR};
use super::{ALL, Finding, ProtocolSet, Strand};
use crate::flow::Dir;
use std::borrow::Cow;

/// Evidence below this names nothing, not even as a suspicion.
const SUSPICION: Bits = Bits::whole(6);

/// A candidate that lost.
#[derive(Clone, Debug)]
pub struct Rival {
    /// Its name.
    pub protocol: &'static str,
    /// The sum of its evidence.
    pub bits: Bits,
    /// What spoke for it.
    pub evidence: Vec<Evidence>,
}

/// What recognition concluded of a flow.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The protocol, named from band "likely" up.
    pub protocol: Option<&'static str>,
    /// A weaker hint, when nothing is named.
    pub suspected: Option<&'static str>,
    /// The named (or suspected) protocol's form.
    pub variant: Option<Cow<'static, str>>,
    /// Protocols that go along with the named one in this flow.
    pub also: Vec<&'static str>,
    /// How sure; `None` when nothing is named.
    pub band: Option<Band>,
    /// Posterior odds of the best candidate, as a power of two.
    pub odds: Bits,
    /// What speaks for it.
    pub evidence: Vec<Evidence>,
    /// The other candidates, strongest first.
    pub rivals: Vec<Rival>,
    /// Who serves, if the bytes showed it.
    pub server: Option<Dir>,
    /// Which sides' own bytes are the named protocol.
    pub spoke: [bool; 2],
    /// Which sides are known to speak it though their bytes were not seen.
    pub implied: [bool; 2],
    /// Facts worth showing.
    pub details: Vec<(&'static str, String)>,
    /// Marks shared with other flows of the same session.
    pub links: Vec<u64>,
    /// Numbered runs of packets that may go on in another flow.
    pub strands: Vec<Strand>,
    /// Payloads seen in the flow when this band was reached.
    pub decided_at: u64,
    /// The recognisers that excluded themselves.
    pub excluded: ProtocolSet,
    /// What else is to be said of a flow that nobody named.
    pub note: Option<&'static str>,
}

/// The note on a flow in which nothing shows.
pub const FULLY_ENCRYPTED: &str = "fully encrypted: no structure found";

impl Decision {
    /// Lets the findings (with their places in [`ALL`]) compete, and takes them.
    pub fn from_findings(findings: &mut Vec<(usize, Finding)>) -> Self {
        if findings.is_empty() {
            return Self::default();
        }
        let candidates = candidates(findings);
        let Some(outcome) = evidence::compete(&candidates) else { return Self::default() };
        let Some(winner) = candidates.get(outcome.winner) else { return Self::default() };
        let (_, finding) = findings.remove(outcome.winner);
        let mut also = finding.also;
        also.extend(outcome.also.iter().filter_map(|n| candidates.get(*n)).map(|c| c.name));
        also.sort_unstable();
        also.dedup();
        let rival = |(n, f): (usize, Finding)| Rival { protocol: name(n), bits: f.bits(), evidence: f.evidence };
        let mut rivals: Vec<Rival> = findings.drain(..).map(rival).collect();
        rivals.sort_by(|a, b| b.bits.cmp(&a.bits).then(a.protocol.cmp(b.protocol)));
        let mut decision = Self {
            variant: finding.variant,
            also,
            evidence: finding.evidence,
            rivals,
            server: finding.server,
            spoke: finding.spoke,
            implied: finding.implied,
            details: finding.details,
            links: finding.links,
            strands: finding.strands,
            ..Self::default()
        };
        decision.set_odds(winner.name, outcome.odds, winner.bits);
        decision.shrink();
        decision
    }

    /// Whether nobody found anything, and never did.
    pub fn says_nothing(&self) -> bool {
        let Self { evidence, rivals, details, links, strands, .. } = self;
        let empty = evidence.is_empty() && rivals.is_empty() && details.is_empty();
        empty
            && links.is_empty()
            && strands.is_empty()
            && self.protocol.or(self.suspected).is_none()
            && self.decided_at == 0
    }

    /// Gives back the memory that growing lists took in advance: decisions are kept, and many.
    fn shrink(&mut self) {
        let rivals = self.rivals.iter_mut().map(|r| &mut r.evidence);
        for evidence in rivals.chain(std::iter::once(&mut self.evidence)) {
            evidence.shrink_to_fit();
        }
        self.rivals.shrink_to_fit();
        self.details.shrink_to_fit();
        self.links.shrink_to_fit();
        self.strands.shrink_to_fit();
    }

    /// Lets one of the rivals be the best after all, where nobody is named.
    pub fn prefer(&mut self, name: &'static str) {
        let Some(place) = self.rivals.iter().position(|r| r.protocol == name) else { return };
        let preferred = self.rivals.remove(place);
        let evidence = std::mem::replace(&mut self.evidence, preferred.evidence);
        let bits = evidence::sum(&evidence);
        self.rivals.extend(self.suspected.map(|protocol| Rival { protocol, bits, evidence }));
        self.rivals.sort_by(|a, b| b.bits.cmp(&a.bits).then(a.protocol.cmp(b.protocol)));
        let against = self.rivals.first().map_or(Bits::ZERO, |r| (PRIOR + r.bits).max(Bits::ZERO));
        (self.variant, self.server, self.also) = Default::default();
        (self.details, self.links, self.strands) = Default::default();
        self.set_odds(name, PRIOR + preferred.bits - against, preferred.bits);
    }

    /// Sets the odds of the best candidate, whose evidence sums to `bits`, and names or suspects it.
    pub fn set_odds(&mut self, best: &'static str, odds: Bits, bits: Bits) {
        self.odds = odds;
        self.band = Band::of(odds);
        self.protocol = self.band.map(|_| best);
        self.suspected = (self.band.is_none() && bits >= SUSPICION).then_some(best);
    }
}

/// What the findings have to compete with.
pub fn candidates(findings: &[(usize, Finding)]) -> Candidates {
    findings.iter().map(|(n, f)| Candidate { name: name(*n), bits: f.bits() }).collect()
}

fn name(index: usize) -> &'static str {
    ALL.get(index).map_or("unknown", |p| p.name())
}
