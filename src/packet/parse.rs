//! The parser: one frame in, the packets found in it out.

use super::ip::{self, Datagram};
use super::link::{self, Network};
use super::rest::{Rest, be16};
use super::transport::{self, fate};
use super::{Endpoint, Fate, Frame, Malformed, Other, Packet, Payload, Time, Tunnel};

/// How many VLAN tags, labels and the like are taken off one frame before it is given up.
const MAX_TAGS: usize = 8;

/// Parses the frames of one capture.
#[derive(Debug, Default)]
pub struct Parser {}

/// What is known of the frame around the layer that is being read.
#[derive(Clone, Copy)]
struct Context {
    frame: u64,
    time: Time,
    vlan: Option<u16>,
    tunnel: Option<Tunnel>,
}

impl Parser {
    /// A parser for one capture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds the packets in `frame` and adds them to `out`. `at` is where the frame starts in its block: payload ranges
    /// are relative to the block.
    pub fn parse(&mut self, frame: &Frame<'_>, at: u32, out: &mut Vec<Packet>) -> Fate {
        let mut context = Context { frame: frame.number, time: frame.time, vlan: None, tunnel: None };
        let wire = frame.wire_len.max(frame.data.len() as u32);
        let result = link::network(frame.link, Rest { data: frame.data, wire, at })
            .and_then(|network| self.network(&mut context, network, out));
        match result {
            Ok(()) => Fate::Flows,
            Err(fate) => fate,
        }
    }

    #[inline]
    fn network(&mut self, context: &mut Context, network: Network<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        let mut network = network;
        for _ in 0..MAX_TAGS {
            network = match network {
                Network::Ip(rest) => return self.datagram(context, ip::any(rest)?, out),
                Network::EtherType(0x0800, rest) => return self.datagram(context, ip::v4(rest)?, out),
                Network::EtherType(0x86dd, rest) => return self.datagram(context, ip::v6(rest)?, out),
                // 802.1Q, 802.1ad, and the tags that came before the standard.
                Network::EtherType(0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300, rest) => vlan(context, rest)?,
                Network::EtherType(other, _) => return Err(Fate::Other(Other::EtherType(other))),
            };
        }
        Err(Fate::Malformed(Malformed::LinkHeader))
    }

    #[inline]
    fn datagram(&mut self, context: &Context, datagram: Datagram<'_>, out: &mut Vec<Packet>) -> Result<(), Fate> {
        if datagram.fragment.is_some() {
            return Err(Fate::Other(Other::Fragment));
        }
        let segment = match datagram.protocol {
            17 => transport::udp(datagram.payload)?,
            6 => transport::tcp(datagram.payload)?,
            other => return Err(Fate::Other(Other::Ip(other))),
        };
        out.push(Packet {
            frame: context.frame,
            time: context.time,
            source: Endpoint { ip: datagram.source, port: segment.source_port },
            destination: Endpoint { ip: datagram.destination, port: segment.destination_port },
            transport: segment.transport,
            tunnel: context.tunnel,
            vlan: context.vlan,
            tcp: segment.tcp,
            wire_len: segment.payload.wire,
            payload: Payload::Block(segment.payload.range()),
        });
        Ok(())
    }
}

/// Takes off a VLAN tag; the outermost identifier is kept.
fn vlan<'a>(context: &mut Context, rest: Rest<'a>) -> Result<Network<'a>, Fate> {
    let tag = rest.header::<4>().map_err(|short| fate(short, Malformed::LinkHeader))?;
    context.vlan.get_or_insert(be16(tag, 0) & 0x0fff);
    let payload = rest.after(4).map_err(|short| fate(short, Malformed::LinkHeader))?;
    match be16(tag, 2) {
        length @ 0..=1500 => link::llc(payload.with_wire(payload.wire.min(u32::from(length)))),
        ether_type => Ok(Network::EtherType(ether_type, payload)),
    }
}
