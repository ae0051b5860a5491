//! From judged flows to one row per port (or per endpoint).

use super::addresses::Addresses;
use super::record::FlowRecord;
use super::row::{PortRow, RowKey};
use super::{Answered, Prober, Verdict};
use crate::packet::Ip;
use std::collections::BTreeMap;

/// At most this many addresses are remembered per row and side; beyond, their number is a lower bound.
const ADDRESSES: usize = 4096;
/// And so many of all rows together.
const ALL_ADDRESSES: usize = 1 << 20;

/// What one flow has added to its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Share {
    key: RowKey,
    verdict: Verdict,
    protocol: &'static str,
    packets: u64,
    bytes: u64,
    answered: bool,
    probe: bool,
}

/// Rows being filled.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    by_endpoint: bool,
    rows: BTreeMap<RowKey, PortRow>,
    /// Addresses remembered in all rows.
    addresses: usize,
    /// Who knocked at many ports or hosts; the most endpoints first.
    pub probers: Vec<Prober>,
}

impl Rows {
    /// Rows by port, or by server endpoint.
    pub fn new(by_endpoint: bool) -> Self {
        Self { by_endpoint, ..Self::default() }
    }

    fn key(&self, flow: &FlowRecord<'_>) -> RowKey {
        let (server, transport) = flow.judged();
        RowKey { port: server.port, transport, server: self.by_endpoint.then_some(server.ip) }
    }

    /// Adds a flow.
    pub fn add(&mut self, flow: &FlowRecord<'_>) {
        let key = self.key(flow);
        let row = self.rows.entry(key).or_insert_with(|| PortRow {
            key,
            state: flow.claim.state,
            services: flow.claim.services.clone(),
            other_transports: flow.claim.other_transports,
            observed: Vec::new(),
            verdicts: BTreeMap::new(),
            clients: Addresses::default(),
            servers: Addresses::default(),
            answered: 0,
            probes: 0,
        });
        remember(&mut row.clients, flow.client.ip, &mut self.addresses);
        remember(&mut row.servers, flow.server.ip, &mut self.addresses);
        row.answered += u64::from(answered(flow));
        row.probes += u64::from(flow.probe);
        *row.verdicts.entry(flow.judgement.verdict).or_default() += 1;
        row.count(flow);
    }

    /// What a flow has added to its row, to be taken back when it comes to something else.
    pub fn share(&self, flow: &FlowRecord<'_>) -> Share {
        Share {
            key: self.key(flow),
            verdict: flow.judgement.verdict,
            protocol: flow.protocol(),
            packets: flow.packets.0 + flow.packets.1,
            bytes: flow.bytes.0 + flow.bytes.1,
            answered: answered(flow),
            probe: flow.probe,
        }
    }

    /// Notes that flows that were added before turned out to be part of a scan.
    pub fn probed(&mut self, key: RowKey, flows: u64) {
        if let Some(row) = self.rows.get_mut(&key) {
            row.probes += flows;
        }
    }

    /// Takes back what a flow had added. Addresses stay.
    pub fn take_back(&mut self, share: &Share) {
        let Some(row) = self.rows.get_mut(&share.key) else { return };
        row.answered -= u64::from(share.answered).min(row.answered);
        row.probes -= u64::from(share.probe).min(row.probes);
        if let Some(flows) = row.verdicts.get_mut(&share.verdict) {
            *flows = flows.saturating_sub(1);
        }
        row.verdicts.retain(|_, flows| *flows > 0);
        if let Some(o) = row.observed.iter_mut().find(|o| (o.verdict, o.protocol) == (share.verdict, share.protocol)) {
            o.flows = o.flows.saturating_sub(1);
            o.packets = o.packets.saturating_sub(share.packets);
            o.bytes = o.bytes.saturating_sub(share.bytes);
        }
        row.observed.retain(|o| o.flows > 0);
        if row.observed.is_empty() {
            self.addresses = self.addresses.saturating_sub(row.clients.len() + row.servers.len());
            self.rows.remove(&share.key);
        }
    }

    /// Puts what a flow has come to in the place of what it had added.
    pub fn replace(&mut self, before: &Share, flow: &FlowRecord<'_>) {
        let now = self.share(flow);
        let counts = Share { packets: before.packets, bytes: before.bytes, ..now };
        let row = self.rows.get_mut(&now.key).filter(|_| counts == *before);
        // Most have only had more packets.
        if !row.is_some_and(|row| row.recount(before.packets, before.bytes, flow)) {
            self.take_back(before);
            self.add(flow);
        }
    }

    /// Adds all rows of another capture or shard.
    pub fn absorb(&mut self, other: Self) {
        self.absorb_in(other, || true);
    }

    /// Adds rows as long as there is time. Gives the flows and packets of those that were left.
    pub fn absorb_in(&mut self, other: Self, mut time: impl FnMut() -> bool) -> (u64, u64) {
        self.probers.extend(other.probers);
        if self.rows.is_empty() {
            (self.rows, self.addresses) = (other.rows, other.addresses);
            return (0, 0);
        }
        let mut left = (0, 0);
        for (key, theirs) in other.rows {
            if !time() {
                let (flows, packets, _) = theirs.totals();
                left = (left.0 + flows, left.1 + packets);
                continue;
            }
            let Some(row) = self.rows.get_mut(&key) else {
                self.addresses += theirs.clients.len() + theirs.servers.len();
                self.rows.insert(key, theirs);
                continue;
            };
            for (ours, theirs) in [(&mut row.clients, theirs.clients), (&mut row.servers, theirs.servers)] {
                if has_room(ours, self.addresses) {
                    theirs.into_iter().for_each(|ip| remember(ours, ip, &mut self.addresses));
                }
            }
            row.answered += theirs.answered;
            row.probes += theirs.probes;
            for (verdict, flows) in theirs.verdicts {
                *row.verdicts.entry(verdict).or_default() += flows;
            }
            theirs.observed.into_iter().for_each(|o| row.merge(o));
        }
        left
    }

    /// The rows by port alone of those endpoints whose address `keep` takes.
    #[must_use]
    pub fn by_port(self, keep: impl Fn(Ip) -> bool) -> Self {
        let mut all = Self::new(false);
        for mut row in self.rows.into_values().filter(|row| row.key.server.is_none_or(&keep)) {
            row.key.server = None;
            all.absorb(Self { rows: BTreeMap::from([(row.key, row)]), ..Self::default() });
        }
        all
    }

    /// The row of this key.
    pub fn get(&self, key: RowKey) -> Option<&PortRow> {
        self.rows.get(&key)
    }

    /// The rows, by port, transport and address.
    pub fn iter(&self) -> impl Iterator<Item = &PortRow> {
        self.rows.values()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn answered(flow: &FlowRecord<'_>) -> bool {
    matches!(flow.answered, Answered::Seen | Answered::Implied)
}

/// Remembers an address, if there is room; `all` counts those of all rows. A row has its first one whatever the others hold.
fn remember(set: &mut Addresses, ip: Ip, all: &mut usize) {
    if has_room(set, *all) {
        *all += usize::from(set.insert(ip));
    }
}

fn has_room(set: &Addresses, all: usize) -> bool {
    set.is_empty() || (set.len() < ADDRESSES && all < ALL_ADDRESSES)
}
