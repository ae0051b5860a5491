//! Every capture at hand is read to its end, and every frame has a fate.

use portproof::capture::{Block, CaptureFile};
use portproof::packet::{Fate, Parser};
use std::path::{Path, PathBuf};

/// The captures that are not part of the project, if they are here.
fn corpus(kind: &str) -> Vec<PathBuf> {
    let root = std::env::var("PORTPROOF_CORPUS").unwrap_or_else(|_| "../shared/captures".into());
    let Ok(entries) = std::fs::read_dir(Path::new(&root).join(kind)) else {
        println!("skipped: no captures in {root}/{kind}");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.is_file()).collect();
    files.sort();
    files
}

#[test]
fn every_capture_is_read_without_panic() {
    for kind in ["lab", "real", "hostile"] {
        for path in corpus(kind) {
            let (mut block, mut packets, mut parser) = (Block::default(), Vec::new(), Parser::new());
            let mut file = match CaptureFile::open(&path) {
                Ok(file) => file,
                Err(error) => {
                    assert!(!error.to_string().contains('\n'));
                    continue;
                }
            };
            let mut number = 0;
            loop {
                match file.next_block(&mut block) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        assert!(!error.to_string().contains('\n'));
                        assert!(error.is_damage(), "{error}");
                        assert!(block.frames.is_empty());
                        continue;
                    }
                }
                assert!(!block.frames.is_empty());
                for reference in &block.frames {
                    let frame = block.frame(reference);
                    number += 1;
                    assert_eq!(frame.number, number);
                    assert_eq!(frame.data.len(), reference.len as usize);
                    packets.clear();
                    let fate = parser.parse(&frame, reference.start, &mut packets);
                    // Earlier fragments may be given up meanwhile; they have their own frame's number.
                    let own = packets.iter().any(|packet| packet.frame == number);
                    assert_eq!(fate == Fate::Flows, own, "{} {number} {fate:?}", path.display());
                }
            }
        }
    }
}
