//! Flows: the 5-tuple, the bounded table, and the head, which is all that a recogniser sees of a flow.

pub mod counters;
pub mod head;
pub mod key;
pub mod stream;
pub mod table;
pub mod tally;

pub use counters::Flow;
pub use head::{Datagram, Dir, Head, HeadBuf};
pub use key::FlowKey;
pub use stream::{Stream, StreamBuf};
pub use table::{Keyed, Table};
pub use tally::{PrefixTally, Tally};
