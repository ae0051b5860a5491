//! The addresses seen on one side of a row.

use crate::packet::Ip;
use hashbrown::HashSet;
use std::fmt;

/// Different addresses.
#[derive(Clone, Default)]
pub struct Addresses(HashSet<Ip>);

impl Addresses {
    /// Adds one. Whether it is new.
    pub(super) fn insert(&mut self, ip: Ip) -> bool {
        self.0.insert(ip)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The only one, if it is the only one.
    pub fn only(&self) -> Option<Ip> {
        self.0.iter().next().copied().filter(|_| self.len() == 1)
    }
}

impl IntoIterator for Addresses {
    type Item = Ip;
    type IntoIter = hashbrown::hash_set::IntoIter<Ip>;

    /// All of them, in no order.
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// In order, so that equal ones look alike.
impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all: Vec<Ip> = self.0.iter().copied().collect();
        all.sort_unstable();
        f.debug_set().entries(all).finish()
    }
}
