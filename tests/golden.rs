//! Every capture in testdata gives exactly the JSON Lines beside it, and no notice but the one beside it, if there is one.
//!
//! After a change that is meant to change them: `PORTPROOF_BLESS=1 cargo test --test golden`, then read the difference.
#![allow(clippy::unwrap_used)]

mod corpus;

use std::path::Path;
use std::process::Command;

/// What is printed on standard output and on standard error.
fn printed(capture: &Path) -> [String; 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = Command::new(env!("CARGO_BIN_EXE_portproof"))
        .current_dir(root)
        // The registry of the user who runs the tests must not matter.
        .env("XDG_DATA_HOME", root.join("testdata"))
        // A system call that confinement forbids is deadly.
        .env("PORTPROOF_SANDBOX", "kill")
        .args(["read", "--output", "jsonl"])
        .arg(capture.strip_prefix(root).unwrap())
        .output()
        .unwrap();
    [run.stdout, run.stderr].map(|text| String::from_utf8(text).unwrap())
}

#[test]
fn captures_give_what_stands_beside_them() {
    let bless = std::env::var_os("PORTPROOF_BLESS").is_some();
    let mut wrong = Vec::new();
    for capture in corpus::captures(&[]) {
        let [records, notice] = printed(&capture);
        for (kind, printed) in [("jsonl", records), ("notice", notice)] {
            let expected = capture.with_extension(kind);
            let known = std::fs::read_to_string(&expected).unwrap_or_default();
            if known != printed && bless {
                std::fs::write(&expected, printed).unwrap();
            } else if known != printed {
                wrong.push(expected.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "other records than expected: {wrong:#?}");
}
