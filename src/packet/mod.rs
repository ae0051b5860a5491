//! From a frame to the transport payload: link type, VLAN tags, IP, fragments, tunnels, UDP and TCP.
//!
//! [`Packet`] is what the rest of the program knows of a packet. Nothing here knows flows or protocols.

mod address;
mod fate;
mod fit;
mod fragment;
mod ip;
mod link;
mod parse;
mod parsed;
mod ppp;
mod rest;
mod shim;
mod transport;
mod tunnel;
mod unreachable;
mod wlan;

pub use address::{Endpoint, Ip, Time, Transport};
pub use fate::{Fate, Malformed, Other, Wlan};
pub use fragment::FragmentCounts;
pub use parse::{Parser, TunnelCounts, TunnelView};
pub use parsed::{Frame, Joined, LinkType, Outer, Packet, Payload, TcpFields, Tunnel, TunnelKind};
