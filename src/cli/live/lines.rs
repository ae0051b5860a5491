//! A line for each new or stronger verdict on a server's port.

use crate::cli::text::{Screen, escape};
use crate::packet::{Ip, Transport};
use crate::protocol::Band;
use crate::report::{claim_of, endpoint, when};
use crate::verdict::{FlowRecord, ServerBy, Verdict};
use std::collections::HashMap;
use std::io::{self, Write};

/// Servers' ports that are remembered. Beyond, all are forgotten, and may be said again.
const REMEMBERED: usize = 1 << 16;

type Server = (Ip, u16, Transport);

/// A verdict that was said, of which protocol, and how sure.
type Said = (Verdict, &'static str, Option<Band>);

/// Says what is new of each server's port. A verdict may get stronger there, but is not said again when a weaker one
/// follows: a flow that expired or began anew takes nothing back.
#[derive(Debug)]
pub(crate) struct Lines {
    said: HashMap<Server, Vec<Said>>,
    /// Say also where too little was seen to judge.
    all: bool,
    screen: Screen,
}

impl Lines {
    pub(crate) fn new(all: bool, screen: Screen) -> Self {
        Self { said: HashMap::new(), all, screen }
    }

    /// Writes a line if the flow's verdict is news for its server's port. `owner` is asked only then whose it is.
    ///
    /// # Errors
    /// Those of `out`.
    pub(crate) fn flow(
        &mut self,
        flow: &FlowRecord<'_>,
        owner: impl FnOnce() -> Option<String>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let verdict = flow.judgement.verdict;
        if verdict == Verdict::Insufficient && !self.all {
            return Ok(());
        }
        let band = flow.decision.and_then(|d| d.band);
        if self.said.len() >= REMEMBERED {
            self.said.clear();
        }
        let said = self.said.entry((flow.server.ip, flow.server.port, flow.transport)).or_default();
        let named = said.iter().any(|(_, _, band)| band.is_some());
        match said.iter_mut().find(|(v, protocol, _)| (*v, *protocol) == (verdict, flow.protocol())) {
            Some((_, _, known)) if *known >= band => return Ok(()),
            Some((_, _, known)) => *known = band,
            // Nothing is learned from a flow without a name where others had one.
            None if band.is_none() && named => return Ok(()),
            None => said.push((verdict, flow.protocol(), band)),
        }
        let owner = owner().map(|owner| format!("; {owner}")).unwrap_or_default();
        writeln!(out, "{}{owner}", line(flow, self.screen))?;
        out.flush()
    }
}

/// "20:00:00 mismatch 1197/udp carrius-rshell -> openvpn tls-auth, certain; 10.0.0.1:1197 <- 10.0.0.2:40000".
fn line(flow: &FlowRecord<'_>, screen: Screen) -> String {
    let decision = flow.decision.filter(|d| d.protocol.is_some());
    let mut observed = flow.protocol().to_owned();
    for part in decision.iter().flat_map(|d| d.variant.as_deref().into_iter().chain(d.also.iter().copied())) {
        observed.push(' ');
        observed.push_str(part);
    }
    if let Some(band) = decision.and_then(|d| d.band) {
        observed.push_str(", ");
        observed.push_str(band.name());
    }
    if let Some(reason) = flow.judgement.reason {
        observed.push_str(", ");
        observed.push_str(reason.name());
    }
    let verdict = format!("{:12}", flow.judgement.verdict.name());
    let verdict = if flow.judgement.verdict < Verdict::Match { screen.bold(&verdict) } else { verdict };
    let port = format!("{}/{}", flow.server.port, flow.transport);
    let claim = claim_of(flow.claim);
    let arrow = if flow.server_by == ServerBy::Nobody { "<->" } else { "<-" };
    let ends = format!("{} {arrow} {}", endpoint(flow.server), endpoint(flow.client));
    let tunnel = flow.tunnel.map(|tunnel| format!(" in {tunnel}")).unwrap_or_default();
    format!("{} {verdict} {port:9} {claim} -> {}; {ends}{tunnel}", when::clock(flow.last), escape(&observed))
}
