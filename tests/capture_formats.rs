//! The same capture in every format gives the same frames; cut, damaged and foreign files are said in one line.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // Test helpers: a panic is a failed test.

#[path = "common/rewrite.rs"]
mod rewrite;

use portproof::capture::{CaptureFile, Fault};
use rewrite::{Dribble, Raw, bases, compressed, frames, open, pcap, pcapng};
use std::io::Write;
use std::path::Path;

fn read(bytes: Vec<u8>) -> Vec<Raw> {
    let (found, error) = frames(open(bytes).unwrap());
    assert!(error.is_none(), "{error:?}");
    found
}

#[test]
fn every_format_gives_the_same_frames() {
    let base = bases();
    for big in [false, true] {
        for (name, bytes) in
            [("µs", pcap(&base, big, false)), ("ns", pcap(&base, big, true)), ("ng", pcapng(&base, big))]
        {
            assert!(read(bytes.clone()) == base, "{name} {big}");
            for (compression, small) in compressed(&bytes) {
                assert!(read(small) == base, "{name} {big} {compression}");
            }
            let dribble = Dribble { bytes, at: 0 };
            let (found, error) = frames(CaptureFile::from_reader("test".into(), Box::new(dribble)).unwrap());
            assert!(found == base && error.is_none(), "{name} {big} dribble");
        }
    }
}

#[test]
fn sections_and_interfaces_may_change_in_the_middle() {
    let base = bases();
    let mut mixed = base.clone();
    for (i, frame) in mixed.iter_mut().enumerate().filter(|(i, _)| i % 3 == 1) {
        *frame = Raw { time: frame.time + i as i64 % 7, ..frame.with(101, frame.ip().unwrap().to_vec()) };
    }
    assert!(read([pcapng(&mixed, false), pcapng(&base, true)].concat()) == [mixed, base].concat());
}

#[test]
fn a_huge_frame_and_a_huge_unknown_block_are_no_trouble() {
    let mut base = bases();
    base[1].data.resize(262_144, 7);
    base[1].wire = 262_144;
    assert!(read(pcap(&base, false, false)) == base);
    let mut bytes = pcapng(&base[..2], false);
    let length = 3_000_000u32;
    bytes.extend(0x0bad_u32.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.resize(bytes.len() + length as usize - 12, 9);
    bytes.extend(length.to_le_bytes());
    bytes.extend(pcapng(&base[2..], false));
    assert!(read(bytes) == base);
}

#[test]
fn wherever_a_capture_is_cut_all_before_is_read() {
    let base = &bases()[..5];
    for bytes in [pcap(base, false, false), pcapng(base, true)] {
        for length in 1..bytes.len() {
            match open(bytes[..length].to_vec()) {
                Err(error) => assert!(!error.is_damage() && length < 28, "{length} {error}"),
                Ok(file) => {
                    let (found, error) = frames(file);
                    assert!(base.starts_with(&found));
                    if let Some(error) = error {
                        assert!(matches!(error.fault, Fault::Cut(_)) && error.is_damage(), "{error}");
                        assert_eq!(error.packet, Some(found.len() as u64 + 1));
                        assert!(error.offset.unwrap() < length as u64);
                        assert!(!error.to_string().contains('\n'));
                    }
                }
            }
        }
    }
}

#[test]
fn damage_in_the_middle_keeps_what_came_before() {
    let base = bases();
    let whole = pcap(&base[..10], false, false).len();
    let mut bytes = pcap(&base, false, false);
    bytes[whole + 8..whole + 12].copy_from_slice(&[0xff; 4]);
    let (found, error) = frames(open(bytes).unwrap());
    assert!(found == base[..10]);
    let error = error.unwrap();
    assert_eq!((error.packet, error.offset), (Some(11), Some(whole as u64)));
    assert!(error.is_damage());
}

#[test]
fn what_is_no_capture_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"no capture, however often it is compressed").unwrap();
    let cases = [
        (folder.path().join("missing.pcap"), "No such file"),
        (folder.path().to_path_buf(), "directory"),
        (file("empty.pcap", b""), "empty"),
        (file("text.pcap", b"Dear Sir or Madam, this is a letter.\n"), "text"),
        (file("short.pcap", &[0xd4, 0xc3, 0xb2, 0xa1, 2, 0]), "file header"),
        (file("gzip.pcap", &gzip.finish().unwrap()), "text"),
        (file("snoop.pcap", b"snoop\0\0\0\0\0\0\x02\0\0\0\x04"), "editcap"),
        (file("bytes.pcap", &[9, 200, 0, 1, 255, 3, 0, 0]), "neither pcap nor pcapng"),
    ];
    for (path, expected) in cases {
        let error = CaptureFile::open(&path).err().unwrap();
        let text = error.to_string();
        assert!(text.contains(expected) && !text.contains('\n') && !error.is_damage(), "{text}");
        assert!(text.starts_with(&path.display().to_string()), "{text}");
    }
}

#[test]
fn progress_counts_the_compressed_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = compressed(&pcap(&bases(), false, false)).remove(0).1;
    let path = folder.path().join("a.gz");
    std::fs::write(&path, &bytes).unwrap();
    let mut file = CaptureFile::open(Path::new(&path)).unwrap();
    assert_eq!(file.size(), Some(bytes.len() as u64));
    let mut block = portproof::capture::Block::default();
    while file.next_block(&mut block).unwrap() {}
    assert_eq!(file.bytes_read(), bytes.len() as u64);
}
