//! The detail of one port: what each observation comes to, and the evidence of the flow that shows it best.

use crate::protocol::evidence::{Bits, PRIOR};
use crate::report::text::{counted, escape, size, thousands};
use crate::report::{claim_text, endpoint, names_of, why};
use crate::verdict::{FlowRecord, PortRow};

/// A port's detail, ready to be printed.
#[derive(Clone, Debug)]
pub struct Detail {
    /// "1197/udp".
    pub(super) title: String,
    /// Why the row has its verdict.
    pub(super) why: String,
    /// Each observation in a line.
    pub(super) observed: Vec<String>,
    /// The flow whose evidence is shown.
    pub(super) flow: u64,
    /// Whose flow it is.
    pub(super) ends: String,
    /// Weights in bits, and what they are for.
    pub(super) evidence: Vec<(String, String)>,
}

impl Detail {
    /// The detail of a row. The evidence of the one before stays if it is of the same flow.
    pub(super) fn of(row: &PortRow, before: Option<Self>) -> Self {
        let flow = row.shown().map_or(0, |(shown, _)| shown.best.flow);
        let claim = claim_text(row);
        let (flows, packets, bytes) = row.totals();
        let mut observed: Vec<String> = row
            .observed
            .iter()
            .map(|seen| {
                let band = seen.band.map(|band| format!(", {band}")).unwrap_or_default();
                let reason = seen.reason.map(|reason| format!(", {reason}")).unwrap_or_default();
                let flows = counted(seen.flows, "flow");
                format!("{}: {}{band}{reason}; {flows}, {}B", seen.verdict, names_of(seen), size(seen.bytes))
            })
            .collect();
        observed.insert(
            0,
            format!(
                "claim {claim}; {}, {}, {}B; {}, {}",
                counted(flows, "flow"),
                counted(packets, "packet"),
                size(bytes),
                counted(row.servers.len() as u64, "server"),
                counted(row.clients.len() as u64, "client"),
            ),
        );
        let kept = before.filter(|before| before.flow == flow);
        let (ends, evidence) = kept.map_or_else(Default::default, |kept| (kept.ends, kept.evidence));
        let title = format!("{}/{}", row.key.port, row.key.transport);
        Self { title, why: escape(&why::row(row)).into_owned(), observed, flow, ends, evidence }
    }

    /// Adds the evidence of the flow.
    pub(super) fn explain(&mut self, flow: &FlowRecord<'_>, process: Option<String>) {
        if flow.id != self.flow {
            return;
        }
        self.ends = format!("flow {}: {} <- {}", thousands(flow.id), endpoint(flow.server), endpoint(flow.client));
        if let Some(process) = process {
            self.ends = format!("{}; {process}", self.ends);
        }
        self.evidence.clear();
        let Some(decision) = flow.decision.filter(|d| d.protocol.or(d.suspected).is_some()) else { return };
        let weight = |bits: Bits| format!("{:+.1}", bits.as_f64());
        let mut items: Vec<_> = decision.evidence.iter().collect();
        items.sort_by_key(|item| std::cmp::Reverse(item.bits));
        let text = |item: &crate::protocol::Evidence| escape(&item.text.in_words()).into_owned();
        self.evidence = items.iter().map(|item| (weight(item.bits.min(item.family.cap)), text(item))).collect();
        self.evidence.push((weight(PRIOR), "prior: any protocol is improbable on any port".to_owned()));
        let band = decision.band.map_or("too little to name it", |band| band.name());
        self.evidence.push((weight(decision.odds), format!("odds as a power of two: {band}")));
    }
}
