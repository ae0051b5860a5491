//! `portproof interfaces`: what can be captured on.

use super::common::say;
use super::exit;
use crate::capture::live::interfaces;
use std::io::{self, Write};

/// Prints a line for each interface; the result is the exit code.
///
/// # Errors
/// Those of the output.
pub(super) fn run() -> io::Result<u8> {
    let interfaces = match interfaces() {
        Ok(interfaces) => interfaces,
        Err(text) => {
            say(&text);
            return Ok(exit::FAILED);
        }
    };
    let mut lines = vec![["INTERFACE", "STATE", "LINK TYPE", "ADDRESSES"].map(str::to_owned)];
    for interface in interfaces {
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        let name = super::text::escape(&interface.name).into_owned();
        lines.push([name, interface.state.to_owned(), interface.link, addresses.join(" ")]);
    }
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(String::len).max().unwrap_or(0);
    let widths = [0, 1, 2].map(width);
    let mut out = io::stdout().lock();
    for [name, state, link, addresses] in &lines {
        let [first, second, third] = widths;
        let line = format!("{name:first$}  {state:second$}  {link:third$}  {addresses}");
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(0)
}
