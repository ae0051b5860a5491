//! From checked rows to the compact form that [`super::compact`] reads. The layout is described there.

use std::collections::HashMap;

use super::compact::{HEADER, MAGIC};
use super::entry::Entry;
use super::import::Snapshot;
use super::{Range, State, Transports};

/// The compact form of a snapshot; `None` if it has more rows than the form can count (65,536). The same snapshot always
/// gives the same bytes.
pub fn encode(snapshot: &Snapshot) -> Option<Vec<u8>> {
    let rows = merged(&snapshot.entries);
    let mut heap = Heap::default();
    let mut records = Vec::new();
    let mut offsets = Vec::new();
    for row in &rows {
        offsets.extend_from_slice(&(records.len() as u32).to_le_bytes());
        record(row, &mut records, &mut heap);
    }
    let segments = Segments::of(&rows)?;
    let sections: [&[u8]; 7] = [
        &assigned(&rows, Transports::TCP),
        &assigned(&rows, Transports::UDP),
        &little_endian(&segments.starts),
        &little_endian(&segments.heads),
        &little_endian(&segments.members),
        &offsets,
        &records,
    ];
    let mut out = Vec::with_capacity(1 << 20);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(snapshot.date.as_bytes());
    out.extend_from_slice(&snapshot.sha256);
    out.extend_from_slice(&(snapshot.entries.len() as u32).to_le_bytes());
    for section in sections.iter().chain([&heap.bytes.as_slice()]) {
        out.extend_from_slice(&(section.len() as u32).to_le_bytes());
    }
    debug_assert_eq!(out.len(), HEADER);
    for section in sections {
        out.extend_from_slice(section);
    }
    out.extend_from_slice(&heap.bytes);
    Some(out)
}

/// Rows that differ in nothing but the transport become one. The order is that of the first of each.
fn merged(entries: &[Entry]) -> Vec<Entry> {
    let mut rows: Vec<Entry> = Vec::new();
    let mut places: HashMap<Entry, usize> = HashMap::new();
    for entry in entries {
        if entry.transports.is_empty() {
            rows.push(entry.clone());
            continue;
        }
        let key = Entry { transports: Transports::NONE, ..entry.clone() };
        let place = *places.entry(key).or_insert_with_key(|key| {
            rows.push(key.clone());
            rows.len() - 1
        });
        if let Some(row) = rows.get_mut(place) {
            row.transports = row.transports.with(entry.transports);
        }
    }
    // Look-up wants the rows by port; the names without a port come last.
    rows.sort_by_key(|row| row.ports.map_or(u32::MAX, |(first, _)| u32::from(first)));
    rows
}

/// One record: ports, transports and state, then a place in the heap for every field that is not empty.
fn record(row: &Entry, out: &mut Vec<u8>, heap: &mut Heap) {
    let (first, last) = row.ports.unwrap_or((0, 0));
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&last.to_le_bytes());
    let state = match row.state() {
        State::Unassigned => 1,
        State::DeAssigned => 2,
        State::Reserved => 3,
        _ => 0_u8,
    };
    let portless = u8::from(row.ports.is_none());
    let alias = u8::from(row.is_alias());
    out.push(row.transports.bits() | state << 4 | portless << 6 | alias << 7);
    // The contact is nearly always the assignee: then it is not said again.
    let contact = if row.contact == row.assignee { "" } else { &row.contact };
    let fields = [
        &row.name,
        &row.description,
        &row.assignee,
        contact,
        &row.registered,
        &row.modified,
        &row.reference,
        &row.service_code,
        &row.unauthorised,
        &row.note,
    ];
    let mut present = 0_u16;
    for (bit, field) in fields.iter().enumerate() {
        present |= u16::from(!field.is_empty()) << bit;
    }
    if row.contact == row.assignee && !row.contact.is_empty() {
        present |= 1 << 15;
    }
    out.extend_from_slice(&present.to_le_bytes());
    for field in fields.iter().filter(|field| !field.is_empty()) {
        varint(heap.place(field), out);
    }
}

/// Seven bits a byte, low ones first; the top bit says that more follow.
fn varint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Every text once: its length as a varint, then its bytes.
#[derive(Default)]
struct Heap {
    bytes: Vec<u8>,
    places: HashMap<String, u32>,
}

impl Heap {
    fn place(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = self.bytes.len() as u32;
        varint(text.len() as u32, &mut self.bytes);
        self.bytes.extend_from_slice(text.as_bytes());
        self.places.insert(text.to_owned(), place);
        place
    }
}

/// One bit for each port up to 49151, set where a service name is assigned.
fn assigned(rows: &[Entry], transport: Transports) -> Vec<u8> {
    let mut bits = vec![0_u8; 49_152 / 8];
    for row in rows {
        let counts = row.transports.is_empty() || row.transports.bits() & transport.bits() != 0;
        let Some((first, last)) = row.ports.filter(|_| counts && row.state() == State::Assigned) else { continue };
        for port in (first..=last).filter(|port| Range::of(*port) != Range::Dynamic) {
            if let Some(byte) = bits.get_mut(usize::from(port / 8)) {
                *byte |= 1 << (port % 8);
            }
        }
    }
    bits
}

/// The ports cut where any row starts or ends, so that overlapping ranges (7748-7776 and 7775) need no search.
#[derive(Default)]
struct Segments {
    starts: Vec<u16>,
    heads: Vec<u16>,
    members: Vec<u16>,
}

impl Segments {
    fn of(rows: &[Entry]) -> Option<Self> {
        let spans: Vec<(u16, u16)> = rows.iter().filter_map(|row| row.ports).collect();
        let mut starts: Vec<u16> = spans.iter().flat_map(|(first, last)| [*first, last.saturating_add(1)]).collect();
        starts.sort_unstable();
        starts.dedup();
        let mut segments = Self::default();
        let mut begin = 0;
        for start in starts {
            segments.starts.push(start);
            segments.heads.push(u16::try_from(segments.members.len()).ok()?);
            // Rows are sorted by first port: all before `begin` have ended for good.
            while spans.get(begin).is_some_and(|(_, last)| *last < start) {
                begin += 1;
            }
            for (index, (first, last)) in spans.iter().enumerate().skip(begin) {
                if *first > start {
                    break;
                }
                if *last >= start {
                    segments.members.push(u16::try_from(index).ok()?);
                }
            }
        }
        Some(segments)
    }
}

fn little_endian(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(first: u16, last: u16, transports: Transports, name: &str) -> Entry {
        Entry { ports: Some((first, last)), transports, name: name.into(), ..Entry::default() }
    }

    #[test]
    fn rows_that_differ_in_transport_alone_are_merged() {
        let rows = merged(&[
            row(1, 1, Transports::TCP, "a"),
            row(1, 1, Transports::UDP, "a"),
            row(1, 1, Transports::UDP, "b"),
        ]);
        let both = Transports::TCP.with(Transports::UDP);
        assert_eq!(rows, [row(1, 1, both, "a"), row(1, 1, Transports::UDP, "b")]);
    }

    #[test]
    fn segments_cut_where_ranges_overlap() {
        let rows = [row(10, 20, Transports::NONE, ""), row(15, 15, Transports::TCP, "a")];
        let segments = Segments::of(&rows).unwrap();
        assert_eq!(segments.starts, [10, 15, 16, 21]);
        assert_eq!(segments.heads, [0, 1, 3, 4]);
        assert_eq!(segments.members, [0, 0, 1, 0]);
    }

    #[test]
    fn varints_are_little_endian_base_128() {
        let mut out = Vec::new();
        varint(300, &mut out);
        assert_eq!(out, [0xac, 0x02]);
    }
}
