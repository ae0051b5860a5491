//! The 5-tuple as a table key, the same for both directions.

use crate::packet::{Endpoint, Packet, Transport, Tunnel};
use std::hash::{Hash, Hasher};

/// A flow's identity: both ends in a fixed order, the transport, and the tunnel, inside which addresses may repeat.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FlowKey {
    /// The lesser end.
    pub low: Endpoint,
    /// The greater end.
    pub high: Endpoint,
    /// UDP or TCP.
    pub transport: Transport,
    /// The innermost tunnel.
    pub tunnel: Option<Tunnel>,
}

impl FlowKey {
    /// The key of a packet, and whether the lesser end sent it.
    #[inline]
    pub fn of(packet: &Packet) -> (Self, bool) {
        let from_low = packet.source <= packet.destination;
        let (low, high) =
            if from_low { (packet.source, packet.destination) } else { (packet.destination, packet.source) };
        (Self { low, high, transport: packet.transport, tunnel: packet.tunnel }, from_low)
    }
}

/// Few wide writes: the hash is on every packet's way.
impl Hash for FlowKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.low.ip.hash(state);
        self.high.ip.hash(state);
        let tunnel = self.tunnel.map_or(0, |t| (u64::from(t.id.unwrap_or(0)) << 4) | (t.kind as u64 + 1));
        let ports = u64::from(self.low.port) << 17 | u64::from(self.high.port) << 1 | self.transport as u64;
        state.write_u64(ports);
        state.write_u64(tunnel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Ip;

    #[test]
    fn both_directions_have_one_key() {
        let end = |n: u8, port| Endpoint { ip: Ip::v4([10, 0, 0, n]), port };
        let (there, back) = (Packet::between(end(1, 9), end(2, 5)), Packet::between(end(2, 5), end(1, 9)));
        assert_eq!(FlowKey::of(&there).0, FlowKey::of(&back).0);
        assert_ne!(FlowKey::of(&there).1, FlowKey::of(&back).1);
    }
}
