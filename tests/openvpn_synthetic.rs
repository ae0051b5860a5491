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
    let piece = |(n, (dir, data)): (usize, &(Dir, Vec<u8>))| Piece {
        frame: n as u64 + 1,
        time: Time(i64::from(NOW) * 1_000_000_000),
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

#[test]
fn over_tcp_the_shape_is_no_more() {
    let stream = |dir: Dir| {
        let mine = mixed([[0x4a, 0x9c, 0x41, 0xe7]; 2], 40, packet_id).into_iter().filter(move |(d, _)| *d == dir);
        mine.flat_map(|(_, data)| [(data.len() as u16).to_be_bytes().to_vec(), data].concat()).collect::<Vec<u8>>()
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
    let outcome = flows::assess(protocol::ALL[protocol::index("openvpn").unwrap()], Transport::Tcp, &pieces);
    assert!((14.0..20.0).contains(&outcome.bits()), "{outcome:?}");
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
