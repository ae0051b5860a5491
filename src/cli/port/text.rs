//! The readable form: details of a port, and the list for a range.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use super::super::text::{Screen, escape, fold, wrap};
use super::{Confirm, Found, confirm};
use crate::registry::{Lore, Proto, Range, Row, State};

/// Everything about each of the ports.
pub(super) fn details(found: &[Found<'_>], screen: Screen, out: &mut dyn Write) -> io::Result<()> {
    let mut shown: Vec<Row<'_>> = Vec::new();
    for (index, port) in found.iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        // What stands under one transport is not said again under the other.
        let rows: Vec<Row<'_>> = port.rows.iter().filter(|row| !shown.contains(row)).copied().collect();
        Page { screen, out }.write(port, &rows)?;
        shown.extend(rows);
    }
    Ok(())
}

/// One line for each run of ports.
pub(super) fn list(found: &[Found<'_>], screen: Screen, out: &mut dyn Write) -> io::Result<()> {
    let state = |run: &Found<'_>| match run.claim.state {
        State::AssignedOtherTransport => format!("only on {}", run.claim.other_transports),
        state => state.name().to_owned(),
    };
    let mut rows = vec![["PORT".to_owned(), "STATE".into(), "CLAIM".into(), "DESCRIPTION".into()]];
    for run in found {
        let description = run.rows.iter().find(|row| !row.name.is_empty()).map_or("", |row| row.description);
        rows.push([label(run), state(run), names(run), fold(description)]);
    }
    let widths = [0, 1, 2]
        .map(|column| rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.width())).max().unwrap_or(0));
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths.iter().chain([&0])) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + 1));
        }
        let line = screen.cut(line.trim_end()).into_owned();
        writeln!(out, "{}", if index == 0 { screen.bold(&line) } else { line })?;
    }
    let mut told: Vec<u16> = found
        .iter()
        .flat_map(|run| run.lore.iter().filter(|lore| lore.first == lore.last))
        .map(|lore| lore.first)
        .collect();
    told.sort_unstable();
    told.dedup();
    if !told.is_empty() {
        let ports: Vec<String> = told.iter().map(u16::to_string).collect();
        writeln!(out)?;
        for line in wrap(&format!("There is lore on {}.", ports.join(", ")), screen.width) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// "1197/tcp+udp", "3100-3120/udp".
fn label(run: &Found<'_>) -> String {
    let protos: Vec<&str> = run.protos.iter().map(|proto| proto.name()).collect();
    let protos = protos.join("+");
    if run.first == run.last {
        format!("{}/{protos}", run.first)
    } else {
        format!("{}-{}/{protos}", run.first, run.last)
    }
}

fn names(run: &Found<'_>) -> String {
    let names: Vec<_> = run.claim.services.iter().map(|name| escape(name)).collect();
    names.join(", ")
}

/// A page about one port.
struct Page<'a> {
    screen: Screen,
    out: &'a mut dyn Write,
}

