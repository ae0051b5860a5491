//! The flow table: from 5-tuple to slot, bounded, with slots reused.

use super::FlowKey;
use hashbrown::HashTable;

/// What lies in a slot knows its own key.
pub trait Keyed {
    /// The key under which it is found.
    fn key(&self) -> &FlowKey;
}

/// Slots of a piece. Pieces never move, so that a table that grows neither copies nor holds its slots twice.
const PIECE: usize = 1 << 12;

/// A hash table of slots. Hashes are the caller's, made with a secret seed; the table never hashes.
#[derive(Clone, Debug)]
pub struct Table<T> {
    index: HashTable<u32>,
    slots: Slots<T>,
}

/// A slot with its hash. It begins where a line of the processor's caches does, so that it lies in as few as can be.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Place<T> {
    hash: u64,
    slot: T,
}

/// All places; all pieces but the last are full.
#[derive(Clone, Debug)]
struct Slots<T>(Vec<Vec<Place<T>>>);

impl<T> Slots<T> {
    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PIECE + last.len())
    }

    #[inline]
    fn get(&self, n: usize) -> Option<&Place<T>> {
        self.0.get(n / PIECE)?.get(n % PIECE)
    }

    #[inline]
    fn get_mut(&mut self, n: usize) -> Option<&mut Place<T>> {
        self.0.get_mut(n / PIECE)?.get_mut(n % PIECE)
    }

    fn hash(&self, n: usize) -> u64 {
        self.get(n).map_or(0, |place| place.hash)
    }

    fn push(&mut self, place: Place<T>) {
        match self.0.last_mut().filter(|last| last.len() < PIECE) {
            Some(last) => last.push(place),
            None => {
                // A small table stays small.
                let mut piece = Vec::with_capacity(if self.0.is_empty() { 0 } else { PIECE });
                piece.push(place);
                self.0.push(piece);
            }
        }
    }

    fn pop(&mut self) -> Option<Place<T>> {
        let place = self.0.last_mut()?.pop();
        self.0.pop_if(|last| last.is_empty());
        place
    }
}

impl<T: Keyed> Default for Table<T> {
    fn default() -> Self {
        Self { index: HashTable::new(), slots: Slots(Vec::new()) }
    }
}

impl<T: Keyed> Table<T> {
    /// The slot of `key`.
    pub fn find(&self, hash: u64, key: &FlowKey) -> Option<usize> {
        let is_it = |&n: &u32| self.slots.get(n as usize).is_some_and(|place| place.slot.key() == key);
        self.index.find(hash, is_it).map(|&n| n as usize)
    }

    /// Where a flow of this hash lies, if there is one, by seven bits of the hash alone. It reads the index, so that
    /// a [`Self::find`] soon after need not wait for memory.
    pub fn likely(&self, hash: u64) -> Option<usize> {
        self.index.find(hash, |_| true).map(|&n| n as usize)
    }

    /// Adds a slot whose key is not there yet.
    pub fn insert(&mut self, hash: u64, slot: T) -> usize {
        let n = self.slots.len();
        self.slots.push(Place { hash, slot });
        let slots = &self.slots;
        self.index.insert_unique(hash, n as u32, |&n| slots.hash(n as usize));
        n
    }

    /// Puts another slot, with another key, in the place of slot `n`; gives back the old one.
    pub fn replace(&mut self, n: usize, hash: u64, slot: T) -> Option<T> {
        let place = self.slots.get_mut(n)?;
        let old = std::mem::replace(place, Place { hash, slot });
        if let Ok(entry) = self.index.find_entry(old.hash, |&m| m as usize == n) {
            entry.remove();
        }
        let slots = &self.slots;
        self.index.insert_unique(hash, n as u32, |&n| slots.hash(n as usize));
        Some(old.slot)
    }

    /// Takes slot `n` out; the last slot moves to its place.
    pub fn remove(&mut self, n: usize) -> Option<T> {
        let hash = self.slots.get(n)?.hash;
        if let Ok(entry) = self.index.find_entry(hash, |&m| m as usize == n) {
            entry.remove();
        }
        let popped = self.slots.pop()?;
        let Some(place) = self.slots.get_mut(n) else { return Some(popped.slot) };
        let hash = popped.hash;
        let removed = std::mem::replace(place, popped).slot;
        let last = self.slots.len() as u32;
        if let Some(moved) = self.index.find_mut(hash, |&m| m == last) {
            *moved = n as u32;
        }
        Some(removed)
    }

