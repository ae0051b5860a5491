//! The pcapng format (draft-ietf-opsawg-pcapng): blocks in sections, each with its own byte order and interfaces.
//!
//! ```text
//! block:  type(4) total length(4) body, padded to 4 bytes … total length(4)
//! ```

mod interface;

use super::framing::{Bytes, Next, Scan, max_frame};
use crate::capture::{Dropped, FrameRef};
use crate::packet::Time;
use interface::Interface;

/// Type of a section header block; the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The longest block that is looked into, bytes: the longest packet of any link type and options.
const MAX_BLOCK: usize = (128 << 20) + (1 << 20);
/// The most interfaces a section may have. Bounds memory against a file of nothing but interfaces.
const MAX_INTERFACES: usize = 1 << 16;

/// The state of reading one pcapng file.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Time of the last packet: simple packet blocks have none of their own.
    last: Time,
    /// Packets that the interfaces of earlier sections dropped.
    dropped_before: Dropped,
}

/// One whole block.
struct Block<'a> {
    kind: u32,
    /// What lies between the two total lengths.
    body: &'a [u8],
}

impl Pcapng {
    /// Finds the whole packets in `bytes`.
    pub(super) fn scan(&mut self, bytes: &[u8], packets: &mut u64, frames: &mut Vec<FrameRef>) -> Scan {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            let stop = match self.block(rest) {
                Ok((block, length)) => {
                    match self.read(&block, at + 8, &mut Found { packets, frames }) {
                        Ok(()) => at += length,
                        Err(text) => return Scan { used: at, next: Next::Damaged(text) },
                    }
                    continue;
                }
                Err(Next::Skip(length)) if length <= rest.len() as u64 => {
                    at += length as usize;
                    continue;
                }
                Err(stop) => stop,
            };
            return Scan { used: at, next: stop };
        }
    }

    /// The block at the start of `bytes` and its length.
    #[inline]
    fn block<'a>(&mut self, bytes: &'a [u8]) -> Result<(Block<'a>, usize), Next> {
        let Some(&[t0, t1, t2, t3, l0, l1, l2, l3, m0, m1, m2, m3]) = bytes.first_chunk() else {
            return Err(Next::More(12));
        };
        if [t0, t1, t2, t3] == SECTION_HEADER {
            // The byte order of all that follows, this block's own length included.
            self.big_endian = match [m0, m1, m2, m3] {
                [0x1a, 0x2b, 0x3c, 0x4d] => true,
                [0x4d, 0x3c, 0x2b, 0x1a] => false,
                _ => return Err(Next::Damaged("a section header without its byte-order magic number".into())),
            };
        }
        let word = |bytes| if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        let kind = word([t0, t1, t2, t3]);
        let stated = word([l0, l1, l2, l3]);
        // Some writers forget the padding in the length.
        let length = u64::from(stated).next_multiple_of(4);
        if length < 12 {
            return Err(Next::Damaged(format!("a block states a length of {stated} bytes, less than its header")));
        }
        if !matches!(kind, 1 | 2 | 3 | 5 | 6 | 0x0a0d_0d0a) {
            return Err(Next::Skip(length));
        }
        if length > MAX_BLOCK as u64 {
            let text = format!("a block states a length of {stated} bytes, more than the {MAX_BLOCK} it can have");
            return Err(Next::Damaged(text));
        }
        let length = length as usize;
        let (Some(body), Some(last)) =
            (bytes.get(8..length - 4), bytes.get(length - 4..length).and_then(|b| b.first_chunk()))
        else {
            return Err(Next::More(length));
        };
        if word(*last) != stated {
            let text = format!("a block's two lengths differ: {stated} and {} bytes", word(*last));
            return Err(Next::Damaged(text));
        }
        Ok((Block { kind, body }, length))
    }

    /// Reads one block; `start` is where its body lies in the run of bytes.
    #[inline]
    fn read(&mut self, block: &Block<'_>, start: usize, out: &mut Found<'_>) -> Result<(), String> {
        let big = self.big_endian;
        let body = Bytes(block.body);
        let short = "a packet block is too short for its header";
        let word = |at| body.u32(at, big).ok_or(short);
        match block.kind {
            // Enhanced packet, and the obsolete packet block, which has a count of drops in half of the interface number.
            6 | 2 => {
                let interface = if block.kind == 6 { word(0)? } else { u32::from(body.u16(0, big).ok_or(short)?) };
                let interface = *self.known(interface)?;
                let ticks = u64::from(word(4)?) << 32 | u64::from(word(8)?);
                let nanoseconds = interface.unit.nanoseconds(ticks);
                self.last = Time(nanoseconds.saturating_add(interface.offset.saturating_mul(1_000_000_000)));
                let (len, wire_len) = (word(12)?, word(16)?);
                self.push(&interface, block.body, 20, start, (len, wire_len), out)
            }
            // Simple packet: of the first interface, without a time.
            3 => {
                let interface = *self.known(0)?;
                let wire_len = word(0)?;
                let there = (block.body.len() as u32).saturating_sub(4);
                let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
                self.push(&interface, block.body, 4, start, (wire_len.min(snaplen).min(there), wire_len), out)
            }
            1 => self.interface(block.body),
            5 => {
                self.statistics(block.body);
                Ok(())
            }
            _ => self.section(block.body),
        }
    }

    fn known(&self, interface: u32) -> Result<&Interface, String> {
        self.interfaces.get(interface as usize).ok_or_else(|| {
            format!("a packet of interface {interface}, but the section describes {}", self.interfaces.len())
        })
    }

    #[inline]
    fn push(
        &self,
        interface: &Interface,
        body: &[u8],
        header: usize,
        start: usize,
        (len, wire_len): (u32, u32),
        out: &mut Found<'_>,
    ) -> Result<(), String> {
        let most = max_frame(interface.link);
        if len > most {
            return Err(format!("a packet claims {len} captured bytes, more than the {most} any packet can have"));
        }
        if body.len() < header + len as usize {
            return Err(format!("a packet claims {len} captured bytes, more than its block holds"));
        }
        *out.packets += 1;
        out.frames.push(FrameRef {
            number: *out.packets,
            time: self.last,
            link: interface.link,
            wire_len: wire_len.max(len),
            start: (start + header) as u32,
            len,
        });
        Ok(())
    }

    fn section(&mut self, body: &[u8]) -> Result<(), String> {
        self.dropped_before = self.dropped();
        self.interfaces.clear();
        let bytes = Bytes(body);
        let major = bytes.u16(4, self.big_endian).ok_or("a section header is too short")?;
        let minor = bytes.u16(6, self.big_endian).unwrap_or(0);
        if major != 1 {
            return Err(format!("pcapng version {major}.{minor} is unknown; only 1.x is read"));
        }
        Ok(())
    }

    fn interface(&mut self, body: &[u8]) -> Result<(), String> {
        if self.interfaces.len() >= MAX_INTERFACES {
            return Err(format!("more than {MAX_INTERFACES} interfaces in one section"));
        }
        let interface = Interface::described(body, self.big_endian).ok_or("an interface description is too short")?;
        self.interfaces.push(interface);
        Ok(())
    }

    fn statistics(&mut self, body: &[u8]) {
        let index = Bytes(body).u32(0, self.big_endian).unwrap_or(u32::MAX) as usize;
        if let Some(interface) = self.interfaces.get_mut(index) {
            interface.dropped = interface::drops(body, self.big_endian);
        }
    }

    /// Packets that the interfaces said they dropped.
    pub(super) fn dropped(&self) -> Dropped {
        self.interfaces.iter().fold(self.dropped_before, |sum, interface| sum + interface.dropped)
    }
}

