//! The classic pcap format (draft-ietf-opsawg-pcap) and the relatives that share its 24-byte file header.
//!
//! ```text
//! file header:  magic(4) major(2) minor(2) zone(4) accuracy(4) snaplen(4) link type(4)
//! packet:       seconds(4) fraction(4) captured length(4) wire length(4) [4, 8 or 12 bytes more] data
//! ```
//! The relatives differ in the magic number, the unit of the fraction, the bytes after the packet header and the order
//! of the two lengths. Some can only be told apart by trying which reading makes sense.

use super::framing::{Bytes, Next, Scan, max_frame};
use crate::capture::FrameRef;
use crate::packet::{LinkType, Time};

/// Bytes of the file header.
pub(super) const FILE_HEADER: usize = 24;
/// How many packets are tried when several readings of a file are possible.
const TRIED: usize = 16;

/// How one pcap file is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pcap {
    big_endian: bool,
    /// Nanoseconds in one unit of a time stamp's fraction.
    unit: i64,
    link: LinkType,
    layout: Layout,
    /// Other layouts that this magic number has been seen with; tried on the first packets.
    others: &'static [Layout],
}

/// The shape of a packet header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layout {
    /// Bytes before the data: 16, 20 (Nokia), 24 (Kuznetzov's patch, SuSE 6.3) or 28 (an early SuSE 6.3).
    header: usize,
    lengths: Lengths,
}

/// The order of the two lengths in a packet header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lengths {
    /// Captured length, wire length.
    Captured,
    /// Wire length, captured length: before version 2.3.
    Wire,
    /// Either, the smaller one is the captured length: version 2.3.
    Smaller,
}

const PLAIN: Layout = Layout { header: 16, lengths: Lengths::Captured };
/// With the plain magic number: Nokia's firewalls, SuSE 6.3's library.
const PLAIN_OTHERS: &[Layout] =
    &[Layout { header: 24, lengths: Lengths::Captured }, Layout { header: 20, lengths: Lengths::Captured }];
/// With the magic number of Kuznetzov's patch: interface index, protocol, packet type.
const PATCHED: Layout = Layout { header: 24, lengths: Lengths::Captured };
const PATCHED_OTHERS: &[Layout] = &[Layout { header: 28, lengths: Lengths::Captured }];

impl Pcap {
    /// Whether a file that starts with `magic` is of this family.
    pub(super) fn knows(magic: [u8; 4]) -> bool {
        Magic::read(magic).is_some()
    }

    /// Reads the file header. Returns the reader and the bytes before the first packet, or what is unsupported.
    pub(super) fn new(header: &[u8; FILE_HEADER]) -> Result<(Self, usize), String> {
        let bytes = Bytes(header);
        let magic = bytes.array(0).and_then(Magic::read).ok_or("no pcap magic number")?;
        let big = magic.big_endian;
        let major = bytes.u16(4, big).unwrap_or(0);
        let minor = bytes.u16(6, big).unwrap_or(0);
        let network = bytes.u32(20, big).unwrap_or(0);
        // AIX's tcpdump writes 2.2, interface types of RFC 1573 instead of link types, and nanoseconds.
        let aix = (major, minor) == (2, 2) && matches!(network, 6 | 9 | 15 | 24);
        let lengths = match (major, minor) {
            _ if aix => Lengths::Captured,
            (2, 3) => Lengths::Smaller,
            (0..=1, _) | (2, 0..=2) | (543, _) => Lengths::Wire,
            (2, _) => Lengths::Captured,
            _ => return Err(format!("pcap version {major}.{minor} is unknown; only 2.x is read")),
        };
        // The upper bits of the link type field hold the length of the frame check sequence.
        let link = if aix { aix_link(network) } else { network & 0xffff };
        let (layout, others) = match magic.kind {
            Kind::Patched => (PATCHED, PATCHED_OTHERS),
            Kind::Plain if lengths == Lengths::Captured && !magic.nanoseconds => (PLAIN, PLAIN_OTHERS),
            _ => (PLAIN, &[][..]),
        };
        let layout = Layout { lengths, ..layout };
        let unit = if magic.nanoseconds || aix { 1 } else { 1_000 };
        let start = if magic.kind == Kind::Ixia { FILE_HEADER + 4 } else { FILE_HEADER };
        Ok((Self { big_endian: big, unit, link: LinkType(link), layout, others }, start))
    }

