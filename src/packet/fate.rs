//! What became of a frame. Every frame has exactly one fate, by its outermost layer that decides it.

use etherparse::IpNumber;
use std::fmt;

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It gave at least one packet with ports.
    Flows,
    /// It is well-formed and has no ports.
    Other(Other),
    /// It contradicts itself.
    Malformed(Malformed),
}

/// A frame without ports.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Other {
    /// IP, with this protocol number.
    Ip(u8),
    /// A fragment of an IP datagram that is not whole yet.
    Fragment,
    /// This EtherType, not IP.
    EtherType(u16),
    /// IEEE 802.2 with this destination service access point.
    Llc(u8),
    /// This PPP protocol, not IP.
    Ppp(u16),
    /// IEEE 802.11 without readable data.
    Wlan(Wlan),
    /// Multiprotocol label switching around something that is not IP.
    Mpls,
    /// A protocol family of the BSD null link type that is not IP.
    Family(u32),
    /// A link type that is not read.
    Link(u32),
    /// The capture ends before the transport header does.
    Cut,
}

/// Why an 802.11 frame has no readable data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Wlan {
    /// Beacons, probes, association.
    Management,
    /// Acknowledgements and the like.
    Control,
    /// Encrypted data.
    Encrypted,
    /// Null data, a fragment, or an extension.
    Data,
}

impl Other {
    /// The IP protocol number, if the frame is IP.
    pub fn ip_protocol(self) -> Option<u8> {
        match self {
            Self::Ip(number) => Some(number),
            _ => None,
        }
    }
}

/// Short lower-case names: IANA's keywords for IP protocols, for the rest those of Wireshark's display filters where it has
/// them.
impl fmt::Display for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Ip(number) => match IpNumber(number).keyword_str() {
                Some(keyword) => f.write_str(&keyword.to_ascii_lowercase().replace(' ', "-")),
                None => write!(f, "ip-proto-{number}"),
            },
            Self::Fragment => f.write_str("fragment"),
            Self::EtherType(number) => match ether_type_name(number) {
                Some(name) => f.write_str(name),
                None => write!(f, "ethertype-0x{number:04x}"),
            },
            Self::Llc(0x42) => f.write_str("stp"),
            Self::Llc(0xfe) => f.write_str("osi"),
            Self::Llc(0xe0 | 0xff) => f.write_str("ipx"),
            Self::Llc(0xf0) => f.write_str("netbios"),
            Self::Llc(point) => write!(f, "llc-0x{point:02x}"),
            Self::Ppp(protocol) => match ppp_name(protocol) {
                Some(name) => f.write_str(name),
                None => write!(f, "ppp-0x{protocol:04x}"),
            },
            Self::Wlan(Wlan::Management) => f.write_str("wlan-management"),
            Self::Wlan(Wlan::Control) => f.write_str("wlan-control"),
            Self::Wlan(Wlan::Encrypted) => f.write_str("wlan-encrypted"),
            Self::Wlan(Wlan::Data) => f.write_str("wlan-data"),
            Self::Mpls => f.write_str("mpls"),
            Self::Family(family) => write!(f, "family-{family}"),
            Self::Link(link) => write!(f, "linktype-{link}"),
            Self::Cut => f.write_str("cut"),
        }
    }
}

/// IEEE's EtherTypes, those that are met in practice.
fn ether_type_name(number: u16) -> Option<&'static str> {
    Some(match number {
        0x0806 => "arp",
        0x8035 => "rarp",
        0x809b => "appletalk",
        0x80f3 => "aarp",
        0x8137 => "ipx",
        0x6003 => "decnet",
        0x6004 => "lat",
        0x8808 => "pause",
        0x8809 => "slow",
        0x8863 => "pppoe-discovery",
        0x8864 => "pppoe",
        0x888e => "eapol",
        0x8892 => "profinet",
        0x88a2 => "aoe",
        0x88a4 => "ethercat",
        0x88b8 => "goose",
        0x88ba => "sv",
        0x88cc => "lldp",
        0x88e1 => "homeplug",
        0x88e3 => "mrp",
        0x88e5 => "macsec",
        0x88f5 => "mvrp",
        0x88f7 => "ptp",
        0x8902 => "cfm",
        0x8906 => "fcoe",
        0x9000 => "loopback",
        _ => return None,
    })
}

/// IANA's PPP protocol numbers, those that are met in practice.
fn ppp_name(number: u16) -> Option<&'static str> {
    Some(match number {
        0x002d | 0x002f => "ppp-vj",
        0x003d => "ppp-multilink",
        0x00fd => "ppp-compressed",
        0x8021 => "ipcp",
        0x8057 => "ipv6cp",
        0x80fd => "ccp",
        0xc021 => "lcp",
        0xc023 => "pap",
        0xc025 => "lqr",
        0xc223 => "chap",
        0xc227 => "eap",
        _ => return None,
    })
}

/// How a frame contradicts itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Malformed {
    /// The frame is shorter on the wire than its link header.
    LinkHeader,
    /// The version field of IP is neither 4 nor 6, or not the one announced.
    IpVersion,
    /// The IP header, with options or extension headers, does not fit the datagram.
    IpHeader,
    /// The length in the IP header is less than the header's.
    IpLength,
    /// The UDP header does not fit.
    UdpHeader,
    /// The length in the UDP header is less than 8 or more than IP carries.
    UdpLength,
    /// The TCP header does not fit, or its offset field is less than 5.
    TcpHeader,
    /// A fragment reaches beyond the largest datagram, or its length is no multiple of 8 while more follow.
    FragmentLength,
    /// Fragments overlap with other content where that is forbidden (RFC 5722).
    FragmentOverlap,
}

impl Malformed {
    /// A short lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinkHeader => "link-header",
            Self::IpVersion => "ip-version",
            Self::IpHeader => "ip-header",
            Self::IpLength => "ip-length",
            Self::UdpHeader => "udp-header",
            Self::UdpLength => "udp-length",
            Self::TcpHeader => "tcp-header",
            Self::FragmentLength => "fragment-length",
            Self::FragmentOverlap => "fragment-overlap",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_where_known_and_numbers_otherwise() {
        assert_eq!(Other::Ip(50).to_string(), "esp");
        assert_eq!(Other::Ip(200).to_string(), "ip-proto-200");
        assert_eq!(Other::EtherType(0x0806).to_string(), "arp");
        assert_eq!(Other::EtherType(0x1234).to_string(), "ethertype-0x1234");
        assert_eq!(Other::Llc(0x42).to_string(), "stp");
    }
}
