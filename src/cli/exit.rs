//! Exit codes: a contract with scripts.

use super::common::say;
use std::io;

/// Usage, permission, I/O, or an input named on the command line that is no capture.
pub(super) const FAILED: u8 = 2;

/// What happened in a run, as far as the exit code tells it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    /// An input could not be read at all.
    pub failed: bool,
    /// A verdict of `--fail-on` was reached.
    pub found: bool,
    /// An input was damaged, cut or interrupted.
    pub partial: bool,
}

impl Outcome {
    /// The first of 2, 1, 3, 0 that applies.
    pub(super) fn code(self) -> u8 {
        match self {
            Self { failed: true, .. } => FAILED,
            Self { found: true, .. } => 1,
            Self { partial: true, .. } => 3,
            _ => 0,
        }
    }
}

/// Why a subcommand did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// A line for the user.
    Refused(String),
    /// The output failed.
    Output(io::Error),
}

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Self::Refused(line)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// The exit code of what was done, or refused, which is then said.
///
/// # Errors
/// Those of the output.
pub(super) fn code(done: Result<u8, Failure>) -> io::Result<u8> {
    match done {
        Ok(code) => Ok(code),
        Err(Failure::Refused(line)) => {
            say(&line);
            Ok(FAILED)
        }
        Err(Failure::Output(error)) => Err(error),
    }
}

/// The system's words without Rust's "(os error 2)".
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_comes_first() {
        let code = |failed, found, partial| Outcome { failed, found, partial }.code();
        assert_eq!(code(true, true, true), 2);
        assert_eq!(code(false, true, true), 1);
        assert_eq!(code(false, false, true), 3);
        assert_eq!(code(false, false, false), 0);
    }
}
