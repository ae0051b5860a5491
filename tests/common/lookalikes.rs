//! Traffic that resembles ESP without being it: constant words, counters and noise of every kind.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test helper: a panic is a failed test.

use super::mutate::Random;

/// Makes the `n`th payload of a flow from side 0 or 1. `session` holds the flow's constants.
pub type Make = fn(session: &[u64; 4], side: usize, n: u32, random: &mut Random) -> Vec<u8>;

/// A kind of look-alike.
pub struct Kind {
    pub name: &'static str,
    pub make: Make,
    /// One direction of it has the very shape of AES-CBC; only both together tell.
    pub needs_both: bool,
}

fn noise(random: &mut Random, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

/// `head`, then noise up to a random length of at most 160 bytes more.
fn after(head: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = head.concat();
    let len = 12 + random.below(148);
    bytes.extend(noise(random, len));
    bytes
}

/// The same, padded to a multiple of four.
fn after4(head: &[&[u8]], random: &mut Random) -> Vec<u8> {
    let mut bytes = after(head, random);
    let pad = (4 - bytes.len() % 4) % 4;
    bytes.extend(noise(random, pad));
    bytes
}

fn word(session: &[u64; 4], side: usize) -> [u8; 4] {
    ((session[side] >> 8) as u32 | 0x100).to_be_bytes()
}

/// Kinds that share something of the shape of ESP.
pub const KINDS: &[Kind] = &[
    Kind { needs_both: false, name: "noise", make: |_, _, _, r| after(&[], r) },
    Kind { needs_both: false, name: "noise, one size", make: |_, _, _, r| noise(r, 128) },
    Kind { needs_both: false, name: "noise, 4-aligned", make: |_, _, _, r| after4(&[], r) },
    Kind {
        needs_both: false,
        name: "noise in blocks of 16",
        make: |_, _, _, r| {
            let len = 32 + 16 * r.below(8);
            noise(r, len)
        },
    },
    Kind {
        needs_both: false,
        name: "word, BE counter, noise",
        make: |s, side, n, r| after(&[&word(s, side), &n.to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "word, BE counter, noise, 4-aligned",
        make: |s, side, n, r| after4(&[&word(s, side), &n.to_be_bytes()], r),
    },
    Kind {
        needs_both: true,
        name: "one word both ways, BE counter, blocks of 16",
        make: |s, _, n, r| {
            let len = 32 + 16 * r.below(8);
            [&word(s, 0)[..], &n.to_be_bytes(), &noise(r, len)].concat()
        },
    },
    Kind {
        needs_both: false,
        name: "word, LE counter, noise",
        make: |s, side, n, r| after4(&[&word(s, side), &n.to_le_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "word, 16-bit BE counter, noise",
        make: |s, side, n, r| after4(&[&word(s, side), &(n as u16).to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "word, 64-bit BE counter, noise",
        make: |s, side, n, r| after4(&[&word(s, side), &u64::from(n).to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "word, milliseconds, noise",
        make: |s, side, n, r| {
            let clock = (s[2] as u32).wrapping_add(n * 20 + r.below(5) as u32);
            after4(&[&word(s, side), &clock.to_be_bytes()], r)
        },
    },
    Kind {
        needs_both: false,
        name: "KCP",
        make: |s, _, n, r| after(&[&word(s, 0), &[81, 0, 128, 0], &(n * 10).to_le_bytes(), &n.to_le_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "uTP",
        make: |s, side, n, r| {
            let clock = (s[2] as u32).wrapping_add(n.wrapping_mul(20_113));
            after(&[&[1, 0], &word(s, side)[..2], &clock.to_be_bytes(), &(s[3] as u32).to_be_bytes()], r)
        },
    },
    Kind {
        needs_both: false,
        name: "RTP",
        make: |s, side, n, r| {
            let sequence = (s[2] as u16).wrapping_add(n as u16);
            after4(&[&[0x80, 96], &sequence.to_be_bytes(), &(n * 160).to_be_bytes(), &word(s, side)], r)
        },
    },
    Kind {
        needs_both: false,
        name: "SRTP, 10-byte tag",
        make: |s, side, n, r| {
            let sequence = (s[2] as u16).wrapping_add(n as u16);
            let mut packet =
                after4(&[&[0x80, 96], &sequence.to_be_bytes(), &(n * 160).to_be_bytes(), &word(s, side)], r);
            packet.extend(noise(r, 10));
            packet
        },
    },
    Kind {
        needs_both: false,
        name: "WireGuard data",
        make: |s, side, n, r| {
            let len = 16 * (1 + r.below(8));
            let data = noise(r, len);
            [&[4, 0, 0, 0][..], &word(s, side), &u64::from(n).to_le_bytes(), &data].concat()
        },
    },
    Kind {
        needs_both: false,
        name: "OpenVPN P_DATA_V2",
        make: |_, _, n, r| after(&[&[0x48, 0, 0, 3], &n.to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "OpenVPN P_DATA_V2, peer IDs differ",
        make: |s, side, n, r| {
            let peer = if side == 0 { [0, 0, 3] } else { [s[2] as u8, s[3] as u8, s[1] as u8] };
            after(&[&[0x48], &peer, &n.to_be_bytes()], r)
        },
    },
    Kind {
        needs_both: false,
        name: "OpenVPN P_DATA_V2, pings only",
        make: |s, side, n, r| {
            let peer = [s[side] as u8, s[2] as u8, s[3] as u8];
            [&[0x48][..], &peer, &n.to_be_bytes(), &noise(r, 32)].concat()
        },
    },
    Kind {
        needs_both: false,
        name: "OpenVPN P_DATA_V2, 4-aligned",
        make: |_, _, n, r| after4(&[&[0x48, 0, 0, 3], &n.to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "OpenVPN epoch",
        make: |_, _, n, r| after(&[&[0x48, 0, 0, 1, 0, 1, 0, 0], &n.to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "DTLS 1.2",
        make: |_, _, n, r| after(&[&[0x17, 0xfe, 0xfd, 0, 1, 0, 0], &n.to_be_bytes(), &[0, 120]], r),
    },
    Kind {
        needs_both: false,
        name: "QUIC 1-RTT",
        make: |s, side, n, r| {
            let first = 0x40 | (n as u8 & 0x3f);
            after(&[&[first], &word(s, side), &word(s, side)], r)
        },
    },
    Kind {
        needs_both: false,
        name: "DHCP",
        make: |s, side, n, r| {
            let secs = (n as u16).to_be_bytes();
            let mut bytes =
                [&[1 + side as u8, 1, 6, 0][..], &(s[2] as u32).to_be_bytes(), &secs, &[0; 18], &noise(r, 6)].concat();
            bytes.resize(300, 0);
            bytes
        },
    },
    Kind {
        needs_both: false,
        name: "Nintendo Pia",
        make: |s, _, n, r| {
            after4(
                &[
                    &[0x32, 0xab, 0x98, 0x64],
                    &[0x82, 1],
                    &(n as u16).to_be_bytes(),
                    &(s[2] + u64::from(n)).to_be_bytes(),
                ],
                r,
            )
        },
    },
    Kind {
        needs_both: false,
        name: "VXLAN",
        make: |_, _, _, r| after(&[&[8, 0, 0, 0, 0, 0, 42, 0], &[2; 12], &[8, 0, 0x45, 0]], r),
    },
    Kind {
        needs_both: false,
        name: "GTP-U",
        make: |s, side, _, r| after(&[&[0x30, 255, 0, 120], &word(s, side), &[0x45, 0]], r),
    },
    Kind {
        needs_both: false,
        name: "L2TP",
        make: |s, side, n, r| after(&[&[0x40, 2, 0, 99], &word(s, side), &(n as u16).to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "TURN channel",
        make: |_, _, n, r| after4(&[&[0x40, 0, 0, 172, 0x80, 96], &(n as u16).to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "mosh",
        make: |_, side, n, r| after(&[&[(side as u8) << 7, 0, 0, 0], &n.to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "Nebula",
        make: |s, side, n, r| after(&[&[0x11, 0, 0, 0], &word(s, side), &u64::from(n).to_be_bytes()], r),
    },
    Kind {
        needs_both: false,
        name: "game: magic, counter, positions",
        make: |s, side, n, r| {
            let at = |axis: u32| (n * 3 + axis * 1000 + r_byte(s, axis)).to_be_bytes();
            let body = [at(0), at(1), at(2), at(3), at(4), at(5)].concat();
            let _ = r;
            [&word(s, side)[..], &n.to_be_bytes(), &body].concat()
        },
    },
    Kind {
        needs_both: false,
        name: "game: magic, counter, acknowledgement, noise",
        make: |s, side, n, r| {
            let acknowledged = n.wrapping_sub(1 - side as u32);
            after4(&[&word(s, side), &n.to_be_bytes(), &acknowledged.to_be_bytes()], r)
        },
    },
    Kind {
        needs_both: false,
        name: "two counters side by side",
        make: |s, side, n, r| {
            after4(
                &[
                    &word(s, side),
                    &n.to_be_bytes(),
                    &[0; 4],
                    &(s[2] as u32 ^ 0x8000_0000).wrapping_add(n).to_be_bytes(),
                ],
                r,
            )
        },
    },
    Kind {
        needs_both: false,
        name: "heartbeat: word, BE counter, constant identifier",
        make: |s, side, n, _| {
            let identifier = [s[2], s[3], s[1]].map(u64::to_be_bytes).concat();
            [&word(s, side)[..], &n.to_be_bytes(), &identifier].concat()
        },
    },
];

fn r_byte(session: &[u64; 4], axis: u32) -> u32 {
    (session[3] >> axis) as u32 & 0xff
}
