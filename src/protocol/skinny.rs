//! Cisco's Skinny, SCCP: little-endian messages with a length, a version and a type.
//!
//! ```text
//! length (4) | version 00..16 (4) | message ID (4) | …      the length counts from the message ID
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::framing::{chain, le32};
use super::{Bits, Family, counted, text};

/// Three small numbers are 75 bits by chance, but small numbers are common; a chain of them and a device name are not.
static SIDES: [Family; 2] = [
    Family { id: "skinny.client-messages", cap: Bits::whole(20) },
    Family { id: "skinny.server-messages", cap: Bits::whole(20) },
];

/// The recogniser.
pub(super) struct Skinny;

impl Dialogue for Skinny {
    const NAME: &'static str = "skinny";
    const REFERENCE: &'static str = "Cisco SCCP";

    fn client(&self, bytes: &[u8]) -> Opening {
        messages(bytes, Role::Client, 0..=0x7f)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        messages(bytes, Role::Server, 0x81..=0x1ff)
    }
}

fn messages(bytes: &[u8], role: Role, ids: std::ops::RangeInclusive<u32>) -> Opening {
    let measure = |b: &[u8]| {
        let (length, version, id) = (le32(b, 0)?, le32(b, 4)?, le32(b, 8)?);
        let fits = (4..2048).contains(&length) && version <= 0x16 && ids.contains(&id);
        fits.then_some(8 + length as usize)
    };
    match chain(bytes, 12, measure) {
        None => Opening::Foreign,
        Some(0) => text::start(bytes.get(2..).unwrap_or_default(), &[0, 0]).then(|| Opening::Short),
        Some(count) => {
            // Registration names the device: SEP and the phone's address.
            let named = role == Role::Client && le32(bytes, 8) == Some(1) && bytes.get(12..15) == Some(b"SEP");
            let device = bytes.get(12..28).filter(|_| named).and_then(|d| d.split(|&b| b == 0).next());
            let bits = if named { 20 } else { (4 + count * 4).min(16) };
            Said::new(role.of(&SIDES), bits, counted!("{count} messages of Skinny chain", count))
                .detail("device", device)
                .unfinished(bits < 16 && bytes.len() < 512)
                .into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn registration() {
        let client = [&[0x14, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0][..], b"SEP001122334455\0"].concat();
        let server = [0x4, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 0].repeat(3);
        let finding = found(&Skinny, &client, &server).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(36), "SEP001122334455"));
        assert!(excluded(&Skinny, &client, &client));
    }
}
