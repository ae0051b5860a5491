//! From the link type to the network protocol: Ethernet, IEEE 802.2, Linux cooked, raw IP, BSD loopback
//! and the smaller ones. Link types are those of tcpdump.org's LINKTYPE_ registry.

use super::rest::{Rest, be16, be32};
use super::transport::fate;
use super::{Fate, LinkType, Malformed, Other, fit, ppp, wlan};
use etherparse::EtherType;
use etherparse::ether_type::{ARP, IPV4, IPV6};

/// What a link header says follows it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Network<'a> {
    /// An EtherType and what it names.
    EtherType(EtherType, Rest<'a>),
    /// IP of the version that its first bits say.
    Ip(Rest<'a>),
    /// A frame of another link type.
    Link(LinkType, Rest<'a>),
    /// Several Ethernet-like frames in one 802.11 frame.
    Aggregate(Rest<'a>),
}

/// RFC 3032.
pub(super) const MPLS: EtherType = EtherType(0x8847);
/// Ethernet in something else: NVGRE, Geneve and others (RFC 1701's "Transparent Ethernet Bridging").
pub(super) const BRIDGING: EtherType = EtherType(0x6558);

/// Takes a link header of `N` bytes off `rest`.
#[inline]
pub(super) fn take<const N: usize>(rest: Rest<'_>) -> Result<(&[u8; N], Rest<'_>), Fate> {
    match (rest.header(), rest.after(N)) {
        (Ok(header), Ok(after)) => Ok((header, after)),
        (Err(short), _) | (_, Err(short)) => Err(fate(short, Malformed::LinkHeader)),
    }
}

/// Passes over `len` bytes of link header.
pub(super) fn skip(rest: Rest<'_>, len: usize) -> Result<Rest<'_>, Fate> {
    rest.after(len).map_err(|short| fate(short, Malformed::LinkHeader))
}

/// Takes off the link header.
#[inline]
pub(super) fn network(link: LinkType, rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    match link.0 {
        1 => ethernet(rest),
        // Raw IP: as assigned, and the two numbers of BSD's own DLT_RAW that found their way into files.
        12 | 14 | 101 | 228 | 229 => Ok(Network::Ip(rest)),
        113 => cooked(rest),
        276 => cooked_v2(rest),
        _ => rarer(link, rest),
    }
}

fn rarer(link: LinkType, rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    match link.0 {
        0 | 108 => loopback(rest),
        6 => token_ring(rest),
        7 => arcnet(skip(rest, 2)?),   // source, destination
        129 => arcnet(skip(rest, 4)?), // the same and an offset
        9 | 50 => ppp::ppp(rest),
        51 => ppp::pppoe(rest),
        10 => llc(skip(rest, 13)?),  // FDDI
        11 | 100 | 106 => llc(rest), // ATM, RFC 2684
        104 => ppp::cisco_hdlc(rest),
        105 => wlan::wlan(rest, false),
        107 => ppp::frame_relay(rest),
        109 => {
            // OpenBSD's view into IPsec: family, SPI, flags.
            let (_, payload) = take::<12>(rest)?;
            Ok(Network::Ip(payload))
        }
        117 => {
            // OpenBSD's packet filter log: its length, without padding.
            let length = usize::from(take::<1>(rest)?.0[0]).next_multiple_of(4);
            Ok(Network::Ip(skip(rest, length)?))
        }
        119 => wlan::prism(rest),
        127 => wlan::radiotap(rest),
        138 => {
            let (header, payload) = take::<18>(rest)?; // IP over IEEE 1394
            Ok(Network::EtherType(EtherType(be16(header, 16)), payload))
        }
        149 | 258 => {
            // Apple's: header length, record type, link type.
            let (&[a, b, c, d, _, _, _, _, e, f, g, h], _) = take::<12>(rest)?;
            let inner = LinkType(u32::from_le_bytes([e, f, g, h]));
            Ok(Network::Link(inner, skip(rest, u32::from_le_bytes([a, b, c, d]).max(12) as usize)?))
        }
        163 => wlan::avs(rest),
        166 | 204 => ppp::ppp(skip(rest, 1)?), // preceded by the direction
        192 => {
            // Per-Packet Information: version, flags, header length, link type.
            let (&[_, _, a, b, c, d, e, f], _) = take::<8>(rest)?;
            let length = usize::from(u16::from_le_bytes([a, b])).max(8);
            Ok(Network::Link(LinkType(u32::from_le_bytes([c, d, e, f])), skip(rest, length)?))
        }
        239 => netfilter_log(rest),
        other => Err(Fate::Other(Other::Link(other))),
    }
}

/// Ethernet II, or IEEE 802.3 with a length where the EtherType would be.
#[inline]
pub(super) fn ethernet(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, payload) = take::<14>(rest)?;
    type_or_length(be16(header, 12), payload)
}

/// The field that is a length in IEEE 802.3 and, from 0x600 on, a type in Ethernet II.
#[inline]
pub(super) fn type_or_length(value: u16, payload: Rest<'_>) -> Result<Network<'_>, Fate> {
    match value {
        length @ 0..0x600 => llc(payload.with_wire(payload.wire.min(u32::from(length)))),
        ether_type => Ok(Network::EtherType(EtherType(ether_type), payload)),
    }
}

/// IEEE 802.2, and its subnetwork access protocol, which leads to an EtherType again.
pub(super) fn llc(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (&[destination, source, control], payload) = take(rest)?;
    match (destination, source, control) {
        (0xaa, 0xaa, 0x03) => {
            let (header, payload) = take::<5>(payload)?;
            Ok(Network::EtherType(EtherType(be16(header, 3)), payload))
        }
        (0x06, 0x06, 0x03) => Ok(Network::Ip(payload)),
        _ => Err(Fate::Other(Other::Llc(destination))),
    }
}

/// Linux's `any` interface, version 1: packet type, ARPHRD type, address length, address, protocol.
fn cooked(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, payload) = take::<16>(rest)?;
    cooked_protocol(be16(header, 2), be16(header, 14), payload)
}

/// Version 2: protocol, reserved, interface, ARPHRD type, packet type, address length, address.
fn cooked_v2(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, payload) = take::<20>(rest)?;
    cooked_protocol(be16(header, 8), be16(header, 0), payload)
}

fn cooked_protocol(hardware: u16, protocol: u16, payload: Rest<'_>) -> Result<Network<'_>, Fate> {
    match (hardware, protocol) {
        (801, _) => wlan::wlan(payload, false),
        (802, _) => wlan::prism(payload),
        (803, _) => wlan::radiotap(payload),
        (824, _) => Err(Fate::Other(Other::Link(253))),    // netlink
        (_, 0x0001) => Err(Fate::Other(Other::Llc(0xff))), // IPX straight in 802.3
        (_, 0x0004) => llc(payload),
        (_, ether_type) => Ok(Network::EtherType(EtherType(ether_type), payload)),
    }
}

/// BSD's loopback: the protocol family, in the byte order of the machine (null) or the network (loop).
fn loopback(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, payload) = take::<4>(rest)?;
    let family = match be32(header, 0) {
        family @ 0..=0xffff => family,
        family => family.swap_bytes(),
    };
    match family {
        2 => Ok(Network::EtherType(IPV4, payload)),
        // The BSDs, macOS and Linux never agreed on the number of IPv6.
        10 | 24 | 28 | 30 => Ok(Network::EtherType(IPV6, payload)),
        // Some writers put other things there; what follows may be IP all the same.
        _ if fit::ip(payload) => Ok(Network::Ip(payload)),
        other => Err(Fate::Other(Other::Family(other))),
    }
}

/// ARCNET: a protocol, with a fragment header before the payload (RFC 1201) or without (RFC 1051).
fn arcnet(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (&[protocol], payload) = take(rest)?;
    match protocol {
        240 => Ok(Network::EtherType(IPV4, payload)),
        212 => {
            // An exception packet repeats the header; a split flag other than 0 says that this is a part.
            let payload = if payload.data.first() == Some(&0xff) { skip(payload, 4)? } else { payload };
            let (&[split, _, _], payload) = take(payload)?;
            if split == 0 { Ok(Network::EtherType(IPV4, payload)) } else { Err(Fate::Other(Other::Fragment)) }
        }
        213 | 241 => Err(Fate::Other(Other::EtherType(ARP.0))),
        _ => Err(Fate::Other(Other::Link(7))),
    }
}

/// Access control, frame control, addresses, and a route when the source address has its group bit set.
fn token_ring(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, mut payload) = take::<14>(rest)?;
    if header[8] & 0x80 != 0 {
        let route = usize::from(take::<1>(payload)?.0[0] & 0x1f);
        payload = skip(payload, route)?;
    }
    llc(payload)
}

/// Linux's packet filter log: family, version, resource, then attributes in the byte order of the machine.
fn netfilter_log(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (_, mut rest) = take::<4>(rest)?;
    loop {
        let (&[a, b, c, d], value) = take(rest)?;
        let (mut length, mut kind) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        if kind > 0xff {
            (length, kind) = (length.swap_bytes(), kind.swap_bytes());
        }
        match (kind, usize::from(length)) {
            (_, 0..4) => return Err(Fate::Malformed(Malformed::LinkHeader)),
            (9, length) => return Ok(Network::Ip(value.with_wire(value.wire.min(length as u32 - 4)))),
            (_, length) => rest = skip(rest, length.next_multiple_of(4))?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The EtherType and the payload that a frame of this link type leads to; EtherType 0 stands for "IP".
    fn reach(link: u32, bytes: &[u8]) -> Result<(u16, Vec<u8>), Fate> {
        match network(LinkType(link), Rest::whole(bytes))? {
            Network::EtherType(ether_type, rest) => Ok((ether_type.0, rest.data.to_vec())),
            Network::Ip(rest) => Ok((0, rest.data.to_vec())),
            Network::Link(link, rest) => reach(link.0, rest.data),
            Network::Aggregate(_) => panic!("no aggregate here"),
        }
    }

    fn with(header: &[u8]) -> Vec<u8> {
        [header, b"payload"].concat()
    }

    #[test]
    fn link_headers_lead_to_the_payload() {
        let ethernet = [0u8; 12];
        let llc = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
        let ppi: Vec<u8> = [&[0, 0, 12, 0, 1, 0, 0, 0, 9, 9, 9, 9], &ethernet[..], &[8, 0]].concat();
        let cases: Vec<(u32, Vec<u8>, u16)> = vec![
            (1, [&ethernet[..], &[0x86, 0xdd]].concat(), 0x86dd),
            (1, [&ethernet[..], &[0, 15], &llc].concat(), 0x0800),
            (0, vec![2, 0, 0, 0], 0x0800),
            (0, vec![0, 0, 0, 30], 0x86dd),
            (108, vec![0, 0, 0, 24], 0x86dd),
            (10, [&[0; 13][..], &llc].concat(), 0x0800),
            (113, [&[0; 14][..], &[0x81, 0]].concat(), 0x8100),
            (276, [&[0x86, 0xdd][..], &[0; 18]].concat(), 0x86dd),
            (6, [&[0; 8][..], &[0x80, 0, 0, 0, 0, 0, 2, 0], &llc].concat(), 0x0800),
            (9, vec![0xff, 3, 0, 0x21], 0x0800),
            (9, vec![0x57], 0x86dd),
            (51, vec![0x11, 0, 0, 1, 0, 9, 0, 0x21], 0x0800),
            (104, vec![0x0f, 0, 8, 0], 0x0800),
            (107, vec![0x18, 0x41, 3, 0xcc], 0x0800),
            (192, ppi, 0x0800),
            (204, vec![1, 0xff, 3, 0, 0x57], 0x86dd),
            (101, vec![], 0),
            (7, vec![1, 2, 240], 0x0800),
            (129, vec![1, 2, 0, 0, 212, 0, 0, 9], 0x0800),
            (239, vec![2, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 11, 0, 9, 0], 0),
        ];
        for (link, header, ether_type) in cases {
            assert_eq!(reach(link, &with(&header)), Ok((ether_type, b"payload".to_vec())), "{link}");
            for length in 0..header.len() {
                // However short, a header is refused, not read beyond.
                assert!(reach(link, &header[..length]).is_err(), "{link} {length}");
            }
        }
        assert_eq!(reach(147, b"what"), Err(Fate::Other(Other::Link(147))));
        assert_eq!(reach(0, &[7, 0, 0, 0]), Err(Fate::Other(Other::Family(7))));
    }
}