    /// Takes the last slot out. None is found any more, which makes this quick.
    pub fn pop(&mut self) -> Option<T> {
        self.index.clear();
        self.slots.pop().map(|place| place.slot)
    }

    /// Slot `n`.
    pub fn get_mut(&mut self, n: usize) -> Option<&mut T> {
        self.slots.get_mut(n).map(|place| &mut place.slot)
    }

    /// Slot `n`.
    pub fn get(&self, n: usize) -> Option<&T> {
        self.slots.get(n).map(|place| &place.slot)
    }

    /// Slots in use.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All slots, in order of insertion. Each piece is freed when the next one is come to.
    pub fn into_slots(self) -> impl Iterator<Item = T> {
        self.slots.0.into_iter().flatten().map(|place| place.slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Endpoint, Ip, Transport};

    #[derive(Clone)]
    struct Slot(FlowKey);

    impl Keyed for Slot {
        fn key(&self) -> &FlowKey {
            &self.0
        }
    }

    fn key(n: u16) -> FlowKey {
        let end = |port| Endpoint { ip: Ip::v4([10, 0, 0, 1]), port };
        FlowKey { low: end(1), high: end(n), transport: Transport::Udp, tunnel: None }
    }

    #[test]
    fn colliding_hashes_are_told_apart_by_key() {
        let mut table = Table::default();
        for n in 2..200 {
            table.insert(7, Slot(key(n)));
        }
        assert_eq!(table.find(7, &key(100)), Some(98));
        assert_eq!(table.find(7, &key(500)), None);
    }

    #[test]
    fn the_last_slot_takes_the_place_of_a_removed_one() {
        let mut table = Table::default();
        for n in 2..6 {
            table.insert(u64::from(n), Slot(key(n)));
        }
        assert!(table.remove(1).is_some_and(|slot| slot.0 == key(3)));
        assert_eq!((table.find(3, &key(3)), table.find(5, &key(5)), table.len()), (None, Some(1), 3));
        assert!(table.remove(2).is_some() && table.remove(2).is_none());
        assert_eq!((table.find(4, &key(4)), table.find(5, &key(5)), table.find(2, &key(2))), (None, Some(1), Some(0)));
    }

    #[test]
    fn a_replaced_slot_is_found_under_its_new_key_only() {
        let mut table = Table::default();
        table.insert(1, Slot(key(2)));
        table.insert(2, Slot(key(3)));
        table.replace(0, 9, Slot(key(4)));
        assert_eq!((table.find(1, &key(2)), table.find(9, &key(4)), table.find(2, &key(3))), (None, Some(0), Some(1)));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn slots_move_across_pieces() {
        let (mut table, count) = (Table::default(), 2 * PIECE as u16 + 3);
        for n in 2..2 + count {
            table.insert(u64::from(n), Slot(key(n)));
        }
        // The last three take the first places; the third piece is gone then.
        for place in 0..3 {
            assert!(table.remove(place).is_some_and(|slot| slot.0 == key(2 + place as u16)));
        }
        assert_eq!((table.len(), table.slots.0.len()), (2 * PIECE, 2));
        for n in 5..2 + count {
            let place = table.find(u64::from(n), &key(n)).unwrap();
            assert!(table.get(place).is_some_and(|slot| slot.0 == key(n)));
        }
        assert_eq!(table.find(2, &key(2)), None);
        table.insert(1, Slot(key(1)));
        let mut emptied = table.clone();
        assert!(emptied.pop().is_some_and(|slot| slot.0 == key(1)) && emptied.find(5, &key(5)).is_none());
        assert_eq!(
            (emptied.len(), std::iter::from_fn(|| emptied.pop()).count(), emptied.len()),
            (2 * PIECE, 2 * PIECE, 0)
        );
        assert_eq!((table.find(1, &key(1)), table.into_slots().count()), (Some(2 * PIECE), 2 * PIECE + 1));
    }
}
