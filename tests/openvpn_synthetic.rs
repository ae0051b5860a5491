//! OpenVPN as no capture at hand has it: the epoch format of 2.7, asymmetric peer IDs of 2.8, every digest, xorptrpos, and
//! exclusion. Built from the layouts in `src/wire/openvpn.rs`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::flows::{self, Outcome, Piece};
use common::mutate::Random;
use portproof::flow::Dir;
use portproof::packet::{TcpFields, Time, Transport};
use portproof::protocol;

const NOW: u32 = 1_790_000_000;

fn judge(datagrams: &[(Dir, Vec<u8>)]) -> Outcome {
    judge_at(datagrams, |_| 0)
}

/// The same, with the nanosecond that each datagram comes at.
fn judge_at(datagrams: &[(Dir, Vec<u8>)], at: impl Fn(usize) -> i64) -> Outcome {
    let piece = |(n, (dir, data)): (usize, &(Dir, Vec<u8>))| Piece {
        frame: n as u64 + 1,
        time: Time(i64::from(NOW) * 1_000_000_000 + at(n)),
        dir: *dir,
        len: data.len(),
        data: data.clone(),
        tcp: None,
    };
    let pieces: Vec<Piece> = datagrams.iter().enumerate().map(piece).collect();
    flows::assess(protocol::ALL[protocol::index("openvpn").unwrap()], Transport::Udp, &pieces)
}

/// `count` data packets each way with the given headers; `number` writes what follows the header of packet n.
fn data(headers: [[u8; 4]; 2], count: u32, number: fn(u32) -> Vec<u8>) -> Vec<(Dir, Vec<u8>)> {
    let mut random = Random(7);
    let mut all = Vec::new();
    for n in 0..count {
        for dir in Dir::BOTH {
            let mut rest = vec![0; 33 + random.below(200)];
            random.fill(&mut rest);
            all.push((dir, [dir.of(&headers).to_vec(), number(n), rest].concat()));
        }
    }
    all
}

fn packet_id(n: u32) -> Vec<u8> {
    (n + 900).to_be_bytes().to_vec()
}

#[test]
fn the_epoch_format() {
    let epoch = |n: u32| [vec![0, 1, 0, 0], (n + 1).to_be_bytes().to_vec()].concat();
    let outcome = judge(&data([[0x48, 0, 0, 3]; 2], 8, epoch));
    assert_eq!(outcome.variant(), "data-epoch");
    assert!(outcome.bits() >= 20.0, "{outcome:?}");
}

#[test]
fn asymmetric_peer_ids_show_who_serves() {
    let outcome = judge(&data([[0x49, 0, 0, 3], [0x49, 0x9c, 0x41, 0xe7]], 8, packet_id));
    assert!(outcome.bits() >= 20.0, "{outcome:?}");
    // The client chose the random one, and the server sends it.
    assert_eq!(outcome.finding.unwrap().server, Some(Dir::Responder));
}

/// Pings and longer packets.
fn mixed(headers: [[u8; 4]; 2], count: u32, number: fn(u32) -> Vec<u8>) -> Vec<(Dir, Vec<u8>)> {
    let mut all = data(headers, count, number);
    all.iter_mut().step_by(5).for_each(|(_, data)| data.truncate(40));
    all.iter_mut().filter(|(_, data)| data.len() < 40).for_each(|(_, data)| data.resize(40, 0x5a));
    all
}

/// A constant word from both sides, counters and ciphertext: one in 32 such protocols starts as P_DATA_V2 does.
#[test]
fn the_shape_of_point_to_point_mode_is_likely_at_most() {
    let random = [[0x4a, 0x9c, 0x41, 0xe7]; 2];
    for outcome in [judge(&mixed(random, 40, packet_id)), judge(&data(random, 40, packet_id))] {
        assert!((14.0..20.0).contains(&outcome.bits()), "{outcome:?}");
    }
    // It is OpenVPN's own format, or its own number, that makes it more.
    let epoch = judge(&data(random, 40, |n| [vec![0, 1, 0, 0], (n + 900).to_be_bytes().to_vec()].concat()));
    assert!(epoch.bits() >= 20.0, "{epoch:?}");
    let fixed = judge(&data([[0x48, b'v', b'p', b'n']; 2], 10, packet_id));
    assert!(fixed.bits() >= 20.0, "{fixed:?}");
}

/// OpenVPN's packet ID 1 follows the handshake in the same flow.
#[test]
fn point_to_point_data_do_not_start_without_a_handshake() {
    let random = [[0x4a, 0x9c, 0x41, 0xe7]; 2];
    let outcome = judge(&data(random, 40, |n| (n + 1).to_be_bytes().to_vec()));
    assert!((6.0..14.0).contains(&outcome.bits()), "{outcome:?}");
    // Nor do they count from a random number.
    let outcome = judge(&data(random, 40, |n| (n + 0x7a11_0000).to_be_bytes().to_vec()));
    assert!((6.0..14.0).contains(&outcome.bits()), "{outcome:?}");
}

