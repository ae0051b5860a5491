//! The UDP and TCP sockets of this network namespace, as the kernel lists them by sock_diag(7).
//!
//! No privilege is needed. TCP is asked only for what owns a port: TIME-WAIT has no socket any more.

use crate::packet::{Endpoint, Ip, Transport};
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP, TCP_CLOSE, TCP_LISTEN};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::{Socket as Netlink, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use std::io;
use std::path::Path;

/// A socket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Socket {
    /// UDP or TCP.
    pub transport: Transport,
    /// Where it is bound; 0.0.0.0 and :: are all addresses.
    pub local: Endpoint,
    /// Whom it is connected to.
    pub peer: Option<Endpoint>,
    /// Whether anybody may send to it: TCP in state LISTEN, UDP without a peer.
    pub listens: bool,
    /// The user who made it.
    pub uid: u32,
    /// Its inode, by which proc(5) names it; 0: no process holds it any more.
    pub inode: u32,
}

impl Socket {
    /// Whether packets to this address can reach it. A socket on :: takes IPv4 too, as nearly all do (`IPV6_V6ONLY` is
    /// not listed); one on 0.0.0.0 is asked first.
    pub fn takes(&self, ip: Ip) -> bool {
        let any = self.local.ip.to_std().is_unspecified();
        self.local.ip == ip || any && (self.local.ip.to_std().is_ipv6() || ip.to_std().is_ipv4())
    }
}

/// All sockets that are bound to a port.
///
/// # Errors
/// When the kernel neither answers nor has them in `/proc/net`, with what was asked for in the text.
pub fn all() -> io::Result<Vec<Socket>> {
    by_netlink().or_else(|error| super::listed::all(Path::new("/proc/net")).map_err(|_| error))
}

/// The same, asked of the kernel.
pub(super) fn by_netlink() -> io::Result<Vec<Socket>> {
    let mut found = Vec::new();
    for (transport, protocol) in [(Transport::Tcp, IPPROTO_TCP), (Transport::Udp, IPPROTO_UDP)] {
        for (family, id) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
            let request = InetRequest {
                family,
                protocol,
                extensions: ExtensionFlags::empty(),
                states: StateFlags::all() - StateFlags::TIME_WAIT,
                socket_id: id,
            };
            dump(request, |response| found.extend(socket(transport, &response))).map_err(|error| {
                let version = if family == AF_INET { 4 } else { 6 };
                let text = error.to_string();
                let text = text.split(" (os error").next().unwrap_or_default();
                io::Error::new(
                    error.kind(),
                    format!("the kernel does not list {transport} sockets of IPv{version}: {text}"),
                )
            })?;
        }
    }
    Ok(found)
}

fn socket(transport: Transport, response: &InetResponse) -> Option<Socket> {
    let header = &response.header;
    let id = &header.socket_id;
    let state = match transport {
        Transport::Tcp => TCP_LISTEN,
        Transport::Udp => TCP_CLOSE,
    };
    let peer = Endpoint { ip: id.destination_address.into(), port: id.destination_port };
    Some(Socket {
        transport,
        local: Endpoint { ip: id.source_address.into(), port: id.source_port },
        peer: (peer.port != 0).then_some(peer),
        listens: header.state == state,
        uid: header.uid,
        inode: header.inode,
    })
    .filter(|socket| socket.local.port != 0)
}

/// Sends one request and hands on every answer.
fn dump(request: InetRequest, mut take: impl FnMut(Box<InetResponse>)) -> io::Result<()> {
    let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
    netlink.bind_auto()?;
    netlink.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    netlink.send(&bytes, 0)?;
    loop {
        let (datagram, _) = netlink.recv_from_full()?;
        let mut rest = datagram.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?;
            match message.payload {
                NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => take(response),
                NetlinkPayload::Done(_) => return Ok(()),
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                _ => {}
            }
            // Messages begin at multiples of four bytes (netlink(7)).
            let length = (message.header.length as usize).next_multiple_of(4).max(4);
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    #[test]
    fn own_sockets_are_listed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let udp = UdpSocket::bind("[::1]:0").or_else(|_| UdpSocket::bind("127.0.0.1:0")).unwrap();
        let sockets = all().unwrap();
        let find = |transport, address: std::net::SocketAddr| {
            let local = Endpoint { ip: address.ip().into(), port: address.port() };
            sockets.iter().find(|s| s.transport == transport && s.local == local && (s.listens || s.peer.is_some()))
        };
        let listening = find(Transport::Tcp, listener.local_addr().unwrap()).unwrap();
        assert!(listening.listens && listening.peer.is_none() && listening.inode != 0);
        let connected = find(Transport::Tcp, client.local_addr().unwrap()).unwrap();
        assert_eq!(connected.peer.map(|peer| peer.port), Some(listener.local_addr().unwrap().port()));
        assert!(find(Transport::Udp, udp.local_addr().unwrap()).unwrap().listens);
    }
}
