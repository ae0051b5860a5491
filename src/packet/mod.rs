//! From a frame to the transport payload: link type, VLAN tags, IP, fragments, tunnels, UDP and TCP.
//!
//! [`Packet`] is what the rest of the program knows of a packet. Nothing here knows flows or protocols.

mod address;
mod parsed;

pub use address::{Endpoint, Ip, Time, Transport};
pub use parsed::{Frame, LinkType, Packet, Payload, TcpFields, Tunnel, TunnelKind};
