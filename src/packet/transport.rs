//! UDP (RFC 768) and TCP (RFC 9293) headers.

use super::rest::{Rest, be16, be32};
use super::{Fate, Malformed, Other, TcpFields, Transport};
use crate::packet::rest::Short;
use etherparse::UdpHeaderSlice;

/// A UDP or TCP header and what it carries.
pub(super) struct Segment<'a> {
    pub transport: Transport,
    pub source_port: u16,
    pub destination_port: u16,
    pub tcp: Option<TcpFields>,
    pub payload: Rest<'a>,
}

/// Reads a UDP header and cuts the payload to the length it states.
///
/// A length of 0 means "to the end of the IP payload": jumbograms (RFC 2675) and segments that the network card
/// has yet to cut. Bytes after a shorter length are UDP options or padding, not payload.
#[inline]
pub(super) fn udp(rest: Rest<'_>) -> Result<Segment<'_>, Fate> {
    let header =
        UdpHeaderSlice::from_slice(rest.data).map_err(|missing| fate(rest.short(&missing), Malformed::UdpHeader))?;
    let length = match header.length() {
        0 => rest.wire,
        1..8 => return Err(Fate::Malformed(Malformed::UdpLength)),
        length => u32::from(length),
    };
    if length > rest.wire {
        return Err(Fate::Malformed(Malformed::UdpLength));
    }
    let payload = rest.with_wire(length).after(8).map_err(|short| fate(short, Malformed::UdpHeader))?;
    Ok(Segment {
        transport: Transport::Udp,
        source_port: header.source_port(),
        destination_port: header.destination_port(),
        tcp: None,
        payload,
    })
}

/// Reads a TCP header. Options that the capture cut off leave a payload of the true length without bytes, which is why
/// the header is read here: etherparse's slice wants all options, and 64 captured bytes do not hold them.
#[inline]
pub(super) fn tcp(rest: Rest<'_>) -> Result<Segment<'_>, Fate> {
    let header = rest.header::<20>().map_err(|short| fate(short, Malformed::TcpHeader))?;
    let [.., offset, flags, _, _, _, _, _, _] = header;
    let length = u32::from(offset >> 4) * 4;
    if length < 20 || length > rest.wire {
        return Err(Fate::Malformed(Malformed::TcpHeader));
    }
    let captured = (length as usize).min(rest.data.len());
    let payload = Rest {
        data: rest.data.get(captured..).unwrap_or_default(),
        wire: rest.wire - length,
        at: rest.at + captured as u32,
    };
    Ok(Segment {
        transport: Transport::Tcp,
        source_port: be16(header, 0),
        destination_port: be16(header, 2),
        tcp: Some(TcpFields {
            sequence: be32(header, 4),
            acknowledgement: be32(header, 8),
            syn: flags & 0x02 != 0,
            ack: flags & 0x10 != 0,
            fin: flags & 0x01 != 0,
            rst: flags & 0x04 != 0,
        }),
        payload,
    })
}

/// A header that the capture cut is no fault of the packet's.
pub(super) fn fate(short: Short, malformed: Malformed) -> Fate {
    match short {
        Short::Cut => Fate::Other(Other::Cut),
        Short::OnTheWire => Fate::Malformed(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp_bytes(length: u16, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0x9c, 0x40, 0x04, 0xad];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 0]);
        bytes.resize(8 + payload, 7);
        bytes
    }

    #[test]
    fn the_udp_length_decides_what_is_payload() {
        let bytes = udp_bytes(12, 10);
        let segment = udp(Rest::whole(&bytes)).unwrap();
        assert_eq!((segment.source_port, segment.destination_port), (40000, 1197));
        assert_eq!((segment.payload.wire, segment.payload.data.len()), (4, 4));
        let bytes = udp_bytes(0, 10);
        assert_eq!(udp(Rest::whole(&bytes)).unwrap().payload.wire, 10);
        for length in [1, 7, 19] {
            let bytes = udp_bytes(length, 10);
            assert_eq!(udp(Rest::whole(&bytes)).err(), Some(Fate::Malformed(Malformed::UdpLength)));
        }
    }

    #[test]
    fn a_cut_payload_keeps_its_true_length() {
        let bytes = udp_bytes(1008, 10);
        let segment = udp(Rest { data: &bytes, wire: 1008, at: 34 }).unwrap();
        assert_eq!((segment.payload.wire, segment.payload.range()), (1000, 42..52));
        assert_eq!(udp(Rest { data: &bytes[..7], wire: 1008, at: 0 }).err(), Some(Fate::Other(Other::Cut)));
        assert_eq!(udp(Rest::whole(&bytes[..7])).err(), Some(Fate::Malformed(Malformed::UdpHeader)));
    }

    #[test]
    fn tcp_options_are_not_payload() {
        let mut bytes = vec![0x9c, 0x40, 0x01, 0xbb, 0, 0, 0, 1, 0, 0, 0, 2, 0x80, 0x12, 0, 0, 0, 0, 0, 0];
        bytes.resize(32, 1);
        bytes.extend(*b"hello");
        let segment = tcp(Rest::whole(&bytes)).unwrap();
        assert_eq!(segment.payload.data, b"hello");
        let fields = segment.tcp.unwrap();
        assert!(fields.syn && fields.ack && !fields.fin && !fields.rst);
        assert_eq!((fields.sequence, fields.acknowledgement), (1, 2));
        // The capture ends within the options.
        let segment = tcp(Rest { data: &bytes[..24], wire: 37, at: 0 }).unwrap();
        assert_eq!((segment.payload.wire, segment.payload.data.len()), (5, 0));
        bytes[12] = 0x40;
        assert_eq!(tcp(Rest::whole(&bytes)).err(), Some(Fate::Malformed(Malformed::TcpHeader)));
    }
}
