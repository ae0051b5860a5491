//! From IANA's XML, the original of the registry, to rows with the same text as IANA's CSV of it.
//!
//! A `record` holds `name`, `protocol`, `number`, `description`, `assignee`, `note`, `sc` (service code), `unauthorized`
//! and `xref`s in any order. An `xref` to a person outside `assignee` is the contact (and the assignee, where
//! there is none); one to anything else is part of the reference. In text, an `xref` stands for its own text or else
//! what it points to, in brackets; `br` for nothing; a blank before a line's end swallows the end and the indentation.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::entry::Entry;
use super::import::{Lines, Numbered, Refusal, ports, transport_of};

/// How deep elements may lie; IANA's lie five deep.
const DEEPEST: usize = 16;

/// What the file says of itself, and its rows.
pub(super) struct Document {
    /// `updated` of the registry: the day of the snapshot.
    pub(super) updated: String,
    /// The rows and the lines they start on.
    pub(super) rows: Vec<Numbered>,
}

/// Reads the whole document.
///
/// # Errors
/// The first thing that is not well-formed or not known, with its line.
pub(super) fn rows(text: &str) -> Result<Document, Refusal> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut lines = Lines::new(text);
    let mut document = Document { updated: String::new(), rows: Vec::with_capacity(16_384) };
    let mut path: Vec<String> = Vec::new();
    let mut record: Option<Record> = None;
    loop {
        let before = reader.buffer_position();
        let event =
            reader.read_event().map_err(|err| Refusal::at(lines.of(reader.error_position()), err.to_string()))?;
        let line = lines.of(before);
        let refuse = |reason: String| Refusal::at(line, reason);
        match event {
            Event::Start(start) => {
                let name = start.name().0.to_owned();
                match &mut record {
                    Some(record) => record.open(&name, &start).map_err(refuse)?,
                    None if path == ["registry"] && name == "record" => {
                        record = Some(Record::new(&start).map_err(refuse)?);
                        if let Some(record) = &mut record {
                            record.line = line;
                        }
                    }
                    None if path.is_empty() && name != "registry" => {
                        return Err(refuse(format!("the file is a {name:?}, not a registry")));
                    }
                    None => {}
                }
                path.push(name);
                if path.len() > DEEPEST {
                    return Err(refuse(format!("elements lie more than {DEEPEST} deep")));
                }
            }
            Event::End(_) => {
                let name = path.pop().unwrap_or_default();
                if path == ["registry"] && name == "record" {
                    let done = record.take().unwrap_or_default();
                    document.rows.push((done.line, done.entry().map_err(|reason| Refusal::at(done.line, reason))?));
                } else if let Some(record) = &mut record {
                    record.close(&name);
                }
            }
            Event::Text(text) => put(&fold(&text.xml10_content()), &path, &mut record, &mut document),
            Event::CData(text) => put(&text.xml10_content(), &path, &mut record, &mut document),
            Event::GeneralRef(reference) => {
                let text: Cow<'_, str> = match reference.resolve_char_ref() {
                    Ok(Some(c)) => c.to_string().into(),
                    Ok(None) => match resolve_xml_entity(&reference) {
                        Some(text) => text.into(),
                        None => return Err(refuse(format!("unknown entity &{};", &*reference))),
                    },
                    Err(err) => return Err(refuse(err.to_string())),
                };
                put(&text, &path, &mut record, &mut document);
            }
            Event::DocType(_) => return Err(refuse("a document type is not taken".to_owned())),
            Event::Eof if path.is_empty() && !document.rows.is_empty() => return Ok(document),
            Event::Eof => return Err(refuse("the file ends before the registry does: it is cut".to_owned())),
            _ => {}
        }
    }
}

/// Puts text where it belongs.
fn put(text: &str, path: &[String], record: &mut Option<Record>, document: &mut Document) {
    match record {
        Some(record) => record.text(text),
        None if path == ["registry", "updated"] => document.updated.push_str(text),
        None => {}
    }
}

/// A record being read.
#[derive(Default)]
struct Record {
    line: u64,
    fields: [String; FIELDS.len()],
    registered: String,
    modified: String,
    assignee: String,
    contact: String,
    reference: String,
    /// The field being read, if any.
    field: Option<usize>,
    in_assignee: bool,
    xref: Option<Xref>,
}

/// The elements of plain text in a record.
const FIELDS: [&str; 7] = ["name", "protocol", "number", "description", "note", "sc", "unauthorized"];

#[derive(Default)]
struct Xref {
    person: bool,
    target: String,
    text: String,
}

impl Record {
    fn new(start: &BytesStart<'_>) -> Result<Self, String> {
        Ok(Self { registered: attribute(start, "date")?, modified: attribute(start, "updated")?, ..Self::default() })
    }

