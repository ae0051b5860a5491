//! DNP3 over TCP and UDP: link frames with a CRC over their header (IEEE 1815 section 9.2).
//!
//! ```text
//! 05 64 | length 5..255 | control | destination (2, LE) | source (2, LE) | CRC (2, LE) | blocks of 16 with a CRC each
//! ```

use super::datagrams::{self, Shape};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::framing::{chain, le16};
use super::{Assessment, Bits, Family, Protocol, counted};
use crate::flow::Head;
use crate::packet::Transport;

/// The start bytes, a length and the CRC: 33 bits a frame. From a master alone it may be a probe.
static MASTER: Family = Family { id: "dnp3.master-frames", cap: Bits::whole(24) };
/// The same from the outstation.
static OUTSTATION: Family = Family { id: "dnp3.outstation-frames", cap: Bits::whole(30) };

/// The same in a datagram.
static DATAGRAM: Family = Family { id: "dnp3.datagram", cap: Bits::whole(26) };
/// A frame back from where one went: 32 bits of addresses, the other way round. Both are often small numbers.
static BACK: Family = Family { id: "dnp3.addresses-swapped", cap: Bits::whole(8) };

static SHAPE: Shape = Shape {
    message: &DATAGRAM,
    first: 22,
    further: 2,
    form: "a link header with the right CRC",
    answer: &BACK,
    answered: 8,
    link: "the outstation's frame has the master's addresses the other way round",
};

/// The recogniser.
pub(super) struct Dnp3;

impl Protocol for Dnp3 {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte == 5,
            1 => byte == 0x64,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| {
            frame(d.bytes)?;
            let control = *d.bytes.get(3)?;
            Some((control & 0x80 != 0, le16(d.bytes, 4)?, le16(d.bytes, 6)?))
        });
        // Only the master sets the direction bit.
        let finding = datagrams::judge(&reading, &SHAPE, |a, b| a.0 && !b.0 && (a.1, a.2) == (b.2, b.1));
        reading.conclude(finding)
    }
}

struct OverTcp;

impl Dialogue for OverTcp {
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
            Said::new(family, (14 + count * 8).min(cap), counted!("{count} link headers with the right CRC", count))
                .into()
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
