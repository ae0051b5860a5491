//! What may stand between the link header and IP: VLAN and other tags, MPLS, PPPoE, service headers, clear MACsec.

use super::link::{IPV4, IPV6, MPLS, Network, ethernet, skip, take, type_or_length};
use super::rest::{Rest, be32};
use super::{Fate, Malformed, Other, fit, ppp};

/// Whether this EtherType is a VLAN tag: 802.1Q, 802.1ad, and the numbers used before the standard.
#[inline]
pub(super) fn is_vlan(ether_type: u16) -> bool {
    matches!(ether_type, 0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300)
}

/// Takes off whatever the EtherType names, if it is not IP.
#[inline]
pub(super) fn peel(ether_type: u16, rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    match ether_type {
        _ if is_vlan(ether_type) => tag(2, rest),
        0x8864 => ppp::pppoe(rest),
        MPLS | 0x8848 => mpls(rest),
        0x8926 | 0x892f => tag(4, rest),    // VN-Tag, HSR
        0x893f | 0x8909 => tag(6, rest),    // 802.1BR E-Tag, Cisco MetaData
        0x88e7 => ethernet(skip(rest, 4)?), // 802.1ah: a service tag, then the customer's frame
        0x6558 => ethernet(rest),
        0x894f => service(rest),
        0x88e5 => macsec(rest),
        other => Err(Fate::Other(Other::EtherType(other))),
    }
}

/// A tag of `length` bytes before the next EtherType.
#[inline]
fn tag(length: usize, rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (next, payload) = take::<2>(skip(rest, length)?)?;
    type_or_length(u16::from_be_bytes(*next), payload)
}

/// MPLS labels (RFC 3032) up to the bottom of the stack. What is below is not said: IP, or a pseudowire's Ethernet
/// frame with or without a control word (RFC 4448), whichever fits.
fn mpls(mut rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    loop {
        let (label, below) = take::<4>(rest)?;
        rest = below;
        if be32(label, 0) & 0x100 != 0 {
            break;
        }
    }
    let version = rest.data.first().map_or(0, |byte| byte >> 4);
    let with_word = rest.after(4).ok().filter(|_| version == 0);
    if fit::ip(rest) {
        return Ok(Network::Ip(rest));
    }
    for frame in [with_word, Some(rest)].into_iter().flatten() {
        if fit::ethernet(frame) {
            return ethernet(frame);
        }
    }
    match version {
        4 | 6 => Ok(Network::Ip(rest)),
        _ => Err(Fate::Other(Other::Mpls)),
    }
}

/// Network Service Header (RFC 8300): version, length in words, next protocol, path, metadata.
fn service(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (&[_, length, _, next], _) = take(rest)?;
    let length = usize::from(length & 0x3f) * 4;
    if length < 8 {
        return Err(Fate::Malformed(Malformed::LinkHeader));
    }
    let payload = skip(rest, length)?;
    match next {
        1 => Ok(Network::EtherType(IPV4, payload)),
        2 => Ok(Network::EtherType(IPV6, payload)),
        3 => ethernet(payload),
        5 => Ok(Network::EtherType(MPLS, payload)),
        _ => Err(Fate::Other(Other::EtherType(0x894f))),
    }
}

/// MACsec (802.1AE) that authenticates without encrypting: flags, short length, packet number, [channel].
fn macsec(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (&[flags, ..], after) = take::<6>(rest)?;
    if flags & 0x0c != 0 {
        return Err(Fate::Other(Other::EtherType(0x88e5))); // encrypted or changed
    }
    tag(if flags & 0x20 != 0 { 8 } else { 0 }, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_lead_to_the_next_ether_type() {
        let cases: [(u16, &[u8], u16); 7] = [
            (0x8100, &[0, 5, 8, 0], 0x0800),
            (0x88a8, &[0, 5, 0x81, 0], 0x8100),
            (0x8926, &[0, 0, 0, 0, 0x86, 0xdd], 0x86dd),
            (0x893f, &[0, 0, 0, 0, 0, 0, 8, 0], 0x0800),
            (0x8864, &[0x11, 0, 0, 1, 0, 9, 0, 0x57], 0x86dd),
            (0x894f, &[0, 2, 1, 1, 0, 0, 0, 0], 0x0800),
            (0x88e5, &[0x20, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0], 0x0800),
        ];
        for (ether_type, shim, expected) in cases {
            let bytes = [shim, b"payload"].concat();
            match peel(ether_type, Rest::whole(&bytes)) {
                Ok(Network::EtherType(found, rest)) => assert_eq!((found, rest.data), (expected, &b"payload"[..])),
                other => panic!("{ether_type:x} {other:?}"),
            }
            for length in 0..shim.len() {
                assert!(peel(ether_type, Rest::whole(&bytes[..length])).is_err());
            }
        }
        assert_eq!(peel(0x0806, Rest::whole(&[])).err(), Some(Fate::Other(Other::EtherType(0x0806))));
        assert_eq!(peel(MPLS, Rest::whole(&[0, 0, 0x11, 64, 9, 9])).err(), Some(Fate::Other(Other::Mpls)));
    }
}
