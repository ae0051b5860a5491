//! `portproof registry`: show, update, compare and reset the registry in use.

pub mod store;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::text::{escape, fold};
use crate::registry::diff::{Change, Diff, Key, diff};
use crate::registry::import::{self, MAX_BYTES};
use crate::registry::{Registry, State, claims, encode, lore};
use store::{Loaded, Origin};

/// Arguments of `portproof registry`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show which registry is in use, of what day, and what it holds.
    Info,
    /// Use another snapshot: IANA's service-names-port-numbers.csv or .xml.
    Update {
        /// The file.
        file: PathBuf,
        /// Take it although it is older than the one in use.
        #[arg(long)]
        allow_older: bool,
    },
    /// Show what differs between the registry in use and a file.
    Diff {
        /// The file.
        file: PathBuf,
    },
    /// Use the registry that came with the program again.
    Reset,
}

/// Does it; the result is the exit code: 2 if a file is refused or cannot be read or written.
///
/// # Errors
/// Those of `out`.
pub fn run(args: &Args, out: &mut dyn Write) -> io::Result<u8> {
    let dir = store::data_dir();
    let outcome = match &args.action {
        Action::Info => info(dir.as_deref(), out)?,
        Action::Update { file, allow_older } => update(dir.as_deref(), file, *allow_older, out)?,
        Action::Diff { file } => compare(dir.as_deref(), file, out)?,
        Action::Reset => reset(dir.as_deref(), out)?,
    };
    match outcome {
        Ok(()) => Ok(0),
        Err(reason) => {
            writeln!(io::stderr(), "portproof: {reason}")?;
            Ok(2)
        }
    }
}

/// What was done, or why not.
type Outcome = Result<(), String>;

fn info(dir: Option<&Path>, out: &mut dyn Write) -> io::Result<Outcome> {
    let Loaded { registry, origin, warning } = store::load_from(dir);
    if let Some(warning) = warning {
        writeln!(io::stderr(), "portproof: {warning}")?;
    }
    let origin = match origin {
        Origin::Embedded => "the one that came with the program".to_owned(),
        Origin::User(path) => escape(&path.display().to_string()).into_owned(),
    };
    let named = |port: bool| registry.all().filter(|row| !row.name.is_empty() && row.ports.is_some() == port).count();
    let digest: String = registry.source_sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    writeln!(out, "In use      {origin}")?;
    writeln!(out, "Snapshot    IANA, {}", escape(registry.date()))?;
    writeln!(out, "Source      {} rows, SHA-256 {digest}", registry.source_rows())?;
    writeln!(out, "Services    {} with a port, {} without (transports merged)", named(true), named(false))?;
    let ports = (0..=u16::MAX).filter(|port| registry.rows(*port).any(|row| row.state == State::Assigned));
    writeln!(out, "Assigned    {} of 49152 ports, on any transport", ports.count())?;
    writeln!(out, "Claims      {} services with protocols that satisfy them", claims::all().len())?;
    writeln!(out, "Lore        {} entries", lore::all().len())?;
    Ok(Ok(()))
}

fn update(dir: Option<&Path>, file: &Path, allow_older: bool, out: &mut dyn Write) -> io::Result<Outcome> {
    let Some(dir) = dir else {
        return Ok(Err("neither XDG_DATA_HOME nor HOME says where to keep a registry".to_owned()));
    };
    let new = match read(file) {
        Ok(new) => new,
        Err(reason) => return Ok(Err(reason)),
    };
    let Loaded { registry: old, .. } = store::load_from(Some(dir));
    let (old_date, new_date) = (old.date(), new.date());
    let name = escape(&file.display().to_string()).into_owned();
    if new_date < old_date && !allow_older {
        let reason =
            format!("{name}: of {new_date}, older than the registry in use ({old_date}); --allow-older takes it");
        return Ok(Err(reason));
    }
    if new.as_bytes() == old.as_bytes() {
        writeln!(out, "{name} is the registry in use ({old_date}).")?;
        return Ok(Ok(()));
    }
    summary(&diff(&old, &new), 20, out)?;
    match store::save(dir, &new, new_date < Registry::embedded().date()) {
        Ok(path) => {
            let path = path.display().to_string();
            writeln!(out, "The registry in use is now of {new_date} (was {old_date}): {}", escape(&path))?;
            Ok(Ok(()))
        }
        Err(err) => Ok(Err(format!("{}: cannot keep the registry: {err}", escape(&dir.display().to_string())))),
    }
}

