//! `portproof live`: interfaces in, a line for each new verdict out, the rows at the end.

mod args;
mod lines;
mod metrics;
mod notify;
mod out;
mod outside;
mod save;
mod start;
mod status;

pub(crate) use args::Capturing;
use lines::Lines;
use out::Out;
pub(crate) use outside::Outside;
use save::Saving;
pub(super) use start::{MOST, Opened, Wishes, say_faults, summary, table};
use status::Status;

use super::choose;
use super::common::{Verdicts, say, say_endpoint};
use super::confine::Confine;
use super::exit::{self, Failure, Outcome};
use super::interfaces;
use super::owners::{self, Owners};
use super::registry::store;
use super::text::Screen;
use super::values::{ColourArg, MinBand};
use super::watch::Watch;
use crate::capture::live::Notice;
use crate::cli::text::counted;
use crate::pipeline::{Board, Control, Event, Observer, Options, Watched, watch_live};
use crate::protocol::Band;
use crate::report::{By, Jsonl, Report, Style};
use crate::sandbox::Files;
use crate::verdict::{FlowRecord, Summary};
use clap::ValueEnum;
use signal_hook::consts::{SIGHUP, SIGUSR1};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often JSON Lines have a summary unless told otherwise.
const EVERY: i64 = 60_000_000_000;

/// Arguments of `portproof live`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Ends at SIGINT or SIGTERM, with the rows and a summary; a second signal ends at once.\n\
Exit codes: 0 done; 1 --fail-on; 2 usage, permission, or an interface that was deleted; 3 --strict-loss.")]
pub(super) struct Args {
    /// List the interfaces that can be captured on, as tcpdump -D does.
    #[arg(short = 'D', exclusive = true)]
    list: bool,
    #[command(flatten)]
    capturing: Capturing,
    #[command(flatten)]
    saving: Saving,
    #[command(flatten)]
    confine: Confine,
    /// Form of the output.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORM")]
    output: Form,
    /// Write to the end of this file; SIGHUP opens it anew.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Report what was seen so far this often: 10s, 5m. JSON Lines have a summary every 60s.
    #[arg(long, value_name = "TIME", value_parser = choose::period)]
    every: Option<i64>,
    /// Show every row, and a line also for what was too little to judge.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    verdicts: Verdicts,
    /// Leave out of --fail-on what was recognised less surely.
    #[arg(long, value_enum, value_name = "BAND")]
    min_band: Option<MinBand>,
    /// Exit with 3 if packets were lost.
    #[arg(long)]
    strict_loss: bool,
    /// Say which process of this machine owns a flow's end.
    ///
    /// A small process of its own looks, with CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE if there are such privileges.
    #[arg(long)]
    process: bool,
    /// Serve figures for Prometheus here, at /metrics: 127.0.0.1:9464; a port alone is one of the loopback address.
    #[arg(long, value_name = "ADDRESS", value_parser = metrics::address)]
    metrics: Option<SocketAddr>,
    /// Colours.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourArg,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line for each new verdict, and the rows at the end.
    #[default]
    Table,
    /// JSON Lines: an object for each change of a flow, summaries, and the rows at the end.
    Jsonl,
}

/// Captures and judges until the end; the result is the exit code.
///
/// # Errors
/// Those of the output.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    if args.list { interfaces::run() } else { exit::code(watch(args)) }
}

fn watch(args: &Args) -> Result<u8, Failure> {
    let registry = store::load().said();
    let wishes = Wishes {
        whole: args.saving.wanted().is_some(),
        process: args.process,
        metrics: args.metrics,
        confine: &args.confine,
        date: registry.date(),
    };
    let opened = Opened::new(&args.capturing, &(Arc::new(say) as Notice), &wishes)?;
    let begins = opened.confine(args.files(), opened.outside.sockets())?;
    // The outputs are made by the user that the process is now, as those that follow them will be.
    let keeping = args.saving.begin()?;
    let out = Out::open(args.out.as_deref())?;
    let control = Arc::new(Control::default());
    let [hang_up, report] = [SIGHUP, SIGUSR1].map(raised);
    let (hang_up, report) = (hang_up?, report?);
    let watch = Watch::start(&control, None, false)?;
    say(&begins);
    opened.outside.ready()?;
    let Opened { live, name, options, outside, owners, date, .. } = opened;
    let options = Options { keep: args.saving.wanted(), ..options };
    let mut showing = Showing {
        args,
        control: &control,
        options: &options,
        name: &name,
        date,
        lines: Lines::new(args.all, args.screen()),
        jsonl: Jsonl::new(io::BufWriter::with_capacity(1 << 16, out.clone()), args.verdicts.only()),
        out,
        every: args
            .every
            .or((args.output == Form::Jsonl).then_some(EVERY))
            .map(|every| Duration::from_nanos(every.unsigned_abs())),
        reported: Instant::now(),
        status: Status::new(),
        outside,
        owners,
        hang_up,
        asked: report,
        failed: false,
    };
    let watched = watch_live(live, &options, &registry, &control, keeping, &mut showing);
    showing.status.clear();
    showing.outside.stopping();
    let mut watched = watched?;
    let code = showing.finish(&mut watched)?;
    drop(watch);
    // The process ends. To give back each of a hundred thousand pieces of memory before would take longer than all else.
    std::mem::forget(watched);
    Ok(code)
}

