//! The records of what is beside the ports: sources that probe, and traffic without ports.

use super::parts::SCHEMA;
use crate::report::when::rfc3339;
use crate::verdict::{IpProto, Prober};
use serde::Serialize;

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
