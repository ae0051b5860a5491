//! What the table shows of a row or a flow: its cells, its place, and how it folds.

use super::layout::{Column, Line};
use super::text::{escape, size, thousands};
use super::why;
use crate::packet::{Endpoint, Transport};
use crate::protocol::Band;
use crate::registry::{State, Transports};
use crate::verdict::{FlowRecord, Observed, PortRow, Reason, RowKey, ServerBy, Verdict};
use std::cmp::Reverse;

/// Columns of rows by port.
pub(super) const BY_PORT: [Column; 7] = [
    Column::fixed("VERDICT"),
    Column::fixed("PORT"),
    Column::flexible("CLAIM", 10),
    Column::flexible("OBSERVED", 12),
    Column::fixed("SURE"),
    Column::number("FLOWS"),
    Column::number("SIZE"),
];

/// Columns of rows by server endpoint.
pub(super) const BY_ENDPOINT: [Column; 8] = [
    Column::fixed("VERDICT"),
    Column::fixed("PORT"),
    Column::optional("SERVER"),
    Column::flexible("CLAIM", 8),
    Column::flexible("OBSERVED", 12),
    Column::fixed("SURE"),
    Column::number("FLOWS"),
    Column::number("SIZE"),
];

/// Columns of flows.
pub(super) const BY_FLOW: [Column; 8] = [
    Column::fixed("VERDICT"),
    Column::number("ID"),
    Column::fixed("PORT"),
    Column::optional("SERVER <- CLIENT"),
    Column::flexible("CLAIM", 8),
    Column::flexible("OBSERVED", 12),
    Column::fixed("SURE"),
    Column::number("SIZE"),
];

/// A line of the table, and what decides its place and whether it folds.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The line of a flow. That of a row is made when it is shown: of a scan's thousands hardly any is.
    pub line: Option<Line>,
    /// It is only likely, and marked.
    pub likely: bool,
    /// It deserves a second line.
    pub attention: bool,
    pub verdict: Verdict,
    pub band: Option<Band>,
    pub bytes: u64,
    /// What the row is about; of a flow, the server's.
    pub key: RowKey,
    /// Flow number, where the line is a flow.
    pub flow: Option<u64>,
    pub capture: usize,
    /// Why, where it is insufficient.
    pub reason: Option<Reason>,
    /// Nothing but probes came.
    pub probed: bool,
}

impl Entry {
    /// Rows by this key: by verdict, band, bytes, port.
    pub(super) fn place(&self) -> impl Ord + use<> {
        let rank = ORDER.iter().position(|verdict| *verdict == self.verdict);
        (rank, Reverse(self.band), Reverse(self.bytes), self.key, self.capture, self.flow)
    }

    /// A row by port or by endpoint.
    pub(super) fn row(row: &PortRow, capture: usize) -> Option<Self> {
        let (shown, likely) = row.shown()?;
        Some(Self {
            line: None,
            likely,
            attention: attention(row, shown, likely),
            verdict: shown.verdict,
            band: shown.band,
            bytes: shown_bytes(row, shown),
            key: row.key,
            flow: None,
            capture,
            reason: shown.reason,
            probed: row.probes > 0 && row.probes == row.totals().0,
        })
    }

    /// A flow.
    pub(super) fn flow(flow: &FlowRecord<'_>, capture: usize) -> Self {
        let decision = flow.decision.filter(|d| d.protocol.is_some());
        let band = decision.and_then(|d| d.band);
        let verdict = flow.judgement.verdict;
        let mark = if band == Some(Band::Likely) && verdict < Verdict::Unverifiable { "?" } else { "" };
        let bytes = flow.bytes.0 + flow.bytes.1;
        let arrow = if flow.server_by == ServerBy::Nobody { "<->" } else { "<-" };
        let cells = vec![
            format!("{verdict}{mark}"),
            flow.id.to_string(),
            port(flow.server.port, flow.transport),
            format!("{} {arrow} {}", end(flow.server), end(flow.client)),
            claim(flow.claim.state, &flow.claim.services, flow.claim.other_transports),
            names(
                flow.protocol(),
                decision.and_then(|d| d.variant.as_deref()).into_iter(),
                decision.map_or(&[][..], |d| &d.also),
            ),
            sure(band).to_owned(),
            size(bytes),
        ];
        let key = RowKey { port: flow.server.port, transport: flow.transport, server: Some(flow.server.ip) };
        Self {
            line: Some(Line {
                colour: Some(verdict),
                cells,
                why: escape(&why::flow(flow)).into_owned(),
                attention: verdict < Verdict::Match || flow.note().is_some(),
            }),
            likely: !mark.is_empty(),
            attention: verdict < Verdict::Match || flow.note().is_some(),
            verdict,
            band,
            bytes,
            key,
            flow: Some(flow.id),
            capture,
            reason: flow.judgement.reason,
            probed: flow.probe,
        }
    }
}

