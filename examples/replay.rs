//! Sends the frames of a capture on an interface, again and again: `replay IFACE CAPTURE PACKETS [PER_SECOND]`.
//!
//! For measurements (scripts/bench-live.sh). Frames that are no Ethernet or longer than 1,514 bytes are left out.
#![allow(clippy::unwrap_used, clippy::panic)]

use pcap::Capture;
use portproof::capture::{Block, CaptureFile};
use std::path::Path;
use std::time::{Duration, Instant};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, interface, capture, packets, rate @ ..] = args.as_slice() else {
        panic!("replay IFACE CAPTURE PACKETS [PER_SECOND]")
    };
    let (mut file, mut block) = (CaptureFile::open(Path::new(capture)).unwrap(), Block::default());
    let mut frames: Vec<Vec<u8>> = Vec::new();
    while file.next_block(&mut block).unwrap() && frames.len() < 1_000_000 {
        let of_block = block.frames.iter().map(|frame| block.frame(frame));
        frames.extend(of_block.filter(|f| f.link.0 == 1 && f.data.len() <= 1514).map(|f| f.data.to_vec()));
    }
    let packets: u64 = packets.parse().unwrap();
    let rate: Option<f64> = rate.first().map(|rate| rate.parse().unwrap());
    let mut sender = Capture::from_device(interface.as_str()).unwrap().buffer_size(1 << 16).open().unwrap();
    sender.filter("less 1", true).unwrap();
    let start = Instant::now();
    let mut sent = 0u64;
    for frame in frames.iter().cycle().take(usize::try_from(packets).unwrap()) {
        // A full queue refuses; it is tried again.
        while sender.sendpacket(&frame[..]).is_err() {}
        sent += 1;
        if let Some(rate) = rate.filter(|_| sent.is_multiple_of(64)) {
            let due = start + Duration::from_secs_f64(sent as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    println!("{sent} sent at {:.0} a second", sent as f64 / start.elapsed().as_secs_f64());
}
