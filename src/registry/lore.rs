//! What really runs on a port, by hearsay with its source: our own reviewed table, `data/lore.tsv`.
//!
//! Lore is printed as "lore, not evidence". It never enters a verdict.

use std::sync::LazyLock;

use super::Proto;

/// One saying about a port or a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lore {
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
    /// The transport; `None` for any.
    pub proto: Option<Proto>,
    /// How it stands to the registry: "as-registered", "squatter", "malware", "ghost" (registered, never seen) ...
    pub kind: &'static str,
    /// The protocol, where it has a name of ours.
    pub protocol: Option<&'static str>,
    /// What runs there.
    pub actual_use: &'static str,
    /// "high", "medium" or "low".
    pub confidence: &'static str,
    /// Where it was read.
    pub evidence: &'static str,
    /// Anything else; "" for nothing.
    pub note: &'static str,
}

static LORE: LazyLock<Vec<Lore>> =
    LazyLock::new(|| include_str!("data/lore.tsv").lines().skip(1).filter_map(parse).collect());

/// What is said of a port on a transport.
pub fn lore(port: u16, proto: Proto) -> impl Iterator<Item = Lore> {
    let of = move |row: &Lore| (row.first..=row.last).contains(&port) && row.proto.is_none_or(|own| own == proto);
    LORE.iter().copied().filter(of)
}

/// All rows, by first port.
pub fn all() -> &'static [Lore] {
    &LORE
}

fn parse(line: &'static str) -> Option<Lore> {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [first, last, transport, kind, protocol, actual_use, confidence, evidence, note] = columns.try_into().ok()?;
    let proto = match transport {
        "any" => None,
        "tcp" => Some(Proto::Tcp),
        "udp" => Some(Proto::Udp),
        _ => return None,
    };
    Some(Lore {
        first: first.parse().ok()?,
        last: last.parse().ok()?,
        proto,
        kind,
        protocol: Some(protocol).filter(|name| *name != "-"),
        actual_use,
        confidence,
        evidence,
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_row_with_a_source() {
        assert_eq!(all().len(), include_str!("data/lore.tsv").lines().count() - 1);
        for row in all() {
            let at = row.first;
            assert!(row.first <= row.last, "{at}");
            assert!(["high", "medium", "low"].contains(&row.confidence), "{at}: {}", row.confidence);
            assert!(!row.actual_use.is_empty(), "{at}");
            for source in row.evidence.split(" ; ") {
                assert!(source.starts_with("http://") || source.starts_with("https://"), "{at}: {source}");
            }
        }
        assert!(all().is_sorted_by_key(|row| row.first));
    }

    #[test]
    fn what_runs_as_registered_is_registered() {
        for row in all().iter().filter(|row| row.kind == "as-registered") {
            let assigned = |proto| crate::registry::Registry::embedded().is_assigned(row.first, proto);
            let found = match row.proto {
                Some(proto) => assigned(proto),
                None => assigned(Proto::Tcp) || assigned(Proto::Udp),
            };
            assert!(found, "{} {}", row.first, row.actual_use);
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let mut rows = all().to_vec();
        rows.sort_by_key(|row| (row.first, row.last, row.proto, row.actual_use));
        for pair in rows.windows(2) {
            assert!(
                (pair[0].first, pair[0].last, pair[0].proto, pair[0].actual_use)
                    != (pair[1].first, pair[1].last, pair[1].proto, pair[1].actual_use),
                "{} {}",
                pair[0].first,
                pair[0].actual_use
            );
        }
    }

    #[test]
    fn the_transport_counts() {
        let of = |proto| lore(1195, proto).filter_map(|row| row.protocol).collect::<Vec<_>>();
        assert_eq!(of(Proto::Tcp), ["softether"]);
        assert_eq!(of(Proto::Udp), ["openvpn", "openvpn"]);
    }

    #[test]
    fn a_range_speaks_for_each_of_its_ports() {
        assert!(lore(3150, Proto::Tcp).any(|row| row.first == 3127 && row.kind == "malware"));
    }
}
