//! Flows: the 5-tuple, the bounded table, and the head, which is all that a recogniser sees of a flow.

pub mod head;
pub mod stream;
pub mod tally;

pub use head::{Datagram, Dir, Head, HeadBuf};
pub use stream::{Stream, StreamBuf};
pub use tally::{PrefixTally, Tally};
