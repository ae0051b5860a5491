//! From the shards' flows to judged ones: order, numbers, what flows say of one another, who serves, the verdict.

use super::arrivals::Arrivals;
use super::ended::Ended;
use super::probing::{Attempt, Outcome};
use super::{announced, group, moved};
use crate::flow::Dir;
use crate::packet::{Endpoint, Transport, Tunnel};
use crate::protocol::evidence::{goes_along, heralds, is_herald};
use crate::protocol::{self, Band, Bits, Decision, Evidence, Family};
use crate::registry::Registry;
use crate::verdict::serve::{self, Ends};
use crate::verdict::{Announced, Answered, FlowRecord, Judgement, Observation, Reason, ServerBy, judge, proto};
use hashbrown::HashMap;

/// Visible bytes of a server below which an unnamed flow showed too little.
const ENOUGH: u8 = 16;

/// Another flow of the same session, or to the same server, is this protocol with certainty.
///
/// It lifts the prior odds of a suspicion from 2^-10 to about 2^3: nine in ten flows to an endpoint that certainly speaks
/// a protocol speak it too. A flow with no evidence of its own is not lifted.
static COMPANY: Family = Family { id: "flow.company", cap: Bits::whole(13) };

/// The same two hosts certainly speak what prepares this protocol: IKE agreed on keys between them, and both answered. Of
/// what looks like ESP between such hosts nine in ten are, as with [`COMPANY`]; what has no evidence of its own is not
/// lifted.
static HERALD: Family = Family { id: "flow.herald", cap: Bits::whole(13) };

/// A flow with what the merge found out.
#[derive(Debug)]
pub struct Merged {
    /// The flow and what was concluded of it.
    pub ended: Ended,
    pub(super) server: Dir,
    pub(super) server_by: ServerBy,
    /// Which flow announced this one: few are announced.
    pub(super) announced: Option<Box<Announced>>,
    /// The announcing flow's verdict, which is this one's too.
    pub(super) inherited: Option<Judgement>,
    /// Whether the server answered this flow in another one.
    pub(super) answered_elsewhere: bool,
    /// Part of a scan.
    pub(super) probe: bool,
}

/// One end of flows.
pub(super) type End = (Endpoint, Transport, Option<Tunnel>);

/// Orders flows by first frame and settles who serves; lets flows of one session or server strengthen each other.
pub fn merge(mut merged: Vec<Merged>, registry: &Registry) -> Vec<Merged> {
    let first_frame = |merged: &Merged| merged.ended.flow.first_frame;
    merged.sort_by_cached_key(first_frame);
    // Several flows begin in a frame only where it holds a tunnel.
    for several in merged.chunk_by_mut(|a, b| first_frame(a) == first_frame(b)).filter(|flows| flows.len() > 1) {
        several.sort_unstable_by_key(|merged| merged.ended.flow.key);
    }
    let mut arrivals = Arrivals::default();
    for ended in merged.iter().map(|merged| &merged.ended).filter(|ended| !ends_by_itself(ended)) {
        arrivals.count(ended, true);
    }
    merged.iter_mut().for_each(|merged| merged.seat(&arrivals, registry));
    join(&mut merged);
    moved::join(&mut merged);
    announced::settle(&mut merged, registry);
    merged
}

/// Judged alone: a flow that had to go before the others were known.
pub fn alone(ended: Ended, registry: &Registry) -> Merged {
    seat(ended, &Arrivals::default(), registry)
}

/// Whether a flow shows by itself who serves.
pub(super) fn ends_by_itself(ended: &Ended) -> bool {
    ended.flow.opening_seen() || ended.decision.as_ref().is_some_and(|d| d.server.is_some())
}

pub(super) fn seat(ended: Ended, arrivals: &Arrivals, registry: &Registry) -> Merged {
    let mut merged = Merged::from(ended);
    merged.seat(arrivals, registry);
    merged
}

/// Nobody has looked yet who serves.
impl From<Ended> for Merged {
    fn from(ended: Ended) -> Self {
        let (server, server_by) = (Dir::Responder, ServerBy::First);
        Self { ended, server, server_by, announced: None, inherited: None, answered_elsewhere: false, probe: false }
    }
}

