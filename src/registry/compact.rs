//! The compact form of the registry, read where it lies: no start-up work but the header.
//!
//! ```text
//! header    magic 8 | date 10, YYYY-MM-DD | SHA-256 of the source 32 | rows in the source u32 | lengths of 8 sections u32 each
//! tcp, udp  one bit for each port 0-49151: a service name is assigned       (6,144 bytes each)
//! starts    u16 each: where a segment of ports with the same rows begins, ascending
//! heads     u16 each: its first place in members; it ends where the next segment's begins
//! members   u16 each: index of a record
//! offsets   u32 each: where the record starts; records by port, then the names without a port
//! records   first u16, last u16, transports 4 bits, state 2 bits, portless 1 bit, alias 1 bit, presence u16 (bit 15: the contact is
//!           the assignee), then for each present field the place of its text in the heap as a varint
//! heap      texts, each once: length as a varint, then UTF-8
//! ```
//! All numbers are little-endian. The form is trusted as little as any file: every access is checked, and
//! one that leaves its section reads as nothing.

use std::borrow::Cow;
use std::ops::Range as Span;
use std::sync::LazyLock;

use super::by_port::ByPort;
use super::claims::satisfying;
use super::{Claim, Proto, Range, State, Transports, check};

pub(super) const MAGIC: &[u8; 8] = b"PPREG\0\0\x01";
pub(super) const HEADER: usize = 8 + 10 + 32 + 4 + 8 * 4;

static IANA: &[u8] = include_bytes!("data/iana.bin");
static EMBEDDED: LazyLock<Registry> = LazyLock::new(|| Registry::from_bytes(Cow::Borrowed(IANA)).unwrap_or_default());

/// A snapshot of IANA's registry.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    bytes: Cow<'static, [u8]>,
    sections: [Span<usize>; 8],
    claims: ByPort<Claim>,
}

/// One row of the registry, transports merged. Empty text means that the registry says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// First and last port; `None` for a service name without a port.
    pub ports: Option<(u16, u16)>,
    /// The transports of the row; none counts for any.
    pub transports: Transports,
    /// Assigned, Reserved, Unassigned or DeAssigned.
    pub state: State,
    /// Whether the name is the historic spelling of another one.
    pub alias: bool,
    /// Service name.
    pub name: &'a str,
    /// Description.
    pub description: &'a str,
    /// Who holds the assignment.
    pub assignee: &'a str,
    /// Whom to ask.
    pub contact: &'a str,
    /// Registration date: YYYY, YYYY-MM or YYYY-MM-DD.
    pub registered: &'a str,
    /// Modification date, in the same forms.
    pub modified: &'a str,
    /// Reference.
    pub reference: &'a str,
    /// DCCP service code.
    pub service_code: &'a str,
    /// Unauthorised use reported to IANA.
    pub unauthorised: &'a str,
    /// Assignment notes.
    pub note: &'a str,
}

impl Registry {
    /// The registry that came with the program.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// Reads the header; `None` if it is not this form, or its sections do not fill the bytes exactly.
    pub fn from_bytes(bytes: Cow<'static, [u8]>) -> Option<Self> {
        if !bytes.starts_with(MAGIC) {
            return None;
        }
        let mut sections: [Span<usize>; 8] = Default::default();
        let mut at = HEADER;
        for (index, section) in sections.iter_mut().enumerate() {
            let len = u32_at(&bytes, HEADER - 32 + 4 * index)? as usize;
            let end = at.checked_add(len)?;
            *section = at..end;
            at = end;
        }
        std::str::from_utf8(bytes.get(8..18)?).ok()?;
        (at == bytes.len()).then(|| Self { bytes, sections, claims: ByPort::default() })
    }

    /// The day of the snapshot, YYYY-MM-DD.
    pub fn date(&self) -> &str {
        self.bytes.get(8..18).and_then(|date| std::str::from_utf8(date).ok()).unwrap_or_default()
    }

    /// SHA-256 of the file it was made from.
    pub fn source_sha256(&self) -> &[u8] {
        self.bytes.get(18..50).unwrap_or_default()
    }

    /// How many rows that file had.
    pub fn source_rows(&self) -> u32 {
        u32_at(&self.bytes, 50).unwrap_or(0)
    }

