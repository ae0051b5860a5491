//! What must hold however long the capture: a packet of a decided flow allocates nothing, and nobody can choose
//! addresses and ports so that flows fall into one place of the table.

#![allow(unsafe_code)] // An allocator that counts.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A panic is a failed test.

use foldhash::quality::RandomState;
use portproof::capture::CaptureFile;
use portproof::flow::FlowKey;
use portproof::packet::{Endpoint, Ip, Transport, Tunnel, TunnelKind};
use portproof::pipeline::{Control, Options, read_capture};
use portproof::registry::Registry;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::HashSet;
use std::hash::BuildHasher;
use std::io::Cursor;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, with a count of what this thread asks for.
struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A session, and its last frame `more` times again, 10 ms apart.
fn prolonged(capture: &[u8], more: u32) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(capture[at..at + 4].try_into().unwrap());
    let (mut at, mut last) = (24, 24);
    while at < capture.len() {
        last = at;
        at += 16 + word(at + 8) as usize;
    }
    let (start, frame) = (i64::from(word(last)) * 1_000_000 + i64::from(word(last + 4)), &capture[last + 8..]);
    let mut bytes = capture.to_vec();
    for n in 1..=i64::from(more) {
        let time = start + n * 10_000;
        bytes.extend_from_slice(&((time / 1_000_000) as u32).to_le_bytes());
        bytes.extend_from_slice(&((time % 1_000_000) as u32).to_le_bytes());
        bytes.extend_from_slice(frame);
    }
    bytes
}

/// How often memory was asked for to judge the capture, and how many packets it had.
fn allocations(capture: Vec<u8>) -> (u64, u64) {
    let file = CaptureFile::from_reader("steady".into(), Box::new(Cursor::new(capture))).unwrap();
    let options = Options { workers: 0, ..Options::default() };
    let before = ALLOCATIONS.with(Cell::get);
    let captured = read_capture(file, "steady", &options, Registry::embedded(), &Control::default());
    (ALLOCATIONS.with(Cell::get) - before, captured.counts.classified)
}

#[test]
fn a_packet_of_a_decided_flow_allocates_nothing() {
    for name in ["openvpn/tls-auth-sha1-2.4.pcap", "openvpn/plain-tcp.pcap", "esp-in-udp/strongswan-nat.pcap"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
        let capture = std::fs::read(&path).unwrap();
        // Whatever is made once for all captures.
        allocations(capture.clone());
        let (few, first) = allocations(prolonged(&capture, 10_000));
        let (many, second) = allocations(prolonged(&capture, 30_000));
        assert_eq!(second - first, 20_000, "{name}");
        assert!(many <= few + 40, "{name}: {few} allocations, and {many} with 20,000 packets more");
    }
}

/// 2^12 keys of a kind that somebody might choose, into 2^16 places.
///
/// Random places hold 3,971 different ones on average, with a standard deviation of 11.
#[test]
fn chosen_keys_fall_into_places_as_random_ones_do() {
    let end = |ip: u32, port: u16| Endpoint { ip: Ip::v4(ip.to_be_bytes()), port };
    let key = |low, high| FlowKey { low, high, transport: Transport::Udp, tunnel: None };
    let kinds: [(&str, &dyn Fn(u32) -> FlowKey); 6] = [
        ("ports in turn", &|n| key(end(0x0a00_0001, 1197), end(0x0a00_0002, n as u16 + 1024))),
        ("hosts in turn", &|n| key(end(0x0a00_0001 + n, 1197), end(0xc0a8_0001, 1197))),
        ("both ends with one sum", &|n| key(end(0x0a00_0001 + n, 1197), end(0xc0a8_ffff - n, 1197))),
        ("both ends with one XOR", &|n| key(end(n, 5000), end(0xff00_0000 ^ n, 5000))),
        ("high bits only", &|n| key(end(n << 20, 1197), end(0xffff_fff0, 1197))),
        ("tunnels in turn", &|n| FlowKey {
            tunnel: Some(Tunnel { kind: TunnelKind::Vxlan, id: Some(n) }),
            ..key(end(1, 1), end(2, 2))
        }),
    ];
    for (kind, make) in kinds {
        for _ in 0..8 {
            let seed = RandomState::default();
            let places: HashSet<u16> = (0..1 << 12).map(|n| seed.hash_one(make(n)) as u16).collect();
            assert!(places.len() > 3971 - 10 * 11, "{kind}: {} places", places.len());
        }
    }
}
