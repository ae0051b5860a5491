//! DNP3 over TCP: link frames with a CRC over their header (IEEE 1815 section 9.2).
//!
//! ```text
//! 05 64 | length 5..255 | control | destination (2, LE) | source (2, LE) | CRC (2, LE) | blocks of 16 with a CRC each
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::framing::{chain, le16};
use super::{Bits, Family};

/// The start bytes, a length and the CRC: 33 bits a frame. From a master alone it may be a probe.
static MASTER: Family = Family { id: "dnp3.master-frames", cap: Bits::whole(24) };
/// The same from the outstation.
static OUTSTATION: Family = Family { id: "dnp3.outstation-frames", cap: Bits::whole(30) };

/// The recogniser.
pub(super) struct Dnp3;

impl Dialogue for Dnp3 {
    const NAME: &'static str = "dnp3";
    const REFERENCE: &'static str = "IEEE 1815";

    fn client(&self, bytes: &[u8]) -> Opening {
        frames(bytes, &MASTER, 24)
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        frames(bytes, &OUTSTATION, 30)
    }
}

fn frames(bytes: &[u8], family: &'static Family, cap: i32) -> Opening {
    if !matches!(bytes, [5] | [5, 0x64, ..]) {
        return Opening::Foreign;
    }
    match chain(bytes, 10, frame) {
        None => Opening::Foreign,
        Some(0) => Opening::Short,
        Some(count) => {
            Said::new(family, (14 + count * 8).min(cap), format!("{count} link headers with the right CRC")).into()
        }
    }
}

/// Length on the wire of a frame with its CRCs.
fn frame(bytes: &[u8]) -> Option<usize> {
    let (&[5, 0x64, length @ 5..=255, ..], _) = bytes.split_first_chunk::<10>()? else { return None };
    let user = usize::from(length) - 5;
    let right = le16(bytes, 8)? == usize::from(crc16(bytes.get(..8)?));
    right.then_some(10 + user + user.div_ceil(16) * 2)
}

/// CRC-16/DNP: polynomial 3D65, reflected, complemented.
fn crc16(bytes: &[u8]) -> u16 {
    let step = |crc: u16, _| if crc & 1 != 0 { (crc >> 1) ^ 0xa6bc } else { crc >> 1 };
    !bytes.iter().fold(0, |crc, &byte| (0..8).fold(crc ^ u16::from(byte), step))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn headers_are_checked_by_crc() {
        let master = [0x05, 0x64, 0x08, 0xc4, 2, 0, 3, 0, 0x36, 0xac, 0xe3, 0xc4, 0x17, 0x4b, 0x5a];
        let outstation = [0x05, 0x64, 0x10, 0x44, 3, 0, 2, 0, 0xf9, 0x46, 0xd8, 0xc4];
        assert_eq!(found(&Dnp3, &master, &outstation).unwrap().bits(), Bits::whole(44));
        assert!(excluded(&Dnp3, &master, &[0x05, 0x64, 0x10, 0x44, 3, 0, 2, 0, 0xf9, 0x47]));
    }
}
