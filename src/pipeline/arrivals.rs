//! How many flows came to an end: where nothing else tells, the end that many came to serves.

use super::ended::Ended;
use super::merge::End;
use crate::flow::Dir;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher;

/// Peers that must have come to an end before it counts as serving.
const FAN_IN: i32 = 3;

/// Per end how many flows came to it, minus how many it started.
///
/// Ends are kept as hashes with a secret seed: among a million some two are alike once in 2^25 runs.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    hasher: RandomState,
    counts: HashTable<(u64, i32)>,
}

impl Arrivals {
    /// Whether many came to an end.
    pub(super) fn many(&self, end: &End) -> bool {
        if self.counts.is_empty() {
            return false;
        }
        let hash = self.hasher.hash_one(end);
        self.counts.find(hash, |(known, _)| *known == hash).is_some_and(|(_, n)| *n >= FAN_IN)
    }

    /// A flow came to its responder (or, if it does not count any more, did not). Gives the ends that have become places
    /// many come to, or ceased to be.
    pub(super) fn count(&mut self, flow: &Ended, counts: bool) -> [Option<End>; 2] {
        let key = &flow.flow.key;
        let sign = if counts { 1 } else { -1 };
        [(Dir::Responder, sign), (Dir::Originator, -sign)].map(|(dir, change)| {
            let end = (flow.flow.end(dir), key.transport, key.tunnel);
            self.add(self.hasher.hash_one(end), change).then_some(end)
        })
    }

    /// Whether the end has become a place many come to, or ceased to be.
    fn add(&mut self, hash: u64, change: i32) -> bool {
        let entry = self.counts.entry(hash, |(known, _)| *known == hash, |(known, _)| *known);
        let mut entry = entry.or_insert((hash, 0));
        let (_, n) = entry.get_mut();
        let before = *n >= FAN_IN;
        *n += change;
        before != (*n >= FAN_IN)
    }

    /// Forgets ends that few came to, if more than `most` are known.
    pub(super) fn bound(&mut self, most: usize) {
        if self.counts.len() > most {
            self.counts.retain(|(_, n)| *n >= FAN_IN);
            if self.counts.len() > most / 2 {
                self.counts.clear();
            }
        }
    }
}
