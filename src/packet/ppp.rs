//! PPP (RFC 1661, 1662), PPPoE (RFC 2516), Cisco's HDLC and Frame Relay (RFC 2427).

use super::link::{MPLS, Network, skip, take};
use super::rest::{Rest, be16};
use super::{Fate, Malformed, Other};
use etherparse::EtherType;
use etherparse::ether_type::{IPV4, IPV6};

/// PPP, with or without HDLC's address and control bytes. Cisco's HDLC turns up under the same link type.
pub(super) fn ppp(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    match rest.data {
        [0xff, 0x03, ..] => protocol(skip(rest, 2)?),
        [0x0f | 0x8f, 0x00, ..] => cisco_hdlc(rest),
        _ => protocol(rest),
    }
}

/// A PPP protocol field of two bytes, or of one when its lowest bit is set, and what it names.
pub(super) fn protocol(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (&[first], short) = take(rest)?;
    let (protocol, payload) = match first {
        odd if odd & 1 != 0 => (u16::from(odd), short),
        _ => {
            let (long, payload) = take(rest)?;
            (u16::from_be_bytes(*long), payload)
        }
    };
    match protocol {
        0x0021 => Ok(Network::EtherType(IPV4, payload)),
        0x0057 => Ok(Network::EtherType(IPV6, payload)),
        0x0281 | 0x0283 => Ok(Network::EtherType(MPLS, payload)),
        other => Err(Fate::Other(Other::Ppp(other))),
    }
}

/// A PPPoE session packet: version and type 1, code 0, session, length.
pub(super) fn pppoe(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, payload) = take::<6>(rest)?;
    match header {
        [0x11, 0, ..] => protocol(payload.with_wire(payload.wire.min(u32::from(be16(header, 4))))),
        [0x11, ..] => Err(Fate::Other(Other::EtherType(0x8863))),
        _ => Err(Fate::Malformed(Malformed::LinkHeader)),
    }
}

/// Cisco's HDLC: address, control, EtherType.
pub(super) fn cisco_hdlc(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let (header, payload) = take::<4>(rest)?;
    Ok(Network::EtherType(EtherType(be16(header, 2)), payload))
}

/// Frame Relay: an address of two to four bytes, control, padding, network layer protocol ID.
pub(super) fn frame_relay(rest: Rest<'_>) -> Result<Network<'_>, Fate> {
    let address = rest.data.iter().take(4).position(|byte| byte & 1 != 0).map_or(2, |at| at + 1);
    let payload = skip(rest, address)?;
    // Cisco's own encapsulation has an EtherType at once; the standard one starts with the control byte 3.
    let (&[control, id], after) = take(payload)?;
    match (control, id) {
        (3, 0xcc) => Ok(Network::EtherType(IPV4, after)),
        (3, 0x8e) => Ok(Network::EtherType(IPV6, after)),
        (3, 0x80 | 0x00) => {
            // SNAP, after a byte of padding where there is one.
            let snap = if id == 0 { skip(after, 1)? } else { after };
            let (header, payload) = take::<5>(snap)?;
            Ok(Network::EtherType(EtherType(be16(header, 3)), payload))
        }
        (3, _) => Err(Fate::Other(Other::Link(107))),
        _ => Ok(Network::EtherType(EtherType(u16::from_be_bytes([control, id])), after)),
    }
}
