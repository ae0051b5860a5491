//! Judged results as the reports take them: flows, traffic without ports, counts.

use super::{Answered, Judgement};
use crate::packet::{Endpoint, FragmentCounts, Time, Transport, Tunnel, TunnelCounts};
use crate::protocol::Decision;
use crate::registry::Claim;

/// How it was told which end serves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ServerBy {
    /// The other end sent the TCP SYN.
    Syn,
    /// The recogniser saw who initiated.
    Recogniser,
    /// Many peers came to it.
    FanIn,
    /// Only its port is assigned, and below 32768.
    Assigned,
    /// It was the destination of the first packet, for want of better.
    First,
    /// Nobody: the ends are peers. `server` is then the destination of the first packet.
    Nobody,
}

impl ServerBy {
    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn",
            Self::Recogniser => "recogniser",
            Self::FanIn => "fan-in",
            Self::Assigned => "assigned",
            Self::First => "first",
            Self::Nobody => "none",
        }
    }
}

/// Which way a flow goes, from who asks to who serves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Direction {
    /// From outside to inside.
    Inbound,
    /// From inside to outside.
    Outbound,
    /// Both ends are inside.
    Internal,
    /// Both ends are outside.
    External,
    /// One end is inside, but nobody serves.
    Unknown,
}

impl Direction {
    /// The word of the flow records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
            Self::External => "external",
            Self::Unknown => "unknown",
        }
    }
}

/// One judged flow. Pairs are (client, server).
#[derive(Clone, Debug)]
pub struct FlowRecord<'a> {
    /// Number of the flow in its capture, from 1, by first frame.
    pub id: u64,
    /// UDP or TCP.
    pub transport: Transport,
    /// The end that asked.
    pub client: Endpoint,
    /// The end whose port is judged.
    pub server: Endpoint,
    /// How that was told.
    pub server_by: ServerBy,
    /// Whether the server answered.
    pub answered: Answered,
    /// Time of the first packet.
    pub first: Time,
    /// Time of the last packet.
    pub last: Time,
    /// Packets, with and without payload.
    pub packets: (u64, u64),
    /// Transport payload bytes on the wire, retransmissions included.
    pub bytes: (u64, u64),
    /// Innermost tunnel.
    pub tunnel: Option<Tunnel>,
    /// Outermost VLAN identifier of the first packet.
    pub vlan: Option<u16>,
    /// Packets that were seen again, and are counted once.
    pub duplicates: u32,
    /// What recognition concluded; `None` when there was no payload.
    pub decision: Option<&'a Decision>,
    /// What the registry claims of the server's port.
    pub claim: &'a Claim,
    /// The verdict.
    pub judgement: Judgement,
    /// Part of a scan: its source knocks at many ports or hosts.
    pub probe: bool,
    /// Which way it goes, where it is known who is inside.
    pub direction: Option<Direction>,
    /// The flow that announced this one's ports: claim and verdict are those of its service.
    pub announced: Option<Announced>,
}

/// Which flow announced the ports of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announced {
    /// Number of the announcing flow in its capture.
    pub by: u64,
    /// Its protocol.
    pub protocol: &'static str,
    /// The frame that announced the ports.
    pub frame: u64,
    /// The announcing flow's server, whose port's claim is judged.
    pub server: Endpoint,
    /// The announcing flow's transport.
    pub transport: Transport,
}

impl FlowRecord<'_> {
    /// What else is to be said of a flow that has no name.
    pub fn note(&self) -> Option<&'static str> {
        self.decision.filter(|d| d.protocol.is_none()).and_then(|d| d.note)
    }

    /// The protocol named, or "unknown".
    pub fn protocol(&self) -> &'static str {
        self.decision.and_then(|d| d.protocol).unwrap_or("unknown")
    }

    /// The end and transport whose claim is judged: the server's, or the announcing flow's server's.
    pub fn judged(&self) -> (Endpoint, Transport) {
        self.announced.map_or((self.server, self.transport), |by| (by.server, by.transport))
    }
}

/// Packets that have no ports, by kind: ESP, AH, GRE, ICMP, ARP …
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IpProto {
    /// The kind's name.
    pub protocol: String,
    /// IP protocol number, where it is one.
    pub number: Option<u8>,
    /// Frames.
    pub packets: u64,
    /// Bytes on the wire, link layer included.
    pub bytes: u64,
}

/// Frames, counted once each by their outermost fate: received = classified + other + malformed + filtered +
/// dropped_queue. Kernel and interface drops stand outside. `truncated`, `duplicates` and `decrypted` are properties and no
/// fates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Frames read.
    pub received: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Given to a flow.
    pub classified: u64,
    /// No UDP or TCP.
    pub other: u64,
    /// Headers that contradict themselves.
    pub malformed: u64,
    /// Left out at the user's wish.
    pub filtered: u64,
    /// Shed because the workers could not keep up.
    pub dropped_queue: u64,
    /// Dropped by the kernel before they were received.
    pub dropped_kernel: u64,
    /// Dropped by the interface.
    pub dropped_interface: u64,
    /// Cut by the snaplen.
    pub truncated: u64,
    /// With a packet in it that was seen before, on another interface or mirror port.
    pub duplicates: u64,
    /// Seen as ESP and decrypted as well, where the capture was made on an IPsec endpoint.
    pub decrypted: u64,
}

impl Counts {
    /// Adds another capture's counts.
    pub fn add(&mut self, other: &Self) {
        self.received += other.received;
        self.bytes += other.bytes;
        self.classified += other.classified;
        self.other += other.other;
        self.malformed += other.malformed;
        self.filtered += other.filtered;
        self.dropped_queue += other.dropped_queue;
        self.dropped_kernel += other.dropped_kernel;
        self.dropped_interface += other.dropped_interface;
        self.truncated += other.truncated;
        self.duplicates += other.duplicates;
        self.decrypted += other.decrypted;
    }

    /// Whether every received frame has exactly one fate.
    pub fn adds_up(&self) -> bool {
        self.received == self.classified + self.other + self.malformed + self.filtered + self.dropped_queue
    }
}

/// What the end of a live run left no time for: it is counted, and in no row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftOut {
    /// Flows.
    pub flows: u64,
    /// Packets of these flows and of others.
    pub packets: u64,
    /// Rows that were not written.
    pub ports: u64,
}

impl LeftOut {
    /// Whether all is in its row.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// The whole run.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// The registry's date, "2026-08-17".
    pub registry: String,
    /// Names of the captures judged, in argument order.
    pub captures: Vec<String>,
    /// Frames of all captures.
    pub counts: Counts,
    /// Flows of all captures, forgotten ones included.
    pub flows: u64,
    /// Flows judged early because a memory bound was reached.
    pub evicted: u64,
    /// Flows judged on fewer packets than usual because the heads' memory was full, or a live run ended.
    pub hurried: u64,
    /// What is in no row.
    pub left: LeftOut,
    /// What became of fragmented datagrams.
    pub fragments: FragmentCounts,
    /// Tunnels opened.
    pub tunnels: TunnelCounts,
    /// First and last packet.
    pub span: Option<(Time, Time)>,
    /// Files in directories that are no captures.
    pub skipped: u64,
    /// More is to come: the run goes on.
    pub so_far: bool,
    /// The captures were read as one.
    pub merged: bool,
    /// The captures were interfaces, which cannot be read again.
    pub live: bool,
}
