//! The parser: one frame in, the packets found in it out.

use super::fragment::{FragmentCounts, Key, Origin, Reassembler, Whole};
use super::ip::{self, Datagram};
use super::link::{self, Network};
use super::rest::{Rest, be16};
use super::transport::{self, Segment};
use super::unreachable::{self, Refused};
use super::{
    Endpoint, Fate, Frame, Joined, LinkType, Malformed, Other, Outer, Packet, Payload, Time, Tunnel, TunnelKind, fit,
    shim, tunnel, wlan,
};
use etherparse::ether_type::{IPV4, IPV6};
use etherparse::{IpAuthHeaderSlice, ip_number};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many tags, labels and other shims are taken off one frame before it is given up.
const MAX_SHIMS: usize = 16;
/// How many tunnels and reassembled datagrams may lie within each other.
const MAX_DEPTH: u8 = 4;

/// Which layers of a tunnelled packet are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TunnelView {
    /// The outer packet and, as packets of their own, those inside.
    #[default]
    Both,
    /// Only the innermost: a packet that carries others does not count itself.
    Inner,
    /// Only the outer: no tunnel is opened.
    Outer,
}

/// Parses the frames of one capture. It holds the fragments that wait for others.
#[derive(Debug, Default)]
pub struct Parser {
    view: TunnelView,
    fragments: Reassembler,
    tunnels: TunnelCounts,
    outer: Option<Outer>,
    fragment: bool,
}

/// Tunnel headers taken off, by kind. One in another counts too, so a frame may count more than once.
pub type TunnelCounts = BTreeMap<TunnelKind, u64>;

/// What is known of the frame around the layer that is being read.
#[derive(Clone, Copy)]
struct Context<'f> {
    frame: u64,
    time: Time,
    vlan: Option<u16>,
    tunnel: Option<Tunnel>,
    depth: u8,
    /// The frames of the fragments that the bytes were put together from; empty: the bytes lie in the block.
    joined: &'f [u64],
}

impl Parser {
    /// A parser for one capture.
    pub fn new() -> Self {
        Self::default()
    }

    /// A parser that gives these layers of tunnelled packets.
    pub fn with_tunnels(view: TunnelView) -> Self {
        Self { view, ..Self::default() }
    }

    /// Finds the packets in `frame` and adds them to `out`, outermost first. `at` is where the frame starts in its block:
    /// payload ranges are relative to the block.
    ///
    /// A fragment may also drive out earlier ones that waited too long. Their start is added as a packet with the number
    /// and time of its own frame, and does not bear on this frame's fate.
    #[inline]
    pub fn parse(&mut self, frame: &Frame<'_>, at: u32, out: &mut Vec<Packet>) -> Fate {
        (self.outer, self.fragment) = (None, false);
        let mut context =
            Context { frame: frame.number, time: frame.time, vlan: None, tunnel: None, depth: 0, joined: &[] };
        let wire = frame.wire_len.max(frame.data.len() as u32);
        let rest = Rest { data: frame.data, wire, at };
        // Nearly every frame is IPv4 straight in Ethernet, and is read without detours.
        let result = match (frame.link, frame.data) {
            (LinkType(1), [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, data @ ..]) => {
                let rest = Rest { data, wire: wire - 14, at: at + 14 };
                ip::v4(rest).and_then(|datagram| self.datagram(&context, datagram, out))
            }
            _ => link::network(frame.link, rest).and_then(|network| self.network(&mut context, network, out)),
        };
        match result {
            Ok(()) => Fate::Flows,
            Err(fate) => fate,
        }
    }

    /// Gives up the fragments that still wait for others. To be called at the end of the capture.
    pub fn finish(&mut self, out: &mut Vec<Packet>) {
        self.give_up(None, out);
    }

    /// The outermost IP packet of the frame parsed last, unless it is a fragment.
    pub fn outer(&self) -> Option<&Outer> {
        self.outer.as_ref()
    }

    /// Whether there was a fragment in the frame parsed last.
    pub fn is_fragment(&self) -> bool {
        self.fragment
    }

    /// What became of fragmented datagrams so far.
    pub fn fragments(&self) -> FragmentCounts {
        self.fragments.counts
    }

    /// Which tunnels were opened so far, and how often.
    pub fn tunnels(&self) -> &TunnelCounts {
        &self.tunnels
    }

