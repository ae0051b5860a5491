//! The last samples of a rate, oldest first.

use std::collections::VecDeque;

/// A bounded series of samples.
#[derive(Clone, Debug)]
pub(super) struct Series {
    samples: VecDeque<u32>,
    most: usize,
}

impl Series {
    /// An empty series that keeps `most` samples.
    pub(super) fn new(most: usize) -> Self {
        Self { samples: VecDeque::new(), most }
    }

    /// Adds a sample; the oldest goes.
    pub(super) fn push(&mut self, sample: u64) {
        if self.samples.len() >= self.most {
            self.samples.pop_front();
        }
        self.samples.push_back(u32::try_from(sample).unwrap_or(u32::MAX));
    }

    /// The last `width` samples, with zeros before the first.
    pub(super) fn last(&self, width: usize) -> Vec<u64> {
        let missing = width.saturating_sub(self.samples.len());
        let skipped = self.samples.len().saturating_sub(width);
        let samples = self.samples.iter().skip(skipped).map(|&sample| u64::from(sample));
        std::iter::repeat_n(0, missing).chain(samples).collect()
    }

    /// The mean of the last samples, at most `count`.
    pub(super) fn mean(&self, count: usize) -> u64 {
        let last = self.samples.iter().rev().take(count);
        let (sum, n) = last.fold((0, 0), |(sum, n), &sample| (sum + u64::from(sample), n + 1));
        sum / n.max(1)
    }

    /// The largest sample.
    pub(super) fn peak(&self) -> u64 {
        self.samples.iter().max().map_or(0, |&sample| u64::from(sample))
    }

    /// Whether nothing happened in all of it.
    pub(super) fn is_flat(&self) -> bool {
        self.samples.iter().all(|&sample| sample == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stand_at_the_end() {
        let mut series = Series::new(3);
        assert!(series.is_flat());
        (1..=4).for_each(|sample| series.push(sample));
        assert_eq!(series.last(2), [3, 4]);
        assert_eq!(series.last(5), [0, 0, 2, 3, 4]);
        assert_eq!((series.peak(), series.mean(2), series.mean(9)), (4, 3, 3));
        assert!(!series.is_flat() && Series::new(1).mean(3) == 0);
    }
}
