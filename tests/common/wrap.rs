//! What an IPv4 packet may be wrapped in: every link type and every tunnel.
#![allow(unreachable_pub, missing_docs)]

use super::rewrite::{ether_type, ethernet, udp};
use portproof::packet::TunnelKind;

/// Puts an IP packet into something.
pub type Wrap = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// All link types: name, number, and the frame around an IP packet.
pub fn links() -> Vec<(&'static str, u32, Wrap)> {
    let snap = |ip: &[u8]| [&[0xaa, 0xaa, 3, 0, 0, 0][..], &ether_type(ip).to_be_bytes(), ip].concat();
    let wlan = move |ip: &[u8]| [&[0x88, 2][..], &[0; 24], &snap(ip)].concat();
    let tag = |tpid: u16, id: u16| [tpid.to_be_bytes(), id.to_be_bytes()].concat();
    vec![
        ("802.1Q", 1, Box::new(move |ip| [&ethernet(0x8100, &[0, 7]), &ether_type(ip).to_be_bytes()[..], ip].concat())),
        (
            "QinQ",
            1,
            Box::new(move |ip| {
                [&ethernet(0x88a8, &[0, 7])[..], &tag(0x8100, 9), &ether_type(ip).to_be_bytes(), ip].concat()
            }),
        ),
        // Only up to 1,500 bytes there is a length; what is longer has a type even there.
        (
            "802.3",
            1,
            Box::new(move |ip| match ip.len() + 8 {
                length @ ..=1500 => ethernet(length as u16, &snap(ip)),
                _ => ethernet(ether_type(ip), ip),
            }),
        ),
        ("MPLS", 1, Box::new(|ip| ethernet(0x8847, &[&[0, 1, 0, 64, 0, 2, 1, 64][..], ip].concat()))),
        (
            "MPLS pseudowire",
            1,
            Box::new(|ip| ethernet(0x8847, &[&[0, 1, 1, 64, 0, 0, 0, 0][..], &ethernet(ether_type(ip), ip)].concat())),
        ),
        (
            "PPPoE",
            1,
            Box::new(|ip| {
                let length = (ip.len() as u16 + 2).to_be_bytes();
                ethernet(0x8864, &[&[0x11, 0, 0, 1][..], &length, &[0, 0x21], ip].concat())
            }),
        ),
        ("PPP", 9, Box::new(|ip| [&[0xff, 3, 0, 0x21], ip].concat())),
        ("cooked", 113, Box::new(|ip| [&[0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 8, 0], ip].concat())),
        ("cooked 2", 276, Box::new(|ip| [&[8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0], ip].concat())),
        ("raw 12", 12, Box::new(|ip| ip.to_vec())),
        ("raw 14", 14, Box::new(|ip| ip.to_vec())),
        ("raw 101", 101, Box::new(|ip| ip.to_vec())),
        ("raw 228", 228, Box::new(|ip| ip.to_vec())),
        ("null", 0, Box::new(|ip| [&[2, 0, 0, 0], ip].concat())),
        ("null, other order", 0, Box::new(|ip| [&[0, 0, 0, 2], ip].concat())),
        ("loop", 108, Box::new(|ip| [&[0, 0, 0, 2], ip].concat())),
        ("802.11", 105, Box::new(move |ip| wlan(ip))),
        ("radiotap", 127, Box::new(move |ip| [&[0, 0, 9, 0, 2, 0, 0, 0, 0], &wlan(ip)[..]].concat())),
        ("with a check sequence", 1, Box::new(|ip| [ethernet(0x0800, ip), vec![1, 2, 3, 4]].concat())),
        ("padded", 1, Box::new(|ip| [ethernet(0x0800, ip), vec![0; 60]].concat())),
    ]
}

/// All tunnels: what a person is told, the outer IP protocol, and its payload for an inner IP packet.
pub fn tunnels() -> Vec<(TunnelKind, &'static str, u8, Wrap)> {
    let odd = |payload: &[u8]| udp(33_333, 44_444, payload);
    // The direction of the inner packet decides the TEID, as in a real GTP-U tunnel.
    let gtp = |flags: u8, more: &'static [u8]| {
        move |ip: &[u8]| {
            let length = ((ip.len() + more.len()) as u16).to_be_bytes();
            udp(33_333, 44_444, &[&[flags, 0xff][..], &length, &[0, 0, ip[15], ip[19]], more, ip].concat())
        }
    };
    let vxlan = move |ip: &[u8]| odd(&[&[8, 0, 0, 0, 0, 0, 42, 0][..], &ethernet(ether_type(ip), ip)].concat());
    let geneve =
        move |ip: &[u8]| odd(&[&[1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 4][..], &ethernet(0x0800, ip)].concat());
    let geneve_ip = move |ip: &[u8]| odd(&[&[0, 0, 8, 0, 0, 0, 7, 0][..], ip].concat());
    let erspan =
        |ip: &[u8]| [&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 1, 0, 1, 0, 0, 0, 0][..], &ethernet(0x0800, ip)].concat();
    vec![
        (TunnelKind::Vxlan, "vxlan 42", 17, Box::new(vxlan)),
        (TunnelKind::Geneve, "geneve 7", 17, Box::new(geneve)),
        (TunnelKind::Geneve, "geneve 7", 17, Box::new(geneve_ip)),
        (TunnelKind::GtpU, "gtp-u", 17, Box::new(gtp(0x30, &[]))),
        (TunnelKind::GtpU, "gtp-u", 17, Box::new(gtp(0x34, &[0, 0, 0, 0x85, 1, 0x10, 9, 0]))),
        (TunnelKind::Gre, "gre", 47, Box::new(|ip| [&[0, 0, 8, 0], ip].concat())),
        (
            TunnelKind::Gre,
            "gre 5",
            47,
            Box::new(|ip| [&[0xb0, 0, 8, 0, 1, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1], ip].concat()),
        ),
        (TunnelKind::Gre, "gre", 47, Box::new(|ip| [&[0, 0, 0x65, 0x58], &ethernet(0x0800, ip)[..]].concat())),
        (TunnelKind::Gre, "gre", 47, Box::new(erspan)),
        (TunnelKind::IpInIp, "ip-in-ip", 4, Box::new(|ip| ip.to_vec())),
        (
            TunnelKind::EthernetInIp,
            "ethernet-in-ip",
            97,
            Box::new(|ip| [&[0x30, 0], &ethernet(0x0800, ip)[..]].concat()),
        ),
    ]
}
