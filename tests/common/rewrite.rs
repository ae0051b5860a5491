//! Rewrites captures into other formats, link types, tunnels, fragments and cuts, and reads them back.
#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test helper: a panic is a failed test.

use portproof::capture::{Block, CaptureError, CaptureFile};
use portproof::packet::{
    Endpoint, Fate, FragmentCounts, Packet, Parser, Payload, TcpFields, Time, Transport, Tunnel, TunnelView,
};
use std::io::{Read, Write};
use std::path::Path;

/// A frame to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    pub time: i64,
    pub link: u32,
    pub wire: u32,
    pub data: Vec<u8>,
}

impl Raw {
    /// The same frame with other bytes, all of them captured.
    pub fn with(&self, link: u32, data: Vec<u8>) -> Self {
        Self { time: self.time, link, wire: data.len() as u32, data }
    }

    /// The IP packet in an Ethernet frame.
    pub fn ip(&self) -> Option<&[u8]> {
        let length = match self.data.get(12..14)? {
            [0x08, 0x00] => usize::from(u16::from_be_bytes([self.data[16], self.data[17]])),
            [0x86, 0xdd] => 40 + usize::from(u16::from_be_bytes([self.data[18], self.data[19]])),
            _ => return None,
        };
        self.data.get(14..14 + length)
    }
}

/// A packet with all that should survive a rewriting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub time: Time,
    pub source: Endpoint,
    pub destination: Endpoint,
    pub transport: Transport,
    pub tcp: Option<TcpFields>,
    pub wire_len: u32,
    pub payload: Vec<u8>,
}

/// All that came out of a capture.
#[derive(Debug, Default)]
pub struct Outcome {
    pub packets: Vec<Seen>,
    pub tunnels: Vec<Option<Tunnel>>,
    pub vlans: Vec<Option<u16>>,
    pub fates: Vec<Fate>,
    pub fragments: FragmentCounts,
    pub error: Option<CaptureError>,
}

/// The frames of a capture in testdata.
pub fn testdata(name: &str) -> Vec<Raw> {
    frames(CaptureFile::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)).unwrap()).0
}

/// The frames of testdata's UDP and TCP demonstration captures that hold IP.
pub fn bases() -> Vec<Raw> {
    let mut all: Vec<Raw> =
        ["demo/1197.pcap", "demo/2797.pcap", "demo/2897.pcap"].into_iter().flat_map(testdata).collect();
    all.retain(|frame| frame.ip().is_some_and(|ip| ip[0] >> 4 == 4));
    assert!(all.len() > 100);
    all
}

/// The frames of a capture, and what was wrong with it.
pub fn frames(mut file: CaptureFile) -> (Vec<Raw>, Option<CaptureError>) {
    let (mut block, mut found) = (Block::default(), Vec::new());
    loop {
        match file.next_block(&mut block) {
            Ok(true) => {}
            Ok(false) => return (found, None),
            Err(error) => return (found, Some(error)),
        }
        for reference in &block.frames {
            let frame = block.frame(reference);
            let (time, link, wire) = (frame.time.0, frame.link.0, frame.wire_len);
            found.push(Raw { time, link, wire, data: frame.data.to_vec() });
        }
    }
}

/// Opens bytes as a capture.
pub fn open(bytes: Vec<u8>) -> Result<CaptureFile, CaptureError> {
    CaptureFile::from_reader("test".into(), Box::new(std::io::Cursor::new(bytes)))
}

/// Parses frames, each in a capture of its own link type as pcapng has it.
pub fn parse(frames: &[Raw], view: TunnelView) -> Outcome {
    let mut file = open(pcapng(frames, false)).unwrap();
    let (mut block, mut parser, mut outcome) = (Block::default(), Parser::with_tunnels(view), Outcome::default());
    let mut packets = Vec::new();
    loop {
        match file.next_block(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                outcome.error = Some(error);
                break;
            }
        }
        for reference in &block.frames {
            packets.clear();
            outcome.fates.push(parser.parse(&block.frame(reference), reference.start, &mut packets));
            packets.iter().for_each(|packet| outcome.add(packet, &block));
        }
    }
    packets.clear();
    parser.finish(&mut packets);
    packets.iter().for_each(|packet| outcome.add(packet, &block));
    outcome.fragments = parser.fragments();
    outcome
}

impl Outcome {
    fn add(&mut self, packet: &Packet, block: &Block) {
        let payload = match &packet.payload {
            Payload::Block(range) => block.bytes[range.start as usize..range.end as usize].to_vec(),
            Payload::Joined(joined) => joined.bytes.to_vec(),
        };
        self.packets.push(Seen {
            time: packet.time,
            source: packet.source,
            destination: packet.destination,
            transport: packet.transport,
            tcp: packet.tcp,
            wire_len: packet.wire_len,
            payload,
        });
        self.tunnels.push(packet.tunnel);
        self.vlans.push(packet.vlan);
    }
}

fn word(v: u32, big: bool) -> [u8; 4] {
    if big { v.to_be_bytes() } else { v.to_le_bytes() }
}