impl Args {
    fn screen(&self) -> Screen {
        match self.out {
            None => Screen::of_stdout_with(self.color.into()),
            Some(_) => Screen { colour: self.color == ColourArg::Always, ..Screen::PLAIN },
        }
    }

    /// The files that are read and written while the capture runs.
    fn files(&self) -> Files {
        let out = self.out.as_deref().and_then(Path::parent).map(|parent| match parent.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => parent.to_owned(),
        });
        Files { write: self.saving.directory().into_iter().chain(out).collect(), ..self.capturing.files() }
    }
}

/// A flag that the signal raises.
fn raised(signal: i32) -> io::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal, Arc::clone(&flag))?;
    Ok(flag)
}

/// What is shown while the run goes on.
struct Showing<'a> {
    args: &'a Args,
    control: &'a Control,
    options: &'a Options,
    name: &'a str,
    date: &'a str,
    lines: Lines,
    jsonl: Jsonl<io::BufWriter<Out>>,
    out: Out,
    every: Option<Duration>,
    reported: Instant,
    status: Status,
    outside: Outside<'a>,
    owners: Owners,
    /// SIGHUP came: outputs are to be opened anew.
    hang_up: Arc<AtomicBool>,
    /// SIGUSR1 came: somebody wants to know.
    asked: Arc<AtomicBool>,
    /// Packets could not be saved, which was said.
    failed: bool,
}

impl Observer for Showing<'_> {
    fn flow(&mut self, flow: &FlowRecord<'_>, event: Event) -> io::Result<()> {
        match self.args.output {
            Form::Jsonl => {
                let process = self.owners.of(flow);
                self.jsonl.event(self.name, flow, event.name(), process.as_ref())
            }
            Form::Table if self.args.verdicts.shows(flow.judgement.verdict) => {
                if self.out.is_stdout() {
                    self.status.clear();
                }
                let owner = || self.owners.of(flow).as_ref().map(owners::text);
                self.lines.flow(flow, owner, &mut self.out)
            }
            Form::Table => Ok(()),
        }
    }

    fn tick(&mut self, board: &mut Board<'_>) -> io::Result<()> {
        if self.hang_up.swap(false, Ordering::Relaxed) {
            self.out.reopen()?;
            if let Some(keeping) = &mut board.keeping {
                keeping.reopen();
            }
        }
        self.complain(board);
        if self.asked.swap(false, Ordering::Relaxed) {
            self.status.clear();
            self.report(board, true)?;
        }
        if self.every.is_some_and(|every| self.reported.elapsed() >= every) {
            self.reported = Instant::now();
            self.status.clear();
            self.report(board, true)?;
        }
        self.status.draw(board);
        self.outside.tick(board);
        Ok(())
    }
}

impl Showing<'_> {
    /// Says once that packets can no longer be saved.
    fn complain(&mut self, board: &Board<'_>) {
        let error = board.keeping.as_ref().and_then(|keeping| keeping.failed.as_ref());
        if let Some(error) = error.filter(|_| !std::mem::replace(&mut self.failed, error.is_some())) {
            let name = self.args.saving.name().unwrap_or_default();
            say(&format!("{name}: {}; no more packets are saved", exit::plain(error)));
        }
    }

    /// The rows so far and a summary; of JSON Lines, on the way, the summary only.
    fn report(&mut self, board: &mut Board<'_>, so_far: bool) -> io::Result<()> {
        let mut summary = Summary { so_far, ..summary(board, self.name, self.date) };
        match self.args.output {
            Form::Jsonl => {
                if !so_far {
                    // Packets may have been saved until now.
                    let (begun, filing) = (Instant::now(), self.options.filing);
                    let time = || !self.control.is_past(self.options, 3) || begun.elapsed() < filing;
                    summary.left.ports = self.jsonl.rows(self.name, board.rows(), time)?;
                    self.jsonl.ipprotos(self.name, &board.taken.ipprotos)?;
                }
                self.jsonl.finish(&summary)
            }
            Form::Table => {
                let style = Style {
                    screen: self.args.screen(),
                    by: By::Port,
                    all: self.args.all,
                    only: self.args.verdicts.only(),
                    min_band: None,
                    top: (!self.args.all).then_some(MOST),
                };
                writeln!(self.out)?;
                table(board, &summary, style, self.out.clone())?;
                if so_far { writeln!(self.out) } else { Ok(()) }
            }
        }
    }

    /// The end: rows, summary, exit code.
    fn finish(mut self, watched: &mut Watched<'_>) -> io::Result<u8> {
        let counts = watched.board.taken.counts;
        self.report(&mut watched.board, false)?;
        say_endpoint(counts.decrypted);
        self.complain(&watched.board);
        if let (Some(keeping), Some(name)) = (&watched.board.keeping, self.args.saving.name()) {
            let missing = match keeping.overflowed {
                0 => String::new(),
                some => format!("; {} could not be held (--hold)", counted(some, "packet")),
            };
            say(&format!("{} saved to {name}{missing}", counted(keeping.saved, "packet")));
        }
        let faulty = say_faults(watched);
        let lost = counts.dropped_kernel + counts.dropped_interface + counts.dropped_queue > 0;
        let outcome = Outcome {
            failed: faulty || self.failed,
            found: self.args.verdicts.reached(watched.board.rows(), self.args.min_band.map(Band::from)),
            partial: self.args.strict_loss && lost,
        };
        Ok(outcome.code())
    }
}
