//! Recognisers: one file per protocol, all listed in [`ALL`].
//!
//! A recogniser sees the head of a flow and nothing else: no port, no clock, no other recogniser. It says what it found
//! as [`Evidence`]; [`evidence`] is the one place that adds it up and compares the candidates.

mod amqp;
pub mod announce;
pub mod ask;
mod bacnet;
mod balboa;
mod bfd;
mod bgp;
mod bittorrent;
mod bittorrent_dht;
mod bjnp;
mod bolt;
mod capwap;
mod cassandra;
mod cgp;
mod chargen;
mod coap;
mod datagrams;
mod daytime;
mod dcerpc;
pub mod decide;
mod dhcp;
mod dhcpv6;
mod dialogue;
mod diameter;
mod dnp3;
mod dns;
mod dropbox_lansync;
mod dtls;
mod echo;
mod edp;
mod enip;
mod esp;
pub mod evidence;
mod fastd;
mod finding;
mod finger;
mod flow_export;
mod framing;
mod ftp;
mod geneve;
mod git;
mod gopher;
mod gtp_c;
mod gtp_prime;
mod gtp_u;
mod h323;
mod hsrp;
mod http;
mod http2;
mod iax;
mod ica;
mod iec104;
mod ike;
mod imap;
mod iperf3;
mod ipfix;
mod irc;
mod java_rmi;
mod joined;
mod kafka;
mod kcp;
mod kerberos;
mod l2tp;
mod ldap;
mod ldp;
mod lisp_control;
mod lisp_data;
pub mod llmnr;
pub mod mdns;
mod memcached;
mod mgcp;
mod modbus;
mod mongodb;
mod mosh;
mod mqtt;
mod mydoom;
mod mysql;
mod n2n;
mod nat_pmp;
mod nebula;
mod netbios_dgm;
pub mod netbios_ns;
mod netbios_ssn;
mod netflow;
mod nntp;
pub mod ntp;
mod opcua;
mod openvpn;
mod pcp;
mod pjl;
mod pop3;
mod postgresql;
mod postscript;
mod pptp;
mod ptp;
pub mod quic;
mod radius;
mod radmin;
mod rdp;
mod redis;
#[cfg(test)]
mod replay;
mod rfb;
mod rlogin;
mod rsh;
mod rsync;
mod rtcp;
mod rtmp;
mod rtp;
mod rtps;
mod rtsp;
mod s7comm;
pub mod sentence;
mod set;
mod sflow;
mod sip;
mod skinny;
mod smb;
mod smtp;
mod snmp;
mod soap;
mod socks;
mod softether;
mod ssdp;
mod ssh;
mod ssrp;
mod stun;
mod sunrpc;
mod svn;
mod syslog;
mod tds;
mod telnet;
mod teredo;
mod text;
mod tftp;
mod time;
mod tinc;
mod tls;
mod tpkt;
pub mod uniform;
mod utp;
mod vxlan;
mod whois;
mod wireguard;
mod x11;
mod xmpp;
mod zabbix;

pub use decide::{Decision, FULLY_ENCRYPTED, Rival};
pub use evidence::{Band, Bits, Evidence, Family};
pub use finding::{Assessment, Finding, Strand};
use sentence::counted;
pub use sentence::{Frames, Sentence};
pub use set::ProtocolSet;

use crate::flow::Head;
use hashbrown::HashMap;
use std::sync::LazyLock;