    /// The compact form itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether any service name is assigned to the port on this transport: one bit, for callers who ask for every flow.
    pub fn is_assigned(&self, port: u16, proto: Proto) -> bool {
        let bits = self.section(match proto {
            Proto::Tcp => 0,
            Proto::Udp => 1,
        });
        bits.get(usize::from(port / 8)).is_some_and(|byte| byte >> (port % 8) & 1 == 1)
    }

    /// What the registry claims of a port on a transport.
    pub fn claim(&self, port: u16, proto: Proto) -> &Claim {
        static DYNAMIC: Claim = Claim::none(State::Dynamic);
        if Range::of(port) == Range::Dynamic {
            return &DYNAMIC;
        }
        self.claims.get(port, proto, || self.make_claim(port, proto)).unwrap_or(&DYNAMIC)
    }

    fn make_claim(&self, port: u16, proto: Proto) -> Claim {
        let mut claim = Claim::none(State::Unassigned);
        let mut states = Vec::new();
        let (mut own, mut own_aliases) = (Vec::new(), Vec::new());
        let (mut other, mut other_aliases) = (Vec::new(), Vec::new());
        let mut other_transports = Transports::NONE;
        for record in self.records_of(port) {
            if record.state() != State::Assigned {
                if record.transports().cover(proto) {
                    states.push(record.state());
                }
                continue;
            }
            let list = match (record.transports().cover(proto), record.alias()) {
                (true, false) => &mut own,
                (true, true) => &mut own_aliases,
                (false, alias) => {
                    other_transports = other_transports.with(record.transports());
                    if alias { &mut other_aliases } else { &mut other }
                }
            };
            list.push(self.field(record, 0));
        }
        own.append(&mut own_aliases);
        other.append(&mut other_aliases);
        let mut names = Vec::new();
        if !own.is_empty() {
            claim.state = State::Assigned;
            names = own;
        } else if !other.is_empty() {
            claim.state = State::AssignedOtherTransport;
            names = other;
            claim.other_transports = other_transports;
        } else if let Some(state) =
            [State::DeAssigned, State::Reserved].into_iter().find(|state| states.contains(state))
        {
            claim.state = state;
        }
        for name in names {
            if !claim.services.iter().any(|known| known == name) {
                claim.services.push(name.to_string());
            }
        }
        claim.rows = claim.services.iter().map(|name| satisfying(name, proto)).collect();
        claim
    }

    /// All rows of a port, on every transport, in the registry's order.
    pub fn rows(&self, port: u16) -> impl Iterator<Item = Row<'_>> {
        self.records_of(port).map(|record| self.row(record))
    }

    /// All rows with this service name, in any case, with or without a port.
    pub fn by_service<'a>(&'a self, name: &str) -> impl Iterator<Item = Row<'a>> {
        self.all_records()
            .filter(move |record| self.field(*record, 0).eq_ignore_ascii_case(name))
            .map(|record| self.row(record))
    }

    /// Every row: by port, then the names without a port.
    pub fn all(&self) -> impl Iterator<Item = Row<'_>> {
        self.all_records().map(|record| self.row(record))
    }

    fn section(&self, index: usize) -> &[u8] {
        let span = self.sections.get(index).cloned().unwrap_or_default();
        self.bytes.get(span).unwrap_or_default()
    }

    fn record(&self, index: usize) -> Option<Record<'_>> {
        let at = u32_at(self.section(5), 4 * index)? as usize;
        Record::new(self.section(6).get(at..)?)
    }

    fn all_records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.section(5).len() / 4).map_while(|index| self.record(index))
    }

    /// The records whose ports include this one.
    fn records_of(&self, port: u16) -> impl Iterator<Item = Record<'_>> {
        let (starts, heads, members) = (self.section(2), self.section(3), self.section(4));
        // The last segment that starts at or below the port.
        let (mut low, mut high) = (0, starts.len() / 2);
        while low < high {
            let middle = low.midpoint(high);
            if u16_at(starts, middle).is_some_and(|start| start <= port) { low = middle + 1 } else { high = middle }
        }
        let span = match low.checked_sub(1) {
            Some(segment) => {
                let end = u16_at(heads, segment + 1).map_or(members.len() / 2, usize::from);
                u16_at(heads, segment).map_or(0..0, |begin| usize::from(begin)..end)
            }
            None => 0..0,
        };
        span.take(check::MOST_ROWS).filter_map(move |place| self.record(usize::from(u16_at(members, place)?)))
    }

    /// The text of a field, counted as in the records; "" if absent.
    fn field<'a>(&'a self, record: Record<'a>, wanted: u32) -> &'a str {
        let mut rest = record.fields;
        let mut place = 0;
        if record.present >> wanted & 1 == 0 {
            return "";
        }
        for _ in 0..=(record.present & ((1 << wanted) - 1)).count_ones() {
            let Some((value, after)) = varint(rest) else { return "" };
            (place, rest) = (value, after);
        }
        self.text(place)
    }

    fn text(&self, place: u32) -> &str {
        let text =
            self.section(7).get(place as usize..).and_then(varint).and_then(|(len, rest)| rest.get(..len as usize));
        text.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn row<'a>(&'a self, record: Record<'a>) -> Row<'a> {
        let assignee = self.field(record, 2);
        Row {
            ports: record.ports(),
            transports: record.transports(),
            state: record.state(),
            alias: record.alias(),
            name: self.field(record, 0),
            description: self.field(record, 1),
            assignee,
            contact: if record.present >> 15 == 1 { assignee } else { self.field(record, 3) },
            registered: self.field(record, 4),
            modified: self.field(record, 5),
            reference: self.field(record, 6),
            service_code: self.field(record, 7),
            unauthorised: self.field(record, 8),
            note: self.field(record, 9),
        }
    }
}

