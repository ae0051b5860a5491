//! From a capture to judged flows: threads, channels, shards, merge, and the counters that add up.

mod merge;
mod options;
mod run;
mod shard;
mod undecided;

pub use options::{Control, Options, PortSet};
pub use run::{Captured, read_capture};
