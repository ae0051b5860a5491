//! Addresses, ports and points in time in the compact form that flow keys use.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

/// An IP address in 16 bytes; IPv4 is kept in the IPv4-mapped form of RFC 4291 section 2.5.5.2.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Ip(pub [u8; 16]);

/// By their bytes, in a register: it is on the way of every packet.
impl Ord for Ip {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        u128::from_be_bytes(self.0).cmp(&u128::from_be_bytes(other.0))
    }
}

impl PartialOrd for Ip {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Ip {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(u128::from_ne_bytes(self.0));
    }
}

impl Ip {
    /// The address whose four bytes in network order are `bytes`.
    #[inline]
    pub fn v4(bytes: [u8; 4]) -> Self {
        // Put together in a register: this is on the way of every packet.
        Self((0xffff_0000_0000 | u128::from(u32::from_be_bytes(bytes))).to_be_bytes())
    }

    /// The address whose sixteen bytes in network order are `bytes`.
    pub fn v6(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The same address in the standard library's type.
    pub fn to_std(self) -> IpAddr {
        Ipv6Addr::from(self.0).to_canonical()
    }

    /// Whether this is a multicast address or IPv4's limited broadcast address, to which nobody answers as itself.
    pub fn is_multicast(self) -> bool {
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4 @ ..] => matches!(v4, [224..240, ..] | [255, 255, 255, 255]),
            [first, ..] => first == 0xff,
        }
    }
}

impl From<IpAddr> for Ip {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self::v6(v6.octets()),
        }
    }
}

/// RFC 5952's canonical text.
impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_std().fmt(f)
    }
}

impl fmt::Debug for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One end of a flow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Endpoint {
    /// Address.
    pub ip: Ip,
    /// Port number.
    pub port: u16,
}

/// The transports that have ports and are classified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Transport {
    /// `"tcp"` or `"udp"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A packet's time stamp: nanoseconds since 1970-01-01 00:00 UTC, as the capture gives it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub i64);

impl Time {
    /// Nanoseconds from `earlier` to `self`; negative when the capture's clock went back.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since the epoch, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multicast_is_what_the_standard_library_calls_so() {
        let v4 = (0..=255).flat_map(|first| [[first, 0, 0, 1], [first; 4]]).map(Ip::v4);
        let v6 = (0..=255).map(|first| Ip::v6([first, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 224, 0, 0, 1]));
        for ip in v4.chain(v6) {
            let expected = match ip.to_std() {
                IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
                IpAddr::V6(v6) => v6.is_multicast(),
            };
            assert_eq!(ip.is_multicast(), expected, "{ip}");
        }
    }

    #[test]
    fn addresses_survive_the_round_trip_and_print_canonically() {
        for text in ["10.0.0.1", "2001:db8::1", "::1", "255.255.255.255"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(Ip::from(address).to_std(), address);
            assert_eq!(Ip::from(address).to_string(), text);
        }
    }
}
