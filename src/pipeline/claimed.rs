//! Which recognisers a port's claim hangs on: a verdict wants to know of no other whether it excludes itself.

use crate::flow::FlowKey;
use crate::packet::Transport;
use crate::protocol::{self, ProtocolSet, ask};
use crate::registry::Registry;
use crate::verdict::proto;
use hashbrown::HashMap;

/// The recognisers of what is claimed, by port; found out when a port is first seen.
#[derive(Clone, Debug)]
pub(super) struct Claimed<'a> {
    registry: &'a Registry,
    /// Everybody counts: it is to be told of all who excludes himself.
    everybody: bool,
    known: HashMap<(Transport, u16), ProtocolSet>,
}

impl<'a> Claimed<'a> {
    /// By `registry`; `everybody`: of every flow all recognisers.
    pub(super) fn new(registry: &'a Registry, everybody: bool) -> Self {
        Self { registry, everybody, known: HashMap::new() }
    }

    /// Those of either end's port: who serves is not known yet.
    pub(super) fn of(&mut self, key: &FlowKey) -> ProtocolSet {
        if self.everybody {
            return ask::everybody();
        }
        self.by_port(key.transport, key.low.port).union(&self.by_port(key.transport, key.high.port))
    }

    fn by_port(&mut self, transport: Transport, port: u16) -> ProtocolSet {
        let registry = self.registry;
        *self.known.entry((transport, port)).or_insert_with(|| {
            registry.claim(port, proto(transport)).satisfiers().filter_map(protocol::index).collect()
        })
    }
}