impl Page<'_> {
    fn write(mut self, port: &Found<'_>, rows: &[Row<'_>]) -> io::Result<()> {
        let range = Range::of(port.first);
        let state = match port.claim.state {
            State::Assigned => format!("assigned to {}", names(port)),
            State::AssignedOtherTransport => {
                format!("assigned on {} only, to {}", port.claim.other_transports, names(port))
            }
            State::Dynamic => "never assigned".to_owned(),
            state => state.name().to_owned(),
        };
        let title = self.screen.bold(&label(port));
        writeln!(self.out, "{title}  {state} ({} port)", range.name())?;
        for row in rows {
            self.row(row)?;
        }
        self.confirm(port)?;
        self.lore(&port.lore)
    }

    fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        let mut title = if row.name.is_empty() { fold(row.description) } else { escape(row.name).into_owned() };
        if let Some((first, last)) = row.ports.filter(|(first, last)| first != last) {
            title.push_str(&format!("  {first}-{last}"));
        }
        if !row.transports.is_empty() {
            title.push_str(&format!("  {}", row.transports));
        }
        writeln!(self.out, "\n  {title}")?;
        let assignee = fold(row.assignee);
        let contact = fold(row.contact);
        let facts = [
            ("Description", fold(if row.name.is_empty() { "" } else { row.description })),
            ("Assignee", assignee.clone()),
            ("Contact", if contact == assignee { String::new() } else { contact }),
            ("Registered", fold(row.registered)),
            ("Modified", fold(row.modified)),
            ("Reference", fold(row.reference)),
            ("DCCP code", fold(row.service_code)),
            ("Unauthorised", fold(row.unauthorised)),
            ("Note", fold(row.note)),
        ];
        for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
            self.paragraph(&format!("    {name:<13} "), value)?;
        }
        Ok(())
    }

    /// Whether traffic could confirm the claim, once for transports of which the same is true.
    fn confirm(&mut self, port: &Found<'_>) -> io::Result<()> {
        self.section("Could traffic confirm the claim?")?;
        let nothing = match port.claim.state {
            State::Assigned => None,
            State::AssignedOtherTransport => {
                let on: Vec<&str> = port.protos.iter().map(|proto| proto.name()).collect();
                Some(format!("There is none on {}.", on.join(" and ")))
            }
            _ => Some("There is none.".to_owned()),
        };
        if let Some(nothing) = nothing {
            return self.paragraph("    ", &format!("{nothing} Whatever is recognised here is unregistered."));
        }
        let several = port.claim.services.len() > 1;
        for service in &port.claim.services {
            let mut answers: Vec<(Vec<Proto>, String)> = Vec::new();
            for proto in &port.protos {
                let answer = sentence(&confirm(service, *proto));
                match answers.iter_mut().find(|(_, same)| *same == answer) {
                    Some((protos, _)) => protos.push(*proto),
                    None => answers.push((vec![*proto], answer)),
                }
            }
            let split = answers.len() > 1;
            for (protos, answer) in answers {
                let mut start = String::new();
                if several {
                    start.push_str(&escape(service));
                }
                if split && let Some(proto) = protos.first() {
                    start.push_str(if several { "/" } else { "" });
                    start.push_str(proto.name());
                }
                if !start.is_empty() {
                    start.push_str(": ");
                }
                self.paragraph("    ", &format!("{start}{answer}"))?;
            }
        }
        Ok(())
    }

    fn lore(&mut self, lore: &[Lore]) -> io::Result<()> {
        if lore.is_empty() {
            return Ok(());
        }
        self.section("Lore, not evidence")?;
        for said in lore {
            let mut head = said.proto.map_or("tcp, udp", Proto::name).to_owned();
            if said.first != said.last {
                head = format!("{}-{}/{head}", said.first, said.last);
            }
            let protocol = said.protocol.map(|name| format!(", {name}")).unwrap_or_default();
            self.paragraph(
                "    ",
                &format!("{head}: {} ({}{protocol}; {} confidence)", said.actual_use, said.kind, said.confidence),
            )?;
            if !said.note.is_empty() {
                self.paragraph("      ", said.note)?;
            }
            for source in said.evidence.split(" ; ") {
                self.paragraph("      ", source)?;
            }
        }
        Ok(())
    }

    fn section(&mut self, title: &str) -> io::Result<()> {
        writeln!(self.out, "\n  {}", self.screen.bold(title))
    }

    /// Text behind a first indent; further lines stand under its start.
    fn paragraph(&mut self, indent: &str, text: &str) -> io::Result<()> {
        let room = self.screen.width.saturating_sub(indent.width()).max(20);
        for (index, line) in wrap(text, room).iter().enumerate() {
            if index == 0 {
                writeln!(self.out, "{indent}{line}")?;
            } else {
                writeln!(self.out, "{:1$}{line}", "", indent.width())?;
            }
        }
        Ok(())
    }
}

/// The answer in words.
pub(super) fn sentence(confirm: &Confirm<'_>) -> String {
    match confirm {
        Confirm::Never(reason) => format!("No. {reason}."),
        Confirm::NotYet => {
            "Not by this program: it has no recogniser for this service. Another protocol here is a mismatch; \
                            TLS, DTLS, QUIC or HTTP leave it open, for the service may run inside."
                .to_owned()
        }
        Confirm::By { protocols, wrapper, to_come, note } => {
            let mut text = match to_come.len() == protocols.len() {
                false => format!("Yes, by {}.", protocols.join(" or ")),
                true => format!("Not yet: {} would, and has no recogniser so far.", protocols.join(" or ")),
            };
            if to_come.len() < protocols.len() && !to_come.is_empty() {
                text.push_str(&format!(" No recogniser so far for {}.", to_come.join(", ")));
            }
            if !wrapper.is_empty() {
                text.push_str(&format!(" {} proves only the envelope.", wrapper.join(" or ")));
            }
            if !note.is_empty() {
                text.push_str(&format!(" {note}."));
            }
            text
        }
    }
}
