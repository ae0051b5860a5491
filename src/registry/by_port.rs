//! Something of each port and transport that is made when it is first wanted, and kept.

use super::Proto;
use std::fmt;
use std::sync::OnceLock;

/// Ports of a page: pages nobody asked of take no room.
const PAGE: usize = 256;

/// What was made so far. A copy begins anew.
pub(super) struct ByPort<T>(Vec<OnceLock<Page<T>>>);

type Page<T> = Box<[OnceLock<Box<T>>]>;

impl<T> ByPort<T> {
    /// What belongs to a port; made by `make` the first time.
    pub(super) fn get(&self, port: u16, proto: Proto, make: impl FnOnce() -> T) -> Option<&T> {
        let place = usize::from(port) << 1 | usize::from(proto == Proto::Udp);
        let empty = || std::iter::repeat_with(OnceLock::new).take(PAGE).collect();
        let page = self.0.get(place / PAGE)?.get_or_init(empty);
        Some(page.get(place % PAGE)?.get_or_init(|| Box::new(make())))
    }
}

impl<T> Default for ByPort<T> {
    fn default() -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take((2 << 16) / PAGE).collect())
    }
}

impl<T> Clone for ByPort<T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<T> fmt::Debug for ByPort<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByPort").finish_non_exhaustive()
    }
}
