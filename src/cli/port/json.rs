//! The JSON Lines form: one object for each port and transport, or run of ports with the same claim.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{Confirm, Found, confirm};
use crate::registry::{Lore, Proto, Range, Registry, Row, State};

/// Writes one object a line.
pub(super) fn write(found: &[Found<'_>], registry: &Registry, out: &mut dyn Write) -> io::Result<()> {
    for run in found {
        for proto in &run.protos {
            writeln!(out, "{}", object(run, *proto, registry))?;
        }
    }
    Ok(())
}

fn object(run: &Found<'_>, proto: Proto, registry: &Registry) -> Value {
    let other = match run.claim.state {
        State::AssignedOtherTransport => json!(run.claim.other_transports.names().collect::<Vec<_>>()),
        _ => Value::Null,
    };
    let assigned = run.claim.state == State::Assigned;
    let confirmable: Vec<Value> = if assigned {
        run.claim.services.iter().map(|service| confirmable(service, &confirm(service, proto))).collect()
    } else {
        Vec::new()
    };
    let rows: Vec<Value> = run.rows.iter().map(row).collect();
    let lore: Vec<Value> = run.lore.iter().filter(|said| said.proto.is_none_or(|own| own == proto)).map(lore).collect();
    json!({
        "type": "registry",
        "schema": "portproof/1",
        "registry": registry.date(),
        "port": run.first,
        "last_port": run.last,
        "transport": proto.name(),
        "range": Range::of(run.first).name(),
        "claim": { "state": run.claim.state.name(), "services": run.claim.services, "other_transports": other },
        "confirm": confirmable,
        "rows": rows,
        "lore": lore,
    })
}

fn confirmable(service: &str, confirm: &Confirm<'_>) -> Value {
    match confirm {
        Confirm::Never(reason) => json!({ "service": service, "confirmable": "never", "reason": reason }),
        Confirm::NotYet => json!({ "service": service, "confirmable": "not-yet", "reason": "no-recogniser" }),
        Confirm::By { protocols, wrapper, to_come, note } => json!({
            "service": service,
            "confirmable": if to_come.len() == protocols.len() { "not-yet" } else { "yes" },
            "satisfied_by": protocols,
            "wrapper": wrapper,
            "to_come": to_come,
            "note": text(note),
        }),
    }
}

fn row(row: &Row<'_>) -> Value {
    json!({
        "service": text(row.name),
        "ports": row.ports.map(|(first, last)| [first, last]),
        "transports": row.transports.names().collect::<Vec<_>>(),
        "state": row.state.name(),
        "alias": row.alias,
        "description": text(row.description),
        "assignee": text(row.assignee),
        "contact": text(row.contact),
        "registered": text(row.registered),
        "modified": text(row.modified),
        "reference": text(row.reference),
        "service_code": text(row.service_code),
        "unauthorised_use": text(row.unauthorised),
        "note": text(row.note),
    })
}

fn lore(said: &Lore) -> Value {
    json!({
        "ports": [said.first, said.last],
        "kind": said.kind,
        "protocol": said.protocol,
        "use": said.actual_use,
        "confidence": said.confidence,
        "sources": said.evidence.split(" ; ").collect::<Vec<_>>(),
        "note": text(said.note),
    })
}

/// What the registry leaves empty is null.
fn text(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::from(text) }
}
