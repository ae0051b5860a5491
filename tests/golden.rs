//! Every capture in testdata gives exactly the JSON Lines beside it.
//!
//! After a change that is meant to change them: `PORTPROOF_BLESS=1 cargo test --test golden`, then read the difference.
#![allow(clippy::unwrap_used)]

mod corpus;

use std::path::Path;
use std::process::Command;

fn printed(capture: &Path) -> String {
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
    assert!(run.stderr.is_empty(), "{}: {}", capture.display(), String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn captures_give_what_stands_beside_them() {
    let bless = std::env::var_os("PORTPROOF_BLESS").is_some();
    let mut wrong = Vec::new();
    for capture in corpus::captures(&[]) {
        let (expected, printed) = (capture.with_extension("jsonl"), printed(&capture));
        if bless {
            std::fs::write(&expected, printed).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != printed {
            wrong.push(capture.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "other records than expected: {wrong:#?}");
}