/// The datagrams in two streams with a length in front of each, in segments of 300 bytes, joined in the middle.
fn judge_framed(datagrams: &[(Dir, Vec<u8>)]) -> Outcome {
    let stream = |dir: Dir| {
        let mine = datagrams.iter().filter(move |(d, _)| *d == dir);
        mine.flat_map(|(_, data)| [&(data.len() as u16).to_be_bytes()[..], &data[..]].concat()).collect::<Vec<u8>>()
    };
    let streams = Dir::BOTH.map(stream);
    let mut pieces = Vec::new();
    for n in 0..20u32 {
        for dir in Dir::BOTH {
            let Some(data) = dir.of(&streams).chunks(300).nth(n as usize) else { continue };
            let tcp = TcpFields {
                sequence: 5000 + 300 * n,
                acknowledgement: 0,
                syn: false,
                ack: true,
                fin: false,
                rst: false,
            };
            let frame = u64::from(n) + 1;
            let time = Time(i64::from(NOW) * 1_000_000_000);
            pieces.push(Piece { frame, time, dir, len: data.len(), data: data.to_vec(), tcp: Some(tcp) });
        }
    }
    flows::assess(protocol::ALL[protocol::index("openvpn").unwrap()], Transport::Tcp, &pieces)
}

#[test]
fn over_tcp_the_shape_is_no_more() {
    let outcome = judge_framed(&mixed([[0x4a, 0x9c, 0x41, 0xe7]; 2], 40, packet_id));
    assert!((14.0..20.0).contains(&outcome.bits()), "{outcome:?}");
}

/// A length, a type that is P_DATA_V2's first byte, a small number and noise of any length: no cipher leaves that.
#[test]
fn over_tcp_a_header_without_counter_and_blocks_is_no_openvpn() {
    let random = |n: u32| n.wrapping_mul(0x9e37_79b9).to_be_bytes().to_vec();
    let outcome = judge_framed(&data([[0x48, 0, 0, 0]; 2], 40, random));
    assert!((6.0..14.0).contains(&outcome.bits()), "{outcome:?}");
    let counted = judge_framed(&data([[0x48, 0, 0, 0]; 2], 40, packet_id));
    assert!(counted.bits() >= 20.0, "{counted:?}");
}

/// HMAC, packet ID, time and zeros.
fn feedback_iv(n: u32) -> Vec<u8> {
    let mut hmac = vec![0; 20];
    Random(u64::from(n) + 5).fill(&mut hmac);
    [hmac, (n + 900).to_be_bytes().to_vec(), (NOW - 600).to_be_bytes().to_vec(), vec![0; 8]].concat()
}

#[test]
fn ciphers_with_feedback_show_packet_id_and_time() {
    let flow = data([[0x48, 0, 0, 3]; 2], 12, feedback_iv);
    assert!(judge(&flow).bits() >= 20.0, "{:?}", judge(&flow));
    assert!(judge_framed(&flow).bits() >= 20.0, "{:?}", judge_framed(&flow));
    // A time that is none.
    let other = data([[0x48, 0, 0, 3]; 2], 12, |n| {
        let mut iv = feedback_iv(n);
        iv[24] = 7;
        iv
    });
    assert!(judge(&other).bits() < 14.0, "{:?}", judge(&other));
}

/// A quiet tunnel of which the capture lost every third packet: few packet IDs, with gaps.
#[test]
fn a_packet_id_may_have_gaps() {
    for (count, band) in [(7, 20.0), (30, 20.0)] {
        let mut lossy = mixed([[0x48, 0, 0, 0]; 2], count, packet_id);
        let mut nth = 0;
        lossy.retain(|_| {
            nth += 1;
            nth % 3 != 0
        });
        let outcome = judge(&lossy);
        assert!(outcome.bits() >= band, "{count}: {outcome:?}");
    }
    // A clock is none.
    let outcome = judge(&mixed([[0x48, 0, 0, 0]; 2], 30, |n| (7000 + n * 20).to_be_bytes().to_vec()));
    assert!(outcome.bits() < 14.0, "{outcome:?}");
}

/// A number in little-endian over a few zeros, which P_DATA_V1's packet ID ends in the middle of: behind it follow zeros, no tag.
#[test]
fn what_never_changes_behind_the_packet_id_is_no_ciphertext() {
    let flow = data([[0x30, 0, 0, 2]; 2], 12, |n| (n + 1).to_le_bytes().to_vec());
    let outcome = judge(&flow);
    assert!(outcome.bits() < 14.0, "{outcome:?}");
}

