//! Who probes, found while flows come and go: [`super::probing`] with one flow at a time.
//!
//! A flow enters its source's book when it is first seen, and stays there when it is forgotten: what was tried counts.

use super::merge::Merged;
use super::probing::{self, Attempt, Book, Found, Source};
use crate::packet::{Endpoint, Ip, Transport};
use crate::verdict::Prober;
use hashbrown::{HashMap, HashSet};
use std::hash::Hash;

/// Endpoints that sources came to and that are remembered, over all sources.
const REMEMBERED: usize = 1 << 17;
/// Scans whose book was closed for want of room and that are still told of.
const PAST: usize = 1024;

/// What a flow was entered as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tried {
    pub(super) source: Source,
    server: Endpoint,
    failed: bool,
}

/// The books of all sources.
#[derive(Debug, Default)]
pub(super) struct Scans {
    books: HashMap<Source, Book>,
    found: HashMap<Source, Found>,
    /// Sources of which there is news.
    news: HashSet<Source>,
    /// Hosts to which anything was seen to come back.
    heard: HashSet<Ip>,
    /// Failed flows that were forgotten before their source was found out, by endpoint.
    unmarked: HashMap<(Source, Endpoint), u64>,
    ends: usize,
    past: Vec<Prober>,
}

impl Scans {
    /// Takes a flow as it is now, in place of what it was; gives what it was entered as.
    pub(super) fn enter(&mut self, before: Option<Tried>, flow: &Merged) -> Option<Tried> {
        let Some(attempt) = flow.attempt() else {
            before.into_iter().for_each(|before| self.leave(before));
            return None;
        };
        let (source, server) = (attempt.source(), attempt.server);
        if attempt.heard && self.heard.insert(attempt.client) {
            self.news.insert(source);
        }
        let now = Tried { source, server, failed: attempt.failed() };
        match before {
            Some(before) if (before.source, before.server) == (source, server) => self.go_on(before, &attempt),
            other => {
                other.into_iter().for_each(|before| self.leave(before));
                let book = self.books.entry(source).or_default();
                let known = book.contacts.len();
                book.enter(&attempt);
                self.ends += book.contacts.len() - known;
                self.news.insert(source);
            }
        }
        Some(now)
    }

    /// A flow that was entered as `before` has come to `attempt`.
    fn go_on(&mut self, before: Tried, attempt: &Attempt) {
        let Some(book) = self.books.get_mut(&before.source) else { return };
        let Some(contact) = book.contacts.get_mut(&before.server) else { return };
        if before.failed && !attempt.failed() {
            contact.failed = contact.failed.saturating_sub(1);
            book.failures = book.failures.saturating_sub(1);
        }
        let known = contact.outcome;
        contact.meet(attempt);
        let length = attempt.length();
        contact.length = if contact.flows == 1 { length } else { contact.length.filter(|_| contact.length == length) };
        if before.failed || known != contact.outcome {
            self.news.insert(before.source);
        }
    }

    /// It turned out otherwise who serves.
    fn leave(&mut self, before: Tried) {
        let Some(book) = self.books.get_mut(&before.source) else { return };
        let Some(contact) = book.contacts.get_mut(&before.server) else { return };
        contact.flows = contact.flows.saturating_sub(1);
        if before.failed {
            contact.failed = contact.failed.saturating_sub(1);
            book.failures = book.failures.saturating_sub(1);
        }
        if contact.flows == 0 {
            book.contacts.remove(&before.server);
            self.ends -= 1;
        }
        self.news.insert(before.source);
    }

    /// Whether the flow is part of a scan.
    pub(super) fn is_probe(&self, tried: &Tried) -> bool {
        tried.failed && self.found.get(&tried.source).is_some_and(|found| found.ends.contains(&tried.server))
    }

    /// A flow is forgotten; `marked`: its row knows that it is a probe.
    pub(super) fn forget(&mut self, tried: Tried, marked: bool) {
        if tried.failed && !marked && self.books.contains_key(&tried.source) {
            *self.unmarked.entry((tried.source, tried.server)).or_default() += 1;
        }
    }

    /// Judges the sources of which there is news. Gives those whose flows may be marked otherwise now.
    pub(super) fn survey(&mut self) -> HashSet<Source> {
        let mut changed = HashSet::new();
        for source in self.news.drain() {
            let Some(book) = self.books.get(&source) else { continue };
            let found = book.judge(source, self.heard.contains(&source.0));
            if book.contacts.is_empty() {
                self.books.remove(&source);
            }
            let known = match found {
                Some(found) => self.found.insert(source, found),
                None => self.found.remove(&source),
            };
            if known.is_some() || self.found.contains_key(&source) {
                changed.insert(source);
            }
        }
        self.make_room();
        changed
    }

    /// Forgotten flows that turned out to be probes: the endpoint, and how many.
    pub(super) fn take_unmarked(&mut self) -> Vec<(Endpoint, Transport, u64)> {
        let Self { unmarked, found, .. } = self;
        let probes = unmarked.extract_if(|(source, end), _| found.get(source).is_some_and(|f| f.ends.contains(end)));
        probes.map(|((source, end), count)| (end, source.1, count)).collect()
    }

    /// Who probes, the most endpoints first.
    pub(super) fn probers(&self) -> Vec<Prober> {
        let mut probers: Vec<Prober> = self.found.values().map(|found| found.prober.clone()).collect();
        probers.extend(self.past.iter().cloned());
        probing::sort(&mut probers);
        probers
    }

    /// Lets go of books when there are too many endpoints in them: first of those who did nothing wrong.
    fn make_room(&mut self) {
        if self.ends <= REMEMBERED && self.heard.len() <= REMEMBERED {
            return;
        }
        self.heard.clear();
        keep(&mut self.books, |source| self.found.contains_key(source));
        self.ends = self.books.values().map(|book| book.contacts.len()).sum();
        if self.ends > REMEMBERED / 2 {
            let past = self.found.drain().map(|(_, found)| found.prober);
            self.past.extend(past);
            probing::sort(&mut self.past);
            self.past.truncate(PAST);
            self.books.clear();
            self.ends = 0;
        }
        keep(&mut self.unmarked, |(source, _)| self.books.contains_key(source));
    }
}

/// Keeps some entries of a table. What `retain` takes out leaves marks, because of which the table grows when it is filled anew.
fn keep<K: Eq + Hash, V>(table: &mut HashMap<K, V>, mut wanted: impl FnMut(&K) -> bool) {
    let kept: Vec<(K, V)> = table.extract_if(|key, _| wanted(key)).collect();
    table.clear();
    table.extend(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Time;

    #[test]
    fn of_sources_that_turned_out_to_serve_nothing_is_kept() {
        let mut scans = Scans::default();
        for n in 0..1000_u16 {
            let [a, b] = n.to_be_bytes();
            let attempt = Attempt {
                client: Ip::v4([10, 0, a, b]),
                server: Endpoint { ip: Ip::v4([10, 1, 0, 1]), port: 40_000 },
                transport: Transport::Udp,
                tunnel: None,
                outcome: probing::Outcome::Silent,
                opening: true,
                sent: (1, 20),
                heard: false,
                first: Time(0),
                last: Time(0),
            };
            scans.books.entry(attempt.source()).or_default().enter(&attempt);
            scans.ends += 1;
            scans.leave(Tried { source: attempt.source(), server: attempt.server, failed: true });
        }
        scans.survey();
        assert_eq!((scans.books.len(), scans.ends, scans.news.len()), (0, 0, 0));
    }
}
