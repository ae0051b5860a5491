//! Sets of recognisers.

/// A set of recognisers, by their place in [`ALL`](super::ALL).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ProtocolSet([u64; 4]);

impl ProtocolSet {
    /// The set with nobody in it.
    pub const EMPTY: Self = Self([0; 4]);

    /// Adds a recogniser.
    #[inline]
    pub fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether it is in the set.
    #[inline]
    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// Those in either set.
    #[inline]
    pub fn union(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    /// Those in both sets.
    #[inline]
    pub fn both(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    /// Those in this set and not in the other.
    #[inline]
    pub fn without(&self, other: &Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    #[inline]
    fn zip(&self, other: &Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([join(a, e), join(b, f), join(c, g), join(d, h)])
    }

    /// Takes the first out.
    #[inline]
    pub fn pop(&mut self) -> Option<usize> {
        let (n, word) = self.0.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros();
        *word &= *word - 1;
        Some(n * 64 + bit as usize)
    }

    /// The places in the set, in order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        let mut rest = *self;
        std::iter::from_fn(move || rest.pop())
    }
}

impl FromIterator<usize> for ProtocolSet {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let mut set = Self::EMPTY;
        places.into_iter().for_each(|n| set.insert(n));
        set
    }
}
