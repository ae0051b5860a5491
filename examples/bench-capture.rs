//! Writes the captures that `make bench` measures with: `bench-capture KIND FILE PACKETS`.
//!
//! The same arguments always give the same bytes. `mix` interleaves the project's own captures, again and again with
//! other addresses; `small` has 22-byte payloads of a million flows in random order; `openvpn` has 1,400-byte data packets
//! of 16 flows; `many` has one packet of 64 random bytes in each flow.
//!
//! Others are made to cost much: `undecided` has flows of 64 random datagrams of all lengths, `openings` one TCP segment of
//! random bytes in each connection, `bytes` TCP segments of one byte, `fragments` datagrams in three parts of which each
//! fourth lacks the last, `tunnels` VXLAN in VXLAN.

#![allow(clippy::indexing_slicing)] // What goes in are our own captures.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// SplitMix64: every seed gives another sequence, and the first few outputs are as good as any.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scramble(self.0)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

fn scramble(mut n: u64) -> u64 {
    n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// A capture being written: classic pcap with Ethernet, microseconds.
struct Capture {
    file: BufWriter<File>,
    microseconds: u64,
}

impl Capture {
    fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { file, microseconds: 1_700_000_000_000_000 })
    }

    fn put(&mut self, frame: &[u8]) -> io::Result<()> {
        self.microseconds += 2;
        let len = frame.len() as u64;
        for word in [self.microseconds / 1_000_000, self.microseconds % 1_000_000, len, len] {
            self.file.write_all(&(word as u32).to_le_bytes())?;
        }
        self.file.write_all(frame)
    }
}

/// The Ethernet frames of a little-endian pcap file, at most 200: long flows must not crowd out the others.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let word = |at: usize| bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    if !matches!(word(0), 0xa1b2_c3d4 | 0xa1b2_3c4d) || word(20) != 1 {
        return Vec::new();
    }
    let (mut at, mut frames) = (24, Vec::new());
    while let Some(frame) = bytes.get(at + 16..at + 16 + word(at + 8) as usize) {
        frames.push(frame.to_vec());
        at += 16 + frame.len();
        if frames.len() == 200 {
            break;
        }
    }
    frames
}

/// Moves both addresses of a frame into the address space of replica `n`; checksums stay as they were.
fn move_to(frame: &mut [u8], n: u64) {
    let (first, len) = match frame {
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x00, ..] => (26, 4),
        [_, _, _, _, _, _, _, _, _, _, _, _, 0x86, 0xdd, ..] => (22, 16),
        _ => return,
    };
    let other = scramble(n).to_le_bytes();
    for at in [first, first + len] {
        // Multicast stays multicast.
        if let Some([lead, rest @ ..]) = frame.get_mut(at..at + len)
            && (len == 16 || *lead < 224)
        {
            rest.iter_mut().zip(other).take(3).for_each(|(byte, o)| *byte ^= o);
        }
    }
}

fn mix(out: &mut Capture, packets: u64) -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = |dir: PathBuf| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path());
    let mut paths: Vec<PathBuf> = entries(root).flat_map(entries).collect();
    paths.sort();
    let sources: Vec<Vec<Vec<u8>>> = paths.iter().map(|p| frames(p)).filter(|f| !f.is_empty()).collect();
    let mut random = Random(1);
    let mut started = 0;
    let mut start = || {
        started += 1;
        ((started - 1) as usize % sources.len(), (started - 1) / sources.len() as u64, 0)
    };
    let mut open: Vec<(usize, u64, usize)> = (0..1024).map(|_| start()).collect();
    let mut written = 0;
    while written < packets {
        let place = random.below(open.len() as u64) as usize;
        for _ in 0..=random.below(4) {
            let (source, replica, n) = &mut open[place];
            let Some(frame) = sources[*source].get(*n) else {
                open[place] = start();
                break;
            };
            let mut frame = frame.clone();
            *n += 1;
            if *replica > 0 {
                move_to(&mut frame, *replica);
            }
            out.put(&frame)?;
            written += 1;
        }
    }
    Ok(())
}

