//! From a capture to judged flows: threads, channels, shards, merge, and the counters that add up.

mod announced;
mod arrivals;
pub mod board;
mod claimed;
mod decrypted;
mod duplicate;
mod ended;
mod event;
mod group;
mod hidden;
mod intake;
pub mod keep;
mod live;
pub mod merge;
mod moved;
mod options;
mod pieces;
mod probing;
mod questions;
mod run;
mod scans;
mod select;
pub mod shard;
mod shed;
mod taken;
pub mod undecided;

pub use board::Board;
pub use event::Event;
pub use hidden::{Hidden, HiddenCounts};
pub use keep::{Keeping, Wanted};
pub use live::{Observer, Watched, watch_live};
use options::End;
pub use options::{Control, Options, PortSet};
pub use run::{Captured, read_capture, watch_capture};
pub use select::{Moment, Network, Window};
