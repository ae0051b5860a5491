//! The record of a port: the fields in the order of the contract, then those added since.

use super::parts::{ClaimOf, SCHEMA, confidence, is_zero};
use crate::protocol::Band;
use crate::registry::Lore;
use crate::report::why;
use crate::verdict::{Observed, PortRow};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Seen<'a> {
    protocol: &'static str,
    variants: Vec<&'a str>,
    flows: u64,
    packets: u64,
    bytes: u64,
    verdict: &'static str,
    band: Option<&'static str>,
    confidence: Option<f64>,
    reason: Option<&'static str>,
    also: Vec<&'static str>,
    suspected: Vec<&'static str>,
    best_flow: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'static str>,
}

/// A saying about a port, from elsewhere. The field it stands in says what it is worth.
#[derive(Serialize)]
struct Saying {
    actual_use: &'static str,
    kind: &'static str,
    confidence: &'static str,
}

impl From<Lore> for Saying {
    fn from(Lore { actual_use, kind, confidence, .. }: Lore) -> Self {
        Self { actual_use, kind, confidence }
    }
}

impl<'a> From<&'a Observed> for Seen<'a> {
    fn from(o: &'a Observed) -> Self {
        Self {
            protocol: o.protocol,
            variants: o.variants.iter().map(String::as_str).collect(),
            flows: o.flows,
            packets: o.packets,
            bytes: o.bytes,
            verdict: o.verdict.name(),
            band: o.band.map(Band::name),
            confidence: confidence(o.band, o.odds),
            reason: o.reason.map(|r| r.name()),
            also: o.also.iter().copied().collect(),
            suspected: o.suspected.iter().copied().collect(),
            best_flow: o.best.flow,
            notes: o.notes.iter().copied().collect(),
        }
    }
}

/// A port record.
#[derive(Serialize)]
pub(super) struct Port<'a> {
    r#type: &'static str,
    schema: &'static str,
    capture: &'a str,
    port: u16,
    transport: &'static str,
    range: &'static str,
    claim: ClaimOf<'a>,
    mixed: bool,
    observed: Vec<Seen<'a>>,
    verdicts: BTreeMap<&'static str, u64>,
    verdict: &'static str,
    confidence: Option<f64>,
    why: String,
    /// Whether the verdict rests on a protocol that is only likely.
    only_likely: bool,
    flows: u64,
    packets: u64,
    bytes: u64,
    /// Addresses seen on each side.
    clients: usize,
    servers: usize,
    /// Flows in which the server side spoke, or is known to have.
    answered: u64,
    /// Flows that are part of a scan.
    #[serde(skip_serializing_if = "is_zero")]
    probes: u64,
    /// What is said of the port elsewhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lore_not_evidence: Vec<Saying>,
}

impl<'a> Port<'a> {
    pub(super) fn new(capture: &'a str, row: &'a PortRow) -> Self {
        let (flows, packets, bytes) = row.totals();
        let shown = row.shown();
        Self {
            r#type: "port",
            schema: SCHEMA,
            capture,
            port: row.key.port,
            transport: row.key.transport.name(),
            range: row.range().name(),
            claim: ClaimOf::new(row.state, row.services.iter().map(String::as_str), row.other_transports),
            mixed: row.mixed(),
            observed: row.observed.iter().map(Seen::from).collect(),
            verdicts: row.verdicts.iter().map(|(verdict, flows)| (verdict.name(), *flows)).collect(),
            verdict: row.verdict().name(),
            confidence: shown.and_then(|(o, _)| confidence(o.band, o.odds)),
            why: why::row(row),
            only_likely: shown.is_some_and(|(_, likely)| likely),
            flows,
            packets,
            bytes,
            clients: row.clients.len(),
            servers: row.servers.len(),
            answered: row.answered,
            probes: row.probes,
            lore_not_evidence: row.lore().map(Saying::from).collect(),
        }
    }
}
