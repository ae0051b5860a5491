//! What goes in (a frame) and what comes out (a packet with a 5-tuple and a payload).

use super::{Endpoint, Time, Transport};
use std::fmt;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;

/// A link type as assigned in the LINKTYPE_ registry of tcpdump.org (1 = Ethernet).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LinkType(pub u32);

/// One frame as it was captured.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Position in the capture, from 1, as Wireshark numbers frames.
    pub number: u64,
    /// Time stamp.
    pub time: Time,
    /// How to read `data`.
    pub link: LinkType,
    /// Length on the wire in bytes; more than `data.len()` when the snaplen cut the frame.
    pub wire_len: u32,
    /// The captured bytes.
    pub data: &'a [u8],
}

/// Where a packet's payload lies.
#[derive(Clone, Debug)]
pub enum Payload {
    /// These bytes of the block that holds the frame.
    Block(Range<u32>),
    /// A buffer of its own: the packet was put together from fragments.
    Joined(Arc<Joined>),
}

/// What was put together from fragments.
#[derive(Debug)]
pub struct Joined {
    /// The payload.
    pub bytes: Box<[u8]>,
    /// The frames that brought the fragments, as they came.
    pub frames: Box<[u64]>,
}

impl Payload {
    /// The bytes, where `block` holds the frame.
    #[inline]
    pub fn of<'a>(&'a self, block: &'a [u8]) -> &'a [u8] {
        match self {
            Self::Block(range) => block.get(range.start as usize..range.end as usize).unwrap_or_default(),
            Self::Joined(joined) => &joined.bytes,
        }
    }
}

/// The outermost IP packet of a frame, whatever it carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outer {
    /// Bytes on the wire, headers included.
    pub length: u32,
    /// IP protocol number of the payload, behind extension headers.
    pub protocol: u8,
    /// Where the captured payload lies in the block that holds the frame.
    pub payload: Range<u32>,
    /// Bytes of the payload on the wire.
    pub payload_len: u32,
}

impl Outer {
    /// The captured payload, where `block` holds the frame.
    pub fn payload<'a>(&self, block: &'a [u8]) -> Option<&'a [u8]> {
        block.get(self.payload.start as usize..self.payload.end as usize)
    }
}

/// The encapsulations that are opened.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TunnelKind {
    /// RFC 7348.
    Vxlan,
    /// RFC 8926.
    Geneve,
    /// 3GPP TS 29.281.
    GtpU,
    /// RFC 4380.
    Teredo,
    /// RFC 2784 and 2890.
    Gre,
    /// IPv4 or IPv6 in IPv4 or IPv6: RFC 2003, 2473, 4213.
    IpInIp,
    /// Ethernet or MPLS straight in IP: RFC 3378, 4023, 8986.
    EthernetInIp,
    /// An authentication header in front of UDP or TCP: RFC 4302. It is counted, but tells no layer from another, so no
    /// packet is tagged with it.
    Ah,
}

impl TunnelKind {
    /// A short lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::Teredo => "teredo",
            Self::Gre => "gre",
            Self::IpInIp => "ip-in-ip",
            Self::EthernetInIp => "ethernet-in-ip",
            Self::Ah => "ah",
        }
    }
}

/// The innermost tunnel that a packet was found in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tunnel {
    /// Which encapsulation.
    pub kind: TunnelKind,
    /// VNI or GRE key, where there is one. It belongs to the flow key, since inner addresses may overlap.
    ///
    /// GTP-U's TEID differs between the directions, and which two belong together is only said in signalling that the
    /// capture may not hold. There it is a hash of the two outer addresses in either order, which the directions share:
    /// equal inner addresses behind other gateways stay apart, and no flow is split. It is for keys, not for people.
    pub id: Option<u32>,
}

/// `vxlan 42`, `gtp-u`: what a person may know the tunnel by.
impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        match self.id {
            Some(id) if self.kind != TunnelKind::GtpU => write!(f, " {id}"),
            _ => Ok(()),
        }
    }
}

/// The fields of a TCP header that stream reassembly needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TcpFields {
    /// Sequence number of the first payload byte (of the SYN, if set).
    pub sequence: u32,
    /// Acknowledgement number; meaningful when `ack` is set.
    pub acknowledgement: u32,
    /// SYN flag.
    pub syn: bool,
    /// ACK flag.
    pub ack: bool,
    /// FIN flag.
    pub fin: bool,
    /// RST flag.
    pub rst: bool,
}

/// One UDP datagram or TCP segment.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Number of the frame that carried it (of the last fragment, if it came in fragments).
    pub frame: u64,
    /// The frame's time stamp.
    pub time: Time,
    /// Sender.
    pub source: Endpoint,
    /// Addressee.
    pub destination: Endpoint,
    /// UDP or TCP; `tcp` has the header's fields for the latter.
    pub transport: Transport,
    /// The innermost tunnel around it.
    pub tunnel: Option<Tunnel>,
    /// The outermost VLAN identifier. Reported, not part of the flow key: the directions may differ.
    pub vlan: Option<u16>,
    /// IPv4's identification, where it is not 0.
    pub ip_id: Option<NonZero<u16>>,
    /// The same packet was seen before, on another interface or mirror port.
    pub duplicate: bool,
    /// No packet itself: an ICMP error says that a packet like this one was not delivered.
    pub refused: bool,
    /// TCP header fields.
    pub tcp: Option<TcpFields>,
    /// Length of the transport payload on the wire, from the IP and UDP headers.
    pub wire_len: u32,
    /// The captured part of the payload.
    pub payload: Payload,
}

#[cfg(test)]
impl Packet {
    /// An empty UDP datagram, the first of a capture.
    pub(crate) fn between(source: Endpoint, destination: Endpoint) -> Self {
        Self {
            frame: 1,
            time: Time(0),
            source,
            destination,
            transport: Transport::Udp,
            tunnel: None,
            vlan: None,
            ip_id: None,
            duplicate: false,
            refused: false,
            tcp: None,
            wire_len: 0,
            payload: Payload::Block(0..0),
        }
    }
}
