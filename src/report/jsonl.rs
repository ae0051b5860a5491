//! JSON Lines, schema `portproof/1`: one object a line, flow, port, probing, ipproto and summary
//! records.
//!
//! The field names are a contract. Fields may be added; none is renamed, removed or given another meaning.

mod beside;
mod flow;
mod parts;
mod port;
mod summary;

use super::Report;
use crate::verdict::{FlowRecord, IpProto, Rows, Summary, Verdict};
use beside::{IpProtoLine, Probing};
use flow::Flow;
use port::Port;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use summary::SummaryLine;

/// Writes records as they come.
#[derive(Debug)]
pub struct Jsonl<W> {
    out: W,
    only: Option<Vec<Verdict>>,
    ports: BTreeSet<(u16, crate::packet::Transport)>,
}

impl<W: Write> Jsonl<W> {
    /// Writes to `out`; with `only`, just the flows and ports with one of these verdicts.
    pub fn new(out: W, only: Option<Vec<Verdict>>) -> Self {
        Self { out, only, ports: BTreeSet::new() }
    }

    fn line(&mut self, record: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, record)?;
        self.out.write_all(b"\n")
    }

    /// Takes a flow as it stands in a live run: `event` is new, change or end. `process` says who owns it on this
    /// machine, if that is known.
    ///
    /// # Errors
    /// When writing fails.
    pub fn event(
        &mut self,
        capture: &str,
        flow: &FlowRecord<'_>,
        event: &'static str,
        process: Option<&impl Serialize>,
    ) -> io::Result<()> {
        if self.wanted(flow.judgement.verdict) {
            let process = process.map(serde_json::to_value).transpose()?;
            self.line(&Flow::new(capture, flow).at(event, process))?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// Takes the rows of a capture: those of which too little is known to judge only as long as there is `time`. How many
    /// of these were left out.
    ///
    /// # Errors
    /// When writing fails.
    pub fn rows(&mut self, capture: &str, rows: &Rows, mut time: impl FnMut() -> bool) -> io::Result<u64> {
        let mut left = 0;
        for row in rows.iter() {
            self.ports.insert((row.key.port, row.key.transport));
            let verdict = row.verdict();
            if !self.wanted(verdict) {
                continue;
            }
            if verdict == Verdict::Insufficient && !time() {
                left += 1;
            } else {
                self.line(&Port::new(capture, row))?;
            }
        }
        rows.probers.iter().try_for_each(|prober| self.line(&Probing::new(capture, prober)))?;
        Ok(left)
    }

    /// Takes traffic without ports.
    ///
    /// # Errors
    /// When writing fails.
    pub fn ipprotos(&mut self, capture: &str, ipprotos: &[IpProto]) -> io::Result<()> {
        ipprotos.iter().try_for_each(|kind| self.line(&IpProtoLine::new(capture, kind)))
    }

    fn wanted(&self, verdict: Verdict) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(&verdict))
    }
}

impl<W: Write> Report for Jsonl<W> {
    fn flow(&mut self, capture: &str, flow: &FlowRecord<'_>) -> io::Result<()> {
        match self.wanted(flow.judgement.verdict) {
            true => self.line(&Flow::new(capture, flow)),
            false => Ok(()),
        }
    }

    fn capture(&mut self, capture: &str, rows: &Rows, ipprotos: &[IpProto]) -> io::Result<()> {
        self.rows(capture, rows, || true)?;
        self.ipprotos(capture, ipprotos)
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let ports = self.ports.len();
        self.line(&SummaryLine::new(summary, ports))?;
        self.out.flush()
    }
}
