//! From a frame to the transport payload: link type, VLAN tags, IP, fragments, tunnels, UDP and TCP.
//!
//! [`Packet`] is what the rest of the program knows of a packet. Nothing here knows flows or protocols.

mod address;
mod fate;
mod ip;
mod link;
mod parse;
mod parsed;
mod rest;
mod transport;

pub use address::{Endpoint, Ip, Time, Transport};
pub use fate::{Fate, Malformed, Other, Wlan};
pub use parse::Parser;
pub use parsed::{Frame, LinkType, Packet, Payload, TcpFields, Tunnel, TunnelKind};