    fn open(&mut self, name: &str, start: &BytesStart<'_>) -> Result<(), String> {
        match name {
            "xref" => self.xref = Some(Xref::new(start)?),
            "assignee" if self.field.is_none() => self.in_assignee = true,
            "br" | "paragraph" if self.field.is_some() => {
                if name == "paragraph" {
                    self.text("        ");
                }
            }
            _ => match FIELDS.iter().position(|field| *field == name) {
                Some(field) if self.field.is_none() && !self.in_assignee => self.field = Some(field),
                _ => return Err(format!("unexpected element {name:?} in a record")),
            },
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        match name {
            "xref" => {
                let Some(xref) = self.xref.take() else { return };
                let text = format!(
                    "[{}]",
                    if xref.text.trim().is_empty() { xref.target } else { xref.text.trim().to_owned() }
                );
                if self.field.is_some() {
                    self.text(&text);
                } else if self.in_assignee {
                    self.assignee.push_str(&text);
                } else if xref.person {
                    self.contact.push_str(&text);
                } else {
                    self.reference.push_str(&text);
                }
            }
            "assignee" => self.in_assignee = false,
            "br" | "paragraph" => {}
            _ => self.field = None,
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(xref) = &mut self.xref {
            xref.text.push_str(text);
        } else if let Some(field) = self.field.and_then(|field| self.fields.get_mut(field)) {
            field.push_str(text);
        }
    }

    fn entry(&self) -> Result<Entry, String> {
        let [name, protocol, number, description, note, service_code, unauthorised] =
            self.fields.each_ref().map(|text| text.trim().to_owned());
        let assignee = if self.assignee.is_empty() { &self.contact } else { &self.assignee };
        Ok(Entry {
            ports: ports(&number)?,
            transports: transport_of(&protocol)?,
            name,
            description,
            assignee: assignee.clone(),
            contact: self.contact.clone(),
            registered: self.registered.clone(),
            modified: self.modified.clone(),
            reference: self.reference.clone(),
            service_code,
            unauthorised,
            note,
        })
    }
}

impl Xref {
    fn new(start: &BytesStart<'_>) -> Result<Self, String> {
        let kind = attribute(start, "type")?;
        let target = attribute(start, "data")?;
        let target = if kind == "rfc" { target.to_ascii_uppercase() } else { target };
        Ok(Self { person: kind == "person", target, text: String::new() })
    }
}

/// An attribute's value; "" if it is absent.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<String, String> {
    let found = start.try_get_attribute(name).map_err(|err| err.to_string())?;
    let Some(found) = found else { return Ok(String::new()) };
    Ok(found.normalized_value(XmlVersion::Explicit1_0).map_err(|err| err.to_string())?.into_owned())
}

/// A blank, a line's end and indentation become one blank. Each piece of text between elements is folded by itself.
fn fold(text: &str) -> String {
    let mut lines = text.split('\n');
    let mut folded = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        if folded.ends_with(' ') && line.starts_with([' ', '\t']) {
            folded.truncate(folded.trim_end_matches(' ').len());
            folded.push(' ');
            folded.push_str(line.trim_start_matches([' ', '\t']));
        } else {
            folded.push('\n');
            folded.push_str(line);
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(record: &str) -> Entry {
        let text = format!("<registry><updated>2026-08-17</updated>{record}</registry>");
        rows(&text).unwrap().rows.remove(0).1
    }

    #[test]
    fn a_person_is_contact_and_assignee_unless_there_is_one() {
        let entry = one(r#"<record date="2005-08"><name>a</name><protocol>udp</protocol>
            <xref type="person" data="X"/><xref type="rfc" data="rfc1"/><number>1-2</number></record>"#);
        assert_eq!((entry.assignee.as_str(), entry.contact.as_str()), ("[X]", "[X]"));
        assert_eq!((entry.reference.as_str(), entry.registered.as_str()), ("[RFC1]", "2005-08"));
        assert_eq!(entry.ports, Some((1, 2)));
        let entry = one(
            r#"<record><assignee><xref type="person" data="Y"/></assignee><xref type="person" data="X"/></record>"#,
        );
        assert_eq!((entry.assignee.as_str(), entry.contact.as_str()), ("[Y]", "[X]"));
    }

    #[test]
    fn text_reads_as_in_the_csv() {
        let entry =
            one("<record><note>a &lt;b&gt; \n   c<br/>\n  d <xref type=\"rfc\" data=\"rfc2\"/></note></record>");
        assert_eq!(entry.note, "a <b> c\n  d [RFC2]");
    }

    #[test]
    fn what_is_cut_or_foreign_is_refused_with_its_line() {
        let refused = |text: &str| rows(text).err().unwrap().to_string();
        assert!(refused("<registry>\n<record><name>a</name></record>\n").starts_with("line 3: the file ends before"));
        assert!(
            refused("<registry>\n<record>\n<nmae>a</nmae></record></registry>")
                .starts_with("line 3: unexpected element \"nmae\"")
        );
        assert!(refused("<html></html>").contains("not a registry"));
        assert!(refused("<registry>\n<record></note></record></registry>").starts_with("line 2: "));
        assert!(refused(&format!("<registry>{}", "<a>".repeat(50))).contains("more than 16 deep"));
        assert!(refused("<!DOCTYPE a [<!ENTITY b 'c'>]><registry/>").contains("document type"));
    }
}
