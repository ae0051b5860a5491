//! When workers are late, packets of decided flows are shed, those of undecided ones never.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use portproof::capture::CaptureFile;
use portproof::pipeline::{Board, Control, Event, Observer, Options, watch_live};
use portproof::registry::Registry;
use portproof::verdict::FlowRecord;
use std::collections::BTreeMap;
use std::io::{self, Cursor};
use std::time::Duration;

/// RFC 1035: a question for the address of example.com, and its answer.
const QUESTION: &[u8] = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
const ANSWER: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01\
\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x01";

/// Packets of one flow that is decided early, per packet of others.
const BUSY: usize = 255;
/// Packets of others.
const OTHERS: usize = 800;

/// A capture in memory: classic pcap with Ethernet, microseconds.
struct Capture {
    bytes: Vec<u8>,
    packets: u64,
}

impl Capture {
    fn new() -> Self {
        let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 262_144, 1];
        Self { bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(), packets: 0 }
    }

    /// A datagram between ports of 10.0.0.1 and 10.0.0.2.
    fn datagram(&mut self, [from, to]: [(u8, u16); 2], payload: &[u8]) {
        let (udp, micros) = (8 + payload.len() as u16, self.packets as u32);
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
        frame.extend((20 + udp).to_be_bytes());
        // Packets with the same number would be the same packet seen again.
        frame.extend((self.packets as u16).to_be_bytes());
        frame.extend([0, 0, 64, 17, 0, 0, 10, 0, 0, from.0, 10, 0, 0, to.0]);
        frame.extend([from.1, to.1, udp, 0].iter().flat_map(|word| word.to_be_bytes()));
        frame.extend(payload);
        let len = frame.len() as u32;
        let header = [1_700_000_000 + micros / 1_000_000, micros % 1_000_000, len, len];
        self.bytes.extend(header.iter().flat_map(|word| word.to_le_bytes()));
        self.bytes.extend(frame);
        self.packets += 1;
    }
}

/// Whoever watches takes his time; the workers wait for him.
#[derive(Default)]
struct Slow {
    /// Packets by client port.
    packets: BTreeMap<u16, u64>,
}

impl Observer for Slow {
    fn flow(&mut self, flow: &FlowRecord<'_>, event: Event) -> io::Result<()> {
        if event == Event::End {
            self.packets.insert(flow.client.port, flow.packets.0 + flow.packets.1);
        } else {
            std::thread::sleep(Duration::from_millis(4));
        }
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn packets_of_decided_flows_go_first() {
    let mut capture = Capture::new();
    let (client, server) = (|port| (1, port), (2, 53));
    capture.datagram([client(1000), server], QUESTION);
    capture.datagram([server, client(1000)], ANSWER);
    for n in 0..OTHERS {
        // The others have two packets each, and are not decided before the second.
        let port = 2000 + (n / 2) as u16;
        match n % 2 {
            0 => capture.datagram([client(port), server], QUESTION),
            _ => capture.datagram([server, client(port)], ANSWER),
        }
        (0..BUSY).for_each(|_| capture.datagram([client(1000), server], QUESTION));
    }
    let sent = capture.packets;
    let file = CaptureFile::from_reader("test".into(), Box::new(Cursor::new(capture.bytes))).unwrap();
    let mut slow = Slow::default();
    let options = Options::default();
    let watched = watch_live(vec![file], &options, Registry::embedded(), &Control::default(), None, &mut slow).unwrap();
    let counts = watched.board.taken.counts;
    println!("{} of {sent} packets shed", counts.dropped_queue);
    assert_eq!((counts.received, counts.classified + counts.dropped_queue), (sent, sent));
    assert!(counts.dropped_queue > 0);
    // All that is missing is missing in the flow that was decided.
    let busy = slow.packets.remove(&1000).unwrap();
    assert_eq!(busy + counts.dropped_queue, 2 + (OTHERS * BUSY) as u64);
    assert_eq!(slow.packets.len(), OTHERS / 2);
    assert!(slow.packets.values().all(|packets| *packets == 2), "{:?}", slow.packets);
}
