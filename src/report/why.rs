//! Why a row has its verdict, in one line: who serves whom, what was seen, where.

use crate::registry::{Lore, State};
use crate::report::text::{counted, thousands};
use crate::verdict::{Addresses, FlowRecord, Observed, PortRow, Prober, Reason, Verdict};
use std::collections::{BTreeMap, BTreeSet};

/// Why the row has its verdict; clauses joined by semicolons, the most telling first.
pub fn row(row: &PortRow) -> String {
    let Some((shown, only_likely)) = row.shown() else { return String::new() };
    let mut clauses = vec![ends(row, shown)];
    clauses.push(observation(row, shown));
    clauses.push(frames(&shown.best.frames));
    if only_likely {
        clauses.push(format!("{} is only likely", shown.protocol));
    }
    clauses.push(others(row, shown));
    let probes = row.probes;
    if probes > 0 && shown.verdict == Verdict::Insufficient {
        clauses.push(if probes == row.totals().0 { "probed only".into() } else { counted(probes, "probe") });
    }
    clauses.retain(|clause| !clause.is_empty());
    clauses.join("; ")
}

/// "10.0.0.1 <- 9 clients". A row's own addresses are those of all its flows, so with several observations the shown
/// one's best flow speaks.
fn ends(row: &PortRow, shown: &Observed) -> String {
    let arrow = if shown.best.peers { "<->" } else { "<-" };
    if row.observed.len() > 1 && shown.flows == 1 {
        return format!("{} {arrow} {}", shown.best.server, shown.best.client);
    }
    format!("{} {arrow} {}", side(&row.servers, "server"), side(&row.clients, "client"))
}

fn side(addresses: &Addresses, noun: &str) -> String {
    addresses.only().map_or_else(|| counted(addresses.len() as u64, noun), |only| only.to_string())
}

fn observation(row: &PortRow, shown: &Observed) -> String {
    let service = row.services.first().map_or("the service", String::as_str);
    match (shown.verdict, shown.reason) {
        (Verdict::Mismatch | Verdict::Match, _) => shown.best.text.clone(),
        (Verdict::Unregistered, _) if row.state == State::AssignedOtherTransport => {
            let text = format!("assigned for {} only: {}", row.other_transports, row.services.join(", "));
            if shown.best.text.is_empty() { text } else { format!("{}; {text}", shown.best.text) }
        }
        (Verdict::Unregistered, _) => shown.best.text.clone(),
        (Verdict::Contradicted, _) => {
            with_suspicion(shown, format!("a complete exchange, and not {}", row.services.join(" or ")))
        }
        (_, Some(reason)) => with_suspicion(shown, because(reason, service, shown.protocol)),
        (_, None) => with_suspicion(shown, String::new()),
    }
}

fn with_suspicion(shown: &Observed, text: String) -> String {
    let notes: Vec<_> = shown.notes.iter().copied().filter(|_| shown.protocol == "unknown").collect();
    let text = match (notes.as_slice(), text.as_str()) {
        ([], _) => text,
        (notes, "") => notes.join("; "),
        (notes, _) => format!("{}; {text}", notes.join("; ")),
    };
    if shown.suspected.is_empty() {
        return text;
    }
    let names: Vec<_> = shown.suspected.iter().copied().collect();
    let hint = format!("perhaps {}, too little to name it", names.join(" or "));
    if text.is_empty() { hint } else { format!("{hint}; {text}") }
}

/// A reason as a clause.
pub fn because(reason: Reason, service: &str, protocol: &str) -> String {
    match reason {
        Reason::Unanswered => "the server side never answered".into(),
        Reason::Refused => "the server side refused".into(),
        Reason::NoPayload => "no packet had a payload".into(),
        Reason::KeepaliveOnly => "keepalives only".into(),
        Reason::Few => "too few bytes to tell".into(),
        Reason::Lossy => "the deciding bytes are missing from the capture".into(),
        Reason::Truncated => "the snaplen cut the deciding bytes off".into(),
        Reason::NoServerSide => "neither side can be told to be the server".into(),
        Reason::Carrier => format!("{service} may run inside {protocol}"),
        Reason::NoClaim => "not recognised, and the registry claims nothing here".into(),
        Reason::NoPublicFormat => format!("{service} has no public format to compare with"),
        Reason::NoRecogniser => format!("no recogniser for {service} yet"),
        Reason::NotExcluded => format!("{service} was neither seen nor excluded"),
    }
}

/// A reason as a short label: "unanswered", "keepalives only".
pub fn label(reason: Reason) -> &'static str {
    match reason {
        Reason::NoPayload => "without payload",
        Reason::KeepaliveOnly => "keepalives only",
        Reason::Few => "too short",
        Reason::Lossy => "with gaps",
        Reason::Truncated => "cut by the snaplen",
        Reason::NoServerSide => "without a server side",
        other => other.name(),
    }
}

