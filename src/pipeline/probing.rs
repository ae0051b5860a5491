//! Probing: who knocks at many ports or hosts and finds nobody.
//!
//! The test is Threshold Random Walk (Jung, Paxson, Berger, Balakrishnan, IEEE S&P 2004): of the endpoints that a source
//! comes to for the first time, four in five take a benign one's packets and four in five refuse or ignore a scanner's
//! (their θ0 = 0.8, θ1 = 0.2). Each failure then multiplies the odds of scanning by (1 - θ1) / (1 - θ0) = 4, and each
//! success divides them by as much. Who is called a scanner by mistake at most once in 100,000 sources (α) and is found in
//! 99 of 100 cases (β) must come to odds of β / α = 99,000: nine failures more than successes. Odds of (1 - β) / (1 - α),
//! four successes more, are as far as a source can go the other way.
//!
//! Scans have a shape: many ports of one host, or one port of many hosts. Peers of a swarm that are gone are strangers to
//! each other in host and port, so only endpoints that share one of them with another endpoint of the source count.

use super::merge::Merged;
use crate::packet::{Endpoint, Ip, Time, Transport, Tunnel};
use crate::verdict::Prober;
use hashbrown::{HashMap, HashSet};
use std::collections::BTreeSet;

/// Failures more than successes that make a scanner: log4(99,000) = 8.3.
const UPPER: i32 = 9;
/// Successes more than failures that are remembered: log4(100) = 3.3.
const LOWER: i32 = -4;
/// A knock has at most this many packets where it cannot be seen whether answers would be seen. nmap tries ten times.
const TRIES: u64 = 10;

/// Who came, over what.
pub(super) type Source = (Ip, Transport, Option<Tunnel>);

/// What came of a flow, or of the best flow to an endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Outcome {
    /// Nothing came back.
    Silent,
    /// TCP reset, or ICMP unreachable.
    Refused,
    /// The handshake was answered; nothing was exchanged after it.
    Open,
    /// Payload was exchanged.
    Exchanged,
}

/// A flow, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    pub client: Ip,
    pub server: Endpoint,
    pub transport: Transport,
    pub tunnel: Option<Tunnel>,
    pub outcome: Outcome,
    /// A SYN, or a datagram: something that asks for an answer.
    pub opening: bool,
    /// Packets and payload bytes of the client.
    pub sent: (u64, u64),
    /// Whether the server sent any packet.
    pub heard: bool,
    pub first: Time,
    pub last: Time,
}

impl Attempt {
    pub(super) fn source(&self) -> Source {
        (self.client, self.transport, self.tunnel)
    }

    /// Nothing was exchanged.
    pub(super) fn failed(&self) -> bool {
        self.outcome < Outcome::Exchanged
    }

    /// The length of the client's payloads, where they all have the same.
    pub(super) fn length(&self) -> Option<u64> {
        let (packets, bytes) = self.sent;
        (packets > 0 && packets <= TRIES && bytes % packets == 0).then(|| bytes / packets)
    }
}

/// An endpoint that a source came to.
#[derive(Debug)]
pub(super) struct Contact {
    /// Endpoints are numbered in order of the first contact.
    nth: u64,
    pub(super) outcome: Outcome,
    pub(super) opening: bool,
    /// The length of the client's payloads, where they all have the same.
    pub(super) length: Option<u64>,
    /// All flows, and those in which nothing was exchanged.
    pub(super) flows: u64,
    pub(super) failed: u64,
    /// When those began and ended.
    first: Time,
    last: Time,
}

/// Finds the sources that probe, and marks their probes. `flows` are in order.
pub(super) fn find(flows: &mut [Merged]) -> Vec<Prober> {
    let mut failures: HashMap<Source, i32> = HashMap::new();
    for attempt in flows.iter().filter_map(Merged::attempt).filter(Attempt::failed) {
        *failures.entry(attempt.source()).or_default() += 1;
    }
    failures.retain(|_, count| *count >= UPPER);
    if failures.is_empty() {
        return Vec::new();
    }
    let mut books: HashMap<Source, Book> = HashMap::new();
    let mut heard: HashSet<Ip> = HashSet::new();
    for attempt in flows.iter().filter_map(Merged::attempt) {
        if attempt.heard {
            heard.insert(attempt.client);
        }
        if failures.contains_key(&attempt.source()) {
            books.entry(attempt.source()).or_default().enter(&attempt);
        }
    }
    let judge = |(source, book): (Source, Book)| book.judge(source, heard.contains(&source.0)).map(|f| (source, f));
    let found: HashMap<Source, Found> = books.into_iter().filter_map(judge).collect();
    for flow in flows {
        let Some(attempt) = flow.attempt().filter(Attempt::failed) else { continue };
        flow.probe = found.get(&attempt.source()).is_some_and(|found| found.ends.contains(&attempt.server));
    }
    let mut probers: Vec<Prober> = found.into_values().map(|found| found.prober).collect();
    sort(&mut probers);
    probers
}

/// The most endpoints first.
pub(super) fn sort(probers: &mut [Prober]) {
    probers.sort_by_key(|p| (std::cmp::Reverse(p.endpoints), p.source, p.transport, p.tunnel));
}

/// A source that probes, and the endpoints it probed.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) prober: Prober,
    pub(super) ends: HashSet<Endpoint>,
}

/// What one source did.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) contacts: HashMap<Endpoint, Contact>,
    met: u64,
    /// The flows in which nothing was exchanged.
    pub(super) failures: u64,
}

