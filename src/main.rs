//! Parses the arguments, runs the subcommand, sets the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    portproof::cli::main()
}
