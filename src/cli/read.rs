//! `portproof read`: capture files in, one row per port out.

use super::choose::{self, Choose};
use super::common::{Verdicts, say, say_endpoint};
use super::exit::Outcome;
use super::expand::{self, Expanded};
use super::inputs::{Judged, Run};
use super::out::OutFile;
use super::registry::store;
use super::text::Screen;
use super::values::{By, ColourArg, MinBand, Output};
use super::watch::Watch;
use crate::capture::{CaptureError, Fault};
use crate::pipeline::{Captured, Control, HiddenCounts, Options};
use crate::protocol::Band;
use crate::registry::Registry;
use crate::report::text::counted;
use crate::report::{Choice, Csv, Jsonl, Report, Style, Table};
use crate::verdict::{Summary, Verdict};
use std::collections::HashSet;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `portproof read`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done; 1 --fail-on; 2 usage or unreadable input; 3 damaged, cut or interrupted.")]
pub(super) struct Args {
    /// Captures to judge, and directories of captures; - is standard input, which is also read when nothing is named. A filter expression as for
    /// tcpdump may follow.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The same, as tcpdump has it.
    #[arg(short = 'r', value_name = "FILE", action = clap::ArgAction::Append)]
    read: Vec<PathBuf>,
    /// Form of the output.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    /// What a row of the table is.
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    by: By,
    /// Show every row: nothing is folded.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    verdicts: Verdicts,
    /// Show at most this many rows.
    #[arg(long, value_name = "N")]
    top: Option<NonZero<usize>>,
    /// Leave out what was recognised less surely; also for --fail-on.
    #[arg(long, value_enum, value_name = "BAND")]
    min_band: Option<MinBand>,
    #[command(flatten)]
    choose: Choose,
    /// Threads that recognise, beside the one that reads; several files are judged one a thread.
    #[arg(long, value_name = "N")]
    workers: Option<NonZero<u16>>,
    /// Files judged at a time.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<u16>>,
    /// Judge all captures as one, in time order: a flow goes on from file to file.
    #[arg(long)]
    merge: bool,
    /// Report what was seen so far whenever this much packet time has passed: 10s, 5m. For one input, or with --merge.
    #[arg(long, value_name = "TIME", value_parser = choose::period, conflicts_with = "out")]
    every: Option<i64>,
    /// Write to a file, which is there whole or not at all.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Packets handed on at a time.
    #[arg(long, value_name = "N", hide = true)]
    batch: Option<NonZero<u16>>,
    /// Flows kept at a time; beyond, the oldest are judged early and only counted in their rows.
    ///
    /// A flow that is kept costs up to 1 KiB; by default 200,000 are, so that memory stays below 256 MiB.
    #[arg(long, value_name = "N")]
    max_flows: Option<NonZero<u32>>,
    /// Colours.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourArg,
    /// Do not confine the program to what it needs.
    #[cfg(target_os = "linux")]
    #[arg(long)]
    no_sandbox: bool,
}

impl Args {
    /// The report in the form asked for.
    fn report<'a>(&self, sink: Box<dyn Write + 'a>) -> Box<dyn Report + 'a> {
        let out = BufWriter::with_capacity(1 << 16, sink);
        let only = self.verdicts.only();
        match self.output {
            Output::Jsonl => Box::new(Jsonl::new(out, only)),
            Output::Table => Box::new(Table::new(out, self.style(only))),
            Output::Csv => Box::new(Csv::new(out, self.choice(only))),
        }
    }

    /// Prints what was seen so far: the rows and a summary, and flows where a line is a flow.
    fn report_so_far(&self, captured: &Captured, registry: &Registry) -> io::Result<()> {
        let mut report = self.report(Box::new(io::stdout()));
        if self.output == Output::Table && self.by == By::Flow {
            captured.records(registry).try_for_each(|flow| report.flow(&captured.name, &flow))?;
        }
        report.capture(&captured.name, &captured.rows, &captured.ipprotos)?;
        let mut summary =
            Summary { registry: registry.date().to_owned(), merged: self.merge, so_far: true, ..Summary::default() };
        add(&mut summary, captured);
        report.finish(&summary)?;
        if self.output == Output::Table { writeln!(io::stdout()) } else { Ok(()) }
    }

    fn choice(&self, only: Option<Vec<Verdict>>) -> Choice {
        Choice { only, min_band: self.min_band.map(Band::from), top: self.top.map(NonZero::get) }
    }

    fn style(&self, only: Option<Vec<Verdict>>) -> Style {
        Style {
            screen: match self.out {
                None => Screen::of_stdout_with(self.color.into()),
                Some(_) => Screen { colour: self.color == ColourArg::Always, ..Screen::PLAIN },
            },
            by: self.by.into(),
            all: self.all,
            only,
            min_band: self.min_band.map(Band::from),
            top: self.top.map(|n| n.get()),
        }
    }
}