/// Where what was found goes.
struct Found<'a> {
    packets: &'a mut u64,
    frames: &'a mut Vec<FrameRef>,
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Writer {
        big: bool,
        out: Vec<u8>,
    }

    impl Writer {
        fn new(big: bool) -> Self {
            let mut writer = Self { big, out: Vec::new() };
            writer.section();
            writer
        }

        fn word(&self, v: u32) -> Vec<u8> {
            if self.big { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec()
        }

        fn half(&self, v: u16) -> Vec<u8> {
            if self.big { v.to_be_bytes() } else { v.to_le_bytes() }.to_vec()
        }

        fn block(&mut self, kind: u32, parts: &[&[u8]]) {
            let mut body = parts.concat();
            body.resize(body.len().next_multiple_of(4), 0);
            let length = self.word(body.len() as u32 + 12);
            let block = [self.word(kind), length.clone(), body, length].concat();
            self.out.extend(block);
        }

        fn section(&mut self) {
            let (magic, version) = (self.word(0x1a2b_3c4d), self.half(1));
            self.block(0x0a0d_0d0a, &[&magic, &version, &[0, 0], &[0xff; 8]]);
        }

        fn interface(&mut self, link: u16, snaplen: u32, options: &[(u16, &[u8])]) {
            let mut body = [self.half(link), vec![0, 0], self.word(snaplen)].concat();
            for (code, value) in options {
                body.extend(self.half(*code));
                body.extend(self.half(value.len() as u16));
                body.extend_from_slice(value);
                body.resize(body.len().next_multiple_of(4), 0);
            }
            self.block(1, &[&body]);
        }

        fn packet(&mut self, interface: u32, ticks: u64, wire_len: u32, data: &[u8]) {
            let words = [interface, (ticks >> 32) as u32, ticks as u32, data.len() as u32, wire_len];
            let header: Vec<u8> = words.iter().flat_map(|&v| self.word(v)).collect();
            self.block(6, &[&header, data]);
        }
    }

    fn scan(bytes: &[u8]) -> (Vec<FrameRef>, Scan) {
        let (mut packets, mut frames) = (0, Vec::new());
        let scan = Pcapng::default().scan(bytes, &mut packets, &mut frames);
        (frames, scan)
    }

    #[test]
    fn interfaces_have_link_types_and_clocks_of_their_own() {
        for big in [false, true] {
            let mut writer = Writer::new(big);
            let offset = if big { 100u64.to_be_bytes() } else { 100u64.to_le_bytes() };
            writer.interface(1, 96, &[]);
            writer.interface(101, 0, &[(9, &[9]), (14, &offset)]);
            writer.interface(113, 0, &[(9, &[0x80 | 10])]);
            writer.block(0xbad, &[b"whatever it is"]);
            writer.packet(0, 5_000_007, 60, b"abcd");
            writer.packet(1, 5_000_000_007, 5, b"efghi");
            writer.packet(2, 1536, 5, b"j");
            let (word, packet) = (writer.word(200), vec![7; 96]);
            writer.block(3, &[&word, &packet]);
            let header = [writer.half(1), vec![0, 9], writer.word(0), writer.word(8), writer.word(2), writer.word(2)];
            writer.block(2, &[&header.concat(), b"xy"]);
            let (frames, scan) = scan(&writer.out);
            assert!(matches!(scan.next, Next::More(12)), "{:?}", scan.next);
            assert_eq!(scan.used, writer.out.len());
            let seen: Vec<_> = frames.iter().map(|f| (f.number, f.link.0, f.len, f.wire_len, f.time.0)).collect();
            assert_eq!(
                seen,
                [
                    (1, 1, 4, 60, 5_000_007_000),
                    (2, 101, 5, 5, 105_000_000_007),
                    (3, 113, 1, 5, 1_500_000_000),
                    (4, 1, 96, 200, 1_500_000_000),
                    (5, 101, 2, 2, 100_000_000_008),
                ]
            );
            assert_eq!(&writer.out[frames[4].start as usize..][..2], b"xy");
        }
    }

    #[test]
    fn a_section_may_change_the_byte_order_and_forgets_the_interfaces() {
        let mut first = Writer::new(false);
        first.interface(1, 0, &[]);
        first.packet(0, 1, 1, b"a");
        let mut second = Writer::new(true);
        second.interface(101, 0, &[]);
        second.packet(0, 2, 1, b"b");
        second.section();
        second.packet(0, 3, 1, b"c");
        let (frames, scan) = scan(&[first.out, second.out].concat());
        assert_eq!(frames.iter().map(|f| f.link.0).collect::<Vec<_>>(), [1, 101]);
        assert!(matches!(scan.next, Next::Damaged(_)));
    }

    #[test]
    fn no_prefix_is_damage_and_none_gives_other_frames() {
        let mut writer = Writer::new(true);
        writer.interface(1, 0, &[]);
        (0..3).for_each(|i| writer.packet(0, i, 90, &[i as u8; 33]));
        for length in 0..writer.out.len() {
            let (frames, scan) = scan(&writer.out[..length]);
            assert!(matches!(scan.next, Next::More(_)));
            assert!(frames.iter().all(|f| f.len == 33));
        }
    }

    #[test]
    fn a_block_that_is_skipped_need_not_be_there() {
        let mut writer = Writer::new(false);
        writer.block(0xbad, &[&[0; 1000]]);
        let (_, scan) = scan(&writer.out[..100]);
        assert!(matches!(scan.next, Next::Skip(1012)));
    }
}
