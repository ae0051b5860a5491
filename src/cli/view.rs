//! `portproof watch`: the live run on the whole screen.
//!
//! The terminal is put back as it was whatever ends the run: the quit key, a signal, an error, a panic in any thread.

use super::common::say;
use super::confine::Confine;
use super::exit::{self, Failure, Outcome};
use super::live::{Capturing, MOST, Opened, Outside, Wishes, say_faults, summary, table};
use super::owners::{self, Owners};
use super::registry::store;
use super::text::Screen;
use super::values::ColourArg;
use crate::capture::live::Notice;
use crate::pipeline::{Board, Control, Event, Observer, watch_live};
use crate::report::{By, Style};
use crate::sandbox::Sockets;
use crate::verdict::FlowRecord;
use crate::view::{Model, Seen, draw};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event as Input, KeyEventKind};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{cursor, terminal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::{self, IsTerminal, Stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The exit code of a run that a second signal ended, as shells have it for SIGINT.
const ENDED_AT_ONCE: i32 = 130;

/// Arguments of `portproof watch`.
#[derive(Debug, clap::Args)]
#[command(after_help = "? shows the keys. At the end the rows and a summary are printed.\n\
Exit codes: 0 done; 2 usage, permission, or an interface that was deleted.")]
pub(super) struct Args {
    #[command(flatten)]
    capturing: Capturing,
    /// Say in the detail which process of this machine owns a flow's end. As for portproof live.
    #[arg(long)]
    process: bool,
    #[command(flatten)]
    confine: Confine,
    /// Colours.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourArg,
}

/// Captures, judges and shows until the end; the result is the exit code.
///
/// # Errors
/// Those of the terminal and of the output.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    exit::code(show(args))
}

fn show(args: &Args) -> Result<u8, Failure> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(Failure::Refused("watch needs a terminal; portproof live writes lines".to_owned()));
    }
    let notice: Arc<Mutex<Option<String>>> = Arc::default();
    let told = Arc::clone(&notice);
    let tell = move |text: &str| *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(text.to_owned());
    let registry = store::load().said();
    let wishes =
        Wishes { whole: false, process: args.process, metrics: None, confine: &args.confine, date: registry.date() };
    let opened = Opened::new(&args.capturing, &(Arc::new(tell) as Notice), &wishes)?;
    let control = Arc::new(Control::default());
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    // The first look for keys opens what the later ones need.
    event::poll(Duration::ZERO)?;
    // Signals, that of a new size among them, wake their thread through a socket pair.
    let begins = opened.confine(args.capturing.files(), Sockets::Serve)?;
    let stopping = Arc::clone(&control);
    let handle = signals.handle();
    let waiter = std::thread::Builder::new().name("signals".into()).spawn(move || {
        for _ in signals.forever() {
            if stopping.stopped() {
                // The second signal, or the first after the quit key: at once, but not without the terminal.
                restore();
                std::process::exit(ENDED_AT_ONCE);
            }
            stopping.stop();
        }
    })?;
    say(&begins);
    opened.outside.ready()?;
    let Opened { live, name, options, outside, owners, date, .. } = opened;
    let screen = Screen::of_stdout_with(args.color.into());
    let mut showing = Showing {
        full: FullScreen::enter()?,
        model: Model::new(&name, screen.colour),
        control: &control,
        start: Instant::now(),
        notice,
        outside,
        owners,
    };
    let watched = watch_live(live, &options, &registry, &control, None, &mut showing);
    showing.outside.stopping();
    drop(showing);
    handle.close();
    let _ = waiter.join();
    let mut watched = watched?;
    // The screen may have another size now.
    let screen = Screen::of_stdout_with(args.color.into());
    let style = Style { screen, by: By::Port, all: false, only: None, min_band: None, top: Some(MOST) };
    let summary = summary(&watched.board, &name, date);
    table(&mut watched.board, &summary, style, io::stdout().lock())?;
    let code = Outcome { failed: say_faults(&watched), ..Outcome::default() }.code();
    // As in a run without a screen.
    std::mem::forget(watched);
    Ok(code)
}

/// Whether the terminal is ours.
static ENTERED: AtomicBool = AtomicBool::new(false);

/// Puts the terminal back as it was. Does nothing if it is.
fn restore() {
    if ENTERED.swap(false, Ordering::SeqCst) {
        // Nothing can be done about a terminal that is gone.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// The terminal while it is ours.
struct FullScreen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl FullScreen {
    /// Takes the terminal. A panic anywhere gives it back before it is reported.
    fn enter() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        let entered =
            execute!(io::stdout(), EnterAlternateScreen, cursor::Hide, terminal::Clear(terminal::ClearType::All))
                .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        if entered.is_err() {
            restore();
        }
        Ok(Self { terminal: entered? })
    }
}

impl Drop for FullScreen {
    fn drop(&mut self) {
        restore();
    }
}

/// The run as it is shown.
struct Showing<'a> {
    full: FullScreen,
    model: Model,
    control: &'a Control,
    start: Instant,
    /// What the capture has to say.
    notice: Arc<Mutex<Option<String>>>,
    outside: Outside<'a>,
    owners: Owners,
}

impl Observer for Showing<'_> {
    fn flow(&mut self, _: &FlowRecord<'_>, _: Event) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, board: &mut Board<'_>) -> io::Result<()> {
        self.outside.tick(board);
        if self.control.stopped() {
            // What is left to do is not to be waited for with the screen taken.
            restore();
            return Ok(());
        }
        let mut changed = false;
        while event::poll(Duration::ZERO)? {
            changed = true;
            match event::read()? {
                Input::Key(key) if key.kind != KeyEventKind::Release && !self.model.key(key) => {
                    self.control.stop();
                    restore();
                    return Ok(());
                }
                _ => {}
            }
        }
        let at = self.start.elapsed();
        if self.model.is_due(at) {
            changed = true;
            self.model.notice = self.notice.lock().unwrap_or_else(PoisonError::into_inner).clone();
            self.model.update(&Seen {
                at,
                rows: board.rows(),
                counts: &board.taken.counts,
                open: board.flows_open() as u64,
                flows: board.flows(),
                evicted: board.evicted,
            });
        }
        if changed {
            self.model.show_detail(board.rows());
            if let Some(flow) = self.model.wanted_flow().and_then(|number| board.record(number)) {
                let process = self.owners.of(&flow).as_ref().map(owners::text);
                self.model.explain(&flow, process);
            }
            let model = &mut self.model;
            self.full.terminal.draw(|frame| draw::draw(model, frame))?;
        }
        Ok(())
    }
}
