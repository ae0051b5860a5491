//! What listens on this machine: a line per port and holder, with what the registry claims, what is told of the port,
//! and, if somebody looked, what the traffic on it speaks.

use super::layout::{self, Column, Line};
use super::rows::{claim, names_of, port, sure};
use super::text::{Screen, escape, thousands};
use super::why;
use crate::packet::Ip;
use crate::process::{Listener, Owner};
use crate::registry::{Claim, Lore};
use crate::verdict::{Observed, PortRow, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Digits of a container's number that are shown, as its tools show them.
const CONTAINER: usize = 12;

const PLAIN: [Column; 5] = [
    Column::fixed("PORT"),
    Column::flexible("CLAIM", 10),
    Column::flexible("PROCESS", 12),
    Column::flexible("USER", 6),
    Column::flexible("ADDRESS", 7),
];

const WATCHED: [Column; 8] = [
    Column::fixed("VERDICT"),
    Column::fixed("PORT"),
    Column::flexible("CLAIM", 8),
    Column::flexible("OBSERVED", 12),
    Column::fixed("SURE"),
    Column::flexible("PROCESS", 10),
    Column::optional("USER"),
    Column::optional("ADDRESS"),
];

/// A port that somebody listens on, with what is known of it.
#[derive(Clone, Debug)]
pub struct Listening<'a> {
    /// The port, its holders and addresses.
    pub listener: &'a Listener,
    /// What the registry claims of it.
    pub claim: &'a Claim,
    /// What is told of it.
    pub lore: Vec<Lore>,
    /// What its traffic spoke while somebody looked.
    pub seen: Option<&'a PortRow>,
}

/// Writes the table. `watched`: somebody looked at the traffic.
///
/// # Errors
/// Those of `out`.
pub fn table(rows: &[Listening<'_>], watched: bool, screen: Screen, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "Nothing listens here.");
    }
    let mut lines: Vec<(Option<usize>, Line)> = rows.iter().map(|row| row.line(watched)).collect();
    // What speaks otherwise than claimed comes first; without verdicts, the ports in their order.
    lines.sort_by_key(|(rank, _)| rank.unwrap_or(usize::MAX));
    let lines: Vec<Line> = lines.into_iter().map(|(_, line)| line).collect();
    match watched {
        true => layout::write(&WATCHED, "WHY", &lines, screen, out),
        false => layout::write(&PLAIN, "LORE", &lines, screen, out),
    }
}

impl Listening<'_> {
    fn line(&self, watched: bool) -> (Option<usize>, Line) {
        let listener = self.listener;
        let shown = self.seen.and_then(PortRow::shown);
        let verdict = shown.map(|(observed, _)| observed.verdict);
        let mut cells = Vec::with_capacity(WATCHED.len());
        if watched {
            let mark = if shown.is_some_and(|(_, only_likely)| only_likely) { "?" } else { "" };
            cells.push(verdict.map(|verdict| format!("{verdict}{mark}")).unwrap_or_default());
        }
        cells.push(port(listener.port, listener.transport));
        cells.push(claim(self.claim.state, &self.claim.services, self.claim.other_transports));
        if watched {
            cells.push(shown.map_or_else(|| "(no traffic)".to_owned(), |(observed, _)| names_of(observed)));
            cells.push(sure(shown.and_then(|(observed, _)| observed.band)).to_owned());
        }
        cells.extend([process(listener), user(listener), addresses(listener)]);
        let why = match self.seen {
            Some(row) => escape(&why::row(row)).into_owned(),
            None => self.lore_said(),
        };
        let attention = match verdict {
            Some(verdict) => verdict < Verdict::Match,
            None => !why.is_empty() && !watched,
        };
        let rank = verdict.and_then(|verdict| super::rows::ORDER.iter().position(|other| *other == verdict));
        (rank, Line { colour: verdict, cells, why, attention })
    }

    /// What is told of the port beside what the registry says, the best known first: "lore: openvpn, Windscribe OpenVPN".
    fn lore_said(&self) -> String {
        let mut said: Vec<&Lore> = self.lore.iter().filter(|lore| lore.kind != "as-registered").collect();
        said.sort_by_key(|lore| ["high", "medium"].iter().position(|word| *word == lore.confidence).unwrap_or(2));
        let Some(first) = said.first() else { return String::new() };
        let more = match said.len() - 1 {
            0 => String::new(),
            others => format!("; {others} more (portproof port {})", self.listener.port),
        };
        let name = first.protocol.map(|name| format!("{name}, ")).unwrap_or_default();
        format!("lore: {name}{}{more}", escape(first.actual_use))
    }
}

