//! Inputs: opened, judged (several at a time if there are several), and handed on in argument order.

use crate::capture::{Ahead, CaptureError, CaptureFile, Merged};
use crate::pipeline::{Captured, Control, Options, watch_capture};
use crate::registry::Registry;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Captures that may be judged ahead of the one to be printed next, for each thread. Bounds what is kept in memory.
const AHEAD: usize = 2;

/// Files from this size on are read by a thread of their own, bytes.
const LARGE: u64 = 4 << 20;

/// A judged input, or why it is none. `None`: the run was stopped before its turn.
pub(super) type Judged = Option<Result<Captured, CaptureError>>;

/// What all inputs share.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub options: &'a Options,
    pub registry: &'a Registry,
    pub control: &'a Control,
}

impl Run<'_> {
    /// Judges one input with the workers of the options.
    pub(super) fn judge(&self, path: &Path) -> Judged {
        self.judge_with(path, self.options)
    }

    fn judge_with(&self, path: &Path, options: &Options) -> Judged {
        if self.control.stopped() {
            return None;
        }
        Some(self.read(path, options, |_| {}))
    }

    /// Judges one input, and on the way what was seen of it so far.
    pub(super) fn watch(&self, path: &Path, so_far: impl FnMut(Captured)) -> Judged {
        Some(self.read(path, self.options, so_far))
    }

    fn read(&self, path: &Path, options: &Options, so_far: impl FnMut(Captured)) -> Result<Captured, CaptureError> {
        let (name, file) = (path.display().to_string(), CaptureFile::open(path)?);
        // A pipe may keep a thread waiting that cannot be woken.
        if options.workers > 0 && file.size().is_some_and(|size| size >= LARGE) {
            return Ok(watch_capture(Ahead::start(file)?, &name, options, self.registry, self.control, so_far));
        }
        Ok(watch_capture(file, &name, options, self.registry, self.control, so_far))
    }

    /// Judges all inputs as one capture in time order. `refused` takes what is none.
    pub(super) fn watch_merged(
        &self,
        paths: &[PathBuf],
        refused: impl FnMut(&Path, CaptureError),
        so_far: impl FnMut(Captured),
    ) -> Captured {
        let first = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        let name = match paths.len() {
            0 | 1 => first,
            several => format!("{first} + {} more", several - 1),
        };
        let merged = Merged::open(paths, refused);
        watch_capture(merged, &name, self.options, self.registry, self.control, so_far)
    }

    /// Judges the inputs, `jobs` at a time, and hands the results to `take` in their order.
    ///
    /// # Errors
    /// Those of `take`; the run is then stopped.
    pub(super) fn judge_all(
        &self,
        paths: &[PathBuf],
        jobs: usize,
        mut take: impl FnMut(&Path, Judged) -> io::Result<()>,
    ) -> io::Result<()> {
        if let [only] = paths {
            return take(only, self.judge(only));
        }
        let alone = Options { workers: 0, ..self.options.clone() };
        let (to_judge, orders) = crossbeam_channel::unbounded::<(usize, &PathBuf)>();
        let (done, results) = crossbeam_channel::unbounded();
        std::thread::scope(|scope| {
            for _ in 0..jobs.clamp(1, paths.len().max(1)) {
                let (orders, done, alone) = (orders.clone(), done.clone(), &alone);
                scope.spawn(move || {
                    for (index, path) in orders {
                        if done.send((index, self.judge_with(path, alone))).is_err() {
                            break;
                        }
                    }
                });
            }
            drop((orders, done));
            // Dropped at the end of this closure: the threads then have no more orders and end.
            let to_judge = to_judge;
            let mut waiting = paths.iter().enumerate();
            waiting.by_ref().take(jobs * AHEAD).for_each(|order| {
                let _ = to_judge.send(order);
            });
            let mut early = BTreeMap::new();
            for (index, path) in paths.iter().enumerate() {
                let result = loop {
                    if let Some(result) = early.remove(&index) {
                        break result;
                    }
                    let Ok((other, result)) = results.recv() else { break None };
                    early.insert(other, result);
                };
                if let Some(order) = waiting.next() {
                    let _ = to_judge.send(order);
                }
                if let Err(error) = take(path, result) {
                    self.control.stop();
                    return Err(error);
                }
            }
            Ok(())
        })
    }
}