    /// Finds the whole packets in `bytes`.
    pub(super) fn scan(&mut self, bytes: &[u8], packets: &mut u64, frames: &mut Vec<FrameRef>) -> Scan {
        if !self.others.is_empty() && bytes.len() >= self.layout.header {
            self.choose(bytes);
        }
        let header = self.layout.header;
        let most = max_frame(self.link);
        let mut at = 0;
        loop {
            let Some(rest) = bytes.get(at..) else { return Scan { used: bytes.len(), next: Next::More(header) } };
            let Some((seconds, fraction, len, wire_len)) = self.packet_header(rest) else {
                return Scan { used: at, next: Next::More(header) };
            };
            if len > most {
                let text = format!("a packet claims {len} captured bytes, more than the {most} any packet can have");
                return Scan { used: at, next: Next::Damaged(text) };
            }
            let end = header + len as usize;
            if rest.len() < end {
                return Scan { used: at, next: Next::More(end) };
            }
            *packets += 1;
            frames.push(FrameRef {
                number: *packets,
                time: Time(i64::from(seconds) * 1_000_000_000 + i64::from(fraction) * self.unit),
                link: self.link,
                wire_len: wire_len.max(len),
                start: (at + header) as u32,
                len,
            });
            at += end;
        }
    }

    /// Seconds, fraction, captured and wire length of the packet header at the start of `bytes`.
    #[inline]
    fn packet_header(&self, bytes: &[u8]) -> Option<(u32, u32, u32, u32)> {
        if bytes.len() < self.layout.header {
            return None;
        }
        // Four words in one register: it is on the way of every packet.
        let fields = u128::from_le_bytes(*bytes.first_chunk()?);
        let word = |at: u32| {
            let word = (fields >> (8 * at)) as u32;
            if self.big_endian { word.swap_bytes() } else { word }
        };
        let (first, second) = (word(8), word(12));
        let (len, wire_len) = match self.layout.lengths {
            Lengths::Captured => (first, second),
            Lengths::Wire => (second, first),
            Lengths::Smaller => (first.min(second), first.max(second)),
        };
        Some((word(0), word(4), len, wire_len))
    }

    /// Settles the layout: the usual one unless its reading of the first packets fails and another's goes further.
    fn choose(&mut self, bytes: &[u8]) {
        let (mut best, failed) = self.sensible(self.layout, bytes, false);
        if failed {
            for &layout in self.others {
                let (packets, _) = self.sensible(layout, bytes, true);
                if packets > best {
                    (best, self.layout) = (packets, layout);
                }
            }
        }
        self.others = &[];
    }

