//! The XOR patch over TCP, in all modes and under many passwords, from the start and joined in the middle: real sessions
//! in clear, of which each packet is changed as the patch does it. Lengths stay, so that the segments do.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::flows::{self, Flow, Piece};
use portproof::flow::Dir;
use portproof::protocol;
use std::path::Path;

const PASSWORDS: [&str; 8] =
    ["password", "s3cret", "x", "Tunnelblick", "0123456789abcdef", "korrekt", "pf!", "lorem ipsum"];

fn positions(packet: &mut [u8]) {
    packet.iter_mut().enumerate().for_each(|(i, b)| *b ^= (i + 1) as u8);
}

fn password(packet: &mut [u8], password: &str) {
    packet.iter_mut().zip(password.bytes().cycle()).for_each(|(b, mask)| *b ^= mask);
}

fn reverse(packet: &mut [u8]) {
    packet[1..].reverse();
}

fn scramble(packet: &mut [u8], mode: &str, word: &str) {
    match mode {
        "xormask" => password(packet, word),
        "xorptrpos" => positions(packet),
        "reverse" => reverse(packet),
        _ => {
            positions(packet);
            reverse(packet);
            positions(packet);
            password(packet, word);
        }
    }
}

/// The flow with each packet of its streams scrambled.
fn scrambled(flow: &Flow, mode: &str, word: &str) -> Vec<Piece> {
    let mut pieces = flow.pieces.clone();
    for dir in Dir::BOTH {
        let mut stream: Vec<u8> = pieces.iter().filter(|p| p.dir == dir).flat_map(|p| p.data.clone()).collect();
        let mut at = 0;
        while at + 2 < stream.len() {
            let end = (at + 2 + usize::from(u16::from_be_bytes([stream[at], stream[at + 1]]))).min(stream.len());
            scramble(&mut stream[at + 2..end], mode, word);
            at = end;
        }
        let mut rest = &stream[..];
        for piece in pieces.iter_mut().filter(|p| p.dir == dir) {
            let (mine, later) = rest.split_at(piece.data.len());
            piece.data = mine.to_vec();
            rest = later;
        }
    }
    pieces
}

/// Under how many of the passwords the capture's flow is named, and under none with another mode.
fn found(mode: &str, capture: &str) -> usize {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("testdata/openvpn/{capture}.pcap"));
    let flow = flows::read(&path).into_iter().max_by_key(|f| f.pieces.len()).unwrap();
    let named = |word: &&&str| {
        let pieces = scrambled(&flow, mode, word);
        let outcome = flows::assess(protocol::ALL[protocol::index("openvpn").unwrap()], flow.transport, &pieces);
        assert!(outcome.bits() < 14.0 || outcome.variant().starts_with(&format!("scramble-{mode}")), "{outcome:?}");
        outcome.bits() >= 14.0
    };
    PASSWORDS.iter().filter(named).count()
}

#[test]
fn scrambled_sessions_over_tcp_are_found_from_their_start() {
    for mode in ["xormask", "xorptrpos", "reverse", "obfuscate"] {
        for capture in ["plain-tcp", "tls-auth-sha1-tcp"] {
            assert_eq!(found(mode, capture), PASSWORDS.len(), "{mode} {capture}");
        }
    }
}

/// What needs no password is found under all of them; a masked counter unless the mask leaves it one.
#[test]
fn and_joined_in_the_middle() {
    for (mode, least) in [("xormask", 6), ("xorptrpos", 8), ("reverse", 8), ("obfuscate", 6)] {
        let found = found(mode, "data-v2-tcp");
        println!("{mode}: {found} of {}", PASSWORDS.len());
        assert!(found >= least, "{mode}: {found}");
    }
}
