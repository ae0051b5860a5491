//! The page: sections with a heading, sentences wrapped to the screen.

use super::{evidence, rule};
use crate::cli::port::confirmation;
use crate::cli::text::{Screen, counted, escape, fold, size, thousands, wrap};
use crate::packet::Endpoint;
use crate::registry::{Lore, Registry, State, lore};
use crate::report::when;
use crate::verdict::{Answered, FlowRecord, PortRow, ServerBy, proto};
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Where the explanation is written.
pub(super) struct Page<'a> {
    pub screen: Screen,
    pub registry: &'a Registry,
    capture: &'a str,
    out: &'a mut dyn Write,
}

impl<'a> Page<'a> {
    pub(super) fn new(screen: Screen, registry: &'a Registry, capture: &'a str, out: &'a mut dyn Write) -> Self {
        Self { screen, registry, capture, out }
    }

    /// What the row of a port says, where there is more than the one flow to explain.
    pub(super) fn port(&mut self, row: &PortRow) -> io::Result<()> {
        let (flows, _, bytes) = row.totals();
        if flows == 1 {
            return Ok(());
        }
        let title = format!("{}/{}: {}", row.key.port, row.key.transport, row.verdict());
        self.title(&title)?;
        let (clients, servers) = (row.clients.len() as u64, row.servers.len() as u64);
        self.text(&format!(
            "{}, {} bytes, {} and {}; in {} the server side answered.",
            counted(flows, "flow"),
            size(bytes),
            counted(servers, "server"),
            counted(clients, "client"),
            counted(row.answered, "flow"),
        ))?;
        let shown = row.shown().map(|(shown, _)| (shown.verdict, shown.protocol));
        for seen in &row.observed {
            let band = seen.band.map(|band| format!(", {band}")).unwrap_or_default();
            let reason = seen.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            let here = shown == Some((seen.verdict, seen.protocol));
            let where_to = if here { "explained below".to_owned() } else { format!("see --flow {}", seen.best.flow) };
            let flows = counted(seen.flows, "flow");
            self.item("- ", &format!("{}{band}: {}{reason}, {flows}; {where_to}", seen.protocol, seen.verdict))?;
        }
        if row.shown().is_some_and(|(_, likely)| likely) {
            self.text("Nothing surer than likely decides this row, hence the ? beside it.")?;
        } else if row.observed.len() > 1 {
            self.text(
                "The row shows the first that is there, at confident or better, of mismatch, contradicted, unregistered, \
                 match, unverifiable, insufficient.",
            )?;
        }
        self.blank()
    }

    /// Everything about one flow.
    pub(super) fn flow(&mut self, flow: &FlowRecord<'_>) -> io::Result<()> {
        let named = flow.decision.filter(|d| d.protocol.is_some());
        let band = named.and_then(|d| d.band).map(|band| format!(" ({band})")).unwrap_or_default();
        let port = format!("{}/{}", flow.server.port, flow.transport);
        self.title(&format!("Flow {}: {} on {port}{band}: {}", flow.id, flow.protocol(), flow.judgement.verdict))?;
        self.facts(flow)?;
        self.claim(flow)?;
        self.server(flow)?;
        evidence::write(self, flow)?;
        self.section("How the verdict follows")?;
        self.text(&rule::follows(flow))?;
        if let Some(text) = rule::settles(flow) {
            self.section("What would settle it")?;
            self.text(&text)?;
        }
        self.lore(lore(flow.server.port, proto(flow.transport)))
    }

    /// The flow is counted, but nothing else is left of it.
    pub(super) fn forgotten(&mut self) -> io::Result<()> {
        self.text(
            "The flow that decides was judged early, for want of memory, and its evidence is gone. Cut the capture \
             down to this port and explain it again.",
        )
    }

    fn facts(&mut self, flow: &FlowRecord<'_>) -> io::Result<()> {
        let lasting = when::duration(flow.last.since(flow.first));
        let span = when::span(flow.first, flow.last);
        self.text(&format!("{} -> {}, in {}", end(flow.client), end(flow.server), escape(self.capture)))?;
        self.text(&format!("{span}, {lasting}"))?;
        let (packets, bytes) = (flow.packets, flow.bytes);
        let mut text = format!(
            "{} with {} from the client, {} with {} from the server",
            counted(packets.0, "packet"),
            octets(bytes.0),
            counted(packets.1, "packet"),
            octets(bytes.1)
        );
        if let Some(tunnel) = flow.tunnel {
            text.push_str(&format!(", inside {tunnel}"));
        }
        if let Some(vlan) = flow.vlan {
            text.push_str(&format!(", on VLAN {vlan}"));
        }
        self.text(&text)
    }

