//! Who owns a flow, asked of a helper: both ends of the pipe between them, and what the helper may still do.
//!
//! `--process` starts the helper before anything is confined. It keeps the two capabilities without which the descriptors
//! of other users' processes cannot be read, and no others; it opens files for reading only, and starts nothing.

use super::common::say;
use super::confine;
use super::exit;
use crate::process::helper::{self, Attribution, Helper, Side};
use crate::report::listen::owner;
use crate::sandbox;
use crate::verdict::FlowRecord;
use std::io;

/// Arguments of the hidden subcommand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The user to become, if started as root.
    #[arg(long, default_value = "nobody")]
    user: String,
    /// Keep user and privileges.
    #[arg(long)]
    no_sandbox: bool,
    /// End at a forbidden system call, instead of refusing it.
    #[arg(long)]
    kill: bool,
}

/// Gives up what is not needed and answers until the input ends.
///
/// # Errors
/// Those of the pipes.
pub(super) fn run(args: &Args) -> io::Result<u8> {
    if !args.no_sandbox
        && let Err(text) = sandbox::attribution(&args.user, args.kill)
    {
        say(&format!("the helper of --process: {text}"));
        return Ok(exit::FAILED);
    }
    helper::serve(io::stdin().lock(), io::stdout().lock()).map(|()| 0)
}

/// Who is asked for the processes of flows; nobody without `--process`.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    helper: Option<Helper>,
    /// It sees the processes of all users.
    all: bool,
}

impl Owners {
    /// Starts the helper, if it is `wanted`. To be called before the process is confined.
    ///
    /// # Errors
    /// In words for the user.
    pub(crate) fn start(wanted: bool, confine: &confine::Confine) -> Result<Self, String> {
        if !wanted {
            return Ok(Self::default());
        }
        let program = std::env::current_exe().map_err(|error| format!("--process: {}", exit::plain(&error)))?;
        let arguments = confine.for_helper();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let helper = Helper::start(&program, &arguments);
        helper
            .map(|helper| Self { helper: Some(helper), all: sandbox::sees_all_processes() })
            .map_err(|error| format!("--process: {}", exit::plain(&error)))
    }

    /// What is to be said at the start.
    pub(crate) fn said(&self) -> &'static str {
        match (&self.helper, self.all) {
            (None, _) => "",
            (Some(_), true) => ", processes from a helper that keeps CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE",
            (Some(_), false) => ", processes of this user only (all takes CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE)",
        }
    }

    /// Who owns the flow on this machine.
    pub(crate) fn of(&mut self, flow: &FlowRecord<'_>) -> Option<Attribution> {
        self.helper.as_mut()?.ask(flow.transport, flow.server, flow.client)
    }
}

/// "openvpn[812]", "as client curl[99]", "nginx[9] +3".
pub(crate) fn text(attribution: &Attribution) -> String {
    let side = if attribution.side == Side::Client { "client " } else { "" };
    let first = attribution.owners.first().map(owner).unwrap_or_default();
    match attribution.owners.len() {
        0 | 1 => format!("{side}{first}"),
        several => format!("{side}{first} +{}", several - 1),
    }
}
