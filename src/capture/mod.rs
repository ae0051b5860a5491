//! Where frames come from: capture files (read without libpcap) and, later, interfaces.

mod block;
mod error;
mod file;
mod framing;
mod pcap;

pub use block::{Block, FrameRef};
pub use error::{CaptureError, Fault};
pub use file::CaptureFile;
