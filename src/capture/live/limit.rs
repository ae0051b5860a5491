//! How many frames are captured at most, by all capture threads together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number of frames that several threads take from.
#[derive(Clone, Debug)]
pub(super) struct Limit(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    most: u64,
    /// Not reserved yet.
    left: AtomicU64,
    taken: AtomicU64,
}

impl Limit {
    /// At most this many; `None`: any number.
    pub(super) fn new(most: Option<u64>) -> Self {
        let shared = |most| Shared { most, left: AtomicU64::new(most), taken: AtomicU64::new(0) };
        Self(most.map(|most| Arc::new(shared(most))))
    }

    /// How many of `wanted` frames may be read now. To be settled soon: others have to do without them meanwhile.
    pub(super) fn reserve(&self, wanted: u64) -> u64 {
        let Some(shared) = &self.0 else { return wanted };
        let take = |left: u64| Some(left - left.min(wanted));
        let before = shared.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        before.unwrap_or(0).min(wanted)
    }

    /// Of those reserved these were read; the others are free again.
    pub(super) fn settle(&self, reserved: u64, read: u64) {
        if let Some(shared) = &self.0 {
            shared.left.fetch_add(reserved.saturating_sub(read), Ordering::Relaxed);
            shared.taken.fetch_add(read, Ordering::Relaxed);
        }
    }

    /// Whether all were read.
    pub(super) fn is_reached(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| shared.taken.load(Ordering::Relaxed) >= shared.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_together_take_no_more() {
        let limit = Limit::new(Some(300));
        let other = limit.clone();
        assert_eq!((limit.reserve(256), other.reserve(256), other.reserve(256)), (256, 44, 0));
        limit.settle(256, 0);
        assert_eq!(other.reserve(256), 256);
        other.settle(44, 44);
        assert!(!limit.is_reached());
        other.settle(256, 256);
        assert!(limit.is_reached() && limit.reserve(1) == 0);
        assert!(Limit::new(None).reserve(9) == 9 && !Limit::new(None).is_reached());
    }
}
