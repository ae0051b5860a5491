//! CSV (RFC 4180): a header, then one record for each port, in the order of the table.

use super::Report;
use super::rows::Entry;
use super::why;
use crate::protocol::Band;
use crate::protocol::evidence::probability;
use crate::verdict::{FlowRecord, IpProto, PortRow, Rows, Summary, Verdict};
use std::io::{self, Write};

const HEADER: [&str; 22] = [
    "capture",
    "port",
    "transport",
    "server",
    "range",
    "claim_state",
    "claim_services",
    "verdict",
    "only_likely",
    "mixed",
    "protocol",
    "variants",
    "also",
    "suspected",
    "band",
    "confidence",
    "flows",
    "packets",
    "bytes",
    "clients",
    "servers",
    "why",
];

/// What is written.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only these verdicts.
    pub only: Option<Vec<Verdict>>,
    /// Leave out what was recognised less surely.
    pub min_band: Option<Band>,
    /// At most this many records.
    pub top: Option<usize>,
}

/// Collects rows and writes them at the end.
#[derive(Debug)]
pub struct Csv<W> {
    out: W,
    choice: Choice,
    rows: Vec<(Entry, Vec<String>)>,
    captures: usize,
}

impl<W: Write> Csv<W> {
    /// Will write to `out`.
    pub fn new(out: W, choice: Choice) -> Self {
        Self { out, choice, rows: Vec::new(), captures: 0 }
    }

    fn wanted(&self, entry: &Entry) -> bool {
        let verdict = self.choice.only.as_ref().is_none_or(|only| only.contains(&entry.verdict));
        verdict && (entry.band.is_none() || entry.band >= self.choice.min_band)
    }
}

fn record(capture: &str, row: &PortRow) -> Vec<String> {
    let list = |items: &mut dyn Iterator<Item = &str>| items.collect::<Vec<_>>().join(";");
    let (flows, packets, bytes) = row.totals();
    let shown = row.shown();
    let observed = shown.map(|(observed, _)| observed);
    let band = observed.and_then(|o| o.band);
    let confidence =
        observed.filter(|_| band.is_some()).map(|o| (probability(o.odds) * 1e6).floor().min(999_999.0) / 1e6);
    vec![
        capture.to_owned(),
        row.key.port.to_string(),
        row.key.transport.to_string(),
        row.key.server.map(|ip| ip.to_string()).unwrap_or_default(),
        row.range().name().to_owned(),
        row.state.name().to_owned(),
        list(&mut row.services.iter().map(String::as_str)),
        row.verdict().name().to_owned(),
        shown.is_some_and(|(_, only_likely)| only_likely).to_string(),
        row.mixed().to_string(),
        observed.map(|o| o.protocol.to_owned()).unwrap_or_default(),
        list(&mut observed.iter().flat_map(|o| &o.variants).map(String::as_str)),
        list(&mut observed.iter().flat_map(|o| &o.also).copied()),
        list(&mut observed.iter().flat_map(|o| &o.suspected).copied()),
        band.map(|band| band.name().to_owned()).unwrap_or_default(),
        confidence.map(|confidence| confidence.to_string()).unwrap_or_default(),
        flows.to_string(),
        packets.to_string(),
        bytes.to_string(),
        row.clients.len().to_string(),
        row.servers.len().to_string(),
        why::row(row),
    ]
}

impl<W: Write> Report for Csv<W> {
    /// Flows have no records here.
    fn flow(&mut self, _: &str, _: &FlowRecord<'_>) -> io::Result<()> {
        Ok(())
    }

    fn capture(&mut self, capture: &str, rows: &Rows, _: &[IpProto]) -> io::Result<()> {
        for row in rows.iter() {
            if let Some(entry) = Entry::row(row, self.captures).filter(|entry| self.wanted(entry)) {
                self.rows.push((entry, record(capture, row)));
            }
        }
        self.captures += 1;
        Ok(())
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        self.rows.sort_by_cached_key(|(entry, _)| entry.place());
        let mut csv = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(&mut self.out);
        csv.write_record(HEADER)?;
        for (_, record) in self.rows.iter().take(self.choice.top.unwrap_or(usize::MAX)) {
            csv.write_record(record)?;
        }
        csv.flush()
    }
}
