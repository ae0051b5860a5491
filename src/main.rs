//! Parses the arguments, runs the subcommand, sets the exit code.

fn main() {}
