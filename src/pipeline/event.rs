//! What is told of a flow while a live run goes on.

use crate::protocol::Band;
use crate::verdict::{FlowRecord, Verdict};
use std::io;

/// What happened to a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is judged for the first time.
    New,
    /// It is judged otherwise than before.
    Change,
    /// It is over.
    End,
}

impl Event {
    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Change => "change",
            Self::End => "end",
        }
    }
}

/// Takes the flows whose judgement is new, changed or final.
pub(super) type Tell<'t> = dyn FnMut(&FlowRecord<'_>, Event) -> io::Result<()> + 't;

/// What was told of a flow last.
pub(super) type Told = (Verdict, &'static str, Option<Band>);
