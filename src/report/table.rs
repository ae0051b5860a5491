//! The table: the first screen an engineer sees.

use super::layout;
use super::rows::{BY_ENDPOINT, BY_FLOW, BY_PORT, Entry, ORDER, line as line_of, port};
use super::text::{Screen, counted, escape, thousands, wrap};
use super::{Report, when, why};
use crate::packet::Ip;
use crate::protocol::Band;
use crate::verdict::{FlowRecord, IpProto, Prober, Reason, RowKey, Rows, Summary, Verdict};
use hashbrown::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

/// Matches shown before the rest folds.
const MATCHES: usize = 10;

/// Insufficient rows shown where there is nothing else to show.
const ALONE: usize = 10;

/// Sources that probe that are named before the rest folds.
const PROBERS: usize = 3;

/// What a line of the table is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// A port and transport.
    Port,
    /// A port and transport of one server.
    Endpoint,
    /// A flow.
    Flow,
}

/// What is shown, and how.
#[derive(Clone, Debug)]
pub struct Style {
    /// The screen.
    pub screen: Screen,
    /// What a line is.
    pub by: By,
    /// Nothing folds.
    pub all: bool,
    /// Only these verdicts.
    pub only: Option<Vec<Verdict>>,
    /// Leave out what was recognised less surely.
    pub min_band: Option<Band>,
    /// At most this many lines.
    pub top: Option<usize>,
}

/// Collects rows and writes the table at the end.
#[derive(Debug)]
pub struct Table<W> {
    out: W,
    style: Style,
    rows: Rows,
    flows: Vec<Entry>,
    captures: usize,
    /// The first capture that shows a row's verdict, for the suggestion at the end.
    found_in: HashMap<(RowKey, Verdict), usize>,
    others: BTreeMap<String, u64>,
}

impl<W: Write> Table<W> {
    /// Will write to `out`.
    pub fn new(out: W, style: Style) -> Self {
        let rows = Rows::new(style.by == By::Endpoint);
        Self { out, style, rows, flows: Vec::new(), captures: 0, found_in: HashMap::new(), others: BTreeMap::new() }
    }

    /// Takes the rows of a capture.
    pub fn take(&mut self, rows: Rows, ipprotos: &[IpProto]) {
        for row in rows.iter() {
            self.found_in.entry((row.key, row.verdict())).or_insert(self.captures);
        }
        self.rows.absorb(rows);
        for kind in ipprotos {
            *self.others.entry(kind.protocol.clone()).or_default() += kind.packets;
        }
        self.captures += 1;
    }

    /// Gives back what it took.
    pub fn into_rows(self) -> Rows {
        self.rows
    }

    fn entries(&mut self) -> Vec<Entry> {
        let mut entries = match self.style.by {
            By::Flow => std::mem::take(&mut self.flows),
            By::Port | By::Endpoint => {
                let capture = |key, verdict| self.found_in.get(&(key, verdict)).copied().unwrap_or(0);
                self.rows.iter().filter_map(|row| Entry::row(row, capture(row.key, row.verdict()))).collect()
            }
        };
        entries.sort_by_cached_key(Entry::place);
        entries
    }

    fn wanted(&self, entry: &Entry) -> bool {
        let verdict = self.style.only.as_ref().is_none_or(|only| only.contains(&entry.verdict));
        verdict && (entry.band.is_none() || entry.band >= self.style.min_band)
    }

    fn paragraph(&mut self, text: &str) -> io::Result<()> {
        let screen = self.style.screen;
        if !screen.cut {
            return writeln!(self.out, "{text}");
        }
        for (place, line) in wrap(text, screen.width - 2).iter().enumerate() {
            writeln!(self.out, "{}{line}", if place > 0 { "  " } else { "" })?;
        }
        Ok(())
    }

