//! Ports that a conversation announces for another flow: FTP for its data, SDP and RTSP for media, TFTP's request for the
//! answer that comes from a new port.
//!
//! A recogniser sees no port of its own packets; what its messages say of ports it may read. Who sent the message and
//! which flow came of it is found out at the merge.

use crate::packet::{Ip, Transport};
use crate::wire::ftp::DataPort;
use crate::wire::rtsp::ports;
use crate::wire::sdp;
use crate::wire::tftp::Tftp;
use std::net::IpAddr;

/// Protocols that are told by an announcement alone and have no recogniser, with their references.
pub const ANNOUNCED_ONLY: &[(&str, &str)] = &[("ftp-data", "RFC 959")];

/// Protocols that an announcement names unless the bytes exclude them.
pub const EXPECTED: &[&str] = &["rtp", "rtcp"];

/// Whose address belongs to an announced port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Host {
    /// That of the packet's sender.
    Sender,
    /// That of its receiver.
    Receiver,
    /// One that the message names.
    Named(Ip),
}

/// A port on which a protocol is to be expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// The protocol.
    pub protocol: &'static str,
    /// On which transport.
    pub transport: Transport,
    /// At which address.
    pub host: Host,
    /// The port; none for the one from which the message came.
    pub port: Option<u16>,
}

/// Reads what one payload of a protocol announces.
pub type Reader = fn(&[u8]) -> Vec<Announcement>;

fn announce(protocol: &'static str, transport: Transport, host: Host, port: u16) -> Announcement {
    Announcement { protocol, transport, host, port: Some(port) }
}

/// FTP's control connection (RFC 959 sections 4.1.2 and 5.4.1, RFC 2428). Behind a NAT the address in the message is not
/// the one on the wire, so that the sender's own is taken as well.
pub(super) fn ftp(payload: &[u8]) -> Vec<Announcement> {
    let data = payload.split(|&b| b == b'\n').filter_map(DataPort::new);
    data.flat_map(|data| {
        let named = data.ip.map(|ip| Host::Named(ip.into()));
        named.into_iter().chain([Host::Sender]).map(move |host| announce("ftp-data", Transport::Tcp, host, data.port))
    })
    .collect()
}

/// A session description in a message of SIP or MGCP (RFC 8866): where the sender wants to receive media.
pub(super) fn session(payload: &[u8]) -> Vec<Announcement> {
    let mut announced = Vec::new();
    for media in sdp::media(payload) {
        let hosts = media.ip.map(|ip: IpAddr| Host::Named(ip.into())).into_iter().chain([Host::Sender]);
        for host in hosts {
            announced.push(announce("rtp", Transport::Udp, host, media.port));
            announced.extend(media.rtcp().map(|port| announce("rtcp", Transport::Udp, host, port)));
        }
    }
    announced
}

/// RTSP's Transport header (RFC 2326 section 12.39): the client's ports in its request and again, with the server's, in
/// the response.
pub(super) fn rtsp(payload: &[u8]) -> Vec<Announcement> {
    let response = payload.starts_with(b"RTSP/");
    let (client, server) = if response { (Host::Receiver, Host::Sender) } else { (Host::Sender, Host::Receiver) };
    let of = |name, host| ports(payload, name).into_iter().map(move |pair| (host, pair));
    of("client_port", client)
        .chain(of("server_port", server))
        .flat_map(|(host, (rtp, rtcp))| {
            let rtcp = rtcp.map(|port| announce("rtcp", Transport::Udp, host, port));
            [announce("rtp", Transport::Udp, host, rtp)].into_iter().chain(rtcp)
        })
        .collect()
}

/// A TFTP request: the answer goes to the port it came from (RFC 1350 section 4).
pub(super) fn tftp(payload: &[u8]) -> Vec<Announcement> {
    let request = matches!(Tftp::new(payload, payload.len()), Some(Tftp::Request { .. }));
    let answer = Announcement { protocol: "tftp", transport: Transport::Udp, host: Host::Sender, port: None };
    request.then_some(answer).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_read() {
        let there = Host::Named(Ip::v4([192, 0, 2, 7]));
        let data = |host| announce("ftp-data", Transport::Tcp, host, 1025);
        assert_eq!(ftp(b"PORT 192,0,2,7,4,1\r\n"), [data(there), data(Host::Sender)]);
        let media = b"SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\nv=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 4000 RTP/AVP 0\r\n";
        let seen: Vec<_> = session(media).iter().map(|a| (a.protocol, a.host, a.port)).collect();
        let sender = Host::Sender;
        let expected = [
            ("rtp", there, Some(4000)),
            ("rtcp", there, Some(4001)),
            ("rtp", sender, Some(4000)),
            ("rtcp", sender, Some(4001)),
        ];
        assert_eq!(seen, expected);
        let setup = b"RTSP/1.0 200 OK\r\nTransport: RTP/AVP;unicast;client_port=50-51;server_port=60-61\r\n\r\n";
        let seen: Vec<_> = rtsp(setup).iter().map(|a| (a.protocol, a.host, a.port)).collect();
        let receiver = Host::Receiver;
        let expected = [
            ("rtp", receiver, Some(50)),
            ("rtcp", receiver, Some(51)),
            ("rtp", sender, Some(60)),
            ("rtcp", sender, Some(61)),
        ];
        assert_eq!(seen, expected);
        assert_eq!(tftp(b"\0\x01boot\0octet\0").len(), 1);
        assert!(tftp(b"\0\x03\0\x01boot").is_empty());
    }
}
