//! The sockets of this network namespace from `/proc/net` (proc(5)), where the kernel has no sock_diag.
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue:rx_queue tr:tm->when retrnsmt   uid  timeout inode …
//!    0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 21324 …
//! ```
//! Addresses are words of 32 bits in the machine's byte order, ports plain hexadecimal.

use super::sockets::Socket;
use crate::packet::{Endpoint, Ip, Transport};
use std::io;
use std::path::Path;

/// States of both transports: an established TCP connection in TIME-WAIT has no owner; what listens is TCP's LISTEN and
/// UDP's CLOSE.
const TIME_WAIT: u8 = 6;
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;

/// All sockets that are bound to a port. A kernel without IPv6 has no such files.
///
/// # Errors
/// When the files of IPv4 cannot be read.
pub(super) fn all(net: &Path) -> io::Result<Vec<Socket>> {
    let mut found = Vec::new();
    for (transport, name) in [(Transport::Tcp, "tcp"), (Transport::Udp, "udp")] {
        let v4 = std::fs::read_to_string(net.join(name))?;
        let v6 = std::fs::read_to_string(net.join(format!("{name}6"))).unwrap_or_default();
        found.extend(v4.lines().chain(v6.lines()).filter_map(|line| socket(transport, line)));
    }
    Ok(found)
}

fn socket(transport: Transport, line: &str) -> Option<Socket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = endpoint(fields.next()?)?;
    let peer = endpoint(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let listens = state == if transport == Transport::Tcp { LISTEN } else { CLOSE };
    let peer = (peer.port != 0).then_some(peer);
    let dead = transport == Transport::Tcp && state == TIME_WAIT;
    (!dead && local.port != 0).then_some(Socket { transport, local, peer, listens, uid, inode })
}

/// "0100007F:0035".
fn endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for word in address.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok().filter(|word| word.len() == 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => Ip::v4(v4),
        Err(_) => Ip::v6(bytes.try_into().ok()?),
    };
    Some(Endpoint { ip, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_what_sock_diag_lists() {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = std::net::UdpSocket::bind("[::1]:0").or_else(|_| std::net::UdpSocket::bind("127.0.0.1:0")).unwrap();
        let (ours, theirs) = (all(Path::new("/proc/net")).unwrap(), super::super::sockets::by_netlink().unwrap());
        for address in [tcp.local_addr().unwrap(), udp.local_addr().unwrap()] {
            let local = Endpoint { ip: address.ip().into(), port: address.port() };
            let find = |all: &[Socket]| all.iter().find(|socket| socket.local == local && socket.listens).cloned();
            assert!(find(&ours).is_some());
            assert_eq!(find(&ours), find(&theirs));
        }
    }

    #[test]
    fn what_is_no_socket_is_left_out() {
        let line = "   0: 0100007F:0035 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 21324 1";
        let found = socket(Transport::Tcp, line).unwrap();
        assert_eq!((found.local.port, found.listens, found.uid, found.inode), (53, true, 101, 21324));
        assert!(socket(Transport::Udp, line).is_some_and(|socket| !socket.listens));
        assert_eq!(socket(Transport::Tcp, &line.replace(" 0A ", " 06 ")), None);
        for broken in [
            "",
            "  sl  local_address rem_address   st",
            "0: 0100007F 0:0 0A",
            "0: 01:0035 00000000:0000 0A 0 0 0 1 0 1",
        ] {
            assert_eq!(socket(Transport::Tcp, broken), None, "{broken}");
        }
    }
}