    /// Writes the lines; what folds is said below them.
    fn body(&mut self, entries: &[Entry]) -> io::Result<()> {
        let noun = match self.style.by {
            By::Port => "port",
            By::Endpoint => "endpoint",
            By::Flow => "flow",
        };
        let of = |verdict: Verdict| entries.iter().filter(move |e| e.verdict == verdict).count();
        let (silent, all_matches) = (of(Verdict::Insufficient), of(Verdict::Match));
        let fold = !self.style.all && self.style.only.is_none();
        let fold_silent = fold && (silent < entries.len() || silent > ALONE);
        let mut matches = 0;
        let shown = entries.iter().filter(|entry| match entry.verdict {
            Verdict::Match if fold && !entry.likely => {
                matches += 1;
                // A fold of one saves nothing.
                matches <= MATCHES || all_matches == MATCHES + 1
            }
            Verdict::Insufficient => !fold_silent,
            _ => true,
        });
        let mut shown: Vec<&Entry> = shown.collect();
        let beyond = self.style.top.map_or(0, |top| shown.len().saturating_sub(top));
        shown.truncate(shown.len() - beyond);
        let line = |entry: &Entry| entry.line.clone().or_else(|| self.rows.get(entry.key).and_then(line_of));
        let lines: Vec<_> = shown.into_iter().filter_map(line).collect();
        if !lines.is_empty() {
            let columns: &[_] = match self.style.by {
                By::Port => &BY_PORT,
                By::Endpoint => &BY_ENDPOINT,
                By::Flow => &BY_FLOW,
            };
            layout::write(columns, "WHY", &lines, self.style.screen, &mut self.out)?;
        }
        if beyond > 0 {
            let first = thousands(self.style.top.unwrap_or(0) as u64);
            self.paragraph(&format!("+ {} beyond the first {first}", counted(beyond as u64, noun)))?;
        }
        let folded = all_matches.saturating_sub(MATCHES);
        if fold && folded > 1 && matches > MATCHES {
            self.paragraph(&format!("+ {} more {noun}s match  (--all)", thousands(folded as u64)))?;
        }
        if fold_silent && silent > 0 {
            let silent = entries.iter().filter(|e| e.verdict == Verdict::Insufficient);
            let text = insufficient(silent, &self.rows.probers, noun);
            self.paragraph(&text)?;
        }
        Ok(())
    }

    /// Who knocked at many ports or hosts: a line each, the busiest first.
    fn probing(&mut self) -> io::Result<()> {
        let mut probers = self.rows.probers.clone();
        probers.sort_by_key(|prober| std::cmp::Reverse(prober.endpoints));
        let shown = if self.style.all { probers.len() } else { PROBERS };
        for prober in probers.iter().take(shown) {
            self.paragraph(&format!("Probing: {}.", why::prober(prober)))?;
        }
        match probers.len().saturating_sub(shown) {
            0 => Ok(()),
            more => self.paragraph(&format!("+ {} more that probed  (--all)", counted(more as u64, "source"))),
        }
    }

    fn closing(&mut self, entries: &[Entry], summary: &Summary) -> io::Result<()> {
        let counts = ORDER.iter().filter_map(|verdict| {
            let count = entries.iter().filter(|entry| entry.verdict == *verdict).count();
            (count > 0).then(|| format!("{} {verdict}", thousands(count as u64)))
        });
        let verdicts = counts.collect::<Vec<_>>().join(", ");
        if verdicts.is_empty() {
            self.paragraph("No flow was seen.")?;
        } else {
            writeln!(self.out)?;
            self.paragraph(&format!("{verdicts}."))?;
        }
        let name = match summary.captures.as_slice() {
            [only] if only == "-" => "standard input".to_owned(),
            [only] => escape(only).into_owned(),
            several => counted(several.len() as u64, "capture"),
        };
        let span = summary.span.map(|(first, last)| format!("  {}", when::span(first, last))).unwrap_or_default();
        let packets = self.packets(summary);
        self.paragraph(&format!("{name}{span}  {packets}  Registry {}.", summary.registry))?;
        if summary.evicted > 0 {
            let text = "judged early, more than --max-flows: in the rows, without a record of their own.";
            self.paragraph(&format!("{} {text}", counted(summary.evicted, "flow")))?;
        }
        if summary.hurried > 0 {
            let want = if summary.live { "memory or, at the end, of time (--grace)" } else { "memory" };
            let flows = counted(summary.hurried, "flow");
            self.paragraph(&format!("{flows} judged on fewer packets than usual, for want of {want}."))?;
        }
        if summary.left.packets > 0 {
            let (flows, packets) = (counted(summary.left.flows, "flow"), counted(summary.left.packets, "packet"));
            self.paragraph(&format!("{flows} and {packets} are in no row, for want of time at the end."))?;
        }
        if let Some(next) = self.next(entries, summary).filter(|_| !summary.live) {
            // One line to copy, whatever its length.
            writeln!(self.out, "Next: {next}")?;
        }
        Ok(())
    }

