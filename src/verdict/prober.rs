//! A source that knocks at many ports or hosts, and what came of it.

use crate::packet::{Ip, Time, Transport, Tunnel};

/// One source's probes over one transport. A probe is a flow in which nothing was exchanged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Prober {
    /// Who knocked.
    pub source: Ip,
    /// UDP or TCP.
    pub transport: Transport,
    /// The tunnel it came through.
    pub tunnel: Option<Tunnel>,
    /// Different addresses it knocked at.
    pub hosts: u64,
    /// The address, where it is one only.
    pub host: Option<Ip>,
    /// Different ports it knocked at.
    pub ports: u64,
    /// The port, where it is one only.
    pub port: Option<u16>,
    /// Different endpoints (address and port) it knocked at.
    pub endpoints: u64,
    /// Endpoints that answered with more than a refusal.
    pub answered: u64,
    /// Endpoints that refused.
    pub refused: u64,
    /// Endpoints that said nothing.
    pub silent: u64,
    /// Its flows in which nothing was exchanged.
    pub flows: u64,
    /// Time of the first.
    pub first: Time,
    /// Time of the last.
    pub last: Time,
}
