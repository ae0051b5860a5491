//! From a capture to judged flows: threads, channels, shards, merge, and the counters that add up.

pub mod merge;
mod options;
mod run;
pub mod shard;
pub mod undecided;

pub use options::{Control, Options, PortSet};
pub use run::{Captured, read_capture};