/// A view of one record.
#[derive(Clone, Copy)]
struct Record<'a> {
    first: u16,
    last: u16,
    flags: u8,
    present: u16,
    fields: &'a [u8],
}

impl<'a> Record<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let (&[f0, f1, l0, l1, flags, p0, p1], fields) = bytes.split_first_chunk()?;
        Some(Self {
            first: u16::from_le_bytes([f0, f1]),
            last: u16::from_le_bytes([l0, l1]),
            flags,
            present: u16::from_le_bytes([p0, p1]),
            fields,
        })
    }

    fn ports(self) -> Option<(u16, u16)> {
        (self.flags & 0x40 == 0).then_some((self.first, self.last))
    }

    fn transports(self) -> Transports {
        Transports::from_bits(self.flags)
    }

    fn state(self) -> State {
        match self.flags >> 4 & 3 {
            0 => State::Assigned,
            1 => State::Unassigned,
            2 => State::DeAssigned,
            _ => State::Reserved,
        }
    }

    fn alias(self) -> bool {
        self.flags & 0x80 != 0
    }
}

/// Number `index` of a section of u16.
fn u16_at(section: &[u8], index: usize) -> Option<u16> {
    section.get(2 * index..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

/// The u32 at a byte offset.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A varint of at most four bytes, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate().take(4) {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_form_reads_as_nothing_and_never_panics() {
        let mut bytes = IANA.to_vec();
        // A multiplicative generator: every run damages the same bytes.
        let mut random = 1_u64;
        for _ in 0..20 {
            for _ in 0..2_000 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = HEADER + (random >> 33) as usize % (bytes.len() - HEADER);
                bytes[at] = (random >> 24) as u8;
            }
            let registry = Registry::from_bytes(Cow::Owned(bytes.clone())).unwrap();
            let ports = (0..=u16::MAX).step_by(97);
            let names: usize = ports.map(|port| registry.claim(port, Proto::Udp).services.len()).sum();
            let rows = registry.all().map(|row| row.note.len() + row.name.len()).sum::<usize>();
            assert!(names < 1_000_000 && rows < 1_000_000_000);
        }
    }

    #[test]
    fn sections_must_fill_the_file() {
        assert!(Registry::from_bytes(Cow::Borrowed(IANA)).is_some());
        assert!(Registry::from_bytes(Cow::Borrowed(&IANA[..IANA.len() - 1])).is_none());
        assert!(Registry::from_bytes(Cow::Borrowed(&IANA[..HEADER])).is_none());
        assert!(Registry::from_bytes(Cow::Borrowed(MAGIC)).is_none());
        assert!(Registry::from_bytes(Cow::Borrowed(b"")).is_none());
    }
}
