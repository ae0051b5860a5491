//! What differs between two snapshots of the registry.

use std::collections::BTreeMap;

use super::{Registry, Row, Transports};

/// One difference, by port, transport and service name. Rows without a name (unassigned, reserved) are not listed: they
/// follow from those with one; [`Diff::states`] counts them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A row that the newer snapshot has and the older has not.
    Added(Key<'a>, &'a str),
    /// A row that the older snapshot has and the newer has not.
    Removed(Key<'a>, &'a str),
    /// A field of a row that both have: its name, the old text, the new text.
    Changed(Key<'a>, &'static str, &'a str, &'a str),
}

/// What names a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key<'a> {
    /// First and last port; `None`, which sorts last, for a name without one.
    pub ports: Option<(u16, u16)>,
    /// The one transport, or none.
    pub transport: Transports,
    /// The service name.
    pub name: &'a str,
}

/// All differences.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Rows with a service name, by port.
    pub changes: Vec<Change<'a>>,
    /// How many rows without a name were added, removed or changed.
    pub states: usize,
}

/// Compares two snapshots.
pub fn diff<'a>(old: &'a Registry, new: &'a Registry) -> Diff<'a> {
    let (before, after) = (keyed(old), keyed(new));
    let mut keys: Vec<Key<'a>> = before.keys().chain(after.keys()).copied().collect();
    keys.sort_unstable_by_key(|key| (key.ports.is_none(), *key));
    keys.dedup();
    let mut diff = Diff::default();
    for key in keys {
        let mut changes = match (before.get(&key), after.get(&key)) {
            (None, Some(row)) => vec![Change::Added(key, row.description)],
            (Some(row), None) => vec![Change::Removed(key, row.description)],
            (Some(old), Some(new)) => {
                let pairs = fields(old).into_iter().zip(fields(new));
                let differ = pairs.filter(|((_, old), (_, new))| old != new);
                differ.map(|((field, old), (_, new))| Change::Changed(key, field, old, new)).collect()
            }
            (None, None) => Vec::new(),
        };
        if key.name.is_empty() {
            diff.states += usize::from(!changes.is_empty());
        } else {
            diff.changes.append(&mut changes);
        }
    }
    diff
}

/// The rows with their transports taken apart. Of rows with the same key (names without a port may repeat) the last counts.
fn keyed(registry: &Registry) -> BTreeMap<Key<'_>, Row<'_>> {
    let mut rows = BTreeMap::new();
    for row in registry.all() {
        let single: Vec<Transports> = row.transports.names().filter_map(Transports::named).collect();
        let transports = if single.is_empty() { vec![Transports::NONE] } else { single };
        for transport in transports {
            rows.insert(Key { ports: row.ports, transport, name: row.name }, row);
        }
    }
    rows
}

fn fields<'a>(row: &Row<'a>) -> [(&'static str, &'a str); 9] {
    [
        ("description", row.description),
        ("assignee", row.assignee),
        ("contact", row.contact),
        ("registered", row.registered),
        ("modified", row.modified),
        ("reference", row.reference),
        ("service code", row.service_code),
        ("unauthorised use", row.unauthorised),
        ("note", row.note),
    ]
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::registry::encode::encode;
    use crate::registry::entry::Entry;
    use crate::registry::import::Snapshot;

    fn registry(rows: &[(u16, Transports, &str, &str)]) -> Registry {
        let entry = |(port, transports, name, description): &(u16, Transports, &str, &str)| Entry {
            ports: Some((*port, *port)),
            transports: *transports,
            name: (*name).into(),
            description: (*description).into(),
            ..Entry::default()
        };
        let entries = rows.iter().map(entry).collect();
        let bytes = encode(&Snapshot { date: "2026-08-17".into(), sha256: [0; 32], entries }).unwrap();
        Registry::from_bytes(Cow::Owned(bytes)).unwrap()
    }

    #[test]
    fn each_transport_is_a_row_of_its_own() {
        let (tcp, udp) = (Transports::TCP, Transports::UDP);
        let old = registry(&[(1, tcp, "a", "A"), (1, udp, "a", "A"), (2, tcp, "", "Reserved"), (3, tcp, "c", "C")]);
        let new = registry(&[(1, tcp, "a", "A"), (1, udp, "a", "B"), (2, tcp, "b", "B"), (3, tcp, "c", "C")]);
        let key = |port, transport, name| Key { ports: Some((port, port)), transport, name };
        let found = diff(&old, &new);
        let expected =
            [Change::Changed(key(1, udp, "a"), "description", "A", "B"), Change::Added(key(2, tcp, "b"), "B")];
        assert_eq!(found.changes, expected);
        assert_eq!(found.states, 1);
        assert_eq!(diff(&new, &new), Diff::default());
    }
}
