//! Flows of a capture, read without the pipeline: what the recognisers' tests are fed with.

#![allow(dead_code, unreachable_pub, missing_docs)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test helper: a panic is a failed test.

use portproof::capture::{Block, CaptureFile};
use portproof::flow::{Datagram, Dir, HeadBuf};
use portproof::packet::{Endpoint, Packet, Parser, Payload, TcpFields, Time, Transport};
use portproof::protocol::{Assessment, Finding, Protocol};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// One packet of a flow with its own payload.
#[derive(Clone, Debug)]
pub struct Piece {
    pub frame: u64,
    pub time: Time,
    pub dir: Dir,
    pub len: usize,
    pub data: Vec<u8>,
    pub tcp: Option<TcpFields>,
}

/// All packets between two endpoints.
#[derive(Clone, Debug)]
pub struct Flow {
    pub capture: String,
    pub transport: Transport,
    pub originator: Endpoint,
    pub responder: Endpoint,
    pub pieces: Vec<Piece>,
}

impl Flow {
    /// Whether `port` is at either end.
    pub fn has_port(&self, port: u16) -> bool {
        self.originator.port == port || self.responder.port == port
    }

    /// Packets with payload.
    pub fn payloads(&self, dir: Dir) -> usize {
        self.pieces.iter().filter(|p| p.dir == dir && p.len > 0).count()
    }
}

/// The folder of captures that are not part of the project, if it is here.
pub fn corpus(kind: &str) -> Option<PathBuf> {
    let root = std::env::var("PORTPROOF_CORPUS").unwrap_or_else(|_| "../shared/captures".into());
    let path = Path::new(&root).join(kind);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: no captures in {}", path.display());
    None
}

/// The flows of the capture at `path`, in order of their first packets; what can be read of a damaged one.
pub fn read(path: &Path) -> Vec<Flow> {
    let (mut block, mut packets, mut parser) = (Block::default(), Vec::new(), Parser::new());
    let (mut flows, mut index): (Vec<Flow>, HashMap<_, usize>) = (Vec::new(), HashMap::new());
    let Ok(mut file) = CaptureFile::open(path) else { return flows };
    let capture = path.file_name().unwrap().to_string_lossy().into_owned();
    while let Ok(true) = file.next_block(&mut block) {
        for reference in &block.frames {
            let frame = block.frame(reference);
            packets.clear();
            parser.parse(&frame, reference.start, &mut packets);
            for packet in &packets {
                let ends = (packet.source.min(packet.destination), packet.source.max(packet.destination));
                let at = *index.entry((packet.transport, packet.tunnel, ends)).or_insert_with(|| {
                    flows.push(Flow {
                        capture: capture.clone(),
                        transport: packet.transport,
                        originator: packet.source,
                        responder: packet.destination,
                        pieces: Vec::new(),
                    });
                    flows.len() - 1
                });
                let flow = &mut flows[at];
                let piece = piece(packet, &block, flow.originator);
                flow.pieces.push(piece);
            }
        }
    }
    flows
}

fn piece(packet: &Packet, block: &Block, originator: Endpoint) -> Piece {
    let data = match &packet.payload {
        Payload::Block(range) => block.bytes[range.start as usize..range.end as usize].to_vec(),
        Payload::Joined(joined) => joined.bytes.to_vec(),
    };
    let dir = if packet.source == originator { Dir::Originator } else { Dir::Responder };
    Piece { frame: packet.frame, time: packet.time, dir, len: packet.wire_len as usize, data, tcp: packet.tcp }
}

/// Assesses `pieces` packet by packet as the pipeline does, and returns the last finding with the number of payloads after
/// which it came. A settled finding or an exclusion ends it.
pub fn assess(protocol: &dyn Protocol, transport: Transport, pieces: &[Piece]) -> Outcome {
    let mut buf = HeadBuf::new(transport);
    let mut outcome = Outcome::default();
    let (mut next_bytes, mut next_pieces) = (16, 4);
    for piece in pieces {
        let new = feed(&mut buf, transport, piece);
        if piece.len == 0 {
            continue;
        }
        outcome.payloads += 1;
        let due = match transport {
            Transport::Udp => new || due(outcome.payloads),
            Transport::Tcp => {
                let bytes = buf.stream(Dir::Originator).len() + buf.stream(Dir::Responder).len();
                let pieces = buf.stream(Dir::Originator).pieces().max(buf.stream(Dir::Responder).pieces());
                let due = bytes >= next_bytes || pieces >= next_pieces;
                while bytes >= next_bytes {
                    next_bytes *= 2;
                }
                while pieces >= next_pieces {
                    next_pieces *= 2;
                }
                due
            }
        };
        let newest = (transport == Transport::Udp).then(|| datagram(&buf, piece));
        if due && outcome.take(protocol.assess(&buf.view(newest.as_ref(), false))) {
            return outcome;
        }
    }
    outcome.take(protocol.assess(&buf.view(None, true)));
    outcome
}