fn half(v: u16, big: bool) -> [u8; 2] {
    if big { v.to_be_bytes() } else { v.to_le_bytes() }
}

/// A pcap file; all frames must have the first one's link type.
pub fn pcap(frames: &[Raw], big: bool, nanoseconds: bool) -> Vec<u8> {
    let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut out = word(magic, big).to_vec();
    out.extend(half(2, big));
    out.extend(half(4, big));
    out.extend([0; 8]);
    out.extend(word(262_144, big));
    out.extend(word(frames.first().map_or(1, |frame| frame.link), big));
    for frame in frames {
        let fraction = frame.time.rem_euclid(1_000_000_000) / if nanoseconds { 1 } else { 1000 };
        let seconds = frame.time.div_euclid(1_000_000_000);
        for value in [seconds as u32, fraction as u32, frame.data.len() as u32, frame.wire] {
            out.extend(word(value, big));
        }
        out.extend_from_slice(&frame.data);
    }
    out
}

/// A pcapng file with nanoseconds and an interface for each link type, described when first met.
pub fn pcapng(frames: &[Raw], big: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let block = |out: &mut Vec<u8>, kind: u32, mut body: Vec<u8>| {
        body.resize(body.len().next_multiple_of(4), 0);
        out.extend(word(kind, big));
        out.extend(word(body.len() as u32 + 12, big));
        out.extend_from_slice(&body);
        out.extend(word(body.len() as u32 + 12, big));
    };
    let section = [&word(0x1a2b_3c4d, big)[..], &half(1, big), &half(0, big), &[0xff; 8]].concat();
    block(&mut out, 0x0a0d_0d0a, section);
    let mut links: Vec<u32> = Vec::new();
    for frame in frames {
        let interface = links.iter().position(|&link| link == frame.link).unwrap_or_else(|| {
            let resolution = [&half(9, big)[..], &half(1, big), &[9, 0, 0, 0]].concat();
            let body = [&half(frame.link as u16, big)[..], &[0; 2], &word(0, big), &resolution, &[0; 4]].concat();
            block(&mut out, 1, body);
            links.push(frame.link);
            links.len() - 1
        });
        let ticks = frame.time as u64;
        let words = [interface as u32, (ticks >> 32) as u32, ticks as u32, frame.data.len() as u32, frame.wire];
        let mut body: Vec<u8> = words.iter().flat_map(|&value| word(value, big)).collect();
        body.extend_from_slice(&frame.data);
        block(&mut out, 6, body);
    }
    out
}

/// An Ethernet frame.
pub fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2][..], &ether_type.to_be_bytes(), payload].concat()
}

/// The EtherType of an IP packet.
pub fn ether_type(ip: &[u8]) -> u16 {
    if ip[0] >> 4 == 4 { 0x0800 } else { 0x86dd }
}

/// An IPv4 packet with a good checksum. `flags`: the 16 bits of flags and fragment offset.
pub fn ipv4(source: [u8; 4], destination: [u8; 4], id: u16, flags: u16, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend((20 + payload.len() as u16).to_be_bytes());
    header.extend(id.to_be_bytes());
    header.extend(flags.to_be_bytes());
    header.extend([64, protocol, 0, 0]);
    header.extend(source);
    header.extend(destination);
    let sum: u32 = header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let checksum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    [&header[..], payload].concat()
}

/// An IPv6 packet whose addresses are those of an IPv4 packet below 2001:db8::/96.
pub fn ipv6(source: [u8; 4], destination: [u8; 4], next: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0];
    out.extend((payload.len() as u16).to_be_bytes());
    out.extend([next, 64]);
    for address in [source, destination] {
        out.extend([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend(address);
    }
    [&out[..], payload].concat()
}

/// A UDP datagram.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = source.to_be_bytes().to_vec();
    out.extend(destination.to_be_bytes());
    out.extend((8 + payload.len() as u16).to_be_bytes());
    out.extend([0, 0]);
    [&out[..], payload].concat()
}

/// The parts of an IPv4 packet: source, destination, protocol, payload.
pub fn parts(ip: &[u8]) -> ([u8; 4], [u8; 4], u8, &[u8]) {
    let header = usize::from(ip[0] & 0xf) * 4;
    (ip[12..16].try_into().unwrap(), ip[16..20].try_into().unwrap(), ip[9], &ip[header..])
}

/// The same bytes in every compression that is read.
pub fn compressed(bytes: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(bytes).unwrap();
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(0)).unwrap();
    xz.write_all(bytes).unwrap();
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(bytes).unwrap();
    vec![
        ("gzip", gzip.finish().unwrap()),
        ("zstd", zstd::stream::encode_all(bytes, 1).unwrap()),
        ("xz", xz.finish().unwrap()),
        ("lz4", lz4.finish().unwrap()),
    ]
}

/// Gives one to seven bytes at a time.
pub struct Dribble {
    pub bytes: Vec<u8>,
    pub at: usize,
}

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = (1 + self.at % 7).min(buffer.len()).min(self.bytes.len() - self.at);
        buffer[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