    /// How many of the first packets make sense in `layout`, and whether one does not. `strict`: the fractions of seconds
    /// must be fractions too, which broken writers get wrong in the usual layout.
    fn sensible(&self, layout: Layout, mut bytes: &[u8], strict: bool) -> (usize, bool) {
        let reading = Self { layout, others: &[], ..*self };
        let most = max_frame(self.link);
        for packet in 0..TRIED {
            let Some((_, fraction, len, wire_len)) = reading.packet_header(bytes) else { return (packet, false) };
            let fraction_ok = !strict || i64::from(fraction) < 1_000_000_000 / self.unit;
            if len > wire_len || wire_len > most || !fraction_ok {
                return (packet, true);
            }
            let Some(rest) = bytes.get(layout.header + len as usize..) else { return (packet, false) };
            bytes = rest;
        }
        (TRIED, false)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    /// Kuznetzov's patch to Linux's libpcap of 1997.
    Patched,
    /// Ixia's: the file header is followed by the length of all packets.
    Ixia,
}

#[derive(Clone, Copy)]
struct Magic {
    kind: Kind,
    big_endian: bool,
    nanoseconds: bool,
}

impl Magic {
    fn read(bytes: [u8; 4]) -> Option<Self> {
        [true, false].into_iter().find_map(|big_endian| {
            let value = if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
            let (kind, nanoseconds) = match value {
                0xa1b2_c3d4 => (Kind::Plain, false),
                0xa1b2_3c4d => (Kind::Plain, true),
                0xa1b2_cd34 => (Kind::Patched, false),
                0x1c00_01ac => (Kind::Ixia, true),
                0x1c00_01ab => (Kind::Ixia, false),
                _ => return None,
            };
            Some(Self { kind, big_endian, nanoseconds })
        })
    }
}

/// The link type for an interface type of RFC 1573.
fn aix_link(interface_type: u32) -> u32 {
    match interface_type {
        6 => 1,   // Ethernet
        9 => 6,   // Token Ring
        15 => 10, // FDDI
        _ => 0,   // software loopback: null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(magic: u32, minor: u16, big: bool) -> [u8; FILE_HEADER] {
        let mut header = [0; FILE_HEADER];
        let word = |v: u32| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        let half = |v: u16| if big { v.to_be_bytes() } else { v.to_le_bytes() };
        header[..4].copy_from_slice(&word(magic));
        header[4..6].copy_from_slice(&half(2));
        header[6..8].copy_from_slice(&half(minor));
        header[20..].copy_from_slice(&word(0x1400_0001));
        header
    }

    fn packet(words: [u32; 4], extra: usize, data: &[u8], big: bool) -> Vec<u8> {
        let mut out: Vec<u8> = words.iter().flat_map(|v| if big { v.to_be_bytes() } else { v.to_le_bytes() }).collect();
        out.extend(std::iter::repeat_n(0xee, extra));
        out.extend_from_slice(data);
        out
    }

    fn frames(header: [u8; FILE_HEADER], bytes: &[u8]) -> (Vec<FrameRef>, Scan) {
        let (mut pcap, _) = Pcap::new(&header).unwrap();
        let (mut packets, mut frames) = (0, Vec::new());
        let scan = pcap.scan(bytes, &mut packets, &mut frames);
        (frames, scan)
    }

    #[test]
    fn every_magic_number_in_both_byte_orders() {
        for big in [false, true] {
            for (magic, extra, unit) in
                [(0xa1b2_c3d4, 0, 1000), (0xa1b2_3c4d, 0, 1), (0xa1b2_cd34, 8, 1000), (0x1c00_01ac, 0, 1)]
            {
                let mut bytes = packet([5, 7, 4, 60], extra, b"abcd", big);
                bytes.extend(packet([6, 8, 3, 3], extra, b"efg", big));
                let (found, scan) = frames(header(magic, 4, big), &bytes);
                assert_eq!(found.len(), 2, "{magic:x}");
                assert_eq!((found[0].number, found[0].len, found[0].wire_len), (1, 4, 60));
                assert_eq!(found[1].time, Time(6_000_000_000 + 8 * unit));
                assert_eq!(found[1].link, LinkType(1));
                assert_eq!(scan.used, bytes.len());
            }
        }
    }

    #[test]
    fn old_versions_have_the_lengths_the_other_way_round() {
        for minor in [1, 3] {
            let (found, _) = frames(header(0xa1b2_c3d4, minor, false), &packet([0, 0, 60, 4], 0, b"abcd", false));
            assert_eq!((found[0].len, found[0].wire_len), (4, 60));
        }
    }

    #[test]
    fn longer_packet_headers_are_found_by_trying() {
        for (magic, extra) in [(0xa1b2_c3d4, 4), (0xa1b2_c3d4, 8), (0xa1b2_cd34, 12)] {
            let bytes: Vec<u8> = (0..20).flat_map(|i| packet([5 + i, 7, 4, 60], extra, b"abcd", false)).collect();
            let (found, _) = frames(header(magic, 4, false), &bytes);
            assert_eq!(found.len(), 20, "{magic:x} +{extra}");
            assert!(found.iter().all(|f| f.len == 4));
        }
    }

    #[test]
    fn an_impossible_length_is_damage_and_a_partial_packet_is_not() {
        let mut bytes = packet([5, 7, 4, 60], 0, b"abcd", false);
        bytes.extend(packet([5, 7, 1 << 30, 1 << 30], 0, b"", false));
        let (found, scan) = frames(header(0xa1b2_c3d4, 4, false), &bytes);
        assert_eq!((found.len(), scan.used), (1, 20));
        assert!(matches!(scan.next, Next::Damaged(_)));
        let (found, scan) = frames(header(0xa1b2_c3d4, 4, false), &bytes[..19]);
        assert_eq!((found.len(), scan.used), (0, 0));
        assert!(matches!(scan.next, Next::More(20)));
    }
}