fn frames(frames: &[u64]) -> String {
    match frames {
        [] => String::new(),
        [only] => format!("frame {only}"),
        several => format!("frames {}", several.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// What the other flows of the row are: "the other 811 flows match (tls)", "the other 19: 1 mismatch (rtp), 11 match".
fn others(row: &PortRow, shown: &Observed) -> String {
    let mut groups: BTreeMap<Verdict, (u64, BTreeSet<&str>)> = BTreeMap::new();
    for other in row.observed.iter().filter(|o| (o.verdict, o.protocol) != (shown.verdict, shown.protocol)) {
        let group = groups.entry(other.verdict).or_default();
        group.0 += other.flows;
        group.1.extend(Some(other.protocol).filter(|name| *name != "unknown"));
    }
    let total: u64 = groups.values().map(|(flows, _)| flows).sum();
    let named = |names: &BTreeSet<&str>| match names.len() {
        0 => String::new(),
        _ => format!(" ({})", names.iter().copied().collect::<Vec<_>>().join(", ")),
    };
    let mut all = groups.iter();
    match (all.next(), all.next()) {
        (None, _) => String::new(),
        (Some((verdict, (1, names))), None) => format!("the other flow {}{}", verb(*verdict, true), named(names)),
        (Some((verdict, (flows, names))), None) => {
            format!("the other {} {}{}", counted(*flows, "flow"), verb(*verdict, false), named(names))
        }
        _ => {
            let part = |(verdict, (flows, names)): (&Verdict, &(u64, BTreeSet<&str>))| {
                format!("{} {verdict}{}", thousands(*flows), named(names))
            };
            let parts: Vec<_> = groups.iter().map(part).collect();
            format!("the other {}: {}", thousands(total), parts.join(", "))
        }
    }
}

fn verb(verdict: Verdict, one: bool) -> &'static str {
    match (verdict, one) {
        (Verdict::Mismatch, true) => "mismatches",
        (Verdict::Mismatch, false) => "mismatch",
        (Verdict::Contradicted, true) => "contradicts",
        (Verdict::Contradicted, false) => "contradict",
        (Verdict::Unregistered, true) => "is unregistered",
        (Verdict::Unregistered, false) => "are unregistered",
        (Verdict::Match, true) => "matches",
        (Verdict::Match, false) => "match",
        (Verdict::Unverifiable, true) => "is unverifiable",
        (Verdict::Unverifiable, false) => "are unverifiable",
        (Verdict::Insufficient, true) => "is insufficient",
        (Verdict::Insufficient, false) => "are insufficient",
    }
}

/// What is said of a port elsewhere, in a clause that says what it is worth; none if nothing is.
pub fn lore(row: &PortRow) -> Option<String> {
    let rank = |said: &Lore| ["high", "medium"].iter().position(|word| *word == said.confidence).unwrap_or(2);
    let mut sayings: Vec<Lore> = row.lore().collect();
    // What only repeats the registry says nothing new.
    sayings.retain(|said| said.kind != "as-registered");
    sayings.sort_by_key(rank);
    let first = sayings.first()?;
    let more = match sayings.len() {
        1 => String::new(),
        many => format!(" (+{})", many - 1),
    };
    Some(format!("lore, not evidence: {}{more}", first.actual_use))
}

/// Who knocked where, and what came of it: "10.0.0.66 knocked at 1,000 tcp ports of 10.0.0.1: 990 refused, 10 silent".
pub fn prober(prober: &Prober) -> String {
    let transport = prober.transport;
    let target = match (prober.host, prober.port) {
        (Some(host), Some(port)) => format!("{port}/{transport} of {host}"),
        (Some(host), None) => format!("{} {transport} ports of {host}", thousands(prober.ports)),
        (None, Some(port)) => format!("{port}/{transport} of {} hosts", thousands(prober.hosts)),
        (None, None) => format!("{} {transport} ports of {} hosts", thousands(prober.ports), thousands(prober.hosts)),
    };
    let parts = [(prober.answered, "answered"), (prober.refused, "refused"), (prober.silent, "silent")];
    let parts =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{} {what}", thousands(*count)));
    format!("{} knocked at {target}: {}", prober.source, parts.collect::<Vec<_>>().join(", "))
}

/// Why a flow has its verdict.
pub fn flow(flow: &FlowRecord<'_>) -> String {
    let service = flow.claim.services.first().map_or("the service", String::as_str);
    let mut clauses = Vec::new();
    if let Some(decision) = flow.decision.filter(|d| d.protocol.is_some()) {
        clauses.extend(decision.evidence.iter().max_by_key(|e| e.bits).map(|e| e.text.to_string()));
        let mut seen: Vec<u64> = decision.evidence.iter().flat_map(|e| e.frames.iter()).copied().collect();
        seen.sort_unstable();
        seen.dedup();
        seen.truncate(4);
        clauses.push(frames(&seen));
    }
    if let Some(hint) = flow.decision.and_then(|d| d.suspected) {
        clauses.push(format!("perhaps {hint}, too little to name it"));
    }
    clauses.extend(flow.note().map(str::to_owned));
    if flow.judgement.verdict == Verdict::Contradicted {
        clauses.push(format!("a complete exchange, and not {}", flow.claim.services.join(" or ")));
    }
    clauses.extend(flow.judgement.reason.map(|reason| because(reason, service, flow.protocol())));
    clauses.extend(flow.probe.then(|| "part of a scan".to_owned()));
    clauses.extend(flow.tunnel.map(|tunnel| format!("in {tunnel}")));
    clauses.retain(|clause| !clause.is_empty());
    clauses.join("; ")
}
