//! BitTorrent's peer protocol: both sides begin with the same twenty bytes (BEP 3).
//!
//! ```text
//! 13 'BitTorrent protocol' | reserved (8) | info hash (20) | peer ID (20)
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::{Bits, Family, text};

/// Twenty fixed bytes. From the side that connects it may be a probe.
static SIDES: [Family; 2] = [
    Family { id: "bittorrent.client-handshake", cap: Bits::whole(26) },
    Family { id: "bittorrent.server-handshake", cap: Bits::whole(32) },
];
/// The same info hash both ways: 160 bits.
static HASH: Family = Family { id: "bittorrent.info-hash-echo", cap: Bits::whole(10) };

/// The recogniser.
pub(super) struct BitTorrent;

impl Dialogue for BitTorrent {
    const NAME: &'static str = "bittorrent";
    const REFERENCE: &'static str = "BEP 3";
    const SYMMETRIC: bool = true;

    fn client(&self, bytes: &[u8]) -> Opening {
        handshake(bytes, &[], Role::Client, 26)
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        handshake(bytes, client, Role::Server, 32)
    }
}

fn handshake(bytes: &[u8], other: &[u8], role: Role, bits: i32) -> Opening {
    text::start(bytes, b"\x13BitTorrent protocol").then(|| {
        let said = Said::new(role.of(&SIDES), bits, "handshake of BitTorrent");
        match (bytes.get(28..48), other.get(28..48)) {
            (Some(a), Some(b)) if a == b => said.and(&HASH, 10, 28, "both sides name the same info hash").into(),
            _ => said.into(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn handshakes() {
        let side = [&b"\x13BitTorrent protocol"[..], &[0; 8], &[7; 20], &[1; 20]].concat();
        let finding = found(&BitTorrent, &side, &side).unwrap();
        assert_eq!((finding.bits(), finding.server), (Bits::whole(68), None));
        assert!(excluded(&BitTorrent, &side, b"\x13BitTorrents"));
    }
}
