//! Arguments that several subcommands have, and lines for the user.

use super::choose::TunnelArg;
use super::text::counted;
use super::values;
use crate::pipeline::{Network, Options, PortSet};
use crate::protocol::Band;
use crate::verdict::{Rows, Verdict};
use std::io::{self, IsTerminal, Write};

/// Arguments about verdicts.
#[derive(Debug, clap::Args)]
pub(super) struct Verdicts {
    /// Show only these verdicts: mismatch,contradicted.
    #[arg(long, value_name = "VERDICTS", value_delimiter = ',', value_parser = values::verdict)]
    only: Vec<Verdict>,
    /// Exit with 1 if one of these verdicts was reached.
    ///
    /// What was recognised counts from band confident, unless --min-band says otherwise.
    #[arg(long, value_name = "VERDICTS", value_delimiter = ',', value_parser = values::verdict)]
    fail_on: Vec<Verdict>,
}

impl Verdicts {
    /// The verdicts to be shown; `None`: all.
    pub(super) fn only(&self) -> Option<Vec<Verdict>> {
        (!self.only.is_empty()).then(|| self.only.clone())
    }

    /// Whether this verdict is to be shown.
    pub(super) fn shows(&self, verdict: Verdict) -> bool {
        self.only.is_empty() || self.only.contains(&verdict)
    }

    /// Whether a verdict of `--fail-on` was reached. What was recognised counts from `floor` on; the rest has no band.
    pub(super) fn reached(&self, rows: &Rows, floor: Option<Band>) -> bool {
        let floor = floor.unwrap_or(Band::Confident);
        let named = |verdict| matches!(verdict, Verdict::Mismatch | Verdict::Unregistered | Verdict::Match);
        rows.iter()
            .flat_map(|row| &row.observed)
            .any(|o| self.fail_on.contains(&o.verdict) && (!named(o.verdict) || o.band >= Some(floor)))
    }
}

/// Arguments that choose packets by what they carry.
#[derive(Debug, clap::Args)]
pub(super) struct Packets {
    /// Judge only the packets from or to these ports: 1194-1200,2797/udp.
    #[arg(help_heading = "Choosing", long, value_name = "PORTS", value_parser = values::ports)]
    pub(super) ports: Option<PortSet>,
    /// Judge only the packets from or to these addresses; may be repeated.
    #[arg(help_heading = "Choosing", long = "host", value_name = "CIDR")]
    pub(super) hosts: Vec<Network>,
    /// Which layers of tunnelled packets are judged.
    #[arg(help_heading = "Choosing", long, value_enum, value_name = "LAYERS", default_value_t)]
    pub(super) tunnel: TunnelArg,
}

impl Packets {
    /// Sets the options of a run.
    pub(super) fn apply(&self, options: &mut Options) {
        options.ports.clone_from(&self.ports);
        options.hosts.clone_from(&self.hosts);
        options.tunnels = self.tunnel.into();
    }
}

/// Says that the capture was made where IPsec ends, if packets were seen as ESP and decrypted.
pub(super) fn say_endpoint(decrypted: u64) {
    if decrypted > 0 {
        let packets = counted(decrypted, "packet");
        say(&format!("{packets} seen twice, as ESP and decrypted: the capture was made on an IPsec endpoint"));
    }
}

/// One line on standard error, in place of the progress.
pub(super) fn say(text: &str) {
    // Nothing can be done about a standard error that is closed.
    let clear = if io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
    let _ = writeln!(io::stderr(), "{clear}portproof: {text}");
}
