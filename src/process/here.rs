//! Which addresses are this machine's own. A socket on all addresses owns packets to these only.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};

/// Whether packets to this address end in this network namespace.
pub fn is_here(ip: IpAddr) -> bool {
    match ip {
        // The kernel binds to its own addresses only, and to groups, which end wherever somebody joined.
        IpAddr::V4(_) => UdpSocket::bind((ip, 0)).is_ok(),
        // Binding to a link-local address would need its interface.
        IpAddr::V6(own) => own.is_multicast() || own.is_loopback() || own_v6().contains(&own),
    }
}

/// The IPv6 addresses: the first column of `/proc/net/if_inet6`.
fn own_v6() -> Vec<Ipv6Addr> {
    let lines = std::fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    let address = |line: &str| Some(Ipv6Addr::from(u128::from_str_radix(line.split(' ').next()?, 16).ok()?));
    lines.lines().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_addresses_are_told_from_others() {
        let here = |ip: &str| is_here(ip.parse().unwrap());
        assert!(here("127.0.0.1") && here("224.0.0.251") && here("::1"));
        // RFC 5737 and RFC 3849: addresses for documentation, nobody's.
        assert!(!here("192.0.2.1") && !here("2001:db8::1"));
    }
}
