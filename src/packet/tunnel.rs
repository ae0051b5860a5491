//! Tunnels, recognised on any port by their headers and by what they carry fitting exactly (`fit`).

use super::link::{self, BRIDGING, Network};
use super::rest::{Rest, be16, be32};
use super::{Ip, Tunnel, TunnelKind, fit, ppp};
use etherparse::ether_type::{IPV4, IPV6};
use etherparse::{EtherType, IpNumber, ip_number};

/// What was found in a tunnel.
pub(super) struct Inner<'a> {
    pub tunnel: Tunnel,
    pub network: Network<'a>,
}

impl<'a> Inner<'a> {
    /// `None` unless the network layer fits exactly.
    fn fitting(kind: TunnelKind, id: Option<u32>, network: Network<'a>) -> Option<Self> {
        fit::network(network, false).then_some(Self { tunnel: Tunnel { kind, id }, network })
    }

    /// An Ethernet frame; `None` unless it fits exactly.
    fn frame(kind: TunnelKind, id: Option<u32>, rest: Rest<'a>) -> Option<Self> {
        let network = fit::ethernet(rest).then(|| link::ethernet(rest).ok())??;
        Some(Self { tunnel: Tunnel { kind, id }, network })
    }
}

/// Opens a tunnel in a UDP payload between two hosts.
#[inline]
pub(super) fn in_udp<'a>(payload: Rest<'a>, hosts: (Ip, Ip)) -> Option<Inner<'a>> {
    // The first byte sends nearly everything else away.
    match payload.data.first()? {
        0x08 | 0x0c | 0x88 => vxlan(payload),
        0x30..=0x37 => gtp_u(payload, hosts).or_else(|| geneve(payload)),
        0x60..=0x6f => teredo(payload),
        0x00 => geneve(payload).or_else(|| teredo(payload)),
        0x01..=0x3f => geneve(payload),
        _ => None,
    }
}

