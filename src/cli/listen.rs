//! `portproof listen`: what listens on this machine, with the registry's claim and the lore beside it.

use super::choose;
use super::common::say;
use super::confine::Confine;
use super::exit::{self, Failure};
use super::live::{Capturing, say_faults};
use super::registry::store;
use super::text::{Screen, escape};
use super::values::{self, ColourArg, Output};
use super::watch::Watch;
use crate::capture::live::Notice;
use crate::capture::live::interfaces;
use crate::packet::Ip;
use crate::pipeline::{Board, Control, Event, Observer, Options, PortSet, watch_live};
use crate::process::{Listener, Snapshot};
use crate::registry::{Registry, lore};
use crate::report::listen::{self, Listening};
use crate::report::when;
use crate::sandbox::Sockets;
use crate::verdict::{FlowRecord, RowKey, Rows, proto};
use std::collections::HashSet;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

/// Arguments of `portproof listen`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Form of the output.
    #[arg(long, short = 'o', value_enum, default_value_t, value_name = "FORM")]
    output: Output,
    /// Only these ports: 1194-1200,2797/udp.
    #[arg(long, value_name = "PORTS", value_parser = values::ports)]
    ports: Option<PortSet>,
    /// Look at the traffic for this long, and say what each port speaks: 30s, 5m.
    #[arg(long, value_name = "TIME", value_parser = choose::period)]
    observe: Option<i64>,
    /// Interfaces to look at.
    #[arg(short = 'i', long = "interface", value_name = "NAMES", value_delimiter = ',', default_value = "any")]
    interfaces: Vec<String>,
    #[command(flatten)]
    confine: Confine,
    /// Colours.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: ColourArg,
}

/// Lists what listens; the result is the exit code.
///
/// # Errors
/// Those of the output.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    exit::code(list(args))
}

fn list(args: &Args) -> Result<u8, Failure> {
    let snapshot = Snapshot::take().map_err(|error| exit::plain(&error))?;
    let registry = store::load().said();
    let wanted =
        |listener: &Listener| args.ports.as_ref().is_none_or(|ports| ports.contains(listener.port, listener.transport));
    let listeners: Vec<Listener> = snapshot.listeners().into_iter().filter(wanted).collect();
    let seen = args.observe.map(|time| args.look(time, &listeners, &registry)).transpose()?;
    let rows: Vec<Listening<'_>> = listeners.iter().map(|listener| row(listener, &registry, seen.as_ref())).collect();
    let mut out = BufWriter::new(io::stdout().lock());
    let watched = seen.is_some();
    match args.output {
        Output::Jsonl => listen::jsonl(&rows, watched, &mut out)?,
        Output::Csv => listen::csv(&rows, watched, &mut out)?,
        Output::Table => {
            listen::table(&rows, watched, Screen::of_stdout_with(args.color.into()), &mut out)?;
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

impl Args {
    /// Captures on those ports for `time` nanoseconds, or until a signal; gives the rows of this machine's own addresses.
    fn look(&self, time: i64, listeners: &[Listener], registry: &Registry) -> Result<Rows, Failure> {
        let of = |listener: &Listener| (listener.port, listener.port, Some(listener.transport));
        let ports = PortSet { ranges: listeners.iter().map(of).collect() };
        let capturing = Capturing::of_ports(&self.interfaces, ports, time);
        let live = capturing.open(false, &(Arc::new(say) as Notice))?;
        // Later, confined, nobody can be asked for them any more.
        let own: HashSet<Ip> = interfaces()?.into_iter().flat_map(|i| i.addresses).map(Ip::from).collect();
        let confined = self.confine.enforce(capturing.files(), Sockets::Capture)?;
        let control = Arc::new(Control::default());
        let options = Options { by_endpoint: true, ..capturing.options() };
        let _watch = Watch::start(&control, None, false)?;
        say(&format!("looking at {} for {}; {confined}", capturing.name(), when::duration(time)));
        let watched = watch_live(live, &options, registry, &control, None, &mut Silent)?;
        say_faults(&watched);
        Ok(watched.board.rows().clone().by_port(|ip| own.contains(&ip) || ip.is_multicast()))
    }
}

/// Waits for the end.
struct Silent;

impl Observer for Silent {
    fn flow(&mut self, _: &FlowRecord<'_>, _: Event) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, _: &mut Board<'_>) -> io::Result<()> {
        Ok(())
    }
}

fn row<'a>(listener: &'a Listener, registry: &'a Registry, seen: Option<&'a Rows>) -> Listening<'a> {
    let proto = proto(listener.transport);
    let key = RowKey { port: listener.port, transport: listener.transport, server: None };
    Listening {
        listener,
        claim: registry.claim(listener.port, proto),
        lore: lore(listener.port, proto).collect(),
        seen: seen.and_then(|rows| rows.get(key)),
    }
}