    /// "48,211 packets = 48,190 in flows + 20 other (12 icmp, 8 arp) + 1 malformed."
    fn packets(&self, summary: &Summary) -> String {
        let counts = summary.counts;
        let mut text = format!("{} = {} in flows", counted(counts.received, "packet"), thousands(counts.classified));
        if counts.other > 0 {
            text.push_str(&format!(" + {} other{}", thousands(counts.other), self.kinds()));
        }
        let parts = [
            (counts.malformed, "malformed"),
            (counts.filtered, "filtered out"),
            (counts.dropped_queue, "shed for want of time"),
        ];
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            text.push_str(&format!(" + {} {what}", thousands(count)));
        }
        text.push('.');
        for (count, whose) in [(counts.dropped_kernel, "kernel"), (counts.dropped_interface, "interface")] {
            if count > 0 {
                text.push_str(&format!("  {} more dropped by the {whose}.", thousands(count)));
            }
        }
        if counts.truncated > 0 {
            text.push_str(&format!("  {} cut by the snaplen.", thousands(counts.truncated)));
        }
        text
    }

    /// The most frequent kinds of traffic without ports.
    fn kinds(&self) -> String {
        let mut kinds: Vec<_> = self.others.iter().collect();
        kinds.sort_by_key(|(name, packets)| (std::cmp::Reverse(**packets), (*name).clone()));
        let mut texts: Vec<String> =
            kinds.iter().take(3).map(|(name, packets)| format!("{} {}", thousands(**packets), escape(name))).collect();
        if kinds.len() > 3 {
            texts.push("…".into());
        }
        if texts.is_empty() { String::new() } else { format!(" ({})", texts.join(", ")) }
    }

    /// What to ask next: why the first row that needs attention is what it is.
    fn next(&self, entries: &[Entry], summary: &Summary) -> Option<String> {
        let entry = entries.iter().find(|entry| entry.verdict < Verdict::Match || entry.attention)?;
        let capture = summary.captures.get(entry.capture)?;
        let choice = match entry.flow {
            Some(flow) => format!("--flow {flow}"),
            None => format!("--port {}", port(entry.key.port, entry.key.transport)),
        };
        (capture != "-" && !summary.merged).then(|| format!("portproof explain {} {choice}", quoted(capture)))
    }
}

/// "+ 1,041 ports insufficient: 1,000 probed by 10.0.0.66, 41 unanswered  (--all)".
fn insufficient<'a>(entries: impl Iterator<Item = &'a Entry>, probers: &[Prober], noun: &str) -> String {
    let (mut total, mut probed) = (0, 0);
    let mut reasons: BTreeMap<Reason, u64> = BTreeMap::new();
    for entry in entries {
        total += 1;
        if entry.probed {
            probed += 1;
        } else if let Some(reason) = entry.reason {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let mut parts = Vec::new();
    if probed > 0 {
        let sources: BTreeSet<Ip> = probers.iter().map(|prober| prober.source).collect();
        let by = match (sources.first(), sources.len()) {
            (Some(only), 1) => format!(" by {only}"),
            (_, many) => format!(" by {many} sources"),
        };
        parts.push(format!("{} probed{by}", thousands(probed)));
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
    let label = |(reason, count): &(Reason, u64)| format!("{} {}", thousands(*count), why::label(*reason));
    parts.extend(reasons.iter().take(3).map(label));
    format!("+ {} insufficient: {}  (--all)", counted(total, noun), parts.join(", "))
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !path.is_empty() && path.chars().all(plain) && !path.starts_with('-') {
        return path.to_owned();
    }
    let start = if path.starts_with('-') { "./" } else { "" };
    format!("'{start}{}'", escape(&path.replace('\'', r"'\''")))
}

impl<W: Write> Report for Table<W> {
    fn flow(&mut self, _: &str, flow: &FlowRecord<'_>) -> io::Result<()> {
        if self.style.by == By::Flow {
            self.flows.push(Entry::flow(flow, self.captures));
        }
        Ok(())
    }

    fn capture(&mut self, _: &str, rows: &Rows, ipprotos: &[IpProto]) -> io::Result<()> {
        self.take(rows.clone(), ipprotos);
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let mut entries = self.entries();
        entries.retain(|entry| self.wanted(entry));
        self.body(&entries)?;
        self.probing()?;
        self.closing(&entries, summary)?;
        self.out.flush()
    }
}