fn compare(dir: Option<&Path>, file: &Path, out: &mut dyn Write) -> io::Result<Outcome> {
    let new = match read(file) {
        Ok(new) => new,
        Err(reason) => return Ok(Err(reason)),
    };
    let Loaded { registry: old, warning, .. } = store::load_from(dir);
    if let Some(warning) = warning {
        writeln!(io::stderr(), "portproof: {warning}")?;
    }
    writeln!(out, "From {} (in use) to {}:", escape(old.date()), escape(new.date()))?;
    summary(&diff(&old, &new), usize::MAX, out)?;
    Ok(Ok(()))
}

fn reset(dir: Option<&Path>, out: &mut dyn Write) -> io::Result<Outcome> {
    let removed = dir.map_or(Ok(false), store::remove);
    match removed {
        Ok(true) => writeln!(out, "The registry in use is again the one of {}.", Registry::embedded().date())?,
        Ok(false) => {
            writeln!(out, "There was nothing to reset: the registry of {} is in use.", Registry::embedded().date())?
        }
        Err(err) => return Ok(Err(format!("cannot remove the updated registry: {err}"))),
    }
    Ok(Ok(()))
}

/// Reads and checks a file; a refusal names it and the line.
fn read(file: &Path) -> Result<Registry, String> {
    let name = escape(&file.display().to_string()).into_owned();
    let mut bytes = Vec::new();
    // One byte more than is taken, so that a larger file is seen to be larger.
    let taken = File::open(file).and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    taken.map_err(|err| format!("{name}: {err}"))?;
    let snapshot = import::read(&bytes).map_err(|refusal| match refusal.line {
        Some(line) => format!("{name}:{line}: refused: {}", escape(&refusal.reason)),
        None => format!("{name}: refused: {}", escape(&refusal.reason)),
    })?;
    let compact = encode::encode(&snapshot).ok_or_else(|| format!("{name}: refused: more than 65536 rows"))?;
    Registry::from_bytes(compact.into()).ok_or_else(|| format!("{name}: refused: it has no readable date"))
}

/// The differences: counts, then at most `most` of them.
fn summary(diff: &Diff<'_>, most: usize, out: &mut dyn Write) -> io::Result<()> {
    let count = |wanted: fn(&Change<'_>) -> bool| diff.changes.iter().filter(|change| wanted(change)).count();
    for change in diff.changes.iter().take(most) {
        match change {
            Change::Added(key, description) => writeln!(out, "+ {}  {}", label(key), fold(description))?,
            Change::Removed(key, description) => writeln!(out, "- {}  {}", label(key), fold(description))?,
            Change::Changed(key, field, old, new) => {
                let (old, new) = (fold(old), fold(new));
                writeln!(out, "~ {}  {field}: \"{old}\" is now \"{new}\"", label(key))?;
            }
        }
    }
    if diff.changes.len() > most {
        writeln!(out, "  and {} more (portproof registry diff shows all)", diff.changes.len() - most)?;
    }
    writeln!(
        out,
        "{} added, {} removed, {} fields changed; {} rows of unassigned or reserved ports differ.",
        count(|change| matches!(change, Change::Added(..))),
        count(|change| matches!(change, Change::Removed(..))),
        count(|change| matches!(change, Change::Changed(..))),
        diff.states
    )
}

/// "1197/udp carrius-rshell", "6000-6063/tcp x11", "jmap/tcp" (without a port).
fn label(key: &Key<'_>) -> String {
    let transport = if key.transport.is_empty() { String::new() } else { format!("/{}", key.transport) };
    let name = escape(key.name);
    match key.ports {
        None => format!("{name}{transport} (no port)"),
        Some((first, last)) if first == last => format!("{first}{transport} {name}"),
        Some((first, last)) => format!("{first}-{last}{transport} {name}"),
    }
}