impl Book {
    pub(super) fn enter(&mut self, attempt: &Attempt) {
        let length = attempt.length();
        let met = &mut self.met;
        let contact = self.contacts.entry(attempt.server).or_insert_with(|| {
            *met += 1;
            let Attempt { outcome, opening, first, last, .. } = *attempt;
            Contact { nth: *met, outcome, opening, length, flows: 0, failed: 0, first, last }
        });
        contact.flows += 1;
        contact.meet(attempt);
        contact.length = contact.length.filter(|_| contact.length == length);
        if attempt.failed() {
            contact.failed += 1;
            self.failures += 1;
        }
    }

    /// The prober and its probes, if it is one. `heard`: anything was seen to come back to the source.
    pub(super) fn judge(&self, source: Source, heard: bool) -> Option<Found> {
        if self.failures < UPPER.unsigned_abs().into() {
            return None;
        }
        let mut kept: Vec<(Endpoint, &Contact)> = self.contacts.iter().map(|(end, contact)| (*end, contact)).collect();
        if !heard {
            drop_unheard(&mut kept);
        }
        let (by_host, by_port) = shared(kept.iter().map(|(end, _)| end));
        let many = |of: Option<&i32>| of.is_some_and(|&count| count > 1);
        // What asks for no answer (an acknowledgement, a reset) may be the rest of an old connection. Refused by many
        // ports of one host it is none.
        kept.retain(|(end, contact)| match contact.opening {
            true => many(by_host.get(&end.ip)) || many(by_port.get(&end.port)),
            false => many(by_host.get(&end.ip)) && contact.outcome == Outcome::Refused,
        });
        kept.sort_unstable_by_key(|(_, contact)| contact.nth);
        let (mut walk, mut highest) = (0, 0);
        for (_, contact) in &kept {
            walk = if contact.outcome == Outcome::Exchanged { (walk - 1).max(LOWER) } else { walk + 1 };
            highest = highest.max(walk);
        }
        (highest >= UPPER).then(|| conclude(source, &kept))
    }
}

impl Contact {
    /// Takes a flow, or more of one.
    pub(super) fn meet(&mut self, attempt: &Attempt) {
        self.outcome = self.outcome.max(attempt.outcome);
        self.opening |= attempt.opening;
        if attempt.failed() {
            self.first = if self.failed == 0 { attempt.first } else { self.first.min(attempt.first) };
            self.last = if self.failed == 0 { attempt.last } else { self.last.max(attempt.last) };
        }
    }
}

/// How many of the ends each host and each port has.
fn shared<'e>(ends: impl Iterator<Item = &'e Endpoint>) -> (HashMap<Ip, i32>, HashMap<u16, i32>) {
    let (mut by_host, mut by_port): (HashMap<Ip, i32>, HashMap<u16, i32>) = Default::default();
    for end in ends {
        *by_host.entry(end.ip).or_default() += 1;
        *by_port.entry(end.port).or_default() += 1;
    }
    (by_host, by_port)
}

/// Where nothing ever comes back to a source, perhaps only its side was captured. Then what was sent must look like
/// knocking: few packets, and the same to everybody at a port.
fn drop_unheard(contacts: &mut Vec<(Endpoint, &Contact)>) {
    let mut lengths: HashMap<u16, BTreeSet<Option<u64>>> = HashMap::new();
    for (end, contact) in contacts.iter() {
        lengths.entry(end.port).or_default().insert(contact.length);
    }
    contacts.retain(|(end, contact)| {
        let same = |all: &BTreeSet<Option<u64>>| all.len() == 1 && !all.contains(&None);
        contact.outcome > Outcome::Silent || lengths.get(&end.port).is_some_and(same)
    });
}

fn conclude(source: Source, contacts: &[(Endpoint, &Contact)]) -> Found {
    let failed = || contacts.iter().filter(|(_, contact)| contact.outcome < Outcome::Exchanged);
    let (by_host, by_port) = shared(failed().map(|(end, _)| end));
    // A service that was found counts as an answer; what the source does elsewhere does not.
    let enough = |of: Option<&i32>| of.is_some_and(|&count| count >= UPPER);
    let found = |(end, contact): &&(Endpoint, &Contact)| {
        contact.outcome == Outcome::Exchanged && (enough(by_host.get(&end.ip)) || enough(by_port.get(&end.port)))
    };
    let found: Vec<Endpoint> = contacts.iter().filter(found).map(|(end, _)| *end).collect();
    let ends: Vec<Endpoint> = failed().map(|(end, _)| *end).chain(found.iter().copied()).collect();
    let hosts: BTreeSet<Ip> = ends.iter().map(|end| end.ip).collect();
    let ports: BTreeSet<u16> = ends.iter().map(|end| end.port).collect();
    let count = |outcome| failed().filter(|(_, contact)| contact.outcome == outcome).count() as u64;
    let probes = || contacts.iter().map(|(_, contact)| contact).filter(|contact| contact.failed > 0);
    let prober = Prober {
        source: source.0,
        transport: source.1,
        tunnel: source.2,
        hosts: hosts.len() as u64,
        host: hosts.first().copied().filter(|_| hosts.len() == 1),
        ports: ports.len() as u64,
        port: ports.first().copied().filter(|_| ports.len() == 1),
        endpoints: ends.len() as u64,
        answered: count(Outcome::Open) + found.len() as u64,
        refused: count(Outcome::Refused),
        silent: count(Outcome::Silent),
        flows: probes().map(|contact| contact.failed).sum(),
        first: probes().map(|contact| contact.first).min().unwrap_or_default(),
        last: probes().map(|contact| contact.last).max().unwrap_or_default(),
    };
    Found { prober, ends: contacts.iter().map(|(end, _)| *end).collect() }
}