    #[inline]
    fn network(&mut self, context: &mut Context<'_>, network: Network<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        match network {
            Network::EtherType(IPV4, rest) => self.datagram(context, ip::v4(rest)?, out),
            Network::EtherType(IPV6, rest) => self.datagram(context, ip::v6(rest)?, out),
            Network::Ip(rest) => self.datagram(context, ip::any(rest)?, out),
            other => self.shims(context, other, out),
        }
    }

    /// Takes off what stands before IP.
    fn shims(
        &mut self,
        context: &mut Context<'_>,
        mut network: Network<'_>,
        out: &mut Vec<Packet>,
    ) -> Result<(), Fate> {
        for _ in 0..MAX_SHIMS {
            network = match network {
                Network::EtherType(IPV4 | IPV6, _) | Network::Ip(_) => return self.network(context, network, out),
                Network::Link(link, rest) => link::network(link, rest)?,
                Network::Aggregate(rest) => return self.aggregate(context, rest, out),
                Network::EtherType(ether_type, rest) => {
                    if shim::is_vlan(ether_type) {
                        let (id, next) = shim::vlan(rest)?;
                        context.vlan.get_or_insert(id);
                        next
                    } else {
                        shim::peel(ether_type, rest)?
                    }
                }
            };
        }
        Err(Fate::Malformed(Malformed::LinkHeader))
    }

    /// The frames in an 802.11 aggregate; the fate is that of the first that has flows, else of the first.
    fn aggregate(&mut self, context: &mut Context<'_>, rest: Rest<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        let mut result = None;
        let mut rest = Some(rest);
        while let Some((network, next)) = rest.and_then(wlan::subframe) {
            // An aggregate within an aggregate cannot be: a subframe starts with LLC.
            let fate = network.and_then(|network| self.network(context, network, out));
            result = if result == Some(Ok(())) || result.is_some() && fate.is_err() { result } else { Some(fate) };
            rest = next;
        }
        result.unwrap_or(Err(Fate::Malformed(Malformed::LinkHeader)))
    }

    #[inline]
    fn datagram(&mut self, context: &Context<'_>, datagram: Datagram<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        if datagram.fragment.is_some() {
            return self.fragment(context, &datagram, out);
        }
        if context.depth == 0 {
            self.outer = Some(Outer {
                length: datagram.length,
                protocol: datagram.protocol.0,
                payload: datagram.payload.range(),
                payload_len: datagram.payload.wire,
            });
        }
        match datagram.protocol {
            ip_number::UDP => {
                let segment = transport::udp(datagram.payload)?;
                let opened = match self.view {
                    TunnelView::Outer => None,
                    _ if context.depth >= MAX_DEPTH => None,
                    _ => tunnel::in_udp(segment.payload, (datagram.source, datagram.destination)),
                };
                if opened.is_none() || self.view == TunnelView::Both {
                    push(context, &datagram, &segment, out);
                }
                match opened {
                    None => Ok(()),
                    Some(inner) => match self.inner(context, inner, out) {
                        Err(fate) if self.view == TunnelView::Inner => Err(fate),
                        _ => Ok(()),
                    },
                }
            }
            ip_number::TCP => {
                push(context, &datagram, &transport::tcp(datagram.payload)?, out);
                Ok(())
            }
            _ => self.portless(context, datagram, out),
        }
    }

    /// A protocol without ports: a tunnel, an authentication header, or something to count.
    fn portless(
        &mut self,
        context: &Context<'_>,
        mut datagram: Datagram<'_>,
        out: &mut Vec<Packet>,
    ) -> Result<(), Fate> {
        let fate = Fate::Other(Other::Ip(datagram.protocol.0));
        if matches!(datagram.protocol, ip_number::ICMP | ip_number::IPV6_ICMP) {
            out.extend(unreachable::refused(&datagram).map(|refused| notice(context, refused)));
            return Err(fate);
        }
        if datagram.protocol == ip_number::AUTH {
            // It hides nothing (RFC 4302).
            let header = IpAuthHeaderSlice::from_slice(datagram.payload.data).map_err(|_| fate)?;
            let payload = datagram.payload.after(header.slice().len()).map_err(|_| fate)?;
            (datagram.protocol, datagram.payload) = (header.next_header(), payload);
            return match datagram.protocol {
                ip_number::TCP | ip_number::UDP if fit::transport(&datagram, false) => {
                    *self.tunnels.entry(TunnelKind::Ah).or_default() += 1;
                    self.datagram(context, datagram, out)
                }
                _ => Err(fate),
            };
        }
        if self.view == TunnelView::Outer || context.depth >= MAX_DEPTH {
            return Err(fate);
        }
        let inner = tunnel::in_ip(datagram.protocol, datagram.payload).ok_or(fate)?;
        match self.inner(context, inner, out) {
            // Nothing with ports in it: the frame counts as what it is outside.
            Err(_) if self.view == TunnelView::Both => Err(fate),
            result => result,
        }
    }

    fn inner(&mut self, context: &Context<'_>, inner: tunnel::Inner<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        *self.tunnels.entry(inner.tunnel.kind).or_default() += 1;
        let mut context = Context { tunnel: Some(inner.tunnel), depth: context.depth + 1, ..*context };
        self.network(&mut context, inner.network, out)
    }

    fn fragment(&mut self, context: &Context<'_>, datagram: &Datagram<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        let Some(header) = datagram.fragment else { return Err(Fate::Other(Other::Fragment)) };
        if context.depth >= MAX_DEPTH {
            return Err(Fate::Other(Other::Fragment));
        }
        let key = Key {
            source: datagram.source,
            destination: datagram.destination,
            id: header.id,
            protocol: (!datagram.v6).then_some(datagram.protocol),
            tunnel: context.tunnel,
        };
        self.fragment = true;
        let origin = Origin { frame: context.frame, time: context.time, vlan: context.vlan, tunnel: context.tunnel };
        let own = [context.frame];
        let frames = if context.joined.is_empty() { &own } else { context.joined };
        let result = self.fragments.add(key, header, datagram.protocol, datagram.payload, origin, frames);
        self.give_up(Some(context.time), out);
        let whole = result?;
        let wire = whole.wire.unwrap_or(0).max(whole.bytes.len() as u32);
        let payload = Rest { data: &whole.bytes, wire, at: 0 };
        let mut datagram = Datagram { protocol: whole.protocol, fragment: None, payload, ..*datagram };
        if datagram.v6 {
            ip::extensions(&mut datagram)?;
        }
        let context = Context { depth: context.depth + 1, joined: &whole.frames, ..*context };
        self.datagram(&context, datagram, out)
    }

    /// Hands on the start of datagrams that are given up, where it holds a transport header.
    fn give_up(&mut self, now: Option<Time>, out: &mut Vec<Packet>) {
        while let Some(given_up) = self.fragments.give_up(now) {
            if let Some(whole) = given_up {
                start_of(&whole, out);
            }
        }
    }
}

