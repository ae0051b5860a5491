//! Makes ESP of every common kind, as RFC 4303 section 2 lays it out.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test helper: a panic is a failed test.

use super::flows::Piece;
use super::mutate::Random;
use portproof::flow::Dir;
use portproof::packet::Time;

/// What stands between sequence number and ciphertext.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Iv {
    /// Nothing: RFC 8750, NULL.
    None,
    /// Eight bytes: salt XOR sequence number.
    Xor,
    /// Eight bytes that count from 0 while sequence numbers start at 1.
    Counter,
    /// So many random bytes.
    Random(usize),
    /// The same sixteen bytes in each packet.
    Fixed,
}

/// A cipher and an integrity algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Suite {
    pub name: &'static str,
    pub iv: Iv,
    /// Ciphertext is padded to a multiple of this.
    pub block: usize,
    pub icv: usize,
    /// Whether the payload is in clear.
    pub null: bool,
}

const fn suite(name: &'static str, iv: Iv, block: usize, icv: usize) -> Suite {
    Suite { name, iv, block, icv, null: false }
}

/// The ones in use.
pub const SUITES: &[Suite] = &[
    suite("AES-GCM, ChaCha20 (Linux)", Iv::Xor, 4, 16),
    suite("AES-CCM, 8-byte ICV", Iv::Xor, 4, 8),
    suite("AES-CTR + SHA1-96", Iv::Xor, 4, 12),
    suite("AES-GCM (FreeBSD)", Iv::Counter, 4, 16),
    suite("AES-CBC + SHA1-96", Iv::Random(16), 16, 12),
    suite("AES-CBC + SHA256-128", Iv::Random(16), 16, 16),
    suite("AES-CBC + SHA384-192", Iv::Random(16), 16, 24),
    suite("AES-CBC + SHA512-256", Iv::Random(16), 16, 32),
    suite("AES-CBC, fixed IV", Iv::Fixed, 16, 12),
    suite("3DES + MD5-96", Iv::Random(8), 8, 12),
    suite("3DES + SHA256-128", Iv::Random(8), 8, 16),
    Suite { name: "NULL + SHA1-96", iv: Iv::None, block: 4, icv: 12, null: true },
    Suite { name: "NULL + SHA256-128", iv: Iv::None, block: 4, icv: 16, null: true },
    Suite { name: "AES-GMAC", iv: Iv::Xor, block: 4, icv: 16, null: true },
];

/// Ciphers without visible structure: implicit IV (RFC 8750), random IV.
pub const SHAPELESS: &[Suite] =
    &[suite("AES-GCM, implicit IV", Iv::None, 4, 16), suite("AES-GCM, random IV", Iv::Random(8), 4, 16)];

/// A security association that sends.
#[derive(Clone, Debug)]
pub struct Sender {
    pub spi: u32,
    /// The next number; the packet shows its low half.
    pub next: u64,
    suite: Suite,
    salt: u64,
    fixed: [u8; 16],
}

impl Sender {
    /// A new one whose first packet has number `first`.
    pub fn new(suite: Suite, random: &mut Random, first: u32) -> Self {
        // As receivers choose: any but the reserved ones.
        let spi = (random.next() >> 32) as u32 | 0x100;
        let mut fixed = [0; 16];
        random.fill(&mut fixed);
        Self { spi, next: u64::from(first), suite, salt: random.next(), fixed }
    }

    /// The next ESP packet around `inner`.
    pub fn packet(&mut self, inner: &[u8], random: &mut Random) -> Vec<u8> {
        let mut packet = self.spi.to_be_bytes().to_vec();
        packet.extend((self.next as u32).to_be_bytes());
        let number = self.next;
        match self.suite.iv {
            Iv::None => {}
            Iv::Xor => packet.extend((self.salt ^ number).to_be_bytes()),
            Iv::Counter => packet.extend(number.wrapping_sub(1).to_be_bytes()),
            Iv::Random(len) => packet.extend(noise(len, random)),
            Iv::Fixed => packet.extend(self.fixed),
        }
        let padding = (self.suite.block - (inner.len() + 2) % self.suite.block) % self.suite.block;
        let clear = [inner, &(1..=padding as u8).collect::<Vec<_>>(), &[padding as u8, 4]].concat();
        if self.suite.null {
            packet.extend(clear);
        } else {
            packet.extend(noise(clear.len(), random));
        }
        packet.extend(noise(self.suite.icv, random));
        self.next += 1;
        packet
    }
}

/// Random bytes.
pub fn noise(len: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; len];
    random.fill(&mut bytes);
    bytes
}

/// An IPv4 packet of `len` bytes with a right header checksum.
pub fn ipv4(len: usize, random: &mut Random) -> Vec<u8> {
    let mut packet = vec![0x45, 0, (len >> 8) as u8, len as u8, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 2];
    random.fill(&mut packet[4..6]);
    let sum: u32 = packet.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    let check = !((sum & 0xffff) + (sum >> 16)) as u16;
    packet[10..12].copy_from_slice(&check.to_be_bytes());
    packet.extend(noise(len - 20, random));
    packet
}

/// Sizes of inner packets as a tunnel has them: acknowledgements, a name look-up, pings, full segments.
pub const SIZES: &[usize] = &[84, 84, 52, 60, 52, 1400, 52, 1400, 1400, 52, 71, 173, 84, 84, 576, 1201, 52, 644];

/// A UDP payload as a packet of a flow; 20 ms pass between packets.
pub fn piece(frame: u64, dir: Dir, data: Vec<u8>) -> Piece {
    Piece { frame, time: Time(frame as i64 * 20_000_000), dir, len: data.len(), data, tcp: None }
}

/// `count` packets, the directions in turn, each under one SPI, numbered from `first`.
pub fn session(suite: Suite, seed: u64, first: u32, count: usize) -> Vec<Piece> {
    let mut random = Random(seed);
    let mut senders = [Sender::new(suite, &mut random, first), Sender::new(suite, &mut random, first)];
    let mut packet = |n: usize| {
        let inner = ipv4(SIZES[n / 2 % SIZES.len()], &mut random);
        let data = senders[n % 2].packet(&inner, &mut random);
        piece(n as u64 + 1, Dir::BOTH[n % 2], data)
    };
    (0..count).map(&mut packet).collect()
}
