//! Which frames and packets of a capture are wanted, by time and address, and who is inside.

use crate::packet::{Ip, Packet, Time};
use crate::verdict::{Direction, FlowRecord, ServerBy};
use std::net::IpAddr;
use std::str::FromStr;

/// A range of addresses in CIDR notation (RFC 4632, RFC 4291 section 2.3), or one address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    address: u128,
    mask: u128,
}

impl Network {
    /// Whether the address lies in the range.
    pub fn contains(&self, ip: Ip) -> bool {
        u128::from_be_bytes(ip.0) & self.mask == self.address
    }
}

impl FromStr for Network {
    type Err = String;

    /// "10.0.0.0/8", "2001:db8::/32", "10.0.0.1". Bits beyond the prefix must be zero: they are a slip of the pen.
    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let ip: IpAddr = address.parse().map_err(|_| format!("{address:?} is no IP address"))?;
        let width: u8 = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(text) => text
                .parse()
                .ok()
                .filter(|&prefix| prefix <= width)
                .ok_or_else(|| format!("/{text} is no prefix length (0-{width})"))?,
        };
        // IPv4 addresses are kept in the IPv4-mapped form: the last 32 of 128 bits.
        let host_bits = u32::from(width - prefix);
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        let bits = u128::from_be_bytes(Ip::from(ip).0);
        if bits & !mask != 0 {
            return Err(format!("{address} has bits beyond its prefix of {prefix}"));
        }
        Ok(Self { address: bits, mask })
    }
}

/// A point in time, absolute or counted from the first frame of the capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    /// This time.
    At(Time),
    /// This many nanoseconds after the first frame.
    After(i64),
}

impl Moment {
    fn of(self, start: Time) -> Time {
        match self {
            Self::At(time) => time,
            Self::After(nanoseconds) => Time(start.0.saturating_add(nanoseconds)),
        }
    }
}

/// A window in time: from `since` on, before `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// The first moment in it.
    pub since: Option<Moment>,
    /// The first moment after it.
    pub until: Option<Moment>,
}

impl Window {
    /// Whether `time` lies in the window of a capture that begins at `start`.
    pub fn contains(&self, time: Time, start: Time) -> bool {
        self.since.is_none_or(|since| time >= since.of(start)) && self.until.is_none_or(|until| time < until.of(start))
    }
}

/// Whether either end of the packet is one of `hosts`; with no hosts every packet is.
pub(super) fn concerns(hosts: &[Network], packet: &Packet) -> bool {
    hosts.is_empty() || hosts.iter().any(|n| n.contains(packet.source.ip) || n.contains(packet.destination.ip))
}

/// Where a flow goes, seen from those who are inside.
pub(super) fn direction(inside: &[Network], flow: &FlowRecord<'_>) -> Direction {
    let is_inside = |ip| inside.iter().any(|network| network.contains(ip));
    match (is_inside(flow.client.ip), is_inside(flow.server.ip)) {
        (true, true) => Direction::Internal,
        (false, false) => Direction::External,
        // Among peers nobody asked, so there is no way in or out.
        _ if flow.server_by == ServerBy::Nobody => Direction::Unknown,
        (false, true) => Direction::Inbound,
        (true, false) => Direction::Outbound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Ip {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn networks_hold_their_own_addresses_only() {
        let holds = |network: &str, address: &str| network.parse::<Network>().unwrap().contains(ip(address));
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("2001:db8::/32", "2001:db8:ffff::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("::/0", "2001:db8::1"));
        for wrong in ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::1/129", "localhost", "10.0.0.0/"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_window_is_open_at_its_end() {
        let window = Window { since: Some(Moment::After(10)), until: Some(Moment::At(Time(30))) };
        let inside: Vec<i64> = (0..40).filter(|&t| window.contains(Time(t), Time(5))).collect();
        assert_eq!((inside.first(), inside.last()), (Some(&15), Some(&29)));
        assert!(Window::default().contains(Time(i64::MIN), Time(0)));
    }
}
