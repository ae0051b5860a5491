//! Who serves: which end's port is the claim under test.
//!
//! Ephemeral ports of clients must not get registry names: a claim that picks the port it is tested on is worthless.

use super::{ServerBy, proto};
use crate::flow::Dir;
use crate::packet::{Endpoint, Transport};
use crate::registry::Registry;

/// Ports from here on are ephemeral on common systems (Linux: 32768-60999; RFC 6335: 49152-65535).
const EPHEMERAL: u16 = 32768;

/// What is known of a flow's ends.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// UDP or TCP.
    pub transport: Transport,
    /// The end that sent the SYN or else the first packet.
    pub originator: Endpoint,
    /// The other end.
    pub responder: Endpoint,
    /// Whether a SYN or SYN-ACK showed who opened.
    pub syn: bool,
    /// Who serves by the recogniser's word.
    pub recogniser: Option<Dir>,
    /// The end that many peers came to, if it is one end only.
    pub fan_in: Option<Dir>,
}

/// The serving end and how it was told.
pub fn server(ends: &Ends, registry: &Registry) -> (Dir, ServerBy) {
    if ends.syn {
        return (Dir::Responder, ServerBy::Syn);
    }
    if let Some(dir) = ends.recogniser {
        return (dir, ServerBy::Recogniser);
    }
    if let Some(dir) = ends.fan_in {
        return (dir, ServerBy::FanIn);
    }
    let assigned = |end: Endpoint| registry.is_assigned(end.port, proto(ends.transport));
    match (assigned(ends.originator), assigned(ends.responder)) {
        (true, false) if ends.originator.port < EPHEMERAL => return (Dir::Originator, ServerBy::Assigned),
        (false, true) if ends.responder.port < EPHEMERAL => return (Dir::Responder, ServerBy::Assigned),
        _ => {}
    }
    let ports = [ends.originator.port, ends.responder.port];
    let peers = ends.transport == Transport::Udp
        && ports.iter().all(|&p| p >= EPHEMERAL)
        && ends.originator.port != ends.responder.port
        && !ends.responder.ip.is_multicast();
    (Dir::Responder, if peers { ServerBy::Nobody } else { ServerBy::First })
}
