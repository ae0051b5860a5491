//! Where frames come from: capture files (read without libpcap) and interfaces.

mod ahead;
mod block;
mod compress;
mod error;
mod file;
mod filter;
mod framing;
#[cfg(target_os = "linux")]
pub mod live;
mod merge;
mod pcap;
mod pcapng;
mod save;

pub use ahead::Ahead;
pub use block::{Block, FrameRef, Skimmed};
pub use error::{CaptureError, Fault};
pub use file::{CaptureFile, Dropped};
pub use filter::{Filter, Programs};
pub use merge::{Merged, Source};
pub use save::{Rotation, Saver};