/// Judges the captures and prints; the result is the exit code.
///
/// # Errors
/// Those of the output.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut options = Options {
        workers: args.workers.map_or(cores, |n| usize::from(n.get())),
        max_flows: args.max_flows.map_or(Options::default().max_flows, |n| n.get() as usize),
        batch: args.batch.map_or(Options::default().batch, |n| usize::from(n.get())),
        every: args.every,
        by_endpoint: args.output != Output::Jsonl && args.by == By::Endpoint,
        ..Options::default()
    };
    if args.output == Output::Csv && args.by == By::Flow {
        say("--output csv has a record for each port or endpoint; for flows take --output jsonl");
        return Ok(super::exit::FAILED);
    }
    let named = match args.choose.apply(&args.files, &mut options) {
        Ok(named) => named,
        Err(text) => {
            say(&text);
            return Ok(super::exit::FAILED);
        }
    };
    let mut paths: Vec<PathBuf> = args.read.iter().cloned().chain(named).collect();
    if paths.is_empty() {
        if io::stdin().is_terminal() {
            eprintln!("portproof: name a capture, or pipe one in; see portproof read --help");
            return Ok(super::exit::FAILED);
        }
        paths.push("-".into());
    }
    let Expanded { files: paths, found, faults, .. } = expand::expand(paths);
    if args.every.is_some() && paths.len() != 1 && !args.merge {
        say("--every is for one input; --merge makes several one");
        return Ok(super::exit::FAILED);
    }
    let out_file = match args.out.as_deref().map(OutFile::create).transpose() {
        Ok(file) => file,
        Err(error) => {
            say(&error.to_string());
            return Ok(super::exit::FAILED);
        }
    };
    let registry: &Registry = &store::load().said();
    #[cfg(target_os = "linux")]
    if !args.no_sandbox
        && let Err(text) = super::confine::reading(&paths, args.out.as_deref())
    {
        say(&text);
        return Ok(super::exit::FAILED);
    }
    let control = Arc::new(Control::default());
    let sink: Box<dyn Write> = match &out_file {
        Some(file) => Box::new(file.writer()?),
        None => Box::new(io::stdout().lock()),
    };
    let report = args.report(sink);
    let mut reading = Reading {
        args,
        registry,
        report,
        summary: Summary { registry: registry.date().to_owned(), ..Summary::default() },
        outcome: Outcome { failed: !faults.is_empty(), ..Outcome::default() },
        found,
        unread: 0,
        hidden: HiddenCounts::default(),
        options: &options,
        sole: args.merge || paths.len() == 1,
    };
    faults.iter().for_each(|fault| say(fault));
    let watch = Watch::start(&control, total(&paths), true)?;
    let jobs = args.jobs.or(args.workers).map_or(cores, |n| usize::from(n.get()));
    let run = Run { options: &options, registry, control: &control };
    let mut broken = None;
    let so_far = |captured: Captured| {
        if let Err(error) = args.report_so_far(&captured, registry) {
            broken.get_or_insert(error);
            control.stop();
        }
    };
    let done = if args.merge {
        let captured = run.watch_merged(&paths, |path, error| reading.refuse(path, &error), so_far);
        reading.summary.merged = true;
        reading.take_captured(captured)
    } else if let ([only], Some(_)) = (paths.as_slice(), args.every) {
        reading.take(only, run.watch(only, so_far))
    } else {
        run.judge_all(&paths, jobs, |path, judged| reading.take(path, judged))
    };
    drop(watch);
    let code = broken.map_or(done, Err).and_then(|()| reading.finish());
    match out_file {
        None => code,
        Some(file) => {
            let code = code.map_err(|error| file.fault(&error))?;
            file.commit().map(|()| code)
        }
    }
}

/// Bytes of all inputs, if they are known.
fn total(paths: &[PathBuf]) -> Option<u64> {
    let len = |path: &PathBuf| match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Some(metadata.len()),
        Ok(_) => None,
        Err(_) if path.as_os_str() == "-" => None,
        Err(_) => Some(0),
    };
    paths.iter().map(len).sum()
}

