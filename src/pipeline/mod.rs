//! From a capture to judged flows: threads, channels, shards, merge, and the counters that add up.

mod options;

pub use options::{Control, Options, PortSet};
