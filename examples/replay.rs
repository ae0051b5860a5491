//! Sends the frames of a capture on an interface, again and again: `replay IFACE CAPTURE PACKETS [PER_SECOND]`.
//!
//! For measurements (scripts/bench-live.sh). Frames that are no Ethernet or longer than 1,514 bytes are left out. They go
//! to the kernel by the hundred (sendmmsg(2)), which is faster than one at a time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[cfg(target_os = "linux")]
fn main() {
    use pcap::Capture;
    use portproof::capture::{Block, CaptureFile};
    use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};
    use std::io::IoSlice;
    use std::path::Path;
    use std::time::{Duration, Instant};

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
    assert!(!frames.is_empty(), "{capture} has no Ethernet frames");
    let packets: u64 = packets.parse().unwrap();
    let rate: Option<f64> = rate.first().map(|rate| rate.parse().unwrap());
    // Slow rates go in small portions, so that they are no bursts.
    let portion = rate.map_or(256, |rate| (rate / 1000.0).clamp(1.0, 256.0) as usize);
    let mut sender = Capture::from_device(interface.as_str()).unwrap().snaplen(64).buffer_size(1 << 16).open().unwrap();
    // What is sent is not to be received.
    sender.filter("less 1", true).unwrap();
    let slices: Vec<[IoSlice<'_>; 1]> = frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
    let mut nothing: Vec<SendAncillaryBuffer<'_, '_, '_>> = slices.iter().map(|_| Default::default()).collect();
    let mut messages: Vec<MMsgHdr<'_>> =
        slices.iter().zip(&mut nothing).map(|(slice, nothing)| MMsgHdr::new(slice, nothing)).collect();
    let start = Instant::now();
    let (mut sent, mut at) = (0u64, 0);
    while sent < packets {
        let left = usize::try_from(packets - sent).unwrap_or(usize::MAX);
        let end = messages.len().min(at + portion.min(left));
        // A full queue refuses; it is tried again.
        let count = sendmmsg(&sender, &mut messages[at..end], SendFlags::empty()).unwrap_or(0);
        sent += count as u64;
        at = (at + count) % messages.len();
        if let Some(rate) = rate {
            let due = start + Duration::from_secs_f64(sent as f64 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    println!("{sent} sent at {:.0} a second", sent as f64 / start.elapsed().as_secs_f64());
}

#[cfg(not(target_os = "linux"))]
fn main() {
    panic!("only Linux sends frames by the hundred");
}
