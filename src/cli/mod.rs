//! Arguments and subcommands: clap types, one file per subcommand.

pub mod port;
pub mod registry;
pub mod text;

use clap::{Parser, Subcommand};

/// Says what the traffic on a port really speaks, and whether that matches IANA's registry.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say what the registry claims of ports or services, and whether traffic could ever confirm it.
    Port(port::Args),
    /// Show, update, compare or reset the registry in use.
    Registry(registry::Args),
}
