//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, with options and extension headers.

use super::rest::Rest;
use super::transport::fate;
use super::{Fate, Ip, Malformed};
use etherparse::err::{LenError, ipv4, ipv6};
use etherparse::ip_number::{IPV6_FRAG, IPV6_HOP_BY_HOP, IPV6_NO_NEXT_HEADER, MOBILITY};
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice, Ipv6RawExtHeaderSlice};
use std::num::NonZero;

/// An IP header and what it carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram<'a> {
    pub source: Ip,
    pub destination: Ip,
    /// IPv6 rather than IPv4.
    pub v6: bool,
    /// What the payload is.
    pub protocol: IpNumber,
    /// IPv4's identification, where it is not 0.
    pub id: Option<NonZero<u16>>,
    /// Bytes of the whole, headers included.
    pub length: u32,
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
    let header = Ipv4HeaderSlice::from_slice(rest.data).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(missing) => short(rest, &missing),
        ipv4::HeaderSliceError::Content(ipv4::HeaderError::UnexpectedVersion { .. }) => {
            Fate::Malformed(Malformed::IpVersion)
        }
        ipv4::HeaderSliceError::Content(_) => Fate::Malformed(Malformed::IpHeader),
    })?;
    let length = header.slice().len();
    let total = match u32::from(header.total_len()) {
        0 => rest.wire, // a segment that the network card has yet to cut and to label
        total if (total as usize) < length => return Err(Fate::Malformed(Malformed::IpLength)),
        total => total,
    };
    let fragment = header.is_fragmenting_payload().then(|| FragmentHeader {
        id: u32::from(header.identification()),
        offset: u32::from(header.fragments_offset().byte_offset()),
        more: header.more_fragments(),
    });
    Ok(Datagram {
        source: Ip::v4(header.source()),
        destination: Ip::v4(header.destination()),
        v6: false,
        protocol: header.protocol(),
        id: NonZero::new(header.identification()),
        length: total,
        fragment,
        payload: after(rest.with_wire(total), length)?,
    })
}

/// Reads an IPv6 header and its extension headers up to the fragment header or the payload.
///
/// A payload length of 0 means the jumbo payload option (RFC 2675) or, without one, the rest of the frame: a segment
/// that the network card has yet to cut.
pub(super) fn v6(rest: Rest<'_>) -> Result<Datagram<'_>, Fate> {
    let header = Ipv6HeaderSlice::from_slice(rest.data).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(missing) => short(rest, &missing),
        ipv6::HeaderSliceError::Content(_) => Fate::Malformed(Malformed::IpVersion),
    })?;
    let mut payload = after(rest, header.slice().len())?;
    match u32::from(header.payload_length()) {
        0 if header.next_header() == IPV6_HOP_BY_HOP => {
            payload = jumbo_length(payload.data).map_or(payload, |length| payload.with_wire(length));
        }
        0 => {}
        stated => payload = payload.with_wire(stated),
    }
    let mut datagram = Datagram {
        source: Ip::v6(header.source()),
        destination: Ip::v6(header.destination()),
        v6: true,
        protocol: header.next_header(),
        id: None,
        length: 40 + payload.wire,
        fragment: None,
        payload,
    };
    extensions(&mut datagram)?;
    Ok(datagram)
}

/// Takes off the extension headers of RFC 8200 section 4 up to the fragment header.
pub(super) fn extensions(datagram: &mut Datagram<'_>) -> Result<(), Fate> {
    loop {
        let rest = datagram.payload;
        if datagram.protocol == IPV6_FRAG {
            let header = Ipv6FragmentHeaderSlice::from_slice(rest.data).map_err(|missing| short(rest, &missing))?;
            (datagram.protocol, datagram.payload) = (header.next_header(), after(rest, header.slice().len())?);
            // An atomic fragment is whole (RFC 6946).
            if header.is_fragmenting_payload() {
                datagram.fragment = Some(FragmentHeader {
                    id: header.identification(),
                    offset: u32::from(header.fragment_offset().byte_offset()),
                    more: header.more_fragments(),
                });
                return Ok(());
            }
        } else if Ipv6RawExtHeaderSlice::header_type_supported(datagram.protocol) {
            let header = Ipv6RawExtHeaderSlice::from_slice(rest.data).map_err(|missing| short(rest, &missing))?;
            if datagram.protocol >= MOBILITY && header.next_header() == IPV6_NO_NEXT_HEADER {
                return Ok(()); // it carries nothing: it is the payload
            }
            (datagram.protocol, datagram.payload) = (header.next_header(), after(rest, header.slice().len())?);
        } else {
            return Ok(());
        }
    }
}

fn after(rest: Rest<'_>, length: usize) -> Result<Rest<'_>, Fate> {
    rest.after(length).map_err(|short| fate(short, Malformed::IpHeader))
}

fn short(rest: Rest<'_>, missing: &LenError) -> Fate {
    fate(rest.short(missing), Malformed::IpHeader)
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
    use etherparse::ip_number;

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
        assert_eq!((datagram.protocol, datagram.payload.data, datagram.fragment), (ip_number::UDP, &[7; 8][..], None));
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
        assert_eq!((datagram.protocol, datagram.payload.wire), (ip_number::TCP, 0x10000));
    }
}
