//! Bolt, of Neo4j: a magic number and four proposed versions; the server picks one (Bolt handshake specification).
//!
//! ```text
//! 60 60 B0 17 | version (4) × 4            00 | range | minor | major
//! version (4), or 00 00 00 00
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// The magic and versions: over 70 bits. From a client alone it may be a probe.
static HANDSHAKE: Family = Family { id: "bolt.handshake", cap: Bits::whole(26) };
/// Four bytes that the client proposed.
static CHOICE: Family = Family { id: "bolt.version-choice", cap: Bits::whole(14) };

/// The recogniser.
pub(super) struct Bolt;

impl Dialogue for Bolt {
    const NAME: &'static str = "bolt";
    const REFERENCE: &'static str = "Bolt protocol";

    fn client(&self, bytes: &[u8]) -> Opening {
        text::start(bytes, &[0x60, 0x60, 0xb0, 0x17])
            .then(|| Said::new(&HANDSHAKE, 26, "client opens with Bolt's magic number").into())
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let (Some(&[zero, _, minor, major]), Some(proposed)) = (bytes.first_chunk(), client.get(4..20)) else {
            return if bytes.len() < 4 || client.is_empty() { Opening::Short } else { Opening::Foreign };
        };
        let offered = |&[_, range, high, wanted]: &[u8; 4]| {
            wanted == major && (high.saturating_sub(range)..=high).contains(&minor)
        };
        let fits =
            client.starts_with(&[0x60, 0x60, 0xb0, 0x17]) && zero == 0 && proposed.as_chunks().0.iter().any(offered);
        Opening::or_foreign(fits.then(|| {
            Said::new(&CHOICE, 14, "server picks a version that the client proposed")
                // 255 stands for the list of versions that follows.
                .variant(if major == 0xff { "manifest".to_owned() } else { format!("{major}.{minor}") })
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn handshake() {
        let client = [0x60, 0x60, 0xb0, 0x17, 0, 2, 4, 5, 0, 0, 4, 4, 0, 0, 0, 3, 0, 0, 0, 0];
        let finding = found(&Bolt, &client, &[0, 0, 3, 5]).unwrap();
        assert_eq!((finding.bits(), finding.variant.as_deref()), (Bits::whole(40), Some("5.3")));
        assert!(excluded(&Bolt, &client, &[0, 0, 1, 5]));
        let client = [0x60, 0x60, 0xb0, 0x17, 0, 0, 1, 0xff, 0, 8, 8, 5, 0, 2, 4, 4, 0, 0, 0, 3];
        assert_eq!(found(&Bolt, &client, &[0, 0, 1, 0xff, 2]).unwrap().variant.as_deref(), Some("manifest"));
    }
}