/// A run's results as they come in.
struct Reading<'a> {
    args: &'a Args,
    registry: &'a Registry,
    report: Box<dyn Report + 'a>,
    summary: Summary,
    outcome: Outcome,
    /// Inputs not read because of a signal.
    unread: u64,
    hidden: HiddenCounts,
    options: &'a Options,
    /// There is one capture only.
    sole: bool,
    /// Inputs that were found in directories.
    found: HashSet<PathBuf>,
}

impl Reading<'_> {
    /// Says why an input is no capture. What only lay in a directory is skipped.
    fn refuse(&mut self, path: &Path, error: &CaptureError) {
        if self.found.contains(path) && matches!(error.fault, Fault::NotACapture(_) | Fault::Empty) {
            self.summary.skipped += 1;
            return;
        }
        say(&error.to_string());
        if error.is_damage() {
            self.outcome.partial = true;
        } else {
            self.outcome.failed = true;
        }
    }

    fn take(&mut self, path: &Path, judged: Judged) -> io::Result<()> {
        let captured = match judged {
            Some(Ok(captured)) => captured,
            Some(Err(error)) => {
                self.refuse(path, &error);
                return Ok(());
            }
            None => {
                self.unread += 1;
                return Ok(());
            }
        };
        self.take_captured(captured)
    }

    fn take_captured(&mut self, captured: Captured) -> io::Result<()> {
        if self.args.output == Output::Jsonl || self.args.by == By::Flow {
            captured.records(self.registry).try_for_each(|flow| self.report.flow(&captured.name, &flow))?;
        }
        self.report.capture(&captured.name, &captured.rows, &captured.ipprotos)?;
        self.count(&captured);
        if self.sole {
            // The process ends soon, and its memory with it, which is quicker than to free it flow by flow.
            std::mem::forget(captured);
        }
        Ok(())
    }

    fn count(&mut self, captured: &Captured) {
        self.hidden.add(captured.hidden);
        self.outcome.found |= self.args.verdicts.reached(&captured.rows, self.args.min_band.map(Band::from));
        self.outcome.partial |= captured.interrupted;
        for fault in captured.fault.iter().chain(&captured.faults) {
            say(&fault.to_string());
            if fault.is_damage() {
                self.outcome.partial = true;
            } else {
                self.outcome.failed = true;
            }
        }
        add(&mut self.summary, captured);
        if captured.interrupted {
            let packets = counted(captured.counts.received, "packet");
            say(&format!("interrupted after {packets}; what was read is judged"));
        }
    }

    fn finish(mut self) -> io::Result<u8> {
        if self.unread > 0 {
            self.outcome.partial = true;
            say(&format!("interrupted; {} not read", counted(self.unread, "input")));
        }
        let nothing = self.summary.counts.classified == 0 && self.summary.counts.received > 0;
        let choice = self.args.choose.said(self.options);
        if nothing && !choice.is_empty() {
            say(&format!("0 packets matched {choice}"));
        }
        if self.summary.skipped > 0 {
            say(&format!("{} skipped: no captures", counted(self.summary.skipped, "file")));
        }
        if self.summary.counts.duplicates > 0 {
            let frames = counted(self.summary.counts.duplicates, "packet");
            say(&format!("{frames} seen again, on another interface or mirror port, and counted once in their flows"));
        }
        say_endpoint(self.summary.counts.decrypted);
        if let Some(hint) = choose::hint(self.hidden, self.options) {
            say(&hint);
        }
        if !self.summary.captures.is_empty() || self.args.output != Output::Table {
            self.report.finish(&self.summary)?;
        }
        Ok(self.outcome.code())
    }
}

/// Adds a capture to the summary.
fn add(summary: &mut Summary, captured: &Captured) {
    summary.captures.push(captured.name.clone());
    summary.counts.add(&captured.counts);
    summary.flows += captured.flows;
    summary.evicted += captured.evicted;
    summary.hurried += captured.hurried;
    summary.fragments.add(&captured.fragments);
    for (kind, opened) in &captured.tunnels {
        *summary.tunnels.entry(*kind).or_default() += opened;
    }
    summary.span = match (summary.span, captured.span) {
        (Some((first, last)), Some((other_first, other_last))) => Some((first.min(other_first), last.max(other_last))),
        (known, other) => known.or(other),
    };
}
