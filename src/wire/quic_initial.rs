//! What a client's QUIC Initial packet says under its protection, whose key anyone can derive (RFC 9001 section 5.2).
//!
//! ```text
//! secret  = HKDF-Extract(salt of the version, client's first Destination Connection ID)
//! key, iv, hp = HKDF-Expand-Label(HKDF-Expand-Label(secret, "client in"), "quic key" | "quic iv" | "quic hp")
//! mask    = AES-128-ECB(hp, 16 bytes that start 4 behind the start of the packet number)
//! ```

use super::cursor::Cursor;
use super::quic::{Long, Version, varint};
use aes_gcm::aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::{AeadInOut, Aes128Gcm};
use hkdf::Hkdf;
use sha2::Sha256;

/// Bytes of the handshake that are put together at most.
const HANDSHAKE_BYTES: usize = 8192;

/// The salt of a version and whether its labels start with "quicv2".
fn salt(version: Version) -> Option<([u8; 20], bool)> {
    const V1: [u8; 20] = *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
    const V2: [u8; 20] = *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
    const DRAFT_29: [u8; 20] = *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
    const DRAFT_23: [u8; 20] = *b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
    match version {
        Version::V1 => Some((V1, false)),
        Version::V2 => Some((V2, true)),
        Version(0xff00_001d..=0xff00_0020) => Some((DRAFT_29, false)),
        Version(0xff00_0017..=0xff00_001c) => Some((DRAFT_23, false)),
        _ => None,
    }
}

/// HKDF-Expand-Label of RFC 8446 section 7.1 with an empty context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> Option<[u8; N]> {
    let full = 6 + label.len() as u8;
    let mut out = [0; N];
    secret.expand_multi_info(&[&[0, N as u8, full], b"tls13 ", label.as_bytes(), &[0]], &mut out).ok()?;
    Some(out)
}

/// The keys of a client's Initials.
pub struct Keys {
    key: [u8; 16],
    iv: [u8; 12],
    hp: [u8; 16],
}

impl Keys {
    /// Derives them from the connection ID of the client's first packet. `None` for versions without known salt.
    pub fn new(version: Version, dcid: &[u8]) -> Option<Self> {
        let (salt, second) = salt(version)?;
        let initial = Hkdf::<Sha256>::new(Some(&salt), dcid);
        let client = Hkdf::<Sha256>::from_prk(&expand::<32>(&initial, "client in")?).ok()?;
        let label = |v1: &'static str, v2: &'static str| if second { v2 } else { v1 };
        Some(Self {
            key: expand(&client, label("quic key", "quicv2 key"))?,
            iv: expand(&client, label("quic iv", "quicv2 iv"))?,
            hp: expand(&client, label("quic hp", "quicv2 hp"))?,
        })
    }

    /// Removes the protection of a client's Initial. `None` when the tag does not verify: then it is no Initial of that
    /// version, or of another connection.
    pub fn open(&self, long: &Long<'_>) -> Option<Vec<u8>> {
        let packet = long.packet?;
        let sample: [u8; 16] = *packet.get(long.number_at + 4..)?.first_chunk()?;
        let mut mask = sample.into();
        aes::Aes128::new(&self.hp.into()).encrypt_block(&mut mask);
        let [mask_first, mask_rest @ ..] = <[u8; 16]>::from(mask);
        let first = packet.first()? ^ (mask_first & 0x0f);
        let number_len = usize::from(first & 3) + 1;

        let mut header = packet.get(..long.number_at + number_len)?.to_vec();
        *header.first_mut()? = first;
        let mut nonce = self.iv;
        let number = header.get_mut(long.number_at..)?;
        for (byte, mask) in number.iter_mut().zip(mask_rest) {
            *byte ^= mask;
        }
        for (nonce, byte) in nonce.iter_mut().rev().zip(number.iter().rev()) {
            *nonce ^= byte;
        }
        let mut payload = packet.get(header.len()..)?.to_vec();
        Aes128Gcm::new(&self.key.into()).decrypt_in_place(&nonce.into(), &header, &mut payload).ok()?;
        Some(payload)
    }
}

/// Puts the handshake together from CRYPTO frames, which may come in any order and in several packets.
#[derive(Debug, Default)]
pub struct Crypto {
    bytes: Vec<u8>,
    known: Vec<(usize, usize)>,
}

impl Crypto {
    /// Takes the CRYPTO frames of an opened Initial.
    pub fn take(&mut self, payload: &[u8]) {
        let mut c = Cursor::new(payload);
        while self.frame(&mut c).is_some() {}
    }

    fn frame(&mut self, c: &mut Cursor<'_>) -> Option<()> {
        match c.u8()? {
            // Padding, of which there is much.
            0 => {
                let more = c.rest().iter().position(|b| *b != 0).unwrap_or(c.rest().len());
                c.take(more)?;
            }
            1 => {}
            // ACK: largest, delay, range count, first range, then pairs. Only a retransmitted Initial has one.
            2 => {
                let (_, _, ranges, _) = (varint(c)?, varint(c)?, varint(c)?, varint(c)?);
                for _ in 0..ranges.checked_mul(2).filter(|n| *n < 512)? {
                    varint(c)?;
                }
            }
            6 => {
                let (offset, length) = (usize::try_from(varint(c)?).ok()?, usize::try_from(varint(c)?).ok()?);
                let data = c.take(length)?;
                let end = offset.checked_add(length).filter(|end| *end <= HANDSHAKE_BYTES)?;
                if self.bytes.len() < end {
                    self.bytes.resize(end, 0);
                }
                self.bytes.get_mut(offset..end)?.copy_from_slice(data);
                self.known.push((offset, end));
            }
            _ => return None,
        }
        Some(())
    }

    /// The handshake's bytes from its start to the first gap.
    pub fn contiguous(&mut self) -> &[u8] {
        self.known.sort_unstable();
        let end = self.known.iter().fold(0, |end, (from, to)| if *from <= end { end.max(*to) } else { end });
        self.bytes.get(..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_any_order() {
        let mut crypto = Crypto::default();
        crypto.take(&[0, 0, 6, 3, 2, b'd', b'e', 1]);
        assert_eq!(crypto.contiguous(), b"");
        crypto.take(&[6, 0, 3, b'a', b'b', b'c']);
        assert_eq!(crypto.contiguous(), b"abcde");
    }

    /// The keys of RFC 9001 appendix A.1.
    #[test]
    fn keys_of_the_specification() {
        let (salt, _) = salt(Version::V1).unwrap();
        let initial = Hkdf::<Sha256>::new(Some(&salt), b"\x83\x94\xc8\xf0\x3e\x51\x57\x08");
        let client = Hkdf::<Sha256>::from_prk(&expand::<32>(&initial, "client in").unwrap()).unwrap();
        assert_eq!(expand::<12>(&client, "quic iv").unwrap(), *b"\xfa\x04\x4b\x2f\x42\xa3\xfd\x3b\x46\xfb\x25\x5c");
    }
}