fn who_serves(ended: &Ended, arrivals: &Arrivals, registry: &Registry) -> (Dir, ServerBy) {
    let flow = &ended.flow;
    let came = |dir| arrivals.many(&(flow.end(dir), flow.key.transport, flow.key.tunnel));
    let fan_in = match (came(Dir::Originator), came(Dir::Responder)) {
        (true, false) => Some(Dir::Originator),
        (false, true) => Some(Dir::Responder),
        _ => None,
    };
    let ends = Ends {
        transport: flow.key.transport,
        originator: flow.end(Dir::Originator),
        responder: flow.end(Dir::Responder),
        syn: flow.opening_seen(),
        recogniser: ended.decision.as_ref().and_then(|d| d.server),
        fan_in,
    };
    serve::server(&ends, registry)
}

impl Merged {
    /// Finds out who serves.
    fn seat(&mut self, arrivals: &Arrivals, registry: &Registry) {
        group::settle(&mut self.ended);
        self.reseat(arrivals, registry);
    }

    /// Finds out anew who serves, after the flow or the arrivals changed.
    pub(super) fn reseat(&mut self, arrivals: &Arrivals, registry: &Registry) {
        (self.server, self.server_by) = who_serves(&self.ended, arrivals, registry);
    }

    /// Both ends.
    pub(super) fn ends(&self) -> [End; 2] {
        let key = &self.ended.flow.key;
        [key.low, key.high].map(|end| (end, key.transport, key.tunnel))
    }

    /// What the flow says of who probes; nothing where no answer is expected.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        let (flow, server) = (&self.ended.flow, self.server);
        let client = server.other();
        let (from, to) = (flow.end(client), flow.end(server));
        if to.ip.is_multicast() {
            return None;
        }
        let tcp = flow.key.transport == Transport::Tcp;
        let (sent, heard) = (*client.of(&flow.bytes), *server.of(&flow.packets) > 0);
        let outcome = if *server.of(&flow.bytes) > 0 || flow.acknowledged(server) || (tcp && sent > 0 && !heard) {
            // A TCP client that sends was let in, whether or not the capture shows it.
            Outcome::Exchanged
        } else if flow.refused_by(server) {
            Outcome::Refused
        } else if heard {
            Outcome::Open
        } else {
            Outcome::Silent
        };
        Some(Attempt {
            client: from.ip,
            server: to,
            transport: flow.key.transport,
            tunnel: flow.key.tunnel,
            outcome,
            opening: !tcp || flow.syn(client).is_some(),
            sent: (*client.of(&flow.packets), sent),
            heard,
            first: flow.first,
            last: flow.last,
        })
    }

    pub(super) fn server_end(&self) -> End {
        let key = &self.ended.flow.key;
        (self.ended.flow.end(self.server), key.transport, key.tunnel)
    }

    /// The mark of the two hosts, in a tunnel or none: what IKE between them and their ESP have in common.
    fn hosts(&self) -> u64 {
        let key = &self.ended.flow.key;
        let (a, b) = (key.low.ip.min(key.high.ip), key.low.ip.max(key.high.ip));
        let tunnel = key.tunnel.map_or(0, |t| 1 << 40 | (t.kind as u64) << 32 | u64::from(t.id.unwrap_or(0)));
        protocol::link("hosts", &[&a.0[..], &b.0, &tunnel.to_be_bytes()].concat())
    }

    /// What the flow may have in common with others: the marks of its session, and that of its hosts.
    pub(super) fn marks(&self) -> Vec<u64> {
        let decision = self.ended.decision.as_deref();
        decision.iter().flat_map(|d| d.links.iter().copied()).chain([self.hosts()]).collect()
    }

    /// What both sides certainly speak here: the named protocol and those that go along.
    fn spoken(&self) -> impl Iterator<Item = &'static str> {
        let both = |d: &&Decision| {
            d.band == Some(Band::Certain) && Dir::BOTH.iter().all(|dir| *dir.of(&d.spoke) || *dir.of(&d.implied))
        };
        let decision = self.ended.decision.as_deref().filter(both);
        decision.into_iter().flat_map(|d| d.protocol.into_iter().chain(d.also.iter().copied()))
    }

    fn certain(&self) -> Option<(&'static str, u64)> {
        let decision = self.ended.decision.as_ref().filter(|d| d.band == Some(Band::Certain))?;
        Some((decision.protocol?, self.ended.flow.first_frame))
    }
}

