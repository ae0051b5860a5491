//! Where frames come from: capture files (read without libpcap) and, later, interfaces.

mod block;

pub use block::{Block, FrameRef};
