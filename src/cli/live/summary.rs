//! The summary of a live run.

use crate::pipeline::Board;
use crate::verdict::Summary;

/// What a run on the interfaces of this name has come to, judged by the registry of this date.
pub(crate) fn summary(board: &Board<'_>, name: &str, registry: &str) -> Summary {
    let taken = &board.taken;
    Summary {
        registry: registry.to_owned(),
        captures: vec![name.to_owned()],
        counts: taken.counts,
        flows: board.flows(),
        evicted: board.evicted,
        hurried: board.hurried,
        fragments: taken.fragments,
        tunnels: taken.tunnels.clone(),
        span: taken.span,
        live: true,
        ..Summary::default()
    }
}