/// Lets certain flows lend weight to suspicions of the same protocol in the same session or at the same server.
fn join(merged: &mut [Merged]) {
    let mut company = Company::default();
    merged.iter().for_each(|flow| company.learn(flow));
    merged.iter_mut().for_each(|flow| company.lift(flow));
}

/// What certain flows are, by session, by server and, where they prepare others, by hosts; with the frame in which they
/// began.
#[derive(Debug, Default)]
pub(super) struct Company {
    by_link: HashMap<u64, (&'static str, u64)>,
    by_server: HashMap<End, (&'static str, u64)>,
    by_hosts: HashMap<u64, (&'static str, u64)>,
}

impl Company {
    /// Learns from a flow, if it is certain.
    pub(super) fn learn(&mut self, flow: &Merged) {
        let Some(certain) = flow.certain() else { return };
        let served = flow.ended.decision.as_ref().is_some_and(|d| *flow.server.of(&d.spoke));
        if served && flow.server_by != ServerBy::Nobody {
            self.by_server.entry(flow.server_end()).or_insert(certain);
        }
        for &link in flow.ended.decision.iter().flat_map(|d| &d.links) {
            self.by_link.entry(link).or_insert(certain);
        }
        if let Some(name) = flow.spoken().find(|name| is_herald(name)) {
            self.by_hosts.entry(flow.hosts()).or_insert((name, flow.ended.flow.first_frame));
        }
    }

    /// Lends weight to a flow that is suspected to be what a certain one is, or what a certain one prepares. A flow is
    /// lifted once.
    pub(super) fn lift(&self, flow: &mut Merged) {
        let lifted = |d: &Decision| d.evidence.iter().any(|e| *e.family == COMPANY || *e.family == HERALD);
        let doubtful = |d: &&Decision| d.band != Some(Band::Certain) && !lifted(d);
        let decision = flow.ended.decision.as_deref().filter(doubtful);
        let Some(best) = decision.and_then(|d| d.protocol.or(d.suspected)) else { return };
        let server = self.by_server.get(&flow.server_end()).copied();
        let herald = self.by_hosts.get(&flow.hosts()).copied();
        // Of what is suspected only, the one that is to be expected between the hosts counts.
        let expected = |d: &&Decision, (name, _): (&str, u64)| {
            let rivals = d.rivals.iter().map(|rival| rival.protocol);
            rivals.filter(|_| d.protocol.is_none() && !heralds(name, best)).find(|rival| heralds(name, rival))
        };
        let preferred = decision.zip(herald).and_then(|(d, herald)| expected(&d, herald));
        let Some(decision) = flow.ended.decision_mut() else { return };
        preferred.into_iter().for_each(|name| decision.prefer(name));
        let best = preferred.unwrap_or(best);
        let linked = decision.links.iter().find_map(|link| self.by_link.get(link)).copied();
        let same = |(name, _): &(&str, u64)| *name == best;
        // A companion may have a flow of its own, like the reports of a media session.
        let session = |known: &(&str, u64)| same(known) || goes_along(best, known.0);
        let (family, frame, text) = if let Some((name, frame)) = linked.filter(session) {
            (&COMPANY, frame, format!("another flow carries the same session and is certainly {name}"))
        } else if let Some((_, frame)) = server.filter(same) {
            (&COMPANY, frame, format!("another flow to the same server is certainly {best}"))
        } else if let Some((name, frame)) = herald.filter(|(name, _)| heralds(name, best)) {
            (&HERALD, frame, format!("the same two hosts certainly speak {name}, and both answered"))
        } else {
            return;
        };
        decision.evidence.push(Evidence { family, bits: family.cap, frames: [frame].into(), text: text.into() });
        let odds = decision.odds + family.cap;
        decision.set_odds(best, odds, protocol::evidence::sum(&decision.evidence));
        decision.note = decision.note.filter(|_| decision.protocol.is_none());
    }

    /// How much is known.
    pub(super) fn len(&self) -> usize {
        self.by_link.len() + self.by_server.len() + self.by_hosts.len()
    }
}

/// The judged record of a flow.
pub fn record<'a>(id: u64, merged: &'a Merged, registry: &'a Registry) -> FlowRecord<'a> {
    let Merged { ended, server, server_by, probe, .. } = merged;
    let (flow, server, client) = (&ended.flow, *server, server.other());
    let decision = ended.decision.as_deref();
    let own = (flow.end(server), flow.key.transport);
    let announced = merged.announced.as_deref().copied();
    let (judged, transport) = announced.map_or(own, |by| (by.server, by.transport));
    let claim = registry.claim(judged.port, proto(transport));
    let implied = merged.answered_elsewhere || decision.is_some_and(|d| *server.of(&d.implied));
    let one_way = || decision.and_then(|d| d.protocol).is_some_and(protocol::is_one_way);
    let answered = if *server.of(&flow.bytes) > 0 {
        Answered::Seen
    } else if flow.end(server).ip.is_multicast() || one_way() {
        Answered::NotExpected
    } else if implied || flow.acknowledged(server) {
        Answered::Implied
    } else {
        Answered::No
    };
    let spoke = decision.is_some_and(|d| *server.of(&d.spoke));
    let observation = Observation {
        protocol: decision.and_then(|d| d.protocol),
        server_spoke: spoke || implied || answered == Answered::NotExpected,
        answered,
        obstacle: obstacle(merged, answered),
        shortage: shortage(merged),
        excluded: decision.map_or(&NOBODY, |d| &d.excluded),
        complete: ended.complete,
    };
    let judgement = match merged.inherited {
        Some(inherited) if observation.obstacle.is_none() => inherited,
        _ => judge(&observation, claim),
    };
    let pair = |counts: &[u64; 2]| (*client.of(counts), *server.of(counts));
    FlowRecord {
        id,
        transport: flow.key.transport,
        client: flow.end(client),
        server: flow.end(server),
        server_by: *server_by,
        answered,
        first: flow.first,
        last: flow.last,
        packets: pair(&flow.packets),
        bytes: pair(&flow.bytes),
        tunnel: flow.key.tunnel,
        vlan: flow.vlan,
        duplicates: flow.duplicates,
        decision,
        claim,
        judgement,
        probe: *probe,
        direction: None,
        announced,
    }
}

static NOBODY: crate::protocol::ProtocolSet = crate::protocol::ProtocolSet::EMPTY;

/// Why the flow cannot be judged, whatever it is.
fn obstacle(merged: &Merged, answered: Answered) -> Option<Reason> {
    let flow = &merged.ended.flow;
    let server = merged.server;
    if flow.refused_by(server) && *server.of(&flow.bytes) == 0 && !flow.acknowledged(server) {
        Some(Reason::Refused)
    } else if flow.bytes == [0, 0] && !flow.acknowledged(server) {
        Some(Reason::NoPayload)
    } else if flow.key.transport == Transport::Udp && flow.tiny_only() {
        Some(Reason::KeepaliveOnly)
    } else if merged.server_by == ServerBy::Nobody && answered != Answered::No {
        Some(Reason::NoServerSide)
    } else {
        None
    }
}

/// Why the flow may have shown too little for a name.
fn shortage(merged: &Merged) -> Option<Reason> {
    let (ended, server) = (&merged.ended, merged.server);
    if *server.of(&ended.flow.visible) >= ENOUGH {
        return None;
    }
    if *server.of(&ended.lossy) {
        Some(if ended.flow.cut() { Reason::Truncated } else { Reason::Lossy })
    } else if *server.of(&ended.flow.bytes) > u64::from(*server.of(&ended.flow.visible)) {
        Some(Reason::Truncated)
    } else {
        Some(Reason::Few)
    }
}
