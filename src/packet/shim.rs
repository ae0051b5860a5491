//! What may stand between the link header and IP: VLAN and other tags, MPLS, PPPoE, service headers, clear MACsec.

use super::link::{BRIDGING, MPLS, Network, ethernet, skip, take, type_or_length};
use super::rest::{Rest, be32};
use super::transport::fate;
use super::{Fate, Malformed, Other, fit, ppp};
use etherparse::err::LenError;
use etherparse::err::macsec::HeaderSliceError;
use etherparse::ether_type::{IPV4, IPV6, MACSEC, PROVIDER_BRIDGING, VLAN_DOUBLE_TAGGED_FRAME, VLAN_TAGGED_FRAME};
use etherparse::{EtherType, MacsecHeaderSlice, MacsecPType, SingleVlanHeaderSlice};

const PPPOE_SESSION: EtherType = EtherType(0x8864);
const SERVICE: EtherType = EtherType(0x894f);

/// Whether this EtherType is a VLAN tag: 802.1Q, 802.1ad, and the numbers used before the standard.
#[inline]
pub(super) fn is_vlan(ether_type: EtherType) -> bool {
    matches!(ether_type, VLAN_TAGGED_FRAME | PROVIDER_BRIDGING | VLAN_DOUBLE_TAGGED_FRAME | EtherType(0x9200 | 0x9300))
}

/// Takes off a VLAN tag, and gives its identifier too.
#[inline]
pub(super) fn vlan(rest: Rest<'_>) -> Result<(u16, Network<'_>), Fate> {
    let tag = SingleVlanHeaderSlice::from_slice(rest.data).map_err(|missing| short(rest, &missing))?;
    Ok((tag.vlan_identifier().value(), type_or_length(tag.ether_type().0, skip(rest, tag.slice().len())?)?))
}

/// Takes off whatever the EtherType names, if it is not IP.
#[inline]
pub(super) fn peel(ether_type: EtherType, rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    match ether_type {
        _ if is_vlan(ether_type) => vlan(rest).map(|(_, network)| network),
        PPPOE_SESSION => ppp::pppoe(rest),
        MPLS | EtherType(0x8848) => mpls(rest),
        EtherType(0x8926 | 0x892f) => tag(4, rest),    // VN-Tag, HSR
        EtherType(0x893f | 0x8909) => tag(6, rest),    // 802.1BR E-Tag, Cisco MetaData
        EtherType(0x88e7) => ethernet(skip(rest, 4)?), // 802.1ah: a service tag, then the customer's frame
        BRIDGING => ethernet(rest),
        SERVICE => service(rest),
        MACSEC => macsec(rest),
        EtherType(other) => Err(Fate::Other(Other::EtherType(other))),
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
        _ => Err(Fate::Other(Other::EtherType(SERVICE.0))),
    }
}

/// MACsec (802.1AE) that authenticates without encrypting.
fn macsec(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let header = MacsecHeaderSlice::from_slice(rest.data).map_err(|error| match error {
        HeaderSliceError::Len(missing) => short(rest, &missing),
        HeaderSliceError::Content(_) => Fate::Malformed(Malformed::LinkHeader),
    })?;
    match header.ptype() {
        MacsecPType::Unmodified(next) => type_or_length(next.0, skip(rest, header.slice().len())?),
        _ => Err(Fate::Other(Other::EtherType(MACSEC.0))), // encrypted or changed
    }
}

fn short(rest: Rest<'_>, missing: &LenError) -> Fate {
    fate(rest.short(missing), Malformed::LinkHeader)
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
            match peel(EtherType(ether_type), Rest::whole(&bytes)) {
                Ok(Network::EtherType(found, rest)) => assert_eq!((found.0, rest.data), (expected, &b"payload"[..])),
                other => panic!("{ether_type:x} {other:?}"),
            }
            for length in 0..shim.len() {
                assert!(peel(EtherType(ether_type), Rest::whole(&bytes[..length])).is_err());
            }
        }
        assert_eq!(peel(EtherType(0x0806), Rest::whole(&[])).err(), Some(Fate::Other(Other::EtherType(0x0806))));
        assert_eq!(peel(MPLS, Rest::whole(&[0, 0, 0x11, 64, 9, 9])).err(), Some(Fate::Other(Other::Mpls)));
    }
}