/// "openvpn[812]", "nginx[9] +3", "postgres[77] in 3f4e3f4e3f4e", "(kernel)".
fn process(listener: &Listener) -> String {
    let Some(first) = listener.owners.first() else {
        return if listener.kernel { "(kernel)" } else { "(not visible)" }.to_owned();
    };
    let more = match listener.owners.len() {
        1 => String::new(),
        several => format!(" +{}", several - 1),
    };
    format!("{}{more}", owner(first))
}

/// "openvpn[812]", "postgres[77] in 3f4e3f4e3f4e".
pub fn owner(owner: &Owner) -> String {
    let container = owner.container.as_deref().map(|name| {
        let digits = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
        let short = name.get(..CONTAINER).filter(|_| digits).unwrap_or(name);
        format!(" in {}", escape(short))
    });
    format!("{}[{}]{}", escape(&owner.command), owner.pid, container.unwrap_or_default())
}

/// Whose process it is, or whose socket.
fn user(listener: &Listener) -> String {
    let (name, uid) = match listener.owners.first() {
        Some(owner) => (&owner.user, owner.uid),
        None => (&listener.user, listener.uid),
    };
    name.as_deref().map_or_else(|| uid.to_string(), |name| escape(name).into_owned())
}

/// "*" for all addresses, else the first and how many more there are.
fn addresses(listener: &Listener) -> String {
    let any = |ip: &Ip| ip.to_std().is_unspecified();
    let v6 = |ip: &Ip| ip.to_std().is_ipv6();
    let addresses = &listener.addresses;
    if addresses.iter().any(any) {
        // One on :: takes IPv4 too, where that is not switched off.
        return if addresses.iter().filter(|ip| any(ip)).any(v6) { "*" } else { "0.0.0.0" }.to_owned();
    }
    let mut all = addresses.iter();
    let first = all.next().map(ToString::to_string).unwrap_or_default();
    match all.len() {
        0 => first,
        more => format!("{first} +{more}"),
    }
}

