//! From IANA's file to checked rows; the CSV is read here (RFC 4180: CRLF between records, LF inside quoted fields).

use std::fmt;

use sha2::{Digest, Sha256};

use super::entry::{COLUMNS, Entry};
use super::{Transports, check, xml};

/// The largest file taken: four times the size of IANA's XML of 2026.
pub const MAX_BYTES: usize = 16 << 20;

/// A registry read from a file and checked.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When IANA published it, YYYY-MM-DD. A CSV carries no such date; the newest date of any row stands for it.
    pub date: String,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
    /// The rows in the file's order.
    pub entries: Vec<Entry>,
}

/// Why a file is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line, counted from 1, where there is one to name.
    pub line: Option<u64>,
    /// What is wrong, and what was expected.
    pub reason: String,
}

impl Refusal {
    /// A refusal of the file as a whole.
    pub fn whole(reason: impl Into<String>) -> Self {
        Self { line: None, reason: reason.into() }
    }

    /// A refusal for what stands on a line.
    pub fn at(line: u64, reason: impl Into<String>) -> Self {
        Self { line: Some(line), reason: reason.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for Refusal {}

/// A row and the line it starts on.
pub type Numbered = (u64, Entry);

/// Reads and checks IANA's file: XML or CSV, told apart by content.
///
/// # Errors
/// The first thing found wrong, with its line.
pub fn read(bytes: &[u8]) -> Result<Snapshot, Refusal> {
    let text = text(bytes)?;
    let (rows, updated) = if text.trim_start().starts_with('<') {
        let document = xml::rows(text)?;
        (document.rows, Some(document.updated))
    } else {
        (csv_rows(text)?, None)
    };
    let newest = check::rows(&rows)?;
    let date = match updated {
        Some(date) => check::updated(date, &newest)?,
        None => newest,
    };
    let entries = rows.into_iter().map(|(_, entry)| entry).collect();
    Ok(Snapshot { date, sha256: Sha256::digest(bytes).into(), entries })
}

/// The file as text, if it is not too large and strict UTF-8.
fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    if bytes.len() > MAX_BYTES {
        return Err(Refusal::whole(format!("{} bytes are more than the {MAX_BYTES} taken at most", bytes.len())));
    }
    std::str::from_utf8(bytes).map_err(|err| {
        let before = bytes.get(..err.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count() as u64;
        Refusal::at(line, format!("byte {} of the file is not UTF-8", err.valid_up_to()))
    })
}

fn csv_rows(text: &str) -> Result<Vec<Numbered>, Refusal> {
    if !text.ends_with('\n') {
        let line = text.lines().count() as u64;
        return Err(Refusal::at(line, "the last line has no end: the file is cut"));
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::with_capacity(16_384);
    let mut lines = Lines::new(text);
    for (index, record) in reader.records().enumerate() {
        let record = record.map_err(|err| match err.position() {
            Some(at) => Refusal::at(lines.of(at.byte()), err.to_string()),
            None => Refusal::whole(err.to_string()),
        })?;
        let line = lines.of(record.position().map_or(0, csv::Position::byte));
        if index == 0 {
            if !record.iter().eq(COLUMNS) {
                return Err(Refusal::at(line, format!("the header is not \"{}\"", COLUMNS.join(","))));
            }
            continue;
        }
        rows.push((line, entry(&record).map_err(|reason| Refusal::at(line, reason))?));
    }
    Ok(rows)
}

/// Counts lines as an editor does. The reader's own count is one behind after CRLF.
pub(super) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, line: 1 }
    }

    /// The line of the record at a byte offset; offsets must not go back.
    pub(super) fn of(&mut self, byte: u64) -> u64 {
        // The reader may stop between CR and LF: then the record starts after the LF.
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        let end = byte + usize::from(self.text.as_bytes().get(byte) == Some(&b'\n'));
        let passed = self.text.as_bytes().get(self.at..end).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = end.max(self.at);
        self.line
    }
}

fn entry(record: &csv::StringRecord) -> Result<Entry, String> {
    let fields: Vec<&str> = record.iter().collect();
    let Ok([name, port, transport, description, assignee, contact, registered, modified, reference, code, use_, note]) =
        <[&str; 12]>::try_from(fields)
    else {
        return Err(format!("{} columns instead of 12", record.len()));
    };
    Ok(Entry {
        ports: ports(port)?,
        transports: transport_of(transport)?,
        name: name.into(),
        description: description.into(),
        assignee: assignee.into(),
        contact: contact.into(),
        registered: registered.into(),
        modified: modified.into(),
        reference: reference.into(),
        service_code: code.into(),
        unauthorised: use_.into(),
        note: note.into(),
    })
}

/// The transport column.
pub(super) fn transport_of(text: &str) -> Result<Transports, String> {
    Transports::named(text).ok_or_else(|| format!("unknown transport {text:?}: tcp, udp, sctp, dccp or none"))
}

/// "1197" or "3322-3325"; "" is a name without a port.
pub(super) fn ports(text: &str) -> Result<Option<(u16, u16)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    let ends = match text.split_once('-') {
        Some((first, last)) => number(first).zip(number(last)),
        None => number(text).map(|port| (port, port)),
    };
    ends.filter(|(first, last)| first <= last)
        .map(Some)
        .ok_or_else(|| format!("{text:?} is no port and no range of ports"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_ranges() {
        assert_eq!(ports("1197"), Ok(Some((1197, 1197))));
        assert_eq!(ports("3322-3325"), Ok(Some((3322, 3325))));
        assert_eq!(ports(""), Ok(None));
        for wrong in ["+1", "9-8", "65536", "1-", "a", "1-2-3"] {
            assert!(ports(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_quoted_line_feed_stays_in_its_field() {
        let text = format!("{}\r\nx,1,tcp,,,,,,,,,\"a\nb\"\r\ny,2,udp,,,,,,,,,\r\n", COLUMNS.join(","));
        let rows = csv_rows(&text).unwrap();
        assert_eq!(rows[0].1.note, "a\nb");
        assert_eq!((rows[1].0, rows[1].1.name.as_str()), (4, "y"));
    }

    #[test]
    fn no_part_of_a_file_makes_the_reader_panic() {
        let csv = format!("{}\r\nx,1-2,tcp,\"d\",,,2005-08,,,,,\"a\nb\"\r\n", COLUMNS.join(","));
        let xml = "<?xml version='1.0'?><registry><updated>2026-08-17</updated><record date=\"2005\"><name>a&amp;</name>\
                   <xref type=\"rfc\" data=\"rfc1\"/><note>b<br/>\n <paragraph>c</paragraph></note></record></registry>";
        for text in [csv.as_str(), xml] {
            for end in 0..=text.len() {
                for byte in [b'<', b'"', b'&', b'\n', 0xff] {
                    let mut bytes = text.as_bytes()[..end].to_vec();
                    assert!(read(&bytes).is_err(), "no part of these is a whole registry");
                    if let Some(last) = bytes.last_mut() {
                        *last = byte;
                    }
                    assert!(read(&bytes).is_err());
                }
            }
        }
    }
}
