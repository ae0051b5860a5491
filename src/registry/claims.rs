//! Which protocols make the claim of a registered service true: our own reviewed table, `data/claims.tsv`.
//!
//! - `satisfied_by`: any one of these protocols, seen on the port, makes the claim true.
//! - `wrapper`: those among them that prove only the envelope (TLS on 993 may carry anything).
//! - `companion`: protocols that go with it and are neutral when alone (IKE beside ESP).
//! - `no_public_format`: why no traffic can ever confirm the claim, as far as anybody outside can know.

use std::sync::LazyLock;

use super::Proto;

/// What makes the claim of one service true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRow {
    /// The service name, as IANA spells it.
    pub service: &'static str,
    /// The transport the row holds for; `None` for any.
    pub proto: Option<Proto>,
    /// Names of protocols, any one of which satisfies the claim; empty if no format is public.
    pub satisfied_by: Vec<&'static str>,
    /// Those of `satisfied_by` that prove only the envelope.
    pub wrapper: Vec<&'static str>,
    /// Protocols that belong beside it and neither prove nor contradict it.
    pub companion: Vec<&'static str>,
    /// Why the service has no public wire format, where it has none.
    pub no_public_format: Option<&'static str>,
    /// What the reviewer wants said; "" for nothing.
    pub note: &'static str,
}

/// In place of a service's name: no service is registered for the row's protocol, and the note says where it is met.
pub const UNREGISTERED: &str = "-";

static CLAIMS: LazyLock<Vec<ClaimRow>> = LazyLock::new(|| {
    let mut rows: Vec<ClaimRow> = include_str!("data/claims.tsv").lines().skip(1).filter_map(parse).collect();
    // Rows for one transport come before those for any.
    rows.sort_by_key(|row| (row.service, row.proto.is_none(), row.proto));
    rows
});

/// The row for a service name on a transport: its own if there is one, else the one for any.
pub fn satisfying(service: &str, proto: Proto) -> Option<&'static ClaimRow> {
    let rows: &'static [ClaimRow] = &CLAIMS;
    let start = rows.partition_point(|row| row.service < service);
    let same = rows.get(start..)?.iter().take_while(|row| row.service == service);
    same.into_iter().find(|row| row.proto.is_none_or(|own| own == proto))
}

/// All rows, by service name.
pub fn all() -> &'static [ClaimRow] {
    &CLAIMS
}

/// Every protocol that any row names, once, sorted.
pub fn protocols() -> Vec<&'static str> {
    let mut names: Vec<_> =
        CLAIMS.iter().flat_map(|row| row.satisfied_by.iter().chain(&row.companion)).copied().collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn parse(line: &'static str) -> Option<ClaimRow> {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let [service, transport, satisfied_by, wrapper, companion, reason, note] = columns.try_into().ok()?;
    let proto = match transport {
        "any" => None,
        "tcp" => Some(Proto::Tcp),
        "udp" => Some(Proto::Udp),
        _ => return None,
    };
    let list = |text: &'static str| text.split(',').filter(|name| !name.is_empty()).collect();
    Some(ClaimRow {
        service,
        proto,
        satisfied_by: list(satisfied_by),
        wrapper: list(wrapper),
        companion: list(companion),
        no_public_format: Some(reason).filter(|reason| !reason.is_empty()),
        note,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Registry;

    #[test]
    fn every_line_is_a_row() {
        assert_eq!(all().len(), include_str!("data/claims.tsv").lines().count() - 1);
    }

    #[test]
    fn every_service_is_registered_with_a_port() {
        for row in all().iter().filter(|row| row.service != UNREGISTERED) {
            let registered = Registry::embedded().by_service(row.service).any(|found| {
                found.name == row.service
                    && found.ports.is_some()
                    && row.proto.is_none_or(|proto| found.transports.cover(proto))
            });
            assert!(registered, "{}", row.service);
        }
    }

    /// Every protocol name that claims or lore may use; one that no recogniser bears is one to come. A name written
    /// wrong in the tables would otherwise pass as one to come.
    #[test]
    fn every_protocol_is_in_the_vocabulary() {
        let vocabulary: Vec<&str> = include_str!("data/protocols.txt").lines().collect();
        let mut used = protocols();
        used.extend(crate::registry::lore::all().iter().filter_map(|row| row.protocol));
        used.sort_unstable();
        used.dedup();
        assert_eq!(used, vocabulary);
    }

    #[test]
    fn rows_are_consistent() {
        let registered: Vec<_> = all().iter().filter(|row| row.service != UNREGISTERED).collect();
        for pair in registered.windows(2) {
            assert!((pair[0].service, pair[0].proto) != (pair[1].service, pair[1].proto), "{} twice", pair[0].service);
        }
        for row in all() {
            let service = row.service;
            assert_eq!(row.satisfied_by.is_empty(), row.no_public_format.is_some(), "{service}: protocols or a reason");
            assert!(row.wrapper.iter().all(|name| row.satisfied_by.contains(name)), "{service}: wrapper");
            assert!(!row.companion.iter().any(|name| row.satisfied_by.contains(name)), "{service}: companion");
        }
    }

    #[test]
    fn the_transport_decides() {
        assert_eq!(satisfying("https", Proto::Tcp).unwrap().satisfied_by, ["tls"]);
        assert_eq!(satisfying("https", Proto::Udp).unwrap().satisfied_by, ["quic"]);
        assert_eq!(satisfying("openvpn", Proto::Udp).unwrap().satisfied_by, ["openvpn"]);
        assert!(satisfying("http", Proto::Udp).is_none());
        assert!(satisfying("no-such-service", Proto::Tcp).is_none());
    }
}