/// Writes one object a line. Fields may be added; none is renamed.
///
/// # Errors
/// Those of `out`.
pub fn jsonl(rows: &[Listening<'_>], watched: bool, out: &mut dyn Write) -> io::Result<()> {
    for row in rows {
        let listener = row.listener;
        let lore = row.lore.iter().map(|lore| {
            json!({"kind": lore.kind, "protocol": lore.protocol, "use": lore.actual_use, "confidence": lore.confidence})
        });
        let seen = row.seen.and_then(PortRow::shown);
        let of = |field: fn(&Observed) -> Value| seen.map_or(Value::Null, |(observed, _)| field(observed));
        let mut object = json!({
            "type": "listener",
            "schema": "portproof/1",
            "port": listener.port,
            "transport": listener.transport.name(),
            "addresses": listener.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "uid": listener.uid,
            "user": listener.user,
            "kernel": listener.kernel,
            "processes": listener.owners,
            "claim": {"state": row.claim.state.name(), "services": row.claim.services},
            "lore": lore.collect::<Vec<_>>(),
        });
        if let (true, Some(fields)) = (watched, object.as_object_mut()) {
            let verdicts: BTreeMap<_, _> =
                row.seen.iter().flat_map(|row| &row.verdicts).map(|(verdict, flows)| (verdict.name(), flows)).collect();
            fields.extend([
                ("verdict".to_owned(), of(|observed| json!(observed.verdict.name()))),
                ("only_likely".to_owned(), seen.map_or(Value::Null, |(_, only_likely)| json!(only_likely))),
                ("protocol".to_owned(), of(|observed| json!(observed.protocol))),
                ("variants".to_owned(), of(|observed| json!(observed.variants))),
                ("band".to_owned(), of(|observed| json!(observed.band.map(|band| band.name())))),
                ("verdicts".to_owned(), json!(verdicts)),
                ("why".to_owned(), row.seen.map_or(Value::Null, |row| json!(why::row(row)))),
            ]);
        }
        writeln!(out, "{object}")?;
    }
    Ok(())
}

/// Writes CSV (RFC 4180) with a header.
///
/// # Errors
/// Those of `out`.
pub fn csv(rows: &[Listening<'_>], watched: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    let mut header = vec![
        "port",
        "transport",
        "addresses",
        "uid",
        "user",
        "kernel",
        "pids",
        "commands",
        "containers",
        "claim_state",
        "claim_services",
        "lore",
    ];
    if watched {
        header.extend(["verdict", "only_likely", "protocol", "variants", "band", "why"]);
    }
    csv.write_record(&header)?;
    for row in rows {
        let listener = row.listener;
        let owners = |field: fn(&Owner) -> String| listener.owners.iter().map(field).collect::<Vec<_>>().join(";");
        let mut record = vec![
            listener.port.to_string(),
            listener.transport.to_string(),
            listener.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(";"),
            listener.uid.to_string(),
            listener.user.clone().unwrap_or_default(),
            listener.kernel.to_string(),
            owners(|owner| owner.pid.to_string()),
            owners(|owner| owner.command.clone()),
            owners(|owner| owner.container.clone().unwrap_or_default()),
            row.claim.state.name().to_owned(),
            row.claim.services.join(";"),
            row.lore.iter().map(|lore| lore.actual_use).collect::<Vec<_>>().join("; "),
        ];
        if watched {
            let seen = row.seen.and_then(PortRow::shown);
            let of = |field: fn(&Observed) -> String| seen.map(|(observed, _)| field(observed)).unwrap_or_default();
            record.extend([
                of(|observed| observed.verdict.to_string()),
                seen.map(|(_, only_likely)| only_likely.to_string()).unwrap_or_default(),
                of(|observed| observed.protocol.to_owned()),
                of(|observed| observed.variants.iter().cloned().collect::<Vec<_>>().join(";")),
                of(|observed| observed.band.map(|band| band.name().to_owned()).unwrap_or_default()),
                row.seen.map(why::row).unwrap_or_default(),
            ]);
        }
        csv.write_record(&record)?;
    }
    csv.flush()
}

/// How much could not be seen.
pub fn hidden(processes: usize) -> Option<String> {
    let (noun, what) = if processes == 1 { ("process", "it holds") } else { ("processes", "they hold") };
    let count = thousands(processes as u64);
    (processes > 0)
        .then(|| format!("{count} {noun} could not be looked into (that takes root); what {what} shows none."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::Transport;
    use crate::registry::{Proto, Registry, lore};
    use std::collections::BTreeSet;

    fn listener(port: u16, ips: &[&str], owners: Vec<Owner>) -> Listener {
        let addresses: BTreeSet<Ip> = ips.iter().map(|ip| ip.parse::<std::net::IpAddr>().unwrap().into()).collect();
        Listener {
            port,
            transport: Transport::Udp,
            uid: 0,
            user: Some("root".into()),
            kernel: false,
            owners,
            addresses,
        }
    }

    fn held(command: &str, pid: u32, container: Option<String>) -> Owner {
        Owner { pid, command: command.into(), uid: 33, user: None, container }
    }

    fn shown(listeners: &[Listener]) -> String {
        let rows: Vec<Listening<'_>> = listeners
            .iter()
            .map(|listener| Listening {
                listener,
                claim: Registry::embedded().claim(listener.port, Proto::Udp),
                lore: lore(listener.port, Proto::Udp).collect(),
                seen: None,
            })
            .collect();
        let mut out = Vec::new();
        table(&rows, false, Screen { width: 80, cut: true, colour: false }, &mut out).unwrap();
        let (mut json, mut csv) = (Vec::new(), Vec::new());
        jsonl(&rows, false, &mut json).unwrap();
        super::csv(&rows, false, &mut csv).unwrap();
        assert_eq!(json.iter().filter(|b| **b == b'\n').count(), listeners.len());
        assert_eq!(csv.windows(2).filter(|pair| pair == b"\r\n").count(), listeners.len() + 1);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_a_port() {
        let id = "3f4e".repeat(16);
        let text = shown(&[
            listener(1197, &["0.0.0.0", "::"], vec![held("openvpn", 812, None)]),
            listener(2797, &["10.0.0.1", "10.0.0.2"], vec![held("charon", 7, Some(id)), held("charon", 9, None)]),
            listener(60000, &["127.0.0.1"], Vec::new()),
            Listener { kernel: true, ..listener(51820, &["0.0.0.0"], Vec::new()) },
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["PORT", "CLAIM", "PROCESS", "USER", "ADDRESS"]);
        assert!(lines[1].contains("openvpn[812]") && lines[1].ends_with(" *"), "{text}");
        assert!(lines[2].starts_with("  lore: openvpn, "), "{text}");
        assert!(text.contains("charon[7] in 3f4e3f4e3f4e +1") && text.contains("10.0.0.1 +1"), "{text}");
        assert!(text.contains("60000/udp (dynamic)") && text.contains("(not visible)"), "{text}");
        assert!(text.contains("(kernel)"), "{text}");
    }

    #[test]
    fn what_a_process_calls_itself_is_escaped() {
        let text = shown(&[listener(60000, &["::"], vec![held("a\u{1b}[31m", 1, None)])]);
        assert!(text.contains(r"a\u{1b}[31m[1]"), "{text}");
    }

    #[test]
    fn what_is_hidden_is_counted() {
        assert_eq!(hidden(0), None);
        assert!(hidden(1).unwrap().starts_with("1 process could"));
        assert!(hidden(12).unwrap().starts_with("12 processes could"));
    }
}
