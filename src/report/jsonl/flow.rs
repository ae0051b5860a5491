//! The record of a flow: the fields in the order of the contract, then those added since.

use super::parts::{ClaimOf, End, Item, Pair, SCHEMA, confidence};
use crate::protocol::Band;
use crate::report::community::community_id;
use crate::report::when::rfc3339;
use crate::verdict::{Announced, FlowRecord};
use serde::Serialize;
use std::collections::BTreeMap;

/// A flow record.
#[derive(Serialize)]
pub(super) struct Flow<'a> {
    r#type: &'static str,
    schema: &'static str,
    event: &'static str,
    flow_id: u64,
    capture: &'a str,
    community_id: String,
    transport: &'static str,
    client: End,
    server: End,
    server_by: &'static str,
    answered: &'static str,
    first: String,
    last: String,
    packets: Pair,
    bytes: Pair,
    tunnel: Option<String>,
    vlan: Option<u16>,
    /// Packets that were seen again, and are counted once.
    duplicates: u32,
    protocol: &'static str,
    variant: Option<&'a str>,
    also: &'a [&'static str],
    band: Option<&'static str>,
    confidence: Option<f64>,
    decided_at: Option<u64>,
    evidence: Vec<Item<'a>>,
    claim: ClaimOf<'a>,
    verdict: &'static str,
    reason: Option<&'static str>,
    match_by: Option<&'static str>,
    suspected: Option<&'static str>,
    /// Posterior odds, as a power of two; null where nothing was found at all.
    odds: Option<f64>,
    details: BTreeMap<&'static str, Vec<&'a str>>,
    /// Which way it goes; only where it was said who is inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    direction: Option<&'static str>,
    /// Who owns an end of it on the machine it was captured on; only where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<serde_json::Value>,
    /// Part of a scan.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    probe: bool,
    /// The flow that announced this one's ports; claim and verdict are those of its server's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    announced: Option<By>,
    /// What else is to be said of a flow without a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// Who announced a flow's ports.
#[derive(Serialize)]
struct By {
    flow_id: u64,
    protocol: &'static str,
    frame: u64,
    server: End,
    transport: &'static str,
}

impl From<Announced> for By {
    fn from(by: Announced) -> Self {
        let Announced { by: flow_id, protocol, frame, server, transport } = by;
        Self { flow_id, protocol, frame, server: server.into(), transport: transport.name() }
    }
}

impl<'a> Flow<'a> {
    pub(super) fn new(capture: &'a str, flow: &'a FlowRecord<'_>) -> Self {
        let decision = flow.decision;
        let named = decision.filter(|d| d.protocol.is_some());
        let hinted = decision.filter(|d| d.protocol.is_some() || d.suspected.is_some());
        let mut details: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, value) in hinted.iter().flat_map(|d| &d.details) {
            details.entry(*name).or_default().push(value.as_str());
        }
        Self {
            r#type: "flow",
            schema: SCHEMA,
            event: "end",
            flow_id: flow.id,
            capture,
            community_id: community_id(flow.transport, flow.client, flow.server),
            transport: flow.transport.name(),
            client: flow.client.into(),
            server: flow.server.into(),
            server_by: flow.server_by.name(),
            answered: flow.answered.name(),
            first: rfc3339(flow.first),
            last: rfc3339(flow.last),
            packets: flow.packets.into(),
            bytes: flow.bytes.into(),
            tunnel: flow.tunnel.map(|tunnel| tunnel.to_string()),
            vlan: flow.vlan,
            duplicates: flow.duplicates,
            protocol: flow.protocol(),
            variant: hinted.and_then(|d| d.variant.as_deref()),
            also: named.map_or(&[], |d| &d.also),
            band: named.and_then(|d| d.band).map(Band::name),
            confidence: named.and_then(|d| confidence(d.band, d.odds)),
            decided_at: named.map(|d| d.decided_at),
            evidence: decision.iter().flat_map(|d| &d.evidence).map(Item::from).collect(),
            claim: ClaimOf::new(
                flow.claim.state,
                flow.claim.services.iter().map(String::as_str),
                flow.claim.other_transports,
            ),
            verdict: flow.judgement.verdict.name(),
            reason: flow.judgement.reason.map(|r| r.name()),
            match_by: flow.judgement.match_by.map(|m| m.name()),
            suspected: decision.and_then(|d| d.suspected),
            odds: decision.filter(|d| !d.evidence.is_empty()).map(|d| d.odds.as_f64()),
            details,
            direction: flow.direction.map(|d| d.name()),
            process: None,
            probe: flow.probe,
            announced: flow.announced.map(By::from),
            note: flow.note(),
        }
    }
}

impl Flow<'_> {
    /// The same record of another event (new, change or end), with who owns the flow here.
    pub(super) fn at(self, event: &'static str, process: Option<serde_json::Value>) -> Self {
        Self { event, process, ..self }
    }
}
