//! Typed views over the bytes of one message, one file per format.
//!
//! A view is made by `new`, which checks once; no accessor can fail afterwards. Nothing here knows flows or protocols'
//! place in the program.

pub mod bacnet;
pub mod ber;
pub mod bfd;
pub mod bittorrent;
pub mod coap;
pub mod cursor;
pub mod dhcp;
pub mod dhcpv6;
pub mod discovery;
pub mod dns;
pub mod dtls;
pub mod edp;
pub mod esp;
pub mod geneve;
pub mod gtp;
pub mod hsrp;
pub mod http2;
pub mod iax;
pub mod ike;
pub mod inner;
pub mod iperf3;
pub mod ipfix;
pub mod kerberos;
pub mod l2tp;
pub mod memcached;
pub mod mgcp;
pub mod n2n;
pub mod nat_pmp;
pub mod nebula;
pub mod netbios_dgm;
pub mod ntp;
pub mod openvpn;
pub mod ptp;
pub mod quic;
pub mod quic_initial;
pub mod radius;
pub mod rtcp;
pub mod rtp;
pub mod sflow;
pub mod sip;
pub mod snmp;
pub mod stun;
pub mod sunrpc;
pub mod syslog;
pub mod teredo;
pub mod tftp;
pub mod tls;
pub mod tpkt;
pub mod vxlan;
pub mod wireguard;
