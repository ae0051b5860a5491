//! The checks a new registry file must pass before anything believes it.
//!
//! They follow from what has been true of every snapshot seen: ports in order, 0-49151 covered without a gap, nothing above, no key twice.
//! A file that was cut, edited by hand or is something else altogether breaks at least one of them.

use std::collections::HashSet;

use super::Transports;
use super::entry::Entry;
use super::import::{Numbered, Refusal};

/// The fewest rows of a whole registry: it had 14,533 in August 2026 and grows.
pub const MIN_ROWS: usize = 14_000;

/// The most rows that one port may have: port 80 has 7. More would make a look-up slow.
pub const MOST_ROWS: usize = 64;

/// The last port that IANA assigns (RFC 6335, section 6).
pub const LAST_ASSIGNABLE: u16 = 49_151;

/// Assignments that every registry has.
const SENTINELS: [(u16, Transports, &str); 8] = [
    (22, Transports::TCP, "ssh"),
    (53, Transports::UDP, "domain"),
    (443, Transports::TCP, "https"),
    (500, Transports::UDP, "isakmp"),
    (1194, Transports::UDP, "openvpn"),
    (1197, Transports::UDP, "carrius-rshell"),
    (2797, Transports::UDP, "esp-encap"),
    (4500, Transports::UDP, "ipsec-nat-t"),
];

/// Checks all rows; returns the newest date among them.
///
/// # Errors
/// The first thing found wrong, with its line.
pub fn rows(rows: &[Numbered]) -> Result<String, Refusal> {
    for (line, entry) in rows {
        fields(entry).map_err(|reason| Refusal::at(*line, reason))?;
    }
    order_and_cover(rows)?;
    no_duplicates(rows)?;
    if rows.len() < MIN_ROWS {
        return Err(Refusal::whole(format!(
            "{} rows are fewer than {MIN_ROWS}: the registry is not whole",
            rows.len()
        )));
    }
    for (port, transport, name) in SENTINELS {
        let found =
            |entry: &Entry| entry.ports == Some((port, port)) && entry.transports == transport && entry.name == name;
        if !rows.iter().any(|(_, entry)| found(entry)) {
            return Err(Refusal::whole(format!("{port}/{transport} {name} is missing: this is not IANA's registry")));
        }
    }
    let dates = rows.iter().flat_map(|(_, entry)| [&entry.registered, &entry.modified]);
    let newest = dates.filter(|date| date.len() == 10).max();
    newest.cloned().ok_or_else(|| Refusal::whole("no row has a date"))
}

/// Checks the day a file says it was updated; no row can be newer.
///
/// # Errors
/// If it is no day, or a row is newer.
pub fn updated(date: String, newest: &str) -> Result<String, Refusal> {
    if date.len() != 10 || !is_date(&date) {
        return Err(Refusal::whole(format!("updated {date:?} is no date: YYYY-MM-DD")));
    }
    if date.as_str() < newest {
        return Err(Refusal::whole(format!("a row of {newest} is newer than the file, which was updated on {date}")));
    }
    Ok(date)
}

/// What can be checked in one row.
fn fields(entry: &Entry) -> Result<(), String> {
    let texts = [
        ("service name", &entry.name),
        ("description", &entry.description),
        ("assignee", &entry.assignee),
        ("contact", &entry.contact),
        ("registration date", &entry.registered),
        ("modification date", &entry.modified),
        ("reference", &entry.reference),
        ("service code", &entry.service_code),
        ("unauthorised use", &entry.unauthorised),
        ("notes", &entry.note),
    ];
    for (column, text) in texts {
        if let Some(bad) = text.chars().find(|c| c.is_control() && *c != '\n') {
            return Err(format!("control character U+{:04X} in the {column}", u32::from(bad)));
        }
    }
    for date in [&entry.registered, &entry.modified] {
        if !is_date(date) {
            return Err(format!("{date:?} is no date: YYYY, YYYY-MM or YYYY-MM-DD"));
        }
    }
    if entry.name.contains(char::is_whitespace) {
        return Err(format!("{:?} is no service name: it has blanks", entry.name));
    }
    Ok(())
}

/// "", YYYY, YYYY-MM or YYYY-MM-DD.
fn is_date(text: &str) -> bool {
    let number = |from: usize, to: usize| -> Option<u16> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let year = number(0, 4).is_some_and(|year| (1969..=9999).contains(&year));
    let month = number(5, 7).is_some_and(|month| (1..=12).contains(&month)) && text.get(4..5) == Some("-");
    let day = number(8, 10).is_some_and(|day| (1..=31).contains(&day)) && text.get(7..8) == Some("-");
    match text.len() {
        0 => true,
        4 => year,
        7 => year && month,
        10 => year && month && day,
        _ => false,
    }
}

/// Ports never go back, every port up to 49151 has a row, none above has.
fn order_and_cover(rows: &[Numbered]) -> Result<(), Refusal> {
    let mut covered = -1_i32;
    let mut previous = 0;
    // The last ports of the rows that include the port at hand.
    let mut open: Vec<u16> = Vec::new();
    for (line, entry) in rows {
        let Some((first, last)) = entry.ports else { continue };
        open.retain(|last| *last >= first);
        open.push(last);
        if open.len() > MOST_ROWS {
            return Err(Refusal::at(*line, format!("port {first} has more than {MOST_ROWS} rows")));
        }
        if first < previous {
            return Err(Refusal::at(*line, format!("port {first} after port {previous}: the rows are out of order")));
        }
        if last > LAST_ASSIGNABLE {
            return Err(Refusal::at(*line, format!("port {last} is above {LAST_ASSIGNABLE} and cannot be assigned")));
        }
        if i32::from(first) > covered + 1 {
            return Err(Refusal::at(*line, format!("ports {}-{} have no row", covered + 1, first - 1)));
        }
        previous = first;
        covered = covered.max(i32::from(last));
    }
    if covered < i32::from(LAST_ASSIGNABLE) {
        return Err(Refusal::whole(format!("ports {}-{LAST_ASSIGNABLE} have no row: the file is cut", covered + 1)));
    }
    Ok(())
}

fn no_duplicates(rows: &[Numbered]) -> Result<(), Refusal> {
    let mut seen = HashSet::with_capacity(rows.len());
    for (line, entry) in rows {
        let Some((first, _)) = entry.ports else { continue };
        if !seen.insert((entry.ports, entry.transports, &entry.name)) {
            let name = if entry.name.is_empty() { &entry.description } else { &entry.name };
            return Err(Refusal::at(*line, format!("{first}/{} {name} stands here a second time", entry.transports)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        for good in ["", "1998", "2005-08", "2026-08-17"] {
            assert!(is_date(good), "{good}");
        }
        for bad in ["2005-13", "2005-8", "05-08-2001", "2026-08-32", "2026/08/17", "+026"] {
            assert!(!is_date(bad), "{bad}");
        }
    }

    #[test]
    fn a_port_with_too_many_rows_is_refused() {
        let row = |index: u64| (index, Entry { ports: Some((0, 9)), name: format!("a{index}"), ..Entry::default() });
        let rows: Vec<Numbered> = (2..100).map(row).collect();
        let refusal = order_and_cover(&rows).unwrap_err();
        assert_eq!(refusal.to_string(), "line 66: port 0 has more than 64 rows");
    }

    #[test]
    fn a_control_character_is_named() {
        let entry = Entry { note: "a\u{1b}[2J".into(), ..Entry::default() };
        assert_eq!(fields(&entry), Err("control character U+001B in the notes".into()));
        assert_eq!(fields(&Entry { note: "a\nb".into(), ..Entry::default() }), Ok(()));
    }
}
