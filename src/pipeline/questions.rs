//! Which flows of a live run may be judged otherwise when more is known: of an end (who serves there, and what), or of a
//! session that several flows belong to.

use super::merge::{End, Merged};
use hashbrown::HashMap;

/// Ends and sessions of which something is kept.
pub(super) const KNOWN: usize = 1 << 17;
/// Flows of one end or session that are judged anew when more is known of it.
const REVISED: usize = 16;

/// Flows, by their numbers, that wait for more to be known.
#[derive(Debug, Default)]
pub(super) struct Questions {
    by_end: HashMap<End, Vec<u64>>,
    by_mark: HashMap<u64, Vec<u64>>,
}

impl Questions {
    /// A flow waits: for what is known of its ends, and, `suspected` to be something, of its session.
    pub(super) fn note(&mut self, number: u64, flow: &Merged, suspected: bool) {
        if self.by_end.len() + self.by_mark.len() > KNOWN {
            *self = Self::default();
        }
        let note = |list: &mut Vec<u64>| {
            if list.len() < REVISED && !list.contains(&number) {
                list.push(number);
            }
        };
        flow.ends().into_iter().for_each(|end| note(self.by_end.entry(end).or_default()));
        if suspected {
            flow.marks().into_iter().for_each(|mark| note(self.by_mark.entry(mark).or_default()));
        }
    }

    /// The flows that wait for what is known of this end.
    pub(super) fn of_end(&self, end: &End) -> &[u64] {
        self.by_end.get(end).map_or(&[], Vec::as_slice)
    }

    /// The flows that wait for what is known of this session.
    pub(super) fn of_mark(&self, mark: u64) -> &[u64] {
        self.by_mark.get(&mark).map_or(&[], Vec::as_slice)
    }

    /// The flow is no longer at hand.
    pub(super) fn forget(&mut self, number: u64, flow: &Merged) {
        for end in flow.ends() {
            if let Some(list) = self.by_end.get_mut(&end) {
                list.retain(|other| *other != number);
                if list.is_empty() {
                    self.by_end.remove(&end);
                }
            }
        }
        for mark in flow.marks() {
            if let Some(list) = self.by_mark.get_mut(&mark) {
                list.retain(|other| *other != number);
                if list.is_empty() {
                    self.by_mark.remove(&mark);
                }
            }
        }
    }
}
