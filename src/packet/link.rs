//! From the link type to the network protocol: Ethernet, IEEE 802.2, raw IP.

use super::rest::{Rest, be16};
use super::transport::fate;
use super::{Fate, LinkType, Malformed, Other};

/// What a link header says follows it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Network<'a> {
    /// An EtherType and what it names.
    EtherType(u16, Rest<'a>),
    /// IP of the version that its first bits say.
    Ip(Rest<'a>),
}

/// Takes off the link header.
#[inline]
pub(super) fn network(link: LinkType, rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    match link.0 {
        1 => ethernet(rest),
        // Raw IP: as assigned, and the two numbers of BSD's own DLT_RAW that found their way into files.
        12 | 14 | 101 | 228 | 229 => Ok(Network::Ip(rest)),
        other => Err(Fate::Other(Other::Link(other))),
    }
}

/// Ethernet II, or IEEE 802.3 with a length where the EtherType would be.
#[inline]
pub(super) fn ethernet(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let header = rest.header::<14>().map_err(|short| fate(short, Malformed::LinkHeader))?;
    let payload = rest.after(14).map_err(|short| fate(short, Malformed::LinkHeader))?;
    match be16(header, 12) {
        length @ 0..=1500 => llc(payload.with_wire(payload.wire.min(u32::from(length)))),
        ether_type => Ok(Network::EtherType(ether_type, payload)),
    }
}

/// IEEE 802.2, and its subnetwork access protocol, which leads to an EtherType again.
pub(super) fn llc(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let &[destination, source, control] = rest.header().map_err(|short| fate(short, Malformed::LinkHeader))?;
    match (destination, source, control) {
        (0xaa, 0xaa, 0x03) => {
            let header = rest.header::<8>().map_err(|short| fate(short, Malformed::LinkHeader))?;
            let payload = rest.after(8).map_err(|short| fate(short, Malformed::LinkHeader))?;
            Ok(Network::EtherType(be16(header, 6), payload))
        }
        (0x06, 0x06, 0x03) => Ok(Network::Ip(rest.after(3).map_err(|short| fate(short, Malformed::LinkHeader))?)),
        _ => Err(Fate::Other(Other::Llc(destination))),
    }
}