    fn claim(&mut self, flow: &FlowRecord<'_>) -> io::Result<()> {
        self.section("The claim")?;
        let (judged, transport) = flow.judged();
        let proto = proto(transport);
        let port = format!("{}/{transport}", judged.port);
        if let Some(by) = flow.announced {
            self.text(&format!(
                "Flow {} ({}) announced this flow's port in frame {}. Such a port is picked for one transfer, so that the \
                 claim is that of the announcing service's port.",
                by.by, by.protocol, by.frame
            ))?;
        }
        let date = self.registry.date().to_owned();
        let claim = &flow.claim;
        let names: Vec<_> = claim.services.iter().map(|name| escape(name)).collect();
        let names = names.join(", ");
        let state = match claim.state {
            State::Assigned => format!("IANA's registry of {date} assigns {port} to {names}."),
            State::AssignedOtherTransport => format!(
                "IANA's registry of {date} assigns port {} to {names}, but for {} only.",
                judged.port, claim.other_transports
            ),
            State::Reserved => format!("IANA's registry of {date} keeps {port} reserved."),
            State::Unassigned => format!("IANA's registry of {date} assigns {port} to nothing."),
            State::DeAssigned => format!("IANA's registry of {date} took the assignment of {port} back."),
            State::Dynamic => format!("{port} is in the dynamic range (49152-65535), which is never assigned."),
        };
        self.text(&state)?;
        let rows: Vec<_> = self.registry.rows(judged.port).collect();
        for name in &claim.services {
            let holds = |row: &&crate::registry::Row<'_>| row.name == *name;
            if let Some(row) = rows.iter().find(holds) {
                let mut text = format!("{}: {}", escape(name), fold(row.description));
                if !row.assignee.is_empty() {
                    // Persons stand in the registry as "[Given_Family]".
                    let holder = fold(row.assignee).replace('_', " ");
                    text.push_str(&format!("; held by {}", holder.trim_matches(['[', ']'])));
                }
                for (word, value) in
                    [("registered", row.registered), ("modified", row.modified), ("reference", row.reference)]
                {
                    if !value.is_empty() {
                        text.push_str(&format!("; {word} {}", fold(value)));
                    }
                }
                self.item("- ", &text)?;
            }
            if claim.state == State::Assigned {
                self.item("  ", &format!("Could traffic confirm it? {}", confirmation(name, proto)))?;
            }
        }
        Ok(())
    }

    fn server(&mut self, flow: &FlowRecord<'_>) -> io::Result<()> {
        self.section("Who serves")?;
        let server = end(flow.server);
        let how = match flow.server_by {
            ServerBy::Syn => format!("{server}: the other end opened the connection (TCP SYN)."),
            ServerBy::Recogniser => format!("{server}: the protocol itself shows which end began and which answered."),
            ServerBy::FanIn => format!("{server}: many peers come to it."),
            ServerBy::Assigned => format!(
                "{server}: its port is assigned and below 32768, the other end's is not. No start of the flow was seen."
            ),
            ServerBy::First => format!("{server}, for want of better: the first packet seen went there."),
            ServerBy::Nobody => {
                format!("Neither: both ends use ephemeral ports, as peers do. {server} got the first packet.")
            }
        };
        self.text(&how)?;
        if flow.probe {
            self.text(&format!(
                "The flow is part of a scan: {} knocked at many ports or hosts, and nearly all refused or said nothing.",
                flow.client.ip
            ))?;
        }
        let answered = match flow.answered {
            Answered::Seen => format!("It answered: {} of its own were seen.", counted(flow.packets.1, "packet")),
            Answered::Implied => {
                "It answered, though its bytes were not seen: what the client sent acknowledges them.".to_owned()
            }
            Answered::NotExpected => "No answer is expected: multicast, or one-way by nature.".to_owned(),
            Answered::No => {
                "It never answered with a payload, so nothing shows that anything is served there.".to_owned()
            }
        };
        self.text(&answered)
    }

    fn lore(&mut self, sayings: impl Iterator<Item = Lore>) -> io::Result<()> {
        for (place, said) in sayings.enumerate() {
            if place == 0 {
                self.section("Lore, not evidence")?;
            }
            self.item("- ", &format!("{} ({}; {} confidence)", said.actual_use, said.kind, said.confidence))?;
        }
        Ok(())
    }

    /// A line between two ports.
    pub(super) fn rule(&mut self) -> io::Result<()> {
        writeln!(self.out, "\n{}\n", "-".repeat(self.screen.width.min(80)))
    }

    fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    fn title(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(&escape(text), self.screen.width) {
            writeln!(self.out, "{}", self.screen.bold(&line))?;
        }
        Ok(())
    }

    pub(super) fn section(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "\n{}", self.screen.bold(title))
    }

    /// A sentence.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.item("", text)
    }

    /// Text behind a start; further lines stand under the text. What comes from captures is already harmless or is made so.
    pub(super) fn item(&mut self, start: &str, text: &str) -> io::Result<()> {
        let indent = 2 + start.width();
        let room = self.screen.width.saturating_sub(indent).max(20);
        for (place, line) in wrap(&escape(text), room).iter().enumerate() {
            let start = if place == 0 { start } else { "" };
            writeln!(self.out, "  {start:<0$}{line}", indent - 2)?;
        }
        Ok(())
    }
}

/// "10.0.0.1:1197", "[2001:db8::1]:1197".
fn end(end: Endpoint) -> String {
    let ip = end.ip.to_string();
    if ip.contains(':') { format!("[{ip}]:{}", end.port) } else { format!("{ip}:{}", end.port) }
}

fn octets(bytes: u64) -> String {
    format!("{} byte{}", thousands(bytes), if bytes == 1 { "" } else { "s" })
}
