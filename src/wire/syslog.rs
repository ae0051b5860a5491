//! A syslog message: RFC 5424 section 6 and the older form of RFC 3164 section 4.
//!
//! ```text
//! <PRI>1 2003-10-11T22:14:15.003Z host app procid msgid [structured data] text        RFC 5424
//! <PRI>Oct 11 22:14:15 host tag: text                                                 RFC 3164
//! <PRI>text                                                                           devices that keep to neither
//! ```

/// How much of a standard a message keeps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// RFC 5424 with its version and a time stamp or "-".
    Rfc5424,
    /// RFC 3164 with its time stamp.
    Rfc3164,
    /// A priority and printable text.
    Bare,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// Its form.
    pub form: Form,
    /// Facility times eight plus severity, at most 191.
    pub priority: u8,
}

const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

impl Syslog {
    /// Reads the visible bytes of a message.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"<")?;
        let end = rest.iter().take(4).position(|&b| b == b'>')?;
        let priority = std::str::from_utf8(rest.get(..end)?).ok()?.parse::<u8>().ok().filter(|&p| p <= 191)?;
        let text = rest.get(end + 1..)?;
        // Text is printable, with tabs and a line end, or UTF-8; a message of binary data is something else.
        let control = text.iter().filter(|b| **b < 0x20 && !matches!(b, b'\t' | b'\r' | b'\n' | 0)).count();
        if text.len() < 4 || control * 20 > text.len() {
            return None;
        }
        let digit = |b: &u8| b.is_ascii_digit();
        let form = match text {
            [b'1', b' ', b'-', b' ', ..] => Form::Rfc5424,
            [b'1', b' ', a, b, c, d, b'-', ..] if [a, b, c, d].into_iter().all(digit) => Form::Rfc5424,
            // "Oct 11 22:14:15 ": the day is padded with a space.
            [a, b, c, b' ', b' ' | b'0'..=b'3', b'0'..=b'9', b' ', _, _, b':', _, _, b':', ..]
                if MONTHS.contains(&&[*a, *b, *c][..]) =>
            {
                Form::Rfc3164
            }
            // The same with a time stamp of RFC 3339, as rsyslog forwards by default.
            [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', _, _, b':', ..]
                if [y1, y2, y3, y4, m1, m2, d1, d2].into_iter().all(digit) =>
            {
                Form::Rfc3164
            }
            _ => Form::Bare,
        };
        Some(Self { form, priority })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let form = |text: &str| Syslog::new(text.as_bytes()).map(|s| s.form);
        assert_eq!(form("<34>1 2003-10-11T22:14:15.003Z host su - ID47 - failed"), Some(Form::Rfc5424));
        assert_eq!(form("<34>Oct 11 22:14:15 host su: failed"), Some(Form::Rfc3164));
        assert_eq!(form("<13>2013-09-12T19:16:34.457849+04:00 host su: failed"), Some(Form::Rfc3164));
        assert_eq!(form("<13>something happened"), Some(Form::Bare));
        assert_eq!(form("<192>Oct 11 22:14:15 host su: failed"), None);
        assert_eq!(form("<html>"), None);
    }
}
