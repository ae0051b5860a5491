//! Whether bytes are an IP packet that fits exactly: what a tunnel must carry to be opened.
//!
//! A tunnel is looked for on every port, so its header alone is not believed. The lengths in the inner headers must agree
//! with the outer ones to the byte: 16 bits of IP length and, for UDP, 16 more; where the transport has no length of
//! its own, IPv4's header checksum must hold instead. All of it can be read from cut packets too.

use super::ip::{self, Datagram};
use super::link::Network;
use super::rest::{Rest, be16};
use super::{link, shim};
use etherparse::ether_type::{IPV4, IPV6};
use etherparse::ip_number as number;
use etherparse::{Ipv4HeaderSlice, UdpHeaderSlice};

/// The shortest Ethernet frame without its check sequence; shorter ones are padded (IEEE 802.3 section 4A.4.2).
const SHORTEST_FRAME: u32 = 60;
/// VLAN tags of the inner frame that are passed over.
const MAX_TAGS: usize = 2;

/// Whether `rest` is exactly one IP packet.
pub(super) fn ip(rest: Rest<'_>) -> bool {
    padded_ip(rest) == Some(rest.wire)
}

/// Whether `rest` is exactly one Ethernet frame around an IP packet.
pub(super) fn ethernet(rest: Rest<'_>) -> bool {
    match link::ethernet(rest) {
        // A short frame may have been padded before it entered the tunnel; a tag may have been taken off or put on after.
        Ok(inner) => network(inner, (SHORTEST_FRAME - 4..=SHORTEST_FRAME + 4).contains(&rest.wire)),
        Err(_) => false,
    }
}

/// Whether `network` is exactly one IP packet, perhaps with VLAN tags, perhaps padded.
pub(super) fn network(mut network: Network<'_>, padded: bool) -> bool {
    for _ in 0..=MAX_TAGS {
        let rest = match network {
            Network::EtherType(IPV4 | IPV6, rest) | Network::Ip(rest) => rest,
            Network::EtherType(tag, rest) if shim::is_vlan(tag) => match shim::peel(tag, rest) {
                Ok(next) => {
                    network = next;
                    continue;
                }
                Err(_) => return false,
            },
            _ => return false,
        };
        return match padded_ip(rest) {
            Some(length) => length == rest.wire || padded && length < rest.wire,
            None => false,
        };
    }
    false
}

/// The length of the IP packet at the start of `rest`, if everything in its headers agrees.
fn padded_ip(rest: Rest<'_>) -> Option<u32> {
    let stated = match rest.data.first()? >> 4 {
        4 => u32::from(be16(rest.data, 2)),
        6 => 40 + u32::from(be16(rest.data, 4)),
        _ => return None,
    };
    let datagram = ip::any(rest.with_wire(stated)).ok()?;
    let checked = rest.data.first()? >> 4 == 6 || checksum_holds(rest.data);
    transport(&datagram, checked).then_some(stated)
}

/// Whether the transport's own lengths agree. `checked`: nothing more is asked where it has none.
pub(super) fn transport(datagram: &Datagram<'_>, checked: bool) -> bool {
    let payload = datagram.payload;
    match datagram.protocol {
        _ if datagram.fragment.is_some() => checked,
        number::UDP => {
            UdpHeaderSlice::from_slice(payload.data).is_ok_and(|header| u32::from(header.length()) == payload.wire)
        }
        number::TCP => payload.header::<20>().is_ok_and(|header| {
            let length = u32::from(header[12] >> 4) * 4;
            length >= 20 && length <= payload.wire
        }),
        number::ICMP | number::IGMP | number::IPV4 | number::IPV6 | number::GRE | number::ENCAP_SEC | number::AUTH => {
            checked
        }
        number::IPV6_ICMP | number::OSPFIGP | number::PIM | number::VRRP | number::SCTP => checked,
        _ => false,
    }
}

/// Whether the checksum of the IPv4 header at the start of `bytes` holds (RFC 1071).
fn checksum_holds(bytes: &[u8]) -> bool {
    Ipv4HeaderSlice::from_slice(bytes)
        .is_ok_and(|header| header.to_header().calc_header_checksum() == header.header_checksum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn udp_in_v4() -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 32, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes.extend([0x9c, 0x40, 4, 0xad, 0, 12, 0, 0, 1, 2, 3, 4]);
        bytes
    }

    #[test]
    fn every_length_must_agree() {
        let good = udp_in_v4();
        assert!(ip(Rest::whole(&good)));
        assert!(ip(Rest { data: &good[..28], wire: 32, at: 0 }), "cut by the snaplen");
        for (at, value) in [(0, 0x55), (3, 31), (3, 33), (25, 11), (25, 13)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(!ip(Rest::whole(&bad)), "{at}");
        }
        assert!(!ip(Rest::whole(&[&good[..], &[0]].concat())));
        let mut frame = vec![0; 12];
        frame.extend([8, 0]);
        frame.extend(good);
        assert!(ethernet(Rest::whole(&frame)));
        frame.resize(59, 0);
        assert!(ethernet(Rest::whole(&frame)), "padded");
        frame.resize(80, 0);
        assert!(!ethernet(Rest::whole(&frame)));
    }

    #[test]
    fn without_a_length_the_checksum_must_hold() {
        let mut bytes = udp_in_v4();
        bytes[9] = 1; // ICMP
        assert!(!ip(Rest::whole(&bytes)));
        let sum: u32 = bytes[..20].chunks(2).map(|pair| u32::from(be16(pair, 0))).sum();
        let checksum = !(((sum & 0xffff) + (sum >> 16)) as u16);
        bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
        assert!(ip(Rest::whole(&bytes)));
    }
}