fn attention(row: &PortRow, shown: &Observed, likely: bool) -> bool {
    let verdict = match shown.verdict {
        Verdict::Mismatch | Verdict::Contradicted => true,
        Verdict::Unregistered => row.state != State::Dynamic,
        _ => false,
    };
    verdict || row.mixed() || likely || !shown.suspected.is_empty() || !shown.notes.is_empty()
}

/// The line of a row.
pub(super) fn line(row: &PortRow) -> Option<Line> {
    let (shown, likely) = row.shown()?;
    let attention = attention(row, shown, likely);
    let clauses: Vec<String> = std::iter::once(why::row(row)).chain(why::lore(row).filter(|_| attention)).collect();
    let why = escape(&clauses.join("; ")).into_owned();
    Some(Line { colour: Some(shown.verdict), cells: cells(row)?, why, attention })
}

/// The columns of [`BY_PORT`] for a row, those of [`BY_ENDPOINT`] where it has a server.
fn cells(row: &PortRow) -> Option<Vec<String>> {
    let (shown, only_likely) = row.shown()?;
    let (flows, ..) = row.totals();
    let mark = if only_likely { "?" } else { "" };
    let mut cells = vec![format!("{}{mark}", shown.verdict), port(row.key.port, row.key.transport)];
    cells.extend(row.key.server.map(|server| server.to_string()));
    cells.push(claim_text(row));
    cells.push(names_of(shown));
    cells.push(sure(shown.band).to_owned());
    cells.push(if shown.flows == flows { few(flows) } else { format!("{}/{}", few(shown.flows), few(flows)) });
    cells.push(size(shown_bytes(row, shown)));
    Some(cells)
}

/// Bytes of what the row shows: of all its flows, unless they speak different things.
pub fn shown_bytes(row: &PortRow, shown: &Observed) -> u64 {
    if row.mixed() { shown.bytes } else { row.totals().2 }
}

/// The claim of a row in few words.
pub fn claim_text(row: &PortRow) -> String {
    claim(row.state, &row.services, row.other_transports)
}

/// The order of rows on the screen: what asks for attention, what is fine, what says nothing.
pub const ORDER: [Verdict; 6] = [
    Verdict::Mismatch,
    Verdict::Contradicted,
    Verdict::Unregistered,
    Verdict::Unverifiable,
    Verdict::Match,
    Verdict::Insufficient,
];

/// "1197/udp".
pub(super) fn port(port: u16, transport: Transport) -> String {
    format!("{port}/{transport}")
}

/// "10.0.0.1:1197", "[2001:db8::1]:1197".
pub(super) fn end(end: Endpoint) -> String {
    let ip = end.ip.to_string();
    if ip.contains(':') { format!("[{ip}]:{}", end.port) } else { format!("{ip}:{}", end.port) }
}

/// The claim in a column: the names, or the state in parentheses.
pub(super) fn claim(state: State, services: &[String], other: Transports) -> String {
    let names = || escape(&services.join(", ")).into_owned();
    match state {
        State::Assigned => names(),
        State::AssignedOtherTransport => format!("({other}: {})", names()),
        state => format!("({})", state.name()),
    }
}

/// What was observed: "openvpn tls-crypt", "esp-in-udp, ike".
pub fn names_of(shown: &Observed) -> String {
    let also: Vec<&'static str> = shown.also.iter().copied().collect();
    names(shown.protocol, shown.variants.iter().map(String::as_str), &also)
}

fn names<'a>(protocol: &str, variants: impl Iterator<Item = &'a str>, also: &[&str]) -> String {
    let variants: Vec<&str> = variants.collect();
    let mut text = match variants.as_slice() {
        [] => protocol.to_owned(),
        [only] => format!("{protocol} {only}"),
        [first, others @ ..] => format!("{protocol} {first} +{}", others.len()),
    };
    for name in also {
        text.push_str(", ");
        text.push_str(name);
    }
    escape(&text).into_owned()
}

/// How sure, in a column.
pub fn sure(band: Option<Band>) -> &'static str {
    band.map_or("", Band::name)
}

/// A count that stays narrow: 99,999 and below whole, then in thousands and millions.
pub fn few(count: u64) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..100_000 => thousands(count),
        100_000..10_000_000 => format!("{}k", thousands(count / 1_000)),
        _ => format!("{}M", thousands(count / 1_000_000)),
    }
}
