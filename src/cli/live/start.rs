//! How a live run begins: what takes privileges is opened, then the process is confined.

use super::{Capturing, Outside};
use crate::capture::live::{Live, Notice};
use crate::cli::common::say;
use crate::cli::confine::Confine;
use crate::cli::owners::Owners;
use crate::pipeline::{Board, Options, Watched};
use crate::report::{Report, Style, Table};
use crate::sandbox::{Files, Sockets};
use crate::verdict::Summary;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::SocketAddr;

/// Rows of the last table at most, unless all are asked for.
pub(crate) const MOST: usize = 1000;

/// What is open before the process is confined.
pub(crate) struct Opened<'a> {
    pub(crate) live: Vec<Live>,
    /// The interfaces, as they are named in the output.
    pub(crate) name: String,
    pub(crate) options: Options,
    pub(crate) outside: Outside<'a>,
    pub(crate) owners: Owners,
    /// The registry's date.
    pub(crate) date: &'a str,
    confine: &'a Confine,
}

/// What is to be opened beside the capture.
pub(crate) struct Wishes<'a> {
    /// Capture whole frames, since they are saved.
    pub(crate) whole: bool,
    /// Say whose a flow is.
    pub(crate) process: bool,
    /// Serve figures here.
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) confine: &'a Confine,
    /// The registry's date.
    pub(crate) date: &'a str,
}

impl<'a> Opened<'a> {
    /// Begins the capture and opens the rest.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn new(capturing: &Capturing, notice: &Notice, wishes: &Wishes<'a>) -> Result<Self, String> {
        let &Wishes { whole, process, metrics, confine, date } = wishes;
        let (live, options) = (capturing.open(whole, notice)?, capturing.options());
        let outside = Outside::start(metrics, options.max_flows, date)?;
        let owners = Owners::start(process, confine)?;
        Ok(Self { live, name: capturing.name(), options, outside, owners, date, confine })
    }

    /// Confines the process, and gives the line for the start. To be called before the first thread starts, since only
    /// those that start later are confined, too.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn confine(&self, files: Files, sockets: Sockets) -> Result<String, String> {
        let confined = self.confine.enforce(files, sockets)?;
        Ok(format!("capturing on {}{}{}; {confined}", self.name, self.outside.said(), self.owners.said()))
    }
}

/// What a run on the interfaces of this name has come to, judged by the registry of this date.
pub(crate) fn summary(board: &Board<'_>, name: &str, date: &str) -> Summary {
    let taken = &board.taken;
    Summary {
        registry: date.to_owned(),
        captures: vec![name.to_owned()],
        counts: taken.counts,
        flows: board.flows(),
        evicted: board.evicted,
        hurried: board.hurried,
        left: board.left,
        fragments: taken.fragments,
        tunnels: taken.tunnels.clone(),
        span: taken.span,
        live: true,
        ..Summary::default()
    }
}

/// Writes the rows and their summary as a table.
///
/// # Errors
/// Those of `out`.
pub(crate) fn table(board: &mut Board<'_>, summary: &Summary, style: Style, out: impl Write) -> io::Result<()> {
    let mut table = Table::new(io::BufWriter::new(out), style);
    // After a scan they are many, and a copy would take its time.
    table.take(std::mem::take(board.rows_mut()), &board.taken.ipprotos);
    table.finish(summary)?;
    *board.rows_mut() = table.into_rows();
    Ok(())
}

/// Says what ended the capture, or parts of it; whether there is anything to say.
pub(crate) fn say_faults(watched: &Watched<'_>) -> bool {
    // Each capture thread has its own, of the same interfaces.
    let faults: BTreeSet<String> = watched.faults.iter().map(ToString::to_string).collect();
    faults.iter().for_each(|fault| say(fault));
    !faults.is_empty()
}
