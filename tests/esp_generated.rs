//! Generated ESP of every kind: what is found, and after how many packets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use common::esp::{SHAPELESS, SUITES, Sender, Suite, ipv4, noise, piece, session};
use common::flows::{self, Outcome, Piece};
use common::lookalikes::KINDS;
use common::mutate::{self, Random};
use portproof::flow::{Dir, HeadBuf};
use portproof::packet::{TcpFields, Transport};
use portproof::protocol::{self, Assessment, Band, Bits, evidence::PRIOR};

fn judge(pieces: &[Piece]) -> Outcome {
    let protocol = protocol::ALL[protocol::index("esp-in-udp").unwrap()];
    flows::assess(protocol, Transport::Udp, pieces)
}

fn band(outcome: &Outcome) -> Option<Band> {
    Band::of(PRIOR + outcome.finding.as_ref().map_or(Bits::ZERO, |f| f.bits()))
}

const SEEDS: std::ops::Range<u64> = 1..41;

/// Whether an IV or an inner packet is to be seen.
fn is_structured(suite: &Suite) -> bool {
    ["GCM", "CTR", "CCM"].iter().any(|n| suite.name.contains(n)) || suite.null
}

/// An IV that is nearly the sequence number itself could be another protocol's second counter.
fn structured_band(suite: &Suite) -> Band {
    if suite.name.contains("FreeBSD") { Band::Confident } else { Band::Certain }
}

#[test]
fn every_suite_is_found() {
    for suite in SUITES {
        for seed in SEEDS {
            let whole = session(*suite, seed, 1, 40);
            let outcome = judge(&whole);
            let wanted = if is_structured(suite) { structured_band(suite) } else { Band::Likely };
            assert_eq!(band(&outcome), Some(wanted), "{} {:?}", suite.name, outcome.finding);
        }
    }
}

#[test]
fn one_direction_is_enough() {
    let mut lost = 0;
    for suite in SUITES {
        for seed in SEEDS {
            let half: Vec<Piece> = mutate::one_way(&session(*suite, seed, 1, 40), Dir::Responder);
            let spi = half[0].data[0];
            // One SPI in 32 begins like OpenVPN's P_DATA_V2; of those few lengths alone are not enough.
            let openvpn_like = (0x48..=0x4f).contains(&spi);
            lost += usize::from(band(&judge(&half)).is_none() && openvpn_like);
            assert!(
                band(&judge(&half)).is_some() || openvpn_like,
                "{} seed {seed} {:?}",
                suite.name,
                judge(&half).finding
            );
        }
    }
    println!("{lost} of {} lost to OpenVPN's opcode", SUITES.len() * SEEDS.count());
}

#[test]
fn ciphers_without_structure_are_suspected_at_most() {
    for suite in SHAPELESS {
        for seed in SEEDS {
            let outcome = judge(&session(*suite, seed, 1, 60));
            assert_eq!(band(&outcome), None, "{} {:?}", suite.name, outcome.finding);
            assert!(outcome.bits() >= 6.0, "{}", suite.name);
        }
    }
}

/// Many SAs on one pair of ports, as between two gateways: counters are followed by SPI.
#[test]
fn many_spis_and_rekeying_do_not_matter() {
    for suite in SUITES.iter().filter(|s| s.name != "AES-CBC, fixed IV") {
        for spis in [2, 5, 30, 300] {
            let mut random = Random(77);
            let mut sender = || (0..spis).map(|_| Sender::new(*suite, &mut random, 1)).collect::<Vec<_>>();
            let mut senders = [sender(), sender()];
            let mut random = Random(78);
            let pieces: Vec<Piece> = (0..spis as u64 * 60)
                .map(|n| {
                    let side = n as usize % 2;
                    let inner = ipv4(84 + 4 * random.below(300), &mut random);
                    let chosen = random.below(spis);
                    let data = senders[side][chosen].packet(&inner, &mut random);
                    piece(n + 1, Dir::BOTH[side], data)
                })
                .collect();
            let outcome = judge(&pieces);
            // Of 300 SAs at once no two packets that were kept have the same SPI: what is known is counted.
            let hidden = suite.null && spis == 300;
            let least = if is_structured(suite) && !hidden { structured_band(suite) } else { Band::Likely };
            assert!(band(&outcome) >= Some(least), "{} {spis} {:?} {:?}", suite.name, outcome.finding, outcome.steps);
            let given_up = outcome.steps.iter().find(|(_, bits)| *bits >= 14.0).is_none_or(|(n, _)| *n > 2048);
            assert!(!given_up, "{} {spis}: {:?}", suite.name, outcome.steps);
        }
    }
}