/// Feeds one packet. True if its shape is new.
pub fn feed(buf: &mut HeadBuf, transport: Transport, piece: &Piece) -> bool {
    match (transport, piece.tcp) {
        (Transport::Udp, _) => buf.push_datagram(piece.frame, piece.time, piece.dir, piece.len, &piece.data),
        (Transport::Tcp, Some(tcp)) => {
            let stream = buf.stream_mut(piece.dir);
            if tcp.syn {
                stream.open(tcp.sequence);
            }
            let sequence = if tcp.syn { tcp.sequence.wrapping_add(1) } else { tcp.sequence };
            stream.push(sequence, piece.frame, piece.time, piece.len, &piece.data)
        }
        (Transport::Tcp, None) => false,
    }
}

fn datagram<'a>(buf: &HeadBuf, piece: &'a Piece) -> Datagram<'a> {
    let tail = if piece.data.len() == piece.len { &piece.data[piece.len.saturating_sub(16)..] } else { &[] };
    Datagram {
        frame: piece.frame,
        time: piece.time,
        dir: piece.dir,
        nth: buf.count(piece.dir) - 1,
        len: piece.len,
        bytes: &piece.data,
        tail,
    }
}

fn due(count: u64) -> bool {
    matches!(count, 1 | 2 | 3 | 4 | 6 | 8 | 12 | 16) || count >= 32 && count.is_power_of_two()
}

/// What came of assessing a flow.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub finding: Option<Finding>,
    pub excluded: bool,
    /// Payloads seen.
    pub payloads: u64,
    /// Evidence in bits after so many payloads, whenever it changed.
    pub steps: Vec<(u64, f64)>,
}

impl Outcome {
    fn take(&mut self, assessment: Assessment) -> bool {
        match assessment {
            Assessment::NotNow | Assessment::Never | Assessment::Until(_) => false,
            Assessment::Excluded => {
                self.excluded = true;
                true
            }
            Assessment::Recognised(finding) => {
                let settled = finding.settled;
                let bits = finding.bits().as_f64();
                if self.steps.last().is_none_or(|s| s.1 != bits) {
                    self.steps.push((self.payloads, bits));
                }
                self.finding = Some(finding);
                settled
            }
        }
    }

    /// The evidence in bits; 0 without a finding.
    pub fn bits(&self) -> f64 {
        self.finding.as_ref().map_or(0.0, |f| f.bits().as_f64())
    }

    /// The variant, or "-".
    pub fn variant(&self) -> &str {
        self.finding.as_ref().and_then(|f| f.variant.as_deref()).unwrap_or("-")
    }
}

/// A row of a truth file (`../shared/captures/*-truth.tsv`).
#[derive(Clone, Debug)]
pub struct Truth {
    pub capture: String,
    pub transport: String,
    pub ends: Option<(Endpoint, Endpoint)>,
    pub port: u16,
    pub label: String,
    pub variant: String,
}

impl Truth {
    /// Whether the row speaks of `flow`.
    pub fn is_of(&self, flow: &Flow) -> bool {
        self.capture == flow.capture
            && self.transport == flow.transport.name()
            && match self.ends {
                Some(ends) => [(flow.originator, flow.responder), (flow.responder, flow.originator)].contains(&ends),
                None => self.port == 0 || flow.has_port(self.port),
            }
    }
}

/// The rows of a truth file.
pub fn truth(kind: &str) -> Vec<Truth> {
    let Some(path) = corpus("").map(|p| p.join(format!("{kind}-truth.tsv"))) else { return Vec::new() };
    let Ok(text) = std::fs::read_to_string(path) else { return Vec::new() };
    let end = |ip: &str, port: &str| {
        let ip: std::net::IpAddr = ip.parse().ok()?;
        Some(Endpoint { ip: ip.into(), port: port.parse().ok()? })
    };
    let row = |line: &str| {
        let f: Vec<&str> = line.split('\t').collect();
        Some(Truth {
            capture: (*f.first()?).to_owned(),
            transport: (*f.get(1)?).to_owned(),
            ends: end(f.get(2)?, f.get(3)?).zip(end(f.get(4)?, f.get(5)?)),
            port: f.get(3)?.parse().unwrap_or(0),
            label: (*f.get(6)?).to_owned(),
            variant: (*f.get(7)?).to_owned(),
        })
    };
    text.lines().skip(1).filter_map(row).collect()
}
