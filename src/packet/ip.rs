//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, with options and extension headers.

use super::rest::{Rest, be16, be32};
use super::transport::fate;
use super::{Fate, Ip, Malformed};
use std::num::NonZero;

/// An IP header and what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub source: Ip,
    pub destination: Ip,
    /// IPv6 rather than IPv4.
    pub v6: bool,
    /// IP protocol number of the payload.
    pub protocol: u8,
    /// IPv4's identification, where it is not 0.
    pub id: Option<NonZero<u16>>,
    /// Set when the payload is a fragment.
    pub fragment: Option<FragmentHeader>,
    pub payload: Rest<'a>,
}

/// Which part of which datagram a fragment is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FragmentHeader {
    pub id: u32,
    /// Bytes before this fragment.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

/// Reads an IP header of the version that the first four bits say.
pub(super) fn any(rest: Rest<'_>) -> Result<Datagram<'_>, Fate> {
    match rest.header::<1>().map_err(|short| fate(short, Malformed::IpHeader))?[0] >> 4 {
        4 => v4(rest),
        6 => v6(rest),
        _ => Err(Fate::Malformed(Malformed::IpVersion)),
    }
}

/// Reads an IPv4 header. The checksum is not verified: network cards fill it in after the capture.
#[inline]
pub(super) fn v4(rest: Rest<'_>) -> Result<Datagram<'_>, Fate> {
    let header = rest.header::<20>().map_err(|short| fate(short, Malformed::IpHeader))?;
    let [version_length, _, _, _, _, _, _, _, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    if version_length >> 4 != 4 {
        return Err(Fate::Malformed(Malformed::IpVersion));
    }
    let length = usize::from(version_length & 0xf) * 4;
    if length < 20 {
        return Err(Fate::Malformed(Malformed::IpHeader));
    }
    let total = match u32::from(be16(header, 2)) {
        0 => rest.wire, // a segment that the network card has yet to cut and to label
        total if (total as usize) < length => return Err(Fate::Malformed(Malformed::IpLength)),
        total => total,
    };
    let payload = rest.with_wire(total).after(length).map_err(|short| fate(short, Malformed::IpHeader))?;
    let flags = be16(header, 6);
    let fragment = (flags & 0x3fff != 0).then(|| FragmentHeader {
        id: u32::from(be16(header, 4)),
        offset: u32::from(flags & 0x1fff) * 8,
        more: flags & 0x2000 != 0,
    });
    Ok(Datagram {
        source: Ip::v4([s0, s1, s2, s3]),
        destination: Ip::v4([d0, d1, d2, d3]),
        v6: false,
        protocol,
        id: NonZero::new(be16(header, 4)),
        fragment,
        payload,
    })
}

/// Reads an IPv6 header and its extension headers up to the fragment header or the payload.
///
/// A payload length of 0 means the jumbo payload option (RFC 2675) or, without one, the rest of the frame: a segment
/// that the network card has yet to cut.
pub(super) fn v6(rest: Rest<'_>) -> Result<Datagram<'_>, Fate> {
    let header = rest.header::<40>().map_err(|short| fate(short, Malformed::IpHeader))?;
    if header[0] >> 4 != 6 {
        return Err(Fate::Malformed(Malformed::IpVersion));
    }
    let address = |at: usize| header.get(at..).and_then(|b| b.first_chunk()).map_or(Ip::default(), |b| Ip::v6(*b));
    let stated = u32::from(be16(header, 4));
    let mut payload = rest.after(40).map_err(|short| fate(short, Malformed::IpHeader))?;
    if stated > 0 {
        payload = payload.with_wire(stated);
    }
    let mut datagram = Datagram {
        source: address(8),
        destination: address(24),
        v6: true,
        protocol: header[6],
        id: None,
        fragment: None,
        payload,
    };
    if stated == 0
        && datagram.protocol == 0
        && let Some(length) = jumbo_length(datagram.payload.data)
    {
        datagram.payload = datagram.payload.with_wire(length);
    }
    extensions(&mut datagram)?;
    Ok(datagram)
}

/// Takes off the extension headers of RFC 8200 section 4 up to the fragment header.
pub(super) fn extensions(datagram: &mut Datagram<'_>) -> Result<(), Fate> {
    loop {
        let rest = datagram.payload;
        let (next, length) = match datagram.protocol {
            // Hop-by-hop options, routing, destination options, mobility, HIP, shim6: length in units of 8 bytes.
            0 | 43 | 60 | 135 | 139 | 140 => {
                let &[next, length] = rest.header::<2>().map_err(|short| fate(short, Malformed::IpHeader))?;
                if datagram.protocol >= 135 && next == 59 {
                    return Ok(()); // it carries nothing: it is the payload
                }
                (next, 8 + usize::from(length) * 8)
            }
            44 => {
                let header = rest.header::<8>().map_err(|short| fate(short, Malformed::IpHeader))?;
                let offset = be16(header, 2);
                let fragment =
                    FragmentHeader { id: be32(header, 4), offset: u32::from(offset & 0xfff8), more: offset & 1 != 0 };
                datagram.protocol = header[0];
                datagram.payload = rest.after(8).map_err(|short| fate(short, Malformed::IpHeader))?;
                // An atomic fragment is whole (RFC 6946).
                if fragment.offset != 0 || fragment.more {
                    datagram.fragment = Some(fragment);
                    return Ok(());
                }
                continue;
            }
            _ => return Ok(()),
        };
        datagram.protocol = next;
        datagram.payload = rest.after(length).map_err(|short| fate(short, Malformed::IpHeader))?;
    }
}

/// The length in a jumbo payload option (type 0xc2) within the hop-by-hop header at the start of `bytes`.
fn jumbo_length(bytes: &[u8]) -> Option<u32> {
    let length = 8 + usize::from(*bytes.get(1)?) * 8;
    let mut options = bytes.get(2..length)?;
    loop {
        match options {
            [0, rest @ ..] => options = rest,
            [0xc2, 4, a, b, c, d, ..] => return Some(u32::from_be_bytes([*a, *b, *c, *d])),
            [_, length, rest @ ..] => options = rest.get(usize::from(*length)..)?,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4_bytes(total: u16, flags: u16, options: usize, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x45 + (options / 4) as u8, 0];
        bytes.extend(total.to_be_bytes());
        bytes.extend([0x12, 0x34]);
        bytes.extend(flags.to_be_bytes());
        bytes.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.resize(20 + options + payload, 1);
        bytes
    }

    fn v6_bytes(length: u16, next: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x60, 0, 0, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([next, 64]);
        bytes.extend([0xfd; 32]);
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn padding_is_not_payload_and_length_0_is_the_rest() {
        let bytes = v4_bytes(28, 0x4000, 0, 26);
        let datagram = v4(Rest::whole(&bytes)).unwrap();
        assert_eq!((datagram.payload.wire, datagram.payload.data.len(), datagram.fragment), (8, 8, None));
        assert_eq!(datagram.source.to_string(), "10.0.0.1");
        let bytes = v4_bytes(0, 0, 8, 26);
        assert_eq!(v4(Rest::whole(&bytes)).unwrap().payload.wire, 26);
        let bytes = v4_bytes(19, 0, 0, 26);
        assert_eq!(v4(Rest::whole(&bytes)).err(), Some(Fate::Malformed(Malformed::IpLength)));
    }

    #[test]
    fn fragments_are_told_by_offset_or_more() {
        let bytes = v4_bytes(28, 0x2001, 0, 8);
        let fragment = v4(Rest::whole(&bytes)).unwrap().fragment;
        assert_eq!(fragment, Some(FragmentHeader { id: 0x1234, offset: 8, more: true }));
    }

    #[test]
    fn extension_headers_lead_to_the_payload() {
        let mut chain = vec![60, 0, 1, 4, 0, 0, 0, 0]; // hop-by-hop, padding
        chain.extend([43, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]); // destination options
        chain.extend([44, 0, 0, 0, 0, 0, 0, 0]); // routing
        chain.extend([17, 0, 0, 0, 0, 0, 0, 9]); // an atomic fragment
        chain.extend([7; 8]);
        let bytes = v6_bytes(chain.len() as u16, 0, &chain);
        let datagram = v6(Rest::whole(&bytes)).unwrap();
        assert_eq!((datagram.protocol, datagram.payload.data, datagram.fragment), (17, &[7; 8][..], None));
        // Whatever is left of the chain, it is cut or malformed, never read beyond.
        for length in 0..bytes.len() - 8 {
            assert!(v6(Rest::whole(&bytes[..length])).is_err());
            assert!(v6(Rest { data: &bytes[..length], wire: bytes.len() as u32, at: 0 }).is_err());
        }
    }

    #[test]
    fn a_jumbogram_has_its_length_in_an_option() {
        let mut chain = vec![6, 0, 0xc2, 4, 0, 1, 0, 8];
        chain.extend([7; 40]);
        let bytes = v6_bytes(0, 0, &chain);
        let datagram = v6(Rest { data: &bytes, wire: 70_000, at: 0 }).unwrap();
        assert_eq!((datagram.protocol, datagram.payload.wire), (6, 0x10000));
    }
}
