//! `portproof listen`: what listens on this machine, with the registry's claim and the lore beside it.

use super::exit;
use super::registry::store::{self, Loaded};
use super::text::{Screen, escape};
use super::values::{self, ColourArg, Output};
use crate::pipeline::PortSet;
use crate::process::{Listener, Snapshot};
use crate::registry::{Registry, lore};
use crate::report::listen::{self, Listening};
use crate::verdict::proto;
use std::io::{self, BufWriter, Write};

/// Arguments of `portproof listen`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Form of the output.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    /// Only these ports: 1194-1200,2797/udp.
    #[arg(long, value_name = "PORTS", value_parser = values::ports)]
    ports: Option<PortSet>,
    /// Colours.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourArg,
}

/// Lists what listens; the result is the exit code.
///
/// # Errors
/// Those of the output.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    let snapshot = match Snapshot::take() {
        Ok(snapshot) => snapshot,
        Err(error) => {
            eprintln!("portproof: {}", exit::plain(&error));
            return Ok(exit::FAILED);
        }
    };
    let Loaded { registry, warning, .. } = store::load();
    if let Some(warning) = warning {
        eprintln!("portproof: {warning}");
    }
    let wanted =
        |listener: &Listener| args.ports.as_ref().is_none_or(|ports| ports.contains(listener.port, listener.transport));
    let listeners: Vec<Listener> = snapshot.listeners().into_iter().filter(wanted).collect();
    let rows: Vec<Listening<'_>> = listeners.iter().map(|listener| row(listener, &registry)).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    match args.output {
        Output::Jsonl => listen::jsonl(&rows, false, &mut out)?,
        Output::Csv => listen::csv(&rows, false, &mut out)?,
        Output::Table => {
            listen::table(&rows, false, Screen::of_stdout_with(args.color.into()), &mut out)?;
            writeln!(out)?;
            if let Some(hidden) = listen::hidden(snapshot.hidden) {
                writeln!(out, "{hidden}")?;
            }
            writeln!(out, "Registry: IANA, {}. Lore is hearsay, not evidence.", escape(registry.date()))?;
        }
    }
    out.flush()?;
    Ok(0)
}

fn row<'a>(listener: &'a Listener, registry: &'a Registry) -> Listening<'a> {
    let proto = proto(listener.transport);
    Listening {
        listener,
        claim: registry.claim(listener.port, proto),
        lore: lore(listener.port, proto).collect(),
        seen: None,
    }
}
