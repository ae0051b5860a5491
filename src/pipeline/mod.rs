//! From a capture to judged flows: threads, channels, shards, merge, and the counters that add up.

mod duplicate;
mod hidden;
mod intake;
pub mod merge;
mod options;
mod run;
mod select;
pub mod shard;
pub mod undecided;

pub use hidden::{Hidden, HiddenCounts};
pub use options::{Control, Options, PortSet};
pub use run::{Captured, read_capture, watch_capture};
pub use select::{Moment, Network, Window};
