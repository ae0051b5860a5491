//! The same packets under every link type, in every tunnel, in fragments and cut short: the transport payloads stay the
//! same, so whatever is said of them does too.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Test helpers: a panic is a failed test.

#[path = "common/rewrite.rs"]
mod rewrite;
#[path = "common/wrap.rs"]
mod wrap;

use portproof::packet::{Fate, Malformed, Other, Transport, Tunnel, TunnelKind, TunnelView};
use rewrite::{Outcome, Raw, Seen, bases, ethernet, ipv4, ipv6, parse, parts, udp};
use wrap::{links, tunnels};

/// Every base packet with its link layer replaced.
fn rewritten(link: u32, frame: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Raw> {
    bases().iter().map(|base| base.with(link, frame(base.ip().unwrap()))).collect()
}

fn plain() -> Outcome {
    parse(&bases(), TunnelView::Both)
}

#[test]
fn every_link_type_gives_the_same_packets() {
    let plain = plain();
    assert!(plain.fates.iter().all(|fate| *fate == Fate::Flows));
    for (name, link, frame) in links() {
        let found = parse(&rewritten(link, frame), TunnelView::Both);
        assert_eq!(found.fates, plain.fates, "{name}");
        assert!(found.packets == plain.packets, "{name}");
        let vlan = matches!(name, "802.1Q" | "QinQ").then_some(7);
        assert!(found.vlans.iter().all(|found| *found == vlan), "{name}");
    }
}

#[test]
fn ipv6_with_extension_headers_gives_the_same_payloads() {
    let plain = plain();
    let chain: [&[u8]; 3] = [&[], &[0, 1, 4, 0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 9]];
    for (first, extension) in [None, Some(60), Some(44)].into_iter().zip(chain) {
        let found = parse(
            &rewritten(1, |ip| {
                let (source, destination, protocol, payload) = parts(ip);
                let packet = match first {
                    None => ipv6(source, destination, protocol, payload),
                    Some(kind) => ipv6(source, destination, kind, &[&[protocol][..], extension, payload].concat()),
                };
                ethernet(0x86dd, &packet)
            }),
            TunnelView::Both,
        );
        let payloads =
            |o: &Outcome| o.packets.iter().map(|p| (p.tcp, p.wire_len, p.payload.clone())).collect::<Vec<_>>();
        assert!(payloads(&found) == payloads(&plain));
    }
}

const A: [u8; 4] = [192, 0, 2, 1];
const B: [u8; 4] = [192, 0, 2, 2];

#[test]
fn every_tunnel_is_opened_on_any_port() {
    let plain = plain();
    for (kind, name, protocol, wrap) in tunnels() {
        for outer_v6 in [false, true] {
            let frames = rewritten(101, |ip| {
                let payload = wrap(ip);
                if outer_v6 { ipv6(A, B, protocol, &payload) } else { ipv4(A, B, 1, 0, protocol, &payload) }
            });
            let inner = parse(&frames, TunnelView::Inner);
            assert!(inner.packets == plain.packets, "{name}");
            assert_eq!(inner.fates, plain.fates);
            assert!(inner.tunnels.iter().all(|t| t.is_some_and(|t| t.kind == kind && t.to_string() == name)));
            // One key for both directions.
            assert!(inner.tunnels.iter().all(|tunnel| *tunnel == inner.tunnels[0]), "{name}");
            let both = parse(&frames, TunnelView::Both);
            let outer = parse(&frames, TunnelView::Outer);
            assert!(outer.tunnels.iter().all(Option::is_none));
            assert_eq!(both.fates, plain.fates, "a frame counts once");
            assert_eq!(both.packets.len(), inner.packets.len() + outer.packets.len());
            let outer_fate = if protocol == 17 { Fate::Flows } else { Fate::Other(Other::Ip(protocol)) };
            assert!(outer.fates.iter().all(|fate| *fate == outer_fate), "{name}");
            let inside: Vec<&Seen> =
                both.packets.iter().zip(&both.tunnels).filter(|(_, t)| t.is_some()).map(|(p, _)| p).collect();
            assert!(inside.into_iter().eq(&plain.packets), "{name}");
        }
    }
}

#[test]
fn six_in_four_and_teredo_are_opened() {
    let six = |ip: &[u8]| {
        let (source, destination, protocol, payload) = parts(ip);
        ipv6(source, destination, protocol, payload)
    };
    let expected = parse(&rewritten(101, six), TunnelView::Both);
    let found = parse(&rewritten(101, |ip| ipv4(A, B, 1, 0, 41, &six(ip))), TunnelView::Both);
    assert!(found.packets == expected.packets);
    assert_eq!(found.tunnels[0], Some(Tunnel { kind: TunnelKind::IpInIp, id: None }));
    // Teredo: an address in 2001::/32 on one side, authentication and origin before.
    let teredo = |ip: &[u8]| {
        let mut six = six(ip);
        six[8..16].copy_from_slice(&[0x20, 0x01, 0, 0, 1, 2, 3, 4]);
        six
    };
    let expected = parse(&rewritten(101, teredo), TunnelView::Both);
    for before in [&[][..], &[0, 0, 1, 2, 3, 4, 5, 6], &[0, 1, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 1, 2, 3, 4, 5, 6]]
    {
        let wrap = |ip: &[u8]| ipv4(A, B, 1, 0, 17, &udp(5000, 6000, &[before, &teredo(ip)].concat()));
        let found = parse(&rewritten(101, wrap), TunnelView::Inner);
        assert!(found.packets == expected.packets);
        assert_eq!(found.tunnels[0], Some(Tunnel { kind: TunnelKind::Teredo, id: None }));
    }
}

#[test]
fn a_tunnel_that_does_not_fit_exactly_stays_closed() {
    for (_, name, protocol, wrap) in tunnels() {
        for change in [-1isize, 1] {
            let frames = rewritten(101, |ip| {
                let mut payload = wrap(ip);
                payload.resize((payload.len() as isize + change) as usize, 9);
                if protocol == 17 {
                    payload = udp(33_333, 44_444, &payload[8..]);
                }
                ipv4(A, B, 1, 0, protocol, &payload)
            });
            // Only where a short Ethernet frame may have been padded can more bytes be right.
            let found = parse(&frames, TunnelView::Both);
            let opened = found.tunnels.iter().flatten().count();
            assert!(opened * 20 < frames.len(), "{name} {change}: {opened} of {}", frames.len());
        }
    }
}

#[test]
fn equal_inner_addresses_in_different_tunnels_stay_apart() {
    let base = bases()[0].ip().unwrap().to_vec();
    let vxlan = |vni: u8| {
        let payload = [&[8, 0, 0, 0, 0, 0, vni, 0][..], &ethernet(0x0800, &base)].concat();
        ipv4(A, B, 1, 0, 17, &udp(1, 2, &payload))
    };
    let gtp = |gateway: [u8; 4]| {
        let payload = [&[0x30, 0xff][..], &(base.len() as u16).to_be_bytes(), &[0, 0, 0, 1], &base].concat();
        ipv4(A, gateway, 1, 0, 17, &udp(1, 2, &payload))
    };
    for (one, other) in [(vxlan(1), vxlan(2)), (gtp([192, 0, 2, 7]), gtp([192, 0, 2, 8]))] {
        let raw = &bases()[0];
        let found = parse(&[raw.with(101, one), raw.with(101, other)], TunnelView::Inner);
        assert_eq!(found.packets[0], found.packets[1]);
        assert_ne!(found.tunnels[0], found.tunnels[1]);
    }
}

#[test]
fn the_depth_of_tunnels_is_bounded() {
    let frames = rewritten(101, |ip| (0..20).fold(ip.to_vec(), |inner, _| ipv4(A, B, 1, 0, 4, &inner)));
    let found = parse(&frames, TunnelView::Both);
    assert!(found.packets.is_empty());
    assert!(found.fates.iter().all(|fate| *fate == Fate::Other(Other::Ip(4))));
}

/// The fragments of each base packet with `size` bytes of payload.
fn fragmented(size: usize, v6: bool) -> Vec<Vec<Raw>> {
    let fragments = |(i, base): (usize, &Raw)| -> Vec<Raw> {
        let (source, destination, protocol, payload) = parts(base.ip().unwrap());
        let last = payload.len().div_ceil(size) - 1;
        let one = |(n, piece): (usize, &[u8])| {
            let offset = (n * size) as u16;
            let packet = if v6 {
                let [a, b] = (offset | u16::from(n < last)).to_be_bytes();
                let header = [protocol, 0, a, b, 0, 0, (i >> 8) as u8, i as u8];
                ipv6(source, destination, 44, &[&header, piece].concat())
            } else {
                ipv4(source, destination, i as u16, (offset / 8) | (u16::from(n < last) << 13), protocol, piece)
            };
            base.with(101, packet)
        };
        payload.chunks(size).enumerate().map(one).collect()
    };
    bases().iter().enumerate().map(fragments).collect()
}

#[test]
fn fragments_in_any_order_give_the_same_packets() {
    for v6 in [false, true] {
        let whole = if v6 {
            let six = |ip: &[u8]| {
                let (source, destination, protocol, payload) = parts(ip);
                ipv6(source, destination, protocol, payload)
            };
            parse(&rewritten(101, six), TunnelView::Both)
        } else {
            plain()
        };
        for size in [8, 64, 256] {
            let all = fragmented(size, v6);
            let fragmented = all.iter().filter(|fragments| fragments.len() > 1).count() as u64;
            let orders: [fn(&mut Vec<Raw>); 4] = [
                |_| {},
                |fragments| fragments.reverse(),
                |fragments| fragments.sort_by_key(|f| f.data[7] & 1),
                |fragments| {
                    let copy = fragments.clone();
                    let last = fragments.pop().unwrap();
                    fragments.extend(copy);
                    fragments.pop();
                    fragments.push(last);
                },
            ];
            for (order, reorder) in orders.into_iter().enumerate() {
                let mut fragments = all.clone();
                // The last order duplicates, so it needs two pieces or more.
                fragments.iter_mut().filter(|f| f.len() > 1).for_each(reorder);
                let found = parse(&fragments.concat(), TunnelView::Both);
                assert!(found.packets == whole.packets, "{v6} {size} {order}");
                assert_eq!((found.fragments.reassembled, found.fragments.incomplete), (fragmented, 0));
                let flows = found.fates.iter().filter(|fate| **fate == Fate::Flows).count();
                assert_eq!(flows, whole.packets.len(), "each frame counts once");
            }
        }
    }
}

#[test]
fn interleaved_fragments_of_all_packets_find_together() {
    let all = fragmented(64, false);
    let longest = all.iter().map(Vec::len).max().unwrap();
    let interleaved: Vec<Raw> =
        (0..longest).flat_map(|n| all.iter().filter_map(move |fragments| fragments.get(n).cloned())).collect();
    // All at once: the captures span more time than fragments wait.
    let at_once = |mut frames: Vec<Raw>| {
        frames.iter_mut().for_each(|frame| frame.time = 0);
        let mut packets = parse(&frames, TunnelView::Both).packets;
        packets.sort_by(|a, b| (a.source, &a.payload).cmp(&(b.source, &b.payload)));
        packets
    };
    assert!(at_once(interleaved) == at_once(bases()));
}

#[test]
fn without_the_last_fragment_the_start_is_handed_on_at_the_end() {
    let all = fragmented(64, false);
    let incomplete: Vec<Raw> = all.iter().filter(|f| f.len() > 1).flat_map(|f| f[..f.len() - 1].to_vec()).collect();
    let found = parse(&incomplete, TunnelView::Both);
    assert!(found.fates.iter().all(|fate| *fate == Fate::Other(Other::Fragment)));
    let expected: Vec<Seen> =
        plain().packets.into_iter().zip(&all).filter(|(_, f)| f.len() > 1).map(|(p, _)| p).collect();
    assert_eq!(found.packets.len(), expected.len());
    assert_eq!(found.fragments.incomplete, expected.len() as u64);
    for (found, expected) in found.packets.iter().zip(&expected) {
        assert_eq!((found.source, found.destination, found.tcp), (expected.source, expected.destination, expected.tcp));
        assert!(expected.payload.starts_with(&found.payload) && found.payload.len() < expected.payload.len());
        if found.transport == Transport::Udp {
            assert_eq!(found.wire_len, expected.wire_len, "UDP says its length itself");
        }
    }
}

#[test]
fn a_cut_frame_keeps_its_true_length() {
    let plain = plain();
    for snaplen in [54, 64, 96, 200] {
        let cut: Vec<Raw> = bases()
            .into_iter()
            .map(|mut frame| {
                frame.data.truncate(snaplen);
                frame
            })
            .collect();
        let found = parse(&cut, TunnelView::Both);
        assert_eq!(found.packets.len(), plain.packets.len());
        for (found, plain) in found.packets.iter().zip(&plain.packets) {
            assert_eq!((found.wire_len, found.tcp, found.source), (plain.wire_len, plain.tcp, plain.source));
            assert!(plain.payload.starts_with(&found.payload));
        }
    }
    // Tunnels are opened in cut frames too.
    let mut frames = rewritten(101, |ip| ipv4(A, B, 1, 0, 4, ip));
    frames.iter_mut().for_each(|frame| frame.data.truncate(96));
    let found = parse(&frames, TunnelView::Both);
    assert!(found.packets.iter().zip(&plain.packets).all(|(found, plain)| found.wire_len == plain.wire_len));
}

#[test]
fn what_network_cards_leave_undone_is_accepted() {
    let plain = plain();
    // Checksums that are not filled in, and a total length of 0 before segmentation.
    let found = parse(
        &rewritten(1, |ip| {
            let mut ip = ip.to_vec();
            let header = usize::from(ip[0] & 0xf) * 4;
            ip[10..12].fill(0x55);
            let checksum = header + if ip[9] == 17 { 6 } else { 16 };
            ip[checksum..checksum + 2].fill(0x55);
            if ip[9] == 6 {
                ip[2..4].fill(0);
            }
            ethernet(0x0800, &ip)
        }),
        TunnelView::Both,
    );
    assert!(found.packets == plain.packets);
}

#[test]
fn what_contradicts_itself_is_malformed() {
    let base = bases();
    let base = base.iter().find(|b| b.ip().unwrap()[9] == 17).unwrap();
    let ip = base.ip().unwrap().to_vec();
    let fate = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut ip = ip.clone();
        change(&mut ip);
        parse(&[base.with(101, ip)], TunnelView::Both).fates[0]
    };
    assert_eq!(fate(&|ip| ip[0] = 0x75), Fate::Malformed(Malformed::IpVersion));
    assert_eq!(fate(&|ip| ip[0] = 0x44), Fate::Malformed(Malformed::IpHeader));
    assert_eq!(fate(&|ip| ip[2..4].copy_from_slice(&[0, 19])), Fate::Malformed(Malformed::IpLength));
    assert_eq!(fate(&|ip| ip[24..26].copy_from_slice(&[0, 7])), Fate::Malformed(Malformed::UdpLength));
    assert_eq!(fate(&|ip| ip[24..26].copy_from_slice(&[0xff, 0])), Fate::Malformed(Malformed::UdpLength));
    assert_eq!(fate(&|ip| ip.truncate(19)), Fate::Malformed(Malformed::IpHeader));
    assert_eq!(fate(&|ip| ip[9] = 50), Fate::Other(Other::Ip(50)));
}
