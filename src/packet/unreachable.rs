//! ICMP's answer to a datagram that nobody takes: destination unreachable (RFC 792, RFC 4443 section 3.1).
//!
//! It quotes the start of the datagram that it answers, at least the IP header and eight bytes of what follows: the ports.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |     Type      |     Code      |          Checksum             |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                     unused, or the next MTU                   |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                  the datagram from its IP header on           |
//! ```

use super::ip::Datagram;
use super::{Endpoint, Ip, Transport};
use etherparse::{IpNumber, Ipv4HeaderSlice, Ipv6HeaderSlice, ip_number};

/// The datagram that was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Refused {
    pub transport: Transport,
    /// Who sent it, and gets the error.
    pub source: Endpoint,
    /// Where nobody took it.
    pub destination: Endpoint,
}

/// Type and code of IPv4's "destination unreachable" and its one code that refuses nothing: fragmentation needed.
const UNREACHABLE: u8 = 3;
const TOO_BIG: u8 = 4;
/// Type of IPv6's.
const UNREACHABLE_V6: u8 = 1;

/// The UDP or TCP packet that an ICMP message says could not be delivered.
pub(super) fn refused(icmp: &Datagram<'_>) -> Option<Refused> {
    let [kind, code, _, _, _, _, _, _, quoted @ ..] = icmp.payload.data else { return None };
    let (source, destination, protocol, transport_header) = match icmp.protocol {
        ip_number::ICMP if *kind == UNREACHABLE && *code != TOO_BIG => v4(quoted)?,
        ip_number::IPV6_ICMP if *kind == UNREACHABLE_V6 => v6(quoted)?,
        _ => return None,
    };
    // The error goes back to who sent the datagram.
    if source != icmp.destination {
        return None;
    }
    let transport = match protocol {
        ip_number::UDP => Transport::Udp,
        ip_number::TCP => Transport::Tcp,
        _ => return None,
    };
    let [a, b, c, d, ..] = transport_header else { return None };
    let end = |ip, port| Endpoint { ip, port: u16::from_be_bytes(port) };
    Some(Refused { transport, source: end(source, [*a, *b]), destination: end(destination, [*c, *d]) })
}

type Quoted<'a> = (Ip, Ip, IpNumber, &'a [u8]);

fn v4(quoted: &[u8]) -> Option<Quoted<'_>> {
    let header = Ipv4HeaderSlice::from_slice(quoted).ok()?;
    // Only a first fragment has ports.
    if header.fragments_offset().value() != 0 {
        return None;
    }
    let rest = quoted.get(header.slice().len()..)?;
    Some((Ip::v4(header.source()), Ip::v4(header.destination()), header.protocol(), rest))
}

fn v6(quoted: &[u8]) -> Option<Quoted<'_>> {
    let header = Ipv6HeaderSlice::from_slice(quoted).ok()?;
    let rest = quoted.get(header.slice().len()..)?;
    Some((Ip::v6(header.source()), Ip::v6(header.destination()), header.next_header(), rest))
}

#[cfg(test)]
mod tests {
    use super::super::ip;
    use super::super::rest::Rest;
    use super::*;

    /// 10.0.0.1 answers a datagram from 10.0.0.2:40000 to its port 1197.
    fn error(kind: u8, code: u8) -> Vec<u8> {
        let mut quoted = vec![0x45, 0, 0, 42, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
        quoted.extend([0x9c, 0x40, 0x04, 0xad, 0, 22, 0, 0]);
        let mut bytes = vec![0x45, 0, 0, 0, 0, 9, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, kind, code];
        bytes.extend([0; 6]);
        bytes.extend(quoted);
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Refused> {
        refused(&ip::v4(Rest::whole(bytes)).unwrap())
    }

    #[test]
    fn the_quoted_ports_tell_which_datagram_was_refused() {
        let found = read(&error(3, 3)).unwrap();
        assert_eq!((found.source.port, found.destination.port, found.transport), (40000, 1197, Transport::Udp));
        assert_eq!(found.destination.ip.to_string(), "10.0.0.1");
        assert_eq!(read(&error(3, 4)), None, "a datagram that is too big was not refused");
        assert_eq!(read(&error(11, 0)), None, "time exceeded");
    }

    #[test]
    fn an_error_for_somebody_else_says_nothing() {
        let mut bytes = error(3, 3);
        bytes[19] = 7;
        assert_eq!(read(&bytes), None);
    }

    #[test]
    fn a_short_quotation_is_none() {
        let bytes = error(3, 3);
        for length in 20..bytes.len() - 4 {
            assert_eq!(read(&bytes[..length]), None);
        }
    }
}