/// A tunnel that is rekeyed again and again: each SA lives for a while, then another follows.
#[test]
fn rekeying_for_long_keeps_the_finding() {
    for suite in SUITES.iter().filter(|s| !s.null) {
        let mut pieces = Vec::new();
        for sa in 0..24 {
            pieces.extend(session(*suite, 100 + sa, 1, 1000));
        }
        let outcome = judge(&pieces);
        let least = if is_structured(suite) { structured_band(suite) } else { Band::Likely };
        assert_eq!(band(&outcome), Some(least), "{} {:?}", suite.name, outcome.steps);
    }
}

/// Extended sequence numbers: the low half passes zero. An IV follows the whole number, so it shows a constant before and
/// another one after.
#[test]
fn a_number_that_wraps_is_no_obstacle() {
    for suite in SUITES {
        let outcome = judge(&session(*suite, 4, u32::MAX - 2, 60));
        assert!(band(&outcome).is_some(), "{} {:?}", suite.name, outcome.finding);
    }
}

/// Eight zero bytes before each packet (draft-ietf-ipsec-udp-encaps-00), whatever the cipher.
#[test]
fn the_non_ike_marker_is_taken_off() {
    for suite in SUITES.iter().chain(SHAPELESS) {
        let mut pieces = session(*suite, 4, 70, 40);
        for piece in &mut pieces {
            piece.data.splice(..0, [0; 8]);
            piece.len += 8;
        }
        let outcome = judge(&pieces);
        assert_eq!(outcome.variant(), "non-ike-marker", "{}", suite.name);
        assert!(outcome.bits() >= if SHAPELESS.contains(suite) { 6.0 } else { 14.0 }, "{}", suite.name);
    }
}

/// A keepalive now and then, and one between any two packets.
#[test]
fn keepalives_between_the_packets_do_not_matter() {
    for suite in SUITES {
        for every in [1, 10] {
            let mut pieces = session(*suite, 4, 70, 40);
            for at in (0..40).rev().step_by(every) {
                let keepalive = piece(1000, Dir::Originator, vec![0xff]);
                pieces.insert(at, keepalive);
            }
            assert!(band(&judge(&pieces)).is_some(), "{} {every}", suite.name);
        }
    }
}

#[test]
fn an_spi_change_in_the_middle_keeps_the_finding() {
    for suite in SUITES {
        let mut pieces = session(*suite, 5, 900, 60);
        let after = session(*suite, 6, 1, 60);
        pieces.extend(after);
        assert!(band(&judge(&pieces)).is_some(), "{}", suite.name);
    }
}

#[test]
fn traffic_flow_confidentiality_is_no_obstacle() {
    // RFC 9347: packets of one size.
    for suite in SUITES.iter().filter(|s| !s.null) {
        let mut random = Random(9);
        let mut senders = [Sender::new(*suite, &mut random, 70_000), Sender::new(*suite, &mut random, 123)];
        let pieces: Vec<Piece> = (0..40)
            .map(|n| {
                let data = senders[n % 2].packet(&noise(1380, &mut Random(n as u64 + 1)), &mut random);
                piece(n as u64 + 1, Dir::BOTH[n % 2], data)
            })
            .collect();
        assert!(band(&judge(&pieces)).is_some(), "{} {:?}", suite.name, judge(&pieces).finding);
    }
}

