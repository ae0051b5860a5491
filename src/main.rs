//! Parses the arguments, runs the subcommand, sets the exit code.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use portproof::cli::{Cli, Command, port, registry};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let done = match &cli.command {
        Command::Port(args) => port::run(args, &mut out),
        Command::Registry(args) => registry::run(args, &mut out),
    };
    match done.and_then(|code| out.flush().map(|()| code)) {
        Ok(code) => ExitCode::from(code),
        Err(err) if err.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("portproof: writing the output: {err}");
            ExitCode::from(2)
        }
    }
}