/// The packet that starts an incomplete datagram.
fn start_of(whole: &Whole, out: &mut Vec<Packet>) {
    // Without the last fragment, only UDP's own length says how long the datagram was.
    let stated = if whole.protocol == ip_number::UDP { u32::from(be16(&whole.bytes, 4)) } else { 0 };
    let wire = whole.wire.unwrap_or(stated).max(whole.bytes.len() as u32);
    let mut datagram = Datagram {
        source: whole.key.source,
        destination: whole.key.destination,
        v6: whole.key.protocol.is_none(),
        protocol: whole.protocol,
        id: None,
        length: 0,
        fragment: None,
        payload: Rest { data: &whole.bytes, wire, at: 0 },
    };
    if datagram.v6 && ip::extensions(&mut datagram).is_err() {
        return;
    }
    let segment = match datagram.protocol {
        ip_number::UDP => transport::udp(datagram.payload),
        ip_number::TCP => transport::tcp(datagram.payload),
        _ => return,
    };
    let Origin { frame, time, vlan, tunnel } = whole.origin;
    if let Ok(segment) = segment {
        push(&Context { frame, time, vlan, tunnel, depth: 0, joined: &whole.frames }, &datagram, &segment, out);
    }
}

/// That a packet was not delivered, for the flow that it belongs to.
fn notice(context: &Context<'_>, refused: Refused) -> Packet {
    Packet {
        frame: context.frame,
        time: context.time,
        source: refused.source,
        destination: refused.destination,
        transport: refused.transport,
        tunnel: context.tunnel,
        vlan: context.vlan,
        ip_id: None,
        duplicate: false,
        refused: true,
        tcp: None,
        wire_len: 0,
        payload: Payload::Block(0..0),
    }
}

#[inline]
fn push(context: &Context<'_>, datagram: &Datagram<'_>, segment: &Segment<'_>, out: &mut Vec<Packet>) {
    let payload = match context.joined {
        [] => Payload::Block(segment.payload.range()),
        frames => Payload::Joined(Arc::new(Joined { bytes: segment.payload.data.into(), frames: frames.into() })),
    };
    out.push(Packet {
        frame: context.frame,
        time: context.time,
        source: Endpoint { ip: datagram.source, port: segment.source_port },
        destination: Endpoint { ip: datagram.destination, port: segment.destination_port },
        transport: segment.transport,
        tunnel: context.tunnel,
        vlan: context.vlan,
        ip_id: datagram.id,
        duplicate: false,
        refused: false,
        tcp: segment.tcp,
        wire_len: segment.payload.wire,
        payload,
    });
}