/// Two packets of one direction are enough where the IV follows the sequence number, by either rule.
#[test]
fn two_packets_with_an_iv_are_enough() {
    for suite in SUITES.iter().filter(|s| is_structured(s) && !s.null) {
        for seed in SEEDS {
            let two: Vec<Piece> =
                mutate::one_way(&session(*suite, seed, 5000, 4), Dir::Originator).into_iter().take(2).collect();
            assert_eq!(band(&judge(&two)), Some(Band::Confident), "{} {:?}", suite.name, judge(&two).finding);
        }
    }
}

/// A few of the flows that `cargo bench --bench false_rate_esp` judges by the million: none is named.
#[test]
fn look_alikes_are_not_named() {
    let esp = protocol::ALL[protocol::index("esp-in-udp").unwrap()];
    let mut named = Vec::new();
    for kind in KINDS {
        let mut random = Random(7);
        for n in 0..200 {
            let constants = [random.next(), random.next(), random.next(), random.next()];
            let (one_way, first) =
                (n % 3 == 0 && !kind.needs_both, if n % 2 == 0 { 1 } else { random.next() as u32 >> 8 });
            let packet = |n: usize| {
                let (side, turn) = if one_way { (0, n) } else { (n % 2, n / 2) };
                let data = (kind.make)(&constants, side, first.wrapping_add(turn as u32), &mut random);
                piece(n as u64 + 1, Dir::BOTH[side], data)
            };
            let mut buf = HeadBuf::new(Transport::Udp);
            for p in (0..40).map(packet) {
                buf.push_datagram(p.frame, p.time, p.dir, p.len, &p.data);
            }
            if let Assessment::Recognised(finding) = esp.assess(&buf.view(None, true))
                && Band::of(PRIOR + finding.bits()).is_some()
            {
                named.push((kind.name, finding));
            }
        }
    }
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn keepalives_alone_are_no_esp() {
    let pieces: Vec<Piece> = (0..100).map(|n| piece(n + 1, Dir::BOTH[n as usize % 2], vec![0xff])).collect();
    assert_eq!(judge(&pieces).bits(), 0.0);
}

#[test]
fn the_shape_alone_is_never_more_than_likely() {
    for suite in SUITES.iter().filter(|s| s.name.contains("CBC") || s.name.contains("3DES")) {
        for seed in SEEDS {
            let outcome = judge(&session(*suite, seed, 1, 400));
            assert_eq!(band(&outcome), Some(Band::Likely), "{}", suite.name);
        }
    }
}

/// Whoever breaks the rules that ESP keeps is not taken for it, even if all else is as in CBC.
#[test]
fn one_broken_rule_is_enough() {
    let cbc: Suite = SUITES[5];
    let change = |change: &dyn Fn(usize, &mut Piece)| {
        let mut pieces = session(cbc, 3, 1, 60);
        pieces.iter_mut().enumerate().for_each(|(n, p)| change(n, p));
        judge(&pieces)
    };
    let word = |p: &mut Piece, at: usize, word: u32| p.data[at..at + 4].copy_from_slice(&word.to_be_bytes());
    assert!(band(&change(&|_, _| {})).is_some());
    // The same word both ways.
    assert_eq!(band(&change(&|_, p| word(p, 0, 0x9182_7364))), None);
    // A small number as first word.
    assert_eq!(band(&change(&|n, p| word(p, 0, 0x0102_0000 + (n as u32 & 1)))), None);
    // The length of all packets in the first word.
    let sized = |high: u32| {
        let mut random = Random(9);
        let mut pieces = session(cbc, 3, 1, 60);
        for (n, p) in pieces.iter_mut().enumerate() {
            p.data.resize(136, 0);
            p.len = 136;
            random.fill(&mut p.data[8..]);
            word(p, 0, high | (n as u32 & 1) << 24 | 136);
        }
        band(&judge(&pieces))
    };
    assert_eq!((sized(0xf0d0_0000), sized(0xf0d0_7300)), (None, Some(Band::Likely)));
    // A little-endian counter.
    assert_eq!(band(&change(&|n, p| p.data[4..8].copy_from_slice(&(n as u32).to_le_bytes()))), None);
    // A clock in milliseconds.
    assert_eq!(band(&change(&|n, p| word(p, 4, 7_000_000 + n as u32 * 23))), None);
    // A length that no ESP packet has.
    let odd = change(&|_, p| {
        p.data.push(0);
        p.len += 1;
    });
    assert_eq!(band(&odd), None);
    // Structure behind the counter.
    assert_eq!(band(&change(&|_, p| word(p, 8, 0x0001_0002))), None);
    // OpenVPN's first bytes, both ways.
    assert_eq!(band(&change(&|n, p| word(p, 0, 0x48aa_bbcc ^ (n as u32 & 1)))).filter(|b| *b > Band::Likely), None);
}

/// One direction of a TCP stream joined in the middle: messages with lengths that count themselves, in segments of which
/// `visible` bytes were captured.
fn in_tcp(messages: &[Vec<u8>], visible: usize) -> Outcome {
    let mut sequence = 70_000;
    let mut pieces = Vec::new();
    for (n, message) in messages.iter().enumerate() {
        let data = [&(message.len() as u16 + 2).to_be_bytes()[..], &message[..]].concat();
        let tcp = TcpFields { sequence, acknowledgement: 0, syn: false, ack: true, fin: false, rst: false };
        sequence += data.len() as u32;
        let mut piece = piece(n as u64 + 1, Dir::Originator, data);
        piece.data.truncate(visible);
        piece.tcp = Some(tcp);
        pieces.push(piece);
    }
    flows::assess(protocol::ALL[protocol::index("esp-in-tcp").unwrap()], Transport::Tcp, &pieces)
}

#[test]
fn in_tcp_a_chain_is_found_behind_the_cut() {
    let sent = |suite: &Suite| {
        let sent = session(*suite, 5, 900, 120).into_iter().filter(|p| p.dir == Dir::Originator && p.len < 250);
        sent.map(|p| p.data).collect::<Vec<_>>()
    };
    let (aead, cbc) = (sent(&SUITES[0]), sent(&SUITES[5]));
    assert_eq!(band(&in_tcp(&aead, 1500)), Some(Band::Certain));
    // What a snaplen of 96 leaves.
    assert_eq!(band(&in_tcp(&aead, 30)), Some(Band::Certain));
    assert!(band(&in_tcp(&cbc, 1500)) >= Some(Band::Likely));
    // Lengths that no ESP has.
    let mut odd = cbc;
    odd.iter_mut().skip(2).step_by(3).for_each(|message| message.push(9));
    assert_eq!(band(&in_tcp(&odd, 1500)), None);
    assert_eq!(band(&in_tcp(&odd, 30)), None);
}

/// Payloads after which `pieces` reach each band.
fn needed(pieces: &[Piece]) -> String {
    let outcome = judge(pieces);
    if band(&outcome).is_none() {
        // Some of these are likely for a while, until a length comes that fits no block.
        return "suspected".to_owned();
    }
    let reached =
        |bits: f64| outcome.steps.iter().find(|(_, b)| *b >= bits).map_or("-".to_owned(), |(n, _)| n.to_string());
    format!("{} / {} / {}", reached(14.0), reached(20.0), reached(30.0))
}

/// The rows of the table in docs/recognition.md.
fn table() -> Vec<String> {
    let row = |suite: &Suite| {
        // A session whose SPIs do not happen to begin like OpenVPN.
        let from = |first| session(*suite, 4, first, 80);
        let cells = [
            from(1),
            from(5000),
            mutate::one_way(&from(5000), Dir::Originator),
            mutate::cut(&from(5000), 54),
            mutate::cut(&from(5000), 22),
        ];
        format!("| {} | {} |", suite.name, cells.map(|c| needed(&c)).join(" | "))
    };
    SUITES.iter().chain(SHAPELESS).map(row).collect()
}

#[test]
fn the_table_in_the_documentation_is_current() {
    let rows = table();
    let documentation = std::fs::read_to_string("docs/recognition.md").unwrap();
    println!("{}", rows.join("\n"));
    for row in rows {
        assert!(documentation.contains(&row), "docs/recognition.md lacks\n{row}");
    }
}
