//! Reports: what is printed of the judged results. One file per format.

mod community;
mod csv;
mod jsonl;
mod layout;
#[cfg(target_os = "linux")]
pub mod listen;
pub mod prometheus;
mod rows;
mod table;
pub mod text;
pub mod when;
pub mod why;

pub use community::community_id;
pub use csv::{Choice, Csv};
pub use jsonl::Jsonl;
pub use rows::{ORDER, claim_text, few, names_of, shown_bytes, sure};
pub use table::{By, Style, Table};

use crate::packet::Endpoint;
use crate::registry::Claim;
use crate::verdict::{FlowRecord, IpProto, Rows, Summary};
use std::io;

/// "10.0.0.1:1197", "[2001:db8::1]:1197".
pub fn endpoint(end: Endpoint) -> String {
    rows::end(end)
}

/// The claim in few words: the names, or the state in parentheses.
pub fn claim_of(claim: &Claim) -> String {
    rows::claim(claim.state, &claim.services, claim.other_transports)
}

/// An output format. Calls come in this order: for each capture all its flows, then its rows; at the end the summary.
pub trait Report {
    /// Takes one judged flow of `capture`.
    ///
    /// # Errors
    /// When writing fails.
    fn flow(&mut self, capture: &str, flow: &FlowRecord<'_>) -> io::Result<()>;

    /// Takes the rows of `capture` and its traffic without ports.
    ///
    /// # Errors
    /// When writing fails.
    fn capture(&mut self, capture: &str, rows: &Rows, ipprotos: &[IpProto]) -> io::Result<()>;

    /// Takes the summary of the run.
    ///
    /// # Errors
    /// When writing fails.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}