/// A UDP datagram of flow `flow`, there or back.
fn datagram(flow: u64, back: bool, payload: &[u8]) -> Vec<u8> {
    let hash = scramble(flow);
    let client = [10, (flow >> 16) as u8, (flow >> 8) as u8, flow as u8];
    let server = [172, 16, (hash >> 8) as u8, hash as u8];
    let (client_port, server_port) = (1024 + (hash >> 16) as u16 % 60_000, 1190 + (hash >> 40) as u16 % 16);
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend((28 + payload.len() as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    let ends = [(client, client_port), (server, server_port)];
    let [from, to] = if back { [ends[1], ends[0]] } else { ends };
    frame.extend([from.0, to.0].concat());
    frame.extend([from.1.to_be_bytes(), to.1.to_be_bytes(), (8 + payload.len() as u16).to_be_bytes()].concat());
    frame.extend([0, 0]);
    frame.extend_from_slice(payload);
    frame
}

/// OpenVPN's data packets of `flows` flows in random order, both ways.
fn data_packets(out: &mut Capture, packets: u64, flows: u64, len: usize) -> io::Result<()> {
    let mut random = Random(2);
    let mut payload: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
    let mut counters = vec![0u32; flows as usize];
    for _ in 0..packets {
        let flow = random.below(flows);
        let counter = &mut counters[flow as usize];
        *counter += 1;
        payload[..4].copy_from_slice(&(0x4800_0000 | flow as u32 & 0xff_ffff).to_be_bytes());
        payload[4..8].copy_from_slice(&counter.to_be_bytes());
        out.put(&datagram(flow, random.below(2) == 1, &payload))?;
    }
    Ok(())
}

fn many(out: &mut Capture, packets: u64) -> io::Result<()> {
    let mut random = Random(3);
    for flow in 0..packets {
        let payload: Vec<u8> = (0..8).flat_map(|_| random.next().to_le_bytes()).collect();
        out.put(&datagram(flow, false, &payload))?;
    }
    Ok(())
}

/// Flows of 64 datagrams with random bytes and lengths, both ways, 1,024 flows at a time.
fn undecided(out: &mut Capture, packets: u64) -> io::Result<()> {
    let mut random = Random(4);
    for n in 0..packets {
        let flow = n / (1024 * 64) * 1024 + n % 1024;
        let len = 1 + random.below(150) as usize;
        let payload: Vec<u8> = (0..len).flat_map(|_| random.next().to_le_bytes()).collect();
        out.put(&datagram(flow, random.below(2) == 1, &payload))?;
    }
    Ok(())
}

/// A TCP segment from the client of connection `flow`.
fn segment(flow: u64, syn: bool, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = datagram(flow, false, &[]);
    frame.truncate(38);
    frame[16..18].copy_from_slice(&(40 + payload.len() as u16).to_be_bytes());
    frame[23] = 6;
    frame.extend(sequence.to_be_bytes());
    frame.extend([0, 0, 0, 1, 0x50, if syn { 2 } else { 0x10 }, 0xff, 0xff, 0, 0, 0, 0]);
    frame.extend_from_slice(payload);
    frame
}

/// Connections of a SYN and one segment of 64 random bytes.
fn openings(out: &mut Capture, packets: u64) -> io::Result<()> {
    let mut random = Random(5);
    for flow in 0..packets / 2 {
        out.put(&segment(flow, true, 0, &[]))?;
        let payload: Vec<u8> = (0..8).flat_map(|_| random.next().to_le_bytes()).collect();
        out.put(&segment(flow, false, 1, &payload))?;
    }
    Ok(())
}

/// Connections of 256 random bytes, one in each segment, joined in the middle, 1,024 connections at a time.
fn bytes(out: &mut Capture, packets: u64) -> io::Result<()> {
    let mut random = Random(6);
    for n in 0..packets {
        let flow = n / (1024 * 256) * 1024 + n % 1024;
        let sequence = (n / 1024 % 256) as u32;
        out.put(&segment(flow, false, 1000 + sequence, &[random.next() as u8]))?;
    }
    Ok(())
}

/// Datagrams of 64 random bytes in three fragments; the last of each fourth is missing.
fn fragments(out: &mut Capture, packets: u64) -> io::Result<()> {
    let mut random = Random(7);
    for n in 0..packets / 3 {
        let payload: Vec<u8> = (0..8).flat_map(|_| random.next().to_le_bytes()).collect();
        let whole = datagram(n, false, &payload);
        let (header, body) = whole.split_at(34);
        for (part, piece) in body.chunks(24).enumerate().take(if n % 4 == 0 { 2 } else { 3 }) {
            let mut frame = [header, piece].concat();
            let more = if part < 2 { 0x2000 } else { 0 };
            frame[16..18].copy_from_slice(&(20 + piece.len() as u16).to_be_bytes());
            frame[18..20].copy_from_slice(&(n as u16).to_be_bytes());
            frame[20..22].copy_from_slice(&(more | (part as u16 * 3)).to_be_bytes());
            out.put(&frame)?;
        }
    }
    Ok(())
}

/// OpenVPN's data in as many layers of VXLAN as a frame of 1,500 bytes holds.
fn tunnels(out: &mut Capture, packets: u64) -> io::Result<()> {
    let mut random = Random(8);
    for n in 0..packets {
        let payload: Vec<u8> = (0..8).flat_map(|_| random.next().to_le_bytes()).collect();
        let mut frame = datagram(n % 64, false, &payload);
        while frame.len() < 1400 {
            let inner = [&[8, 0, 0, 0, 0, 0, 1, 0][..], &frame].concat();
            frame = datagram(n % 64, false, &inner);
            frame[36..38].copy_from_slice(&4789u16.to_be_bytes());
        }
        out.put(&frame)?;
    }
    Ok(())
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [kind, path, packets] = arguments.as_slice() else {
        eprintln!("usage: bench-capture KIND FILE PACKETS");
        std::process::exit(2);
    };
    let packets: u64 = packets.parse().map_err(io::Error::other)?;
    let mut out = Capture::create(Path::new(path))?;
    match kind.as_str() {
        "mix" => mix(&mut out, packets)?,
        "small" => data_packets(&mut out, packets, 1_000_000, 22)?,
        "openvpn" => data_packets(&mut out, packets, 16, 1400)?,
        "many" => many(&mut out, packets)?,
        "undecided" => undecided(&mut out, packets)?,
        "openings" => openings(&mut out, packets)?,
        "bytes" => bytes(&mut out, packets)?,
        "fragments" => fragments(&mut out, packets)?,
        "tunnels" => tunnels(&mut out, packets)?,
        other => return Err(io::Error::other(format!("{other}: no such kind"))),
    }
    out.file.flush()
}