/// A type, an identifier of eight bytes and a counter in the place of acknowledgements and message ID.
#[test]
fn a_counter_in_the_place_of_message_ids_takes_large_steps() {
    let mut random = Random(11);
    let flow: Vec<(Dir, Vec<u8>)> = (0..24u32)
        .map(|n| {
            let mut rest = vec![0; 20 + random.below(100)];
            random.fill(&mut rest);
            let opcode = [0x20, 0x28, 0x30, 0x38, 0x40][random.below(5)];
            let header =
                [&[opcode, 0x9c, 0x41, 0xe7, 0x13, 0x55, 0xd0, 0x68, 0xb2][..], &(n + 1).to_be_bytes()].concat();
            (Dir::Originator, [header, rest].concat())
        })
        .collect();
    let outcome = judge(&flow);
    assert!(outcome.bits() < 20.0, "{outcome:?}");
}

/// Pings alone under AES-CBC and SHA1 have 72 bytes, and 48 00 00 00 is 72 in the other byte order.
#[test]
fn cbc_pings_that_look_like_a_length_take_a_steady_interval() {
    let mut pings = data([[0x48, 0, 0, 0]; 2], 8, |n| n.wrapping_mul(0x9e37_79b9).to_be_bytes().to_vec());
    let mut random = Random(3);
    for (_, data) in &mut pings {
        data.resize(72, 0);
        random.fill(&mut data[4..]);
    }
    let at_once = judge(&pings);
    assert!((6.0..14.0).contains(&at_once.bits()), "{at_once:?}");
    let steady = judge_at(&pings, |n| n as i64 / 2 * 10_000_000_000 + n as i64 % 2 * 400_000_000);
    assert!((14.0..20.0).contains(&steady.bits()), "{steady:?}");
    let irregular = judge_at(&pings, |n| n as i64 * 3_000_000_000 + (n * n % 7) as i64 * 400_000_000);
    assert!((6.0..14.0).contains(&irregular.bits()), "{irregular:?}");
}

/// With a random peer ID and one direction only nothing but lengths tells P_DATA_V2 from ESP.
#[test]
fn lengths_in_multiples_of_four_are_esps() {
    let header = [[0x4f, 0x19, 0x3c, 0xfb]; 2];
    let one = |datagrams: Vec<(Dir, Vec<u8>)>| {
        judge(&datagrams.into_iter().filter(|(dir, _)| *dir == Dir::Originator).collect::<Vec<_>>()).bits()
    };
    let mut aligned = data(header, 24, packet_id);
    aligned.iter_mut().for_each(|(_, data)| data.truncate(data.len() / 16 * 16));
    let (any, aligned) = (one(data(header, 24, packet_id)), one(aligned));
    assert!(any >= 10.0 && aligned <= 6.0, "{any} {aligned}");
}

#[test]
fn two_random_prefixes_are_esp_and_no_openvpn() {
    let outcome = judge(&data([[0x4a, 0x13, 0xc1, 0x77], [0x4a, 0x9c, 0x41, 0xe7]], 8, packet_id));
    assert!(outcome.bits() < 14.0, "{outcome:?}");
}

/// A client's reset and the server's answer under an HMAC of `hmac` bytes.
fn resets(hmac: usize) -> Vec<(Dir, Vec<u8>)> {
    let mut random = Random(hmac as u64 + 1);
    let mut bytes = vec![0; 16 + 2 * hmac];
    random.fill(&mut bytes);
    let (ids, macs) = bytes.split_at(16);
    let replay = [1u32.to_be_bytes(), NOW.to_be_bytes()].concat();
    let client = [&[0x38], &ids[..8], &macs[..hmac], &replay, &[0; 5]].concat();
    let server = [&[0x40], &ids[8..], &macs[hmac..], &replay, &[1, 0, 0, 0, 0], &ids[..8], &[0; 4]].concat();
    vec![(Dir::Originator, client), (Dir::Responder, server)]
}

#[test]
fn every_digest_is_told_apart() {
    let digests = [(16, "md5"), (20, "sha1"), (28, "sha224"), (32, "sha256"), (48, "sha384"), (64, "sha512")];
    for (hmac, name) in digests {
        let outcome = judge(&resets(hmac));
        assert_eq!(outcome.variant(), format!("tls-auth-{name}"));
        assert!(outcome.bits() >= 30.0, "{outcome:?}");
    }
}

#[test]
fn xorptrpos_is_undone() {
    let mut datagrams = resets(20);
    for (_, data) in &mut datagrams {
        data.iter_mut().enumerate().for_each(|(i, b)| *b ^= (i + 1) as u8);
    }
    let outcome = judge(&datagrams);
    assert_eq!(outcome.variant(), "scramble-xorptrpos tls-auth-sha1");
    assert!(outcome.bits() >= 30.0, "{outcome:?}");
}

#[test]
fn a_complete_text_exchange_is_excluded_and_one_request_is_not() {
    let line = |dir, text: &str| (dir, text.as_bytes().to_vec());
    let request = line(Dir::Originator, "get status of all devices, please\r\n");
    let reply = line(Dir::Responder, "~ all devices are well, thank you\r\n");
    assert!(!judge(std::slice::from_ref(&request)).excluded);
    assert!(judge(&[request, reply]).excluded);
}
