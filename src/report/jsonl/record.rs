//! The records as they are written: the fields in the order of the contract, then those added since.

use crate::packet::{Endpoint, FragmentCounts};
use crate::protocol::evidence::{Band, Bits, Evidence, probability};
use crate::registry::{Lore, State, Transports};
use crate::report::community::community_id;
use crate::report::when::rfc3339;
use crate::report::why;
use crate::verdict::{Announced, Counts, FlowRecord, IpProto, Observed, PortRow, Prober, Summary};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

const SCHEMA: &str = "portproof/1";

#[derive(Serialize)]
struct End {
    ip: String,
    port: u16,
}

impl From<Endpoint> for End {
    fn from(end: Endpoint) -> Self {
        Self { ip: end.ip.to_string(), port: end.port }
    }
}

/// Something counted in both directions.
#[derive(Serialize)]
struct Pair {
    client: u64,
    server: u64,
}

impl From<(u64, u64)> for Pair {
    fn from((client, server): (u64, u64)) -> Self {
        Self { client, server }
    }
}

#[derive(Serialize)]
struct ClaimOf<'a> {
    state: &'static str,
    services: Vec<&'a str>,
    /// Where the names are assigned, with state assigned-other-transport.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_transports: Vec<&'static str>,
}

impl<'a> ClaimOf<'a> {
    fn new(state: State, services: impl Iterator<Item = &'a str>, other: Transports) -> Self {
        Self { state: state.name(), services: services.collect(), other_transports: other.names().collect() }
    }
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'static str,
    #[serde(serialize_with = "bits")]
    bits: Bits,
    frames: &'a [u64],
    text: &'a str,
}

impl<'a> From<&'a Evidence> for Item<'a> {
    fn from(item: &'a Evidence) -> Self {
        Self { id: item.family.id, bits: item.bits, frames: &item.frames, text: &item.text }
    }
}

fn bits<S: Serializer>(bits: &Bits, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(bits.as_f64())
}

/// The posterior, rounded down to six places: nothing is ever proven, so it never reads 1.
fn confidence(band: Option<Band>, odds: Bits) -> Option<f64> {
    band.map(|_| (probability(odds) * 1e6).floor().min(999_999.0) / 1e6)
}

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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
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

/// A record of a source that probes. Its probes are in the flow and port records as well.
#[derive(Serialize)]
pub(super) struct Probing<'a> {
    r#type: &'static str,
    schema: &'static str,
    capture: &'a str,
    source: String,
    transport: &'static str,
    tunnel: Option<String>,
    /// Different addresses, ports and endpoints it knocked at.
    hosts: u64,
    ports: u64,
    endpoints: u64,
    /// The address and the port, where it is one only.
    host: Option<String>,
    port: Option<u16>,
    /// Endpoints: answered + refused + silent = endpoints.
    answered: u64,
    refused: u64,
    silent: u64,
    /// Flows in which nothing was exchanged.
    flows: u64,
    first: String,
    last: String,
}

impl<'a> Probing<'a> {
    pub(super) fn new(capture: &'a str, prober: &Prober) -> Self {
        Self {
            r#type: "probing",
            schema: SCHEMA,
            capture,
            source: prober.source.to_string(),
            transport: prober.transport.name(),
            tunnel: prober.tunnel.map(|tunnel| tunnel.to_string()),
            hosts: prober.hosts,
            ports: prober.ports,
            endpoints: prober.endpoints,
            host: prober.host.map(|ip| ip.to_string()),
            port: prober.port,
            answered: prober.answered,
            refused: prober.refused,
            silent: prober.silent,
            flows: prober.flows,
            first: rfc3339(prober.first),
            last: rfc3339(prober.last),
        }
    }
}

/// A record of traffic without ports.
#[derive(Serialize)]
pub(super) struct IpProtoLine<'a> {
    r#type: &'static str,
    schema: &'static str,
    capture: &'a str,
    protocol: &'a str,
    number: Option<u8>,
    packets: u64,
    bytes: u64,
}

impl<'a> IpProtoLine<'a> {
    pub(super) fn new(capture: &'a str, kind: &'a IpProto) -> Self {
        let IpProto { protocol, number, packets, bytes } = kind;
        Self { r#type: "ipproto", schema: SCHEMA, capture, protocol, number: *number, packets: *packets, bytes: *bytes }
    }
}

#[derive(Serialize)]
struct Frames {
    received: u64,
    classified: u64,
    other: u64,
    malformed: u64,
    filtered: u64,
    dropped_queue: u64,
    dropped_kernel: u64,
    dropped_interface: u64,
    truncated: u64,
    duplicates: u64,
    #[serde(skip_serializing_if = "is_zero")]
    decrypted: u64,
}

impl From<Counts> for Frames {
    fn from(counts: Counts) -> Self {
        let Counts {
            received,
            classified,
            other,
            malformed,
            filtered,
            dropped_queue,
            dropped_kernel,
            dropped_interface,
            truncated,
            duplicates,
            decrypted,
        } = counts;
        Self {
            received,
            classified,
            other,
            malformed,
            filtered,
            dropped_queue,
            dropped_kernel,
            dropped_interface,
            truncated,
            duplicates,
            decrypted,
        }
    }
}

#[derive(Serialize)]
struct Fragments {
    reassembled: u64,
    incomplete: u64,
    overlapping: u64,
}

impl From<FragmentCounts> for Fragments {
    fn from(FragmentCounts { reassembled, incomplete, overlapping }: FragmentCounts) -> Self {
        Self { reassembled, incomplete, overlapping }
    }
}

#[derive(Serialize)]
struct Span {
    first: String,
    last: String,
}

/// The summary record.
#[derive(Serialize)]
pub(super) struct SummaryLine<'a> {
    r#type: &'static str,
    schema: &'static str,
    version: &'static str,
    registry: &'a str,
    captures: usize,
    packets: Frames,
    fragments: Fragments,
    /// Tunnels opened, by kind.
    tunnels: BTreeMap<&'static str, u64>,
    flows: u64,
    evicted: u64,
    hurried: u64,
    ports: usize,
    span: Option<Span>,
    /// Files in directories that are no captures.
    skipped: u64,
    /// More is to come: what was reported so far is reported again, with what is new.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    so_far: bool,
}

impl<'a> SummaryLine<'a> {
    pub(super) fn new(summary: &'a Summary, ports: usize) -> Self {
        Self {
            r#type: "summary",
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            registry: &summary.registry,
            captures: summary.captures.len(),
            packets: summary.counts.into(),
            fragments: summary.fragments.into(),
            tunnels: summary.tunnels.iter().map(|(kind, opened)| (kind.name(), *opened)).collect(),
            flows: summary.flows,
            evicted: summary.evicted,
            hurried: summary.hurried,
            ports,
            span: summary.span.map(|(first, last)| Span { first: rfc3339(first), last: rfc3339(last) }),
            skipped: summary.skipped,
            so_far: summary.so_far,
        }
    }
}
