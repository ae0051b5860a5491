//! Arguments and subcommands: clap types, one file per subcommand.

mod choose;
mod common;
#[cfg(target_os = "linux")]
mod confine;
mod exit;
mod expand;
mod explain;
mod inputs;
#[cfg(target_os = "linux")]
mod interfaces;
#[cfg(target_os = "linux")]
mod listen;
#[cfg(target_os = "linux")]
mod live;
mod out;
#[cfg(target_os = "linux")]
mod owners;
pub mod port;
mod read;
pub mod registry;
pub(crate) use crate::report::text;
mod values;
#[cfg(target_os = "linux")]
mod view;
mod watch;

use clap::{Parser, Subcommand};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

/// Says what the traffic on a port really speaks, and whether that matches IANA's registry.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXAMPLES, after_long_help = LONG)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Judge capture files: one row per port, with what it speaks and whether that matches the registry.
    Read(Box<read::Args>),
    /// Judge the traffic of network interfaces while it flows.
    #[cfg(target_os = "linux")]
    Live(Box<live::Args>),
    /// Watch the traffic of network interfaces on the whole screen.
    #[cfg(target_os = "linux")]
    Watch(Box<view::Args>),
    /// List the network interfaces that can be captured on.
    #[cfg(target_os = "linux")]
    #[command(short_flag = 'D')]
    Interfaces,
    /// Say why: everything that speaks for and against the verdict on a port or a flow.
    Explain(explain::Args),
    /// Say what the registry claims of ports or services, and whether traffic could ever confirm it.
    Port(port::Args),
    /// Say what listens on this machine: who holds each port, and what the registry claims of it.
    #[cfg(target_os = "linux")]
    Listen(listen::Args),
    /// Show, update, compare or reset the registry in use.
    Registry(registry::Args),
    /// Answer questions about who owns a flow; for the program itself.
    #[cfg(target_os = "linux")]
    #[command(name = crate::process::helper::SUBCOMMAND, hide = true)]
    OwnerHelper(owners::Args),
}

const EXAMPLES: &str = "\
Examples:
  portproof read trace.pcap
  portproof explain trace.pcap --port 1197/udp
  portproof live -i eth0
  portproof port 1197 2797/udp";

const LONG: &str = "\
Examples:
  portproof read trace.pcap
      one row per port: what it speaks, and whether that matches the registry
  portproof explain trace.pcap --port 1197/udp
      why: the evidence with its weights and frames, and how the verdict follows
  portproof read --fail-on mismatch --ports 1194-1200 *.pcap
      exit code 1 if one of these ports speaks something it should not
  portproof read trace.pcap udp port 1197
      only the frames that tcpdump would take
  ssh host tcpdump -U -w - | portproof read - --every 10s
      as the packets come, the rows so far
  portproof read --output jsonl trace.pcap | jq 'select(.type == \"flow\")'
      every flow with its evidence
  portproof live -i eth0 --ports 1194-1200 not host 10.0.0.9
      the same while packets flow: a line for each new verdict, the rows at the end
  portproof watch -i eth0
      the rows on the whole screen, as they change
  portproof listen
      who listens on which port of this machine, and what the registry claims of it
  portproof port 1197 2797/udp esp-encap
      what the registry claims, no capture needed

Verdicts:
  mismatch      recognised, and the port is assigned to something it cannot be
  contradicted  not recognised, but everything that would satisfy the claim is excluded
  unregistered  recognised, on a port that is assigned to nothing on this transport
  unverifiable  neither confirmed nor refuted
  match         recognised, and satisfies the claim
  insufficient  too little was seen to judge: no answer, no payload, keepalives only

What a port speaks is told by the bytes alone, never by the port number.

Exit codes:
  0  done
  1  a verdict named with --fail-on was reached
  2  usage, permission, I/O, or an input that is no capture (all other inputs are still judged)
  3  done, but an input was damaged, cut, or interrupted; what could be read was judged";

/// Runs the program: arguments, subcommand, exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Read(args) => read::run(args),
        #[cfg(target_os = "linux")]
        Command::Live(args) => live::run(args),
        #[cfg(target_os = "linux")]
        Command::Watch(args) => view::run(args),
        #[cfg(target_os = "linux")]
        Command::Interfaces => interfaces::run(),
        Command::Explain(args) => explain::run(args),
        Command::Port(args) => {
            let mut out = BufWriter::new(io::stdout().lock());
            port::run(args, &mut out).and_then(|code| out.flush().map(|()| code))
        }
        #[cfg(target_os = "linux")]
        Command::Listen(args) => listen::run(args),
        #[cfg(target_os = "linux")]
        Command::OwnerHelper(args) => owners::run(args),
        Command::Registry(args) => {
            let mut out = BufWriter::new(io::stdout().lock());
            registry::run(args, &mut out).and_then(|code| out.flush().map(|()| code))
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        // Whoever read the output has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portproof: writing the output: {}", exit::plain(&error));
            ExitCode::from(exit::FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
