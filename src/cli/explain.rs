//! `portproof explain`: everything that speaks for and against the verdict on a port or a flow.

mod evidence;
mod page;
mod rule;

use super::exit::{FAILED, Outcome};
use super::inputs::Run;
use super::registry::store;
use super::text::{Screen, escape};
use super::values::{self, ColourArg};
use super::watch::Watch;
use crate::packet::Transport;
use crate::pipeline::{Captured, Control, Options};
use crate::registry::Registry;
use crate::verdict::{FlowRecord, PortRow};
use page::Page;
use std::io::{self, BufWriter, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of `portproof explain`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Args {
    /// The capture; - is standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Explain the verdict on this port: 1197/udp.
    #[arg(long, value_name = "PORT", value_parser = values::port, group = "what")]
    port: Option<(u16, Option<Transport>)>,
    /// Explain the verdict on this flow, by the number that read --by flow and --output jsonl give.
    #[arg(long, value_name = "ID", group = "what")]
    flow: Option<u64>,
    /// Colours.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourArg,
}

/// Reads the capture and explains; the result is the exit code.
///
/// # Errors
/// Those of the output.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    let registry: &Registry = &store::load().said();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    // The whole capture is judged: the numbers of flows and who serves must be those of `read`.
    let options = Options { workers: cores.saturating_sub(1).max(1), exhaustive: true, ..Options::default() };
    let control = Arc::new(Control::default());
    let watch = Watch::start(&control, std::fs::metadata(&args.file).ok().map(|m| m.len()), true)?;
    let judged = Run { options: &options, registry, control: &control }.judge(&args.file);
    drop(watch);
    let captured = match judged {
        Some(Ok(captured)) => captured,
        Some(Err(error)) => {
            say(&error.to_string());
            return Ok(FAILED);
        }
        None => return Ok(Outcome { partial: true, ..Outcome::default() }.code()),
    };
    let mut outcome = Outcome { partial: captured.interrupted, ..Outcome::default() };
    if let Some(fault) = &captured.fault {
        say(&fault.to_string());
        outcome.partial |= fault.is_damage();
        outcome.failed |= !fault.is_damage();
    }
    let screen = Screen::of_stdout_with(args.color.into());
    let screen = Screen { width: screen.width.min(100), ..screen };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut page = Page::new(screen, registry, &captured.name, &mut out);
    outcome.failed |= !match (args.flow, args.port) {
        (Some(id), _) => flow(&captured, registry, id, &mut page)?,
        (None, Some((number, transport))) => port(&captured, registry, number, transport, &mut page)?,
        (None, None) => false,
    };
    out.flush()?;
    Ok(outcome.code())
}

/// Explains one flow; `false` if there is none with this number.
fn flow(captured: &Captured, registry: &Registry, id: u64, page: &mut Page<'_>) -> io::Result<bool> {
    let Some(record) = captured.records(registry).find(|flow| flow.id == id) else {
        say(&format!("{}: there is no flow {id}; its flows are 1 to {}", escape(&captured.name), captured.flows));
        return Ok(false);
    };
    page.flow(&record)?;
    Ok(true)
}

/// Explains a port by its best flow, then says what else there is; `false` if nothing serves there.
fn port(
    captured: &Captured,
    registry: &Registry,
    number: u16,
    transport: Option<Transport>,
    page: &mut Page<'_>,
) -> io::Result<bool> {
    let wanted = |row: &&PortRow| row.key.port == number && transport.is_none_or(|t| t == row.key.transport);
    let rows: Vec<&PortRow> = captured.rows.iter().filter(wanted).collect();
    let asked = transport.map_or_else(|| number.to_string(), |t| format!("{number}/{t}"));
    if rows.is_empty() {
        let here = |flow: &FlowRecord<'_>| flow.client.port == number && transport.is_none_or(|t| t == flow.transport);
        let client = captured.records(registry).find(here);
        let hint = client.map(|flow| format!("; a client used it: see --flow {}", flow.id)).unwrap_or_default();
        say(&format!("{}: nothing is served on {asked}{hint}", escape(&captured.name)));
        return Ok(false);
    }
    for (place, row) in rows.into_iter().enumerate() {
        if place > 0 {
            page.rule()?;
        }
        page.port(row)?;
        let best = row.shown().map(|(shown, _)| shown.best.flow);
        match captured.records(registry).find(|flow| Some(flow.id) == best) {
            Some(record) => page.flow(&record)?,
            None => page.forgotten()?,
        }
    }
    Ok(true)
}

fn say(text: &str) {
    // Nothing can be done about a standard error that is closed.
    let _ = writeln!(io::stderr(), "portproof: {text}");
}
