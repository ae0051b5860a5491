//! The whole way from captures to records: the same for any number of workers, and the counts add up.
#![allow(clippy::expect_used, clippy::panic)]

mod corpus;

use portproof::capture::{Block, CaptureError, CaptureFile, Dropped, Source};
use portproof::pipeline::{Board, Captured, Control, Event, Observer, Options, read_capture, watch_live};
use portproof::registry::Registry;
use portproof::verdict::FlowRecord;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

fn captured(path: &Path, options: &Options) -> Option<Captured> {
    let name = path.display().to_string();
    let file = CaptureFile::open(path).ok()?;
    Some(read_capture(file, &name, options, Registry::embedded(), &Control::default()))
}

fn printed(captured: &Captured) -> String {
    let records: Vec<String> = captured.records(Registry::embedded()).map(|r| format!("{r:?}\n")).collect();
    let rows: Vec<String> = captured.rows.iter().map(|r| format!("{r:?}\n")).collect();
    format!("{}{}{:?}{:?}", records.concat(), rows.concat(), captured.counts, captured.ipprotos)
}

#[test]
fn workers_and_batches_change_nothing() {
    for path in corpus::captures(&["lab"]) {
        let reference = captured(&path, &Options { workers: 0, ..Options::default() }).map(|c| printed(&c));
        for (workers, batch) in [(1, 256), (2, 1), (4, 7)] {
            let other = captured(&path, &Options { workers, batch, ..Options::default() }).map(|c| printed(&c));
            assert!(reference == other, "{}: {workers} workers, batches of {batch}", path.display());
        }
    }
}

#[test]
fn every_frame_has_one_fate_and_nothing_panics() {
    for path in corpus::captures(&["lab", "real", "hostile"]) {
        let Some(captured) = captured(&path, &Options { workers: 0, ..Options::default() }) else { continue };
        assert!(captured.counts.adds_up(), "{}: {:?}", path.display(), captured.counts);
        let other: u64 = captured.ipprotos.iter().map(|p| p.packets).sum();
        assert_eq!(other, captured.counts.other, "{}", path.display());
        assert_eq!(captured.records(Registry::embedded()).count() as u64, captured.flows, "{}", path.display());
        let verdicts: u64 = captured.rows.iter().flat_map(|row| row.verdicts.values()).sum();
        assert_eq!(verdicts, captured.flows, "{}", path.display());
    }
}

#[test]
fn a_full_table_judges_early_and_says_so() {
    for path in corpus::captures(&["lab"]) {
        let all = captured(&path, &Options { workers: 0, ..Options::default() }).expect("a capture");
        let tight = Options { workers: 0, max_flows: 2, ..Options::default() };
        let few = captured(&path, &tight).expect("a capture");
        assert!(few.flows >= all.flows && few.counts == all.counts, "{}", path.display());
        let verdicts: u64 = few.rows.iter().flat_map(|row| row.verdicts.values()).sum();
        assert_eq!(verdicts, few.flows, "{}", path.display());
        assert!(all.flows <= 2 || few.evicted > 0, "{}", path.display());
    }
}

#[test]
fn what_is_judged_for_want_of_memory_differs_only_where_it_says_so() {
    let (mut early, mut unchanged) = (0, 0);
    for path in corpus::captures(&["lab"]) {
        let all = captured(&path, &Options { workers: 0, ..Options::default() }).expect("a capture");
        for (head_memory, batch) in [(0, 1), (0, 64), (20_000, 16)] {
            let tight = Options { workers: 0, head_memory, batch, ..Options::default() };
            let some = captured(&path, &tight).expect("a capture");
            assert_eq!((all.hurried, some.flows, &some.counts), (0, all.flows, &all.counts), "{}", path.display());
            early += some.hurried;
            if some.hurried == 0 {
                assert!(printed(&some) == printed(&all), "{}: {head_memory} bytes", path.display());
                unchanged += 1;
            }
        }
    }
    assert!(early > 0 && unchanged > 0, "{early} flows, {unchanged} captures");
}

/// A capture that never ends by itself.
struct Endless;

impl Source for Endless {
    fn next_block(&mut self, block: &mut Block) -> Result<bool, CaptureError> {
        block.clear();
        std::thread::yield_now();
        Ok(true)
    }

    fn bytes_read(&self) -> u64 {
        0
    }

    fn dropped(&self) -> Dropped {
        Dropped::default()
    }
}

/// Panics when it is first asked.
struct Faulty;

impl Observer for Faulty {
    fn flow(&mut self, _: &FlowRecord<'_>, _: Event) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        panic!("on purpose")
    }
}

#[test]
fn a_panic_ends_a_live_run() {
    let control = Control::default();
    let run =
        || watch_live(vec![Endless], &Options::default(), Registry::embedded(), &control, None, &mut Faulty).is_ok();
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert!(control.stopped());
}