/// Every recogniser. To add a protocol, write its file and add one line here.
pub static ALL: &[&dyn Protocol] = &[
    &amqp::Amqp,
    &bacnet::Bacnet,
    &balboa::Balboa,
    &bfd::Bfd,
    &bgp::Bgp,
    &bittorrent::BitTorrent,
    &bittorrent_dht::BittorrentDht,
    &bjnp::Bjnp,
    &bolt::Bolt,
    &capwap::Capwap,
    &cassandra::Cassandra,
    &cgp::Cgp,
    &chargen::Chargen,
    &coap::Coap,
    &daytime::Daytime,
    &dcerpc::Dcerpc,
    &dhcp::Dhcp,
    &dhcpv6::Dhcpv6,
    &diameter::Diameter,
    &dnp3::Dnp3,
    &dns::Dns,
    &dropbox_lansync::DropboxLansync,
    &dtls::Dtls,
    &echo::Echo,
    &edp::Edp,
    &enip::Enip,
    &esp::EspInTcp,
    &esp::EspInUdp,
    &fastd::Fastd,
    &finger::Finger,
    &ftp::Ftp,
    &geneve::Geneve,
    &git::Git,
    &gopher::Gopher,
    &gtp_c::GtpC,
    &gtp_prime::GtpPrime,
    &gtp_u::GtpU,
    &h323::H323,
    &hsrp::Hsrp,
    &http2::Http2,
    &http::Http,
    &iax::Iax,
    &ica::Ica,
    &iec104::Iec104,
    &ike::IkeInUdp,
    &imap::Imap,
    &iperf3::Iperf3,
    &ipfix::Ipfix,
    &irc::Irc,
    &java_rmi::JavaRmi,
    &kafka::Kafka,
    &kcp::Kcp,
    &kerberos::Kerberos,
    &l2tp::L2tp,
    &ldap::Ldap,
    &ldp::Ldp,
    &lisp_control::LispControl,
    &lisp_data::LispData,
    &llmnr::Llmnr,
    &mdns::Mdns,
    &memcached::Memcached,
    &mgcp::Mgcp,
    &modbus::Modbus,
    &mongodb::Mongodb,
    &mosh::Mosh,
    &mqtt::Mqtt,
    &mydoom::Mydoom,
    &mysql::Mysql,
    &n2n::N2n,
    &nat_pmp::NatPmp,
    &nebula::Nebula,
    &netbios_dgm::NetbiosDgm,
    &netbios_ns::NetbiosNs,
    &netbios_ssn::NetbiosSsn,
    &netflow::Netflow,
    &nntp::Nntp,
    &ntp::Ntp,
    &opcua::Opcua,
    &openvpn::OpenVpn,
    &pcp::Pcp,
    &pjl::Pjl,
    &pop3::Pop3,
    &postgresql::Postgresql,
    &postscript::Postscript,
    &pptp::Pptp,
    &ptp::Ptp,
    &quic::Quic,
    &radius::Radius,
    &radmin::Radmin,
    &rdp::Rdp,
    &redis::Redis,
    &rfb::Rfb,
    &rlogin::Rlogin,
    &rsh::Rsh,
    &rsync::Rsync,
    &rtcp::Rtcp,
    &rtmp::Rtmp,
    &rtp::Rtp,
    &rtps::Rtps,
    &rtsp::Rtsp,
    &s7comm::S7comm,
    &sflow::Sflow,
    &sip::Sip,
    &skinny::Skinny,
    &smb::Smb,
    &smtp::Smtp,
    &snmp::Snmp,
    &soap::Soap,
    &socks::Socks,
    &softether::SoftEther,
    &ssdp::Ssdp,
    &ssh::Ssh,
    &ssrp::Ssrp,
    &stun::Stun,
    &sunrpc::Sunrpc,
    &svn::Svn,
    &syslog::Syslog,
    &tds::Tds,
    &telnet::Telnet,
    &teredo::Teredo,
    &tftp::Tftp,
    &time::TimeProtocol,
    &tinc::Tinc,
    &tls::Tls,
    &tpkt::IsoTransport,
    &utp::Utp,
    &vxlan::Vxlan,
    &whois::Whois,
    &wireguard::WireGuard,
    &x11::X11,
    &xmpp::Xmpp,
    &zabbix::Zabbix,
];

/// The place in [`ALL`] of the recogniser with this name.
pub fn index(name: &str) -> Option<usize> {
    static PLACES: LazyLock<HashMap<&str, usize>> =
        LazyLock::new(|| ALL.iter().enumerate().map(|(n, protocol)| (protocol.name(), n)).collect());
    PLACES.get(name).copied()
}

/// Whether nobody answers in a flow of the protocol with this name.
pub fn is_one_way(name: &str) -> bool {
    index(name).and_then(|n| ALL.get(n)).is_some_and(|protocol| protocol.is_one_way())
}

/// An opaque mark for [`Finding::links`]: FNV-1a of what kind of identifier it is and its bytes.
pub(crate) fn link(kind: &str, identifier: &[u8]) -> u64 {
    let bytes = kind.bytes().chain(std::iter::once(0)).chain(identifier.iter().copied());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// One protocol's recogniser. Implementations are pure: the same head always gives the same answer.
pub trait Protocol: Sync {
    /// The protocol's name, as IANA spells the service where it has one.
    fn name(&self) -> &'static str;

    /// Where the protocol is specified, e.g. "RFC 3948".
    fn reference(&self) -> &'static str;

    /// Judges a head.
    fn assess(&self, head: &Head<'_>) -> Assessment;

    /// Whether a datagram that means something to this recogniser can have `byte` at offset `at`, 0 to 7.
    ///
    /// A cheap first test. While no datagram of a flow passes it at all offsets the recogniser is not asked about them.
    /// It is asked about the whole flow before it may count as excluded.
    fn may_have(&self, _at: usize, _byte: u8) -> bool {
        true
    }

    /// Bytes on the wire of the shortest datagram that means something to this recogniser. Another cheap first test.
    fn shortest(&self) -> usize {
        0
    }

    /// Whether the end of a flow says something by itself: then `assess` is asked again though no payload came since.
    fn heeds_end(&self) -> bool {
        false
    }

    /// Whether nobody answers in the same flow: reports to a collector, or a tunnel whose ends each pick a source port.
    fn is_one_way(&self) -> bool {
        false
    }

    /// How to read what a payload of this protocol announces of ports for other flows, if it does.
    fn announces(&self) -> Option<announce::Reader> {
        None
    }
}
