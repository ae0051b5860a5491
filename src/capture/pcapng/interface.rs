//! What a pcapng section says of its interfaces: link type, clock, drops (draft-ietf-opsawg-pcapng, sections 4.2 and 4.6).

use crate::capture::Dropped;
use crate::capture::framing::Bytes;
use crate::packet::LinkType;

/// An interface as its description and its latest statistics have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    pub(super) link: LinkType,
    pub(super) snaplen: u32,
    pub(super) unit: Unit,
    /// Seconds to add to every time stamp.
    pub(super) offset: i64,
    /// As last stated.
    pub(super) dropped: Dropped,
}

impl Interface {
    /// From the body of an interface description block.
    pub(super) fn described(body: &[u8], big: bool) -> Option<Self> {
        let bytes = Bytes(body);
        let mut interface = Self {
            link: LinkType(u32::from(bytes.u16(0, big)?)),
            snaplen: bytes.u32(4, big)?,
            unit: Unit::new(6),
            offset: 0,
            dropped: Dropped::default(),
        };
        for (code, value) in options(body.get(8..).unwrap_or_default(), big) {
            match (code, value) {
                (9, [resolution, ..]) => interface.unit = Unit::new(*resolution),
                (14, value) => {
                    if let Some(offset) = long(value, big) {
                        interface.offset = offset as i64;
                    }
                }
                _ => {}
            }
        }
        Some(interface)
    }
}

/// The drops that an interface statistics block states.
pub(super) fn drops(body: &[u8], big: bool) -> Dropped {
    let mut dropped = Dropped::default();
    for (code, value) in options(body.get(12..).unwrap_or_default(), big) {
        match (code, long(value, big)) {
            (5, Some(packets)) => dropped.interface = packets,
            (7, Some(packets)) => dropped.kernel = packets,
            _ => {}
        }
    }
    dropped
}

/// The options at the start of `bytes`: code and value.
fn options(mut bytes: &[u8], big: bool) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let code = Bytes(bytes).u16(0, big).filter(|&code| code != 0)?;
        let length = usize::from(Bytes(bytes).u16(2, big)?);
        let value = bytes.get(4..4 + length)?;
        bytes = bytes.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        Some((code, value))
    })
}

fn long(value: &[u8], big: bool) -> Option<u64> {
    Bytes(value).array(0).map(|b| if big { u64::from_be_bytes(b) } else { u64::from_le_bytes(b) })
}

/// What one tick of a time stamp is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    /// This many nanoseconds.
    Nanoseconds(u64),
    /// This many ticks are a second.
    PerSecond(u128),
}

impl Unit {
    /// From the value of `if_tsresol`: a negative power of 10, or of 2 when the upper bit is set.
    fn new(resolution: u8) -> Self {
        match resolution {
            exponent @ 0..=9 => Self::Nanoseconds(10u64.pow(9 - u32::from(exponent))),
            exponent @ 10..=38 => Self::PerSecond(10u128.pow(u32::from(exponent))),
            exponent @ 0x80.. => Self::PerSecond(1u128 << (exponent & 0x7f)),
            _ => Self::PerSecond(u128::MAX),
        }
    }

    #[inline]
    pub(super) fn nanoseconds(self, ticks: u64) -> i64 {
        let nanoseconds = match self {
            Self::Nanoseconds(each) => u128::from(ticks) * u128::from(each),
            Self::PerSecond(ticks_per_second) => u128::from(ticks) * 1_000_000_000 / ticks_per_second,
        };
        i64::try_from(nanoseconds).unwrap_or(i64::MAX)
    }
}