/// Opens a tunnel straight in IP.
pub(super) fn in_ip(protocol: IpNumber, payload: Rest<'_>) -> Option<Inner<'_>> {
    match protocol {
        ip_number::IPV4 | ip_number::IPIP => {
            Inner::fitting(TunnelKind::IpInIp, None, Network::EtherType(IPV4, payload))
        }
        ip_number::IPV6 => Inner::fitting(TunnelKind::IpInIp, None, Network::EtherType(IPV6, payload)),
        ip_number::GRE => gre(payload),
        ip_number::ETHER_IP if payload.data.starts_with(&[0x30, 0]) => {
            Inner::frame(TunnelKind::EthernetInIp, None, payload.after(2).ok()?)
        }
        IpNumber(143) => Inner::frame(TunnelKind::EthernetInIp, None, payload),
        _ => None,
    }
}

/// ```text
/// flags(8) reserved(24)            (flags 0x08; with group policy 0x88; with next protocol 0x0c)
/// VNI(24) reserved(8)
/// ```
fn vxlan(payload: Rest<'_>) -> Option<Inner<'_>> {
    let &[flags, reserved, _, next, vni @ .., last] = payload.header::<8>().ok()?;
    let id = Some(be32(&[0, vni[0], vni[1], vni[2]], 0));
    let inner = payload.after(8).ok()?;
    if reserved != 0 || last != 0 || flags == 0x08 && be16(payload.data, 2) != 0 {
        return None;
    }
    match (flags, next) {
        (0x0c, 1) => Inner::fitting(TunnelKind::Vxlan, id, Network::EtherType(IPV4, inner)),
        (0x0c, 2) => Inner::fitting(TunnelKind::Vxlan, id, Network::EtherType(IPV6, inner)),
        (0x0c, 3) | (0x08 | 0x88, _) => Inner::frame(TunnelKind::Vxlan, id, inner),
        _ => None,
    }
}

/// ```text
/// version(2) options' words(6) O(1) C(1) reserved(6) protocol(16)
/// VNI(24) reserved(8) options…
/// ```
fn geneve(payload: Rest<'_>) -> Option<Inner<'_>> {
    let &[first, second, a, b, vni @ .., last] = payload.header::<8>().ok()?;
    if first >> 6 != 0 || second & 0x3f != 0 || last != 0 {
        return None;
    }
    let id = Some(be32(&[0, vni[0], vni[1], vni[2]], 0));
    let inner = payload.after(8 + usize::from(first & 0x3f) * 4).ok()?;
    match EtherType(u16::from_be_bytes([a, b])) {
        BRIDGING => Inner::frame(TunnelKind::Geneve, id, inner),
        ip @ (IPV4 | IPV6) => Inner::fitting(TunnelKind::Geneve, id, Network::EtherType(ip, inner)),
        _ => None,
    }
}

/// ```text
/// version(3)=1 PT=1 0 E S PN  type(8)=255 length(16)
/// TEID(32) [sequence(16) N-PDU(8) next extension(8) [extensions…]]
/// ```
fn gtp_u(payload: Rest<'_>, (a, b): (Ip, Ip)) -> Option<Inner<'_>> {
    let header = payload.header::<8>().ok()?;
    if header[1] != 0xff || u32::from(be16(header, 2)) + 8 != payload.wire {
        return None;
    }
    let mut inner = payload.after(8).ok()?;
    if header[0] & 0x07 != 0 {
        let &[.., mut next] = inner.header::<4>().ok()?;
        inner = inner.after(4).ok()?;
        // Each extension: length in words, content, type of the next one. It has at least one word, so this ends.
        while header[0] & 0x04 != 0 && next != 0 {
            let words = *inner.data.first().filter(|&&words| words > 0)?;
            let length = usize::from(words) * 4;
            next = *inner.data.get(length - 1)?;
            inner = inner.after(length).ok()?;
        }
    }
    Inner::fitting(TunnelKind::GtpU, Some(pair_hash(a, b)), Network::Ip(inner))
}

/// An IPv6 packet with a Teredo address (2001::/32) at one end, after authentication and origin where they are.
fn teredo(payload: Rest<'_>) -> Option<Inner<'_>> {
    let mut inner = payload;
    if let [0, 1, client, value, ..] = inner.data {
        inner = inner.after(4 + usize::from(*client) + usize::from(*value) + 9).ok()?;
    }
    if let [0, 0, ..] = inner.data {
        inner = inner.after(8).ok()?;
    }
    let header = inner.header::<40>().ok()?;
    let prefix = 0x2001_0000;
    (be32(header, 8) == prefix || be32(header, 24) == prefix)
        .then(|| Inner::fitting(TunnelKind::Teredo, None, Network::EtherType(IPV6, inner)))?
}

/// ```text
/// C R K S … version(3) protocol(16)
/// [checksum(16) reserved(16)] [key(32)] [sequence(32)] [acknowledgement(32), version 1]
/// ```
fn gre(payload: Rest<'_>) -> Option<Inner<'_>> {
    let &[flags, version, a, b] = payload.header().ok()?;
    let protocol = EtherType(u16::from_be_bytes([a, b]));
    if flags & 0x4f != 0 {
        return None; // routing (RFC 1701), or bits that must be 0
    }
    let mut at = 4 + if flags & 0x80 != 0 { 4 } else { 0 };
    let key = (flags & 0x20 != 0).then(|| be32(payload.data, at));
    at += if key.is_some() { 4 } else { 0 } + if flags & 0x10 != 0 { 4 } else { 0 };
    match (version & 0x87, protocol) {
        (0, IPV4 | IPV6) => Inner::fitting(TunnelKind::Gre, key, Network::EtherType(protocol, payload.after(at).ok()?)),
        (0, BRIDGING) => Inner::frame(TunnelKind::Gre, key, payload.after(at).ok()?),
        // Mirrored frames (ERSPAN): type I has no header of its own, type II one of 8 bytes, type III of 12 or 20.
        (0, EtherType(0x88be)) => {
            Inner::frame(TunnelKind::Gre, key, payload.after(at + if flags & 0x10 != 0 { 8 } else { 0 }).ok()?)
        }
        (0, EtherType(0x22eb)) => {
            let more = payload.data.get(at + 11).is_some_and(|byte| byte & 1 != 0);
            Inner::frame(TunnelKind::Gre, key, payload.after(at + if more { 20 } else { 12 }).ok()?)
        }
        // Enhanced GRE of PPTP (RFC 2637). Its key is a length and a call ID that differs between the directions.
        (0x01 | 0x81, EtherType(0x880b)) if key.is_some() => {
            let inner = payload.after(at + if version & 0x80 != 0 { 4 } else { 0 }).ok()?;
            if inner.wire != u32::from(be16(payload.data, 4)) {
                return None;
            }
            Inner::fitting(TunnelKind::Gre, None, ppp::ppp(inner).ok()?)
        }
        _ => None,
    }
}

/// The same number for two addresses in either order (FNV-1a).
fn pair_hash(a: Ip, b: Ip) -> u32 {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    low.0.iter().chain(&high.0).fold(0x811c_9dc5, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pair_hash_has_no_direction() {
        let (a, b, c) = (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]), Ip::v4([10, 0, 0, 3]));
        assert_eq!(pair_hash(a, b), pair_hash(b, a));
        assert_ne!(pair_hash(a, b), pair_hash(a, c));
    }

    #[test]
    fn random_bytes_open_no_tunnel() {
        // xorshift; the first byte is swept so that every tunnel's first test is passed often.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let hosts = (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]));
        for round in 0..200_000u32 {
            let mut bytes = [0u8; 96];
            for chunk in bytes.chunks_mut(8) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                chunk.copy_from_slice(&state.to_le_bytes());
            }
            bytes[0] = round as u8;
            assert!(in_udp(Rest::whole(&bytes), hosts).is_none());
        }
    }
}
