//! A DNS message, RFC 1035 section 4. mDNS (RFC 6762), LLMNR (RFC 4795) and the NetBIOS name service (RFC 1002) share
//! the format and differ in flags, classes and names; [`Message::dialect`] tells them apart as far as the bytes do.
//!
//! ```text
//!  0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
//! +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//! |                      ID                       |
//! |QR|   Opcode  |AA|TC|RD|RA| Z|AD|CD|   RCODE   |
//! |                    QDCOUNT                    |
//! |                    ANCOUNT                    |
//! |                    NSCOUNT                    |
//! |                    ARCOUNT                    |
//! +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//! | questions: name, type, class                  |
//! | records: name, type, class, TTL, length, data |
//! ```

use super::cursor::Cursor;

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 12;
/// As many bytes of a name that is cut off must be visible.
const SOME_NAME: usize = 8;
/// More records than this in one section are taken for chance.
const MOST_RECORDS: u16 = 512;

/// Which protocol of the family a message belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// RFC 1035.
    Dns,
    /// RFC 6762.
    Mdns,
    /// RFC 4795.
    Llmnr,
    /// RFC 1002 section 4.2.
    NetbiosNs,
}

/// A message whose header, questions and, as far as it is visible, records hold together.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    id: u16,
    flags: u16,
    counts: [u16; 4],
    question: &'a [u8],
    kind: u16,
    class: u16,
    top_bit: bool,
    part: Option<Dialect>,
}

impl<'a> Message<'a> {
    /// Reads a message of `len` bytes of which `bytes` is visible. All questions must be visible, or some of the first name of a
    /// [part](Self::is_part); when the whole message is, its records must end with it.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (id, flags) = (c.be16()?, c.be16()?);
        let counts = [c.be16()?, c.be16()?, c.be16()?, c.be16()?];
        let [questions, answers, authority, additional] = counts;
        let opcode = flags >> 11 & 15;
        let response = flags & 0x8000 != 0;
        // Opcodes of the IANA registry and of RFC 1002 (5 registration to 9 refresh, 15 multi-homed registration).
        let known = matches!(opcode, 0..=2 | 4..=9 | 15);
        let empty = questions == 0 && answers == 0 && authority == 0;
        if !known
            || flags & 0x40 != 0
            || empty
            || questions > 64
            || [answers, authority, additional].iter().any(|&n| n > MOST_RECORDS)
        {
            return None;
        }
        // A question has at least 5 bytes and a record 11.
        let records = usize::from(answers) + usize::from(authority) + usize::from(additional);
        if HEADER_LEN + usize::from(questions) * 5 + records * 11 > len
            || (!response && answers > 0 && authority > 0 && questions == 0)
        {
            return None;
        }
        let mut message =
            Self { bytes, id, flags, counts, question: &[], kind: 0, class: 1, top_bit: false, part: None };
        if let Some((question, dialect)) = message.cut_name(len) {
            return Some(Self { question, part: Some(dialect), ..message });
        }
        for n in 0..questions {
            let name = skip_name(bytes, &mut c)?;
            let (kind, class) = (c.be16()?, c.be16()?);
            if !is_class(class & 0x7fff) || kind == 0 {
                return None;
            }
            message.top_bit |= class & 0x8000 != 0;
            if n == 0 {
                (message.question, message.kind, message.class) = (name, kind, class & 0x7fff);
            }
        }
        let whole = bytes.len() == len;
        for _ in 0..records {
            match message.skip_record(&mut c) {
                Some(()) => {}
                None if whole || message.question.is_empty() => return None,
                None => return Some(message),
            }
        }
        (!whole || c.is_empty()).then_some(message)
    }

    /// What is visible of the first name, where the message is cut off in it or in the type and class behind, and whose
    /// message it is. DNS: the only question, for a host, and recursion is desired, as in no other dialect. mDNS: no ID, no
    /// other flags than a response's, and a label of a service or of the domain "local".
    fn cut_name(&self, len: usize) -> Option<(&'a [u8], Dialect)> {
        let [questions, answers, authority, additional] = self.counts;
        let query = self.flags & 0xfecf == 0 && answers == 0 && authority == 0 && additional <= 2;
        let response = self.flags & 0xf900 == 0x8100;
        let dialect = match self.flags {
            0 | 0x8400 if self.id == 0 => Dialect::Mdns,
            flags if flags & 0x0100 != 0 && self.id != 0 && questions == 1 && (query || response) => Dialect::Dns,
            _ => return None,
        };
        let visible = self.bytes.get(HEADER_LEN..)?;
        // What NetBIOS encodes has 32 letters.
        if self.bytes.len() == len || visible.len() < SOME_NAME || visible.first() == Some(&32) {
            return None;
        }
        let (mut rest, mut local) = (visible, false);
        while let Some((&n, after)) = rest.split_first().filter(|(n, _)| **n > 0) {
            let label = after.get(..usize::from(n).min(after.len()))?;
            let legal = |b: &u8| match dialect {
                Dialect::Mdns => !b.is_ascii_control(),
                _ => b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'),
            };
            if n > 63 || !label.iter().all(legal) {
                return None;
            }
            local |= label.starts_with(b"_") || label == b"local";
            rest = after.get(label.len()..)?;
        }
        // Behind the end of the name stand type and class, of which one is cut off.
        let name = visible.len() - rest.len();
        let is_cut = rest.len() < 5 && name >= SOME_NAME && (local || dialect == Dialect::Dns);
        Some((visible.get(..name).filter(|_| is_cut)?, dialect))
    }

    fn skip_record(&mut self, c: &mut Cursor<'a>) -> Option<()> {
        let name = skip_name(self.bytes, c)?;
        let (kind, class) = (c.be16()?, c.be16()?);
        // OPT (RFC 6891) carries a size in place of the class; TSIG and TKEY have class ANY.
        let opt = kind == 41;
        if kind == 0 || !(opt || is_class(class & 0x7fff)) {
            return None;
        }
        if self.question.is_empty() && !opt {
            (self.question, self.kind) = (name, kind);
        }
        self.top_bit |= !opt && class & 0x8000 != 0;
        let (_ttl, length) = (c.be32()?, c.be16()?);
        c.take(usize::from(length))?;
        Some(())
    }

    /// Whether the first name is cut off, so that its type is not known.
    pub fn is_part(&self) -> bool {
        self.part.is_some()
    }

    /// Transaction identifier.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// Entries of the question, answer, authority and additional sections.
    pub fn counts(&self) -> [u16; 4] {
        self.counts
    }

    /// Type of the first question, or of the first record if there is no question.
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// Whether `reply` answers this query: same ID, and the same question if it repeats one.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let seen = self.question.len().min(reply.question.len());
        let same_question = match self.is_part() || reply.is_part() {
            true => self.question.get(..seen) == reply.question.get(..seen) && seen >= SOME_NAME,
            false => self.question.eq_ignore_ascii_case(reply.question) && self.kind == reply.kind,
        };
        !self.is_response() && reply.is_response() && self.id == reply.id && (reply.counts[0] == 0 || same_question)
    }

    /// The name in the first question (or first record), with dots; bytes that are not printable ASCII become '?'.
    pub fn name(&self) -> String {
        let mut text = Vec::with_capacity(self.question.len());
        let mut c = Cursor::new(self.question);
        while let Some(label) = c.u8().filter(|&n| n > 0 && n < 64).and_then(|n| c.take(usize::from(n))) {
            if !text.is_empty() {
                text.push(b'.');
            }
            text.extend(label.iter().map(|&b| if b.is_ascii_graphic() { b } else { b'?' }));
        }
        String::from_utf8(text).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| ".".to_owned())
    }

    /// Which protocol of the family this is, as a datagram.
    ///
    /// Without recursion, a host's question for the name of an address is the same in LLMNR and in DNS, where servers and old
    /// resolvers ask it so. It counts as DNS.
    pub fn dialect(&self) -> Dialect {
        match self.dialect_over_tcp() {
            Dialect::Llmnr if self.labels().2.eq_ignore_ascii_case(b"arpa") => Dialect::Dns,
            dialect => dialect,
        }
    }

    /// Which protocol of the family this is over TCP, over which LLMNR asks for the name of an address (RFC 4795 section 2.4).
    pub fn dialect_over_tcp(&self) -> Dialect {
        if let Some(dialect) = self.part {
            return dialect;
        }
        let (count, first, last) = self.labels();
        let response = self.is_response();
        let plain = self.flags & 0x7bff == 0; // all but QR and AA
        let local = last.eq_ignore_ascii_case(b"local") || last.eq_ignore_ascii_case(b"arpa");
        // RFC 1001 section 14.1: 32 letters from A to P stand for 16 bytes; types NB (32) and NBSTAT (33).
        let encoded = first.len() == 32 && first.iter().all(|b| (b'A'..=b'P').contains(b));
        if encoded && matches!(self.kind, 10 | 32 | 33) {
            return Dialect::NetbiosNs;
        }
        // RFC 6762 section 18: the ID is zero, no flag but AA, the top bit of the class in use, names below "local".
        if self.id == 0 && plain && (self.top_bit || local) {
            return Dialect::Mdns;
        }
        // RFC 4795 section 2.1.1: one question, nothing else in a query, no recursion; names of a single label, or below
        // "local", which DNS does not serve, or of an address. Resolvers that ask for that without recursion use EDNS.
        let [questions, answers, authority, additional] = self.counts;
        let unqualified = (count == 1 && matches!(self.kind, 1 | 28 | 255)) || (local && additional == 0);
        let single = unqualified && questions == 1;
        let query = !response && answers == 0 && authority == 0;
        if self.flags & 0x7fff & !0x0700 == 0
            && self.flags & 0x0100 == 0
            && single
            && (query || (response && answers > 0))
        {
            return Dialect::Llmnr;
        }
        Dialect::Dns
    }

    /// How many labels the name has, the first and the last.
    fn labels(&self) -> (usize, &'a [u8], &'a [u8]) {
        let mut c = Cursor::new(self.question);
        let mut label = || c.u8().filter(|&n| n > 0 && n < 64).and_then(|n| c.take(usize::from(n)));
        let Some(first) = label() else { return (0, &[], &[]) };
        std::iter::from_fn(label).fold((1, first, first), |(count, first, _), label| (count + 1, first, label))
    }
}

fn is_class(class: u16) -> bool {
    matches!(class, 1 | 3 | 4 | 254 | 255)
}

/// Takes a name; returns its labels up to the end or to the first pointer (RFC 1035 section 4.1.4: pointers go back).
fn skip_name<'a>(message: &'a [u8], c: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let start = c.rest();
    let mut length = 0;
    loop {
        let here = message.len() - c.rest().len();
        let n = c.u8()?;
        match n {
            0 => return start.get(..length + 1),
            1..=63 => {
                c.take(usize::from(n))?;
                length += 1 + usize::from(n);
                if length > 254 {
                    return None;
                }
            }
            0xc0..=0xff => {
                let target = usize::from(n & 0x3f) << 8 | usize::from(c.u8()?);
                let back = target >= HEADER_LEN && target < here;
                return if back { start.get(..length) } else { None };
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) const QUERY: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01";
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0\x03www\x07example\x03org\0\0\x01\0\x01\
        \xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x07";

    #[test]
    fn an_answer_repeats_id_and_question() {
        let query = Message::new(QUERY, QUERY.len()).unwrap();
        let answer = Message::new(ANSWER, ANSWER.len()).unwrap();
        assert!(query.is_answered_by(&answer));
        assert_eq!(query.name(), "www.example.org");
        assert_eq!(query.dialect(), Dialect::Dns);
    }

    #[test]
    fn length_and_pointers_are_checked() {
        for cut in 0..ANSWER.len() {
            assert!(Message::new(&ANSWER[..cut], cut).is_none(), "{cut}");
        }
        let mut longer = ANSWER.to_vec();
        longer.push(0);
        assert!(Message::new(&longer, longer.len()).is_none());
        let mut forward = ANSWER.to_vec();
        forward[34] = 0xff;
        assert!(Message::new(&forward, forward.len()).is_none());
        assert!(Message::new(&ANSWER[..40], ANSWER.len()).is_some());
    }

    #[test]
    fn a_question_may_be_cut() {
        let (query, answer) = (&QUERY[..24], &ANSWER[..28]);
        let [query, answer] =
            [(query, QUERY), (answer, ANSWER)].map(|(cut, all)| Message::new(cut, all.len()).unwrap());
        assert!(query.is_part() && answer.is_part() && query.is_answered_by(&answer));
        assert_eq!((query.dialect(), query.name().as_str()), (Dialect::Dns, "www.example"));
        assert!(Message::new(&QUERY[..18], QUERY.len()).is_none(), "too little of a name");
        let mut local = QUERY[..24].to_vec();
        local[2] = 0;
        assert!(Message::new(&local, QUERY.len()).is_none(), "LLMNR asks so as well");
        let service = b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x0b_googlecast\x04_tc";
        let service = Message::new(service, 200).unwrap();
        assert_eq!((service.dialect(), service.is_part()), (Dialect::Mdns, true));
        assert!(Message::new(b"\0\0\x84\0\0\0\0\x01\0\0\0\0\x0bgooglecast1\x04tc", 200).is_none());
        local[2..].fill(1);
        assert!(Message::new(&local, QUERY.len()).is_none());
    }

    #[test]
    fn dialects() {
        let mdns = b"\0\0\0\0\0\x01\0\0\0\0\0\0\x05_http\x04_tcp\x05local\0\0\x0c\x80\x01";
        assert_eq!(Message::new(mdns, mdns.len()).unwrap().dialect(), Dialect::Mdns);
        let llmnr = b"\x77\x01\0\0\0\x01\0\0\0\0\0\0\x04wpad\0\0\x01\0\x01";
        assert_eq!(Message::new(llmnr, llmnr.len()).unwrap().dialect(), Dialect::Llmnr);
        // Some clients count their queries from ID 0.
        let zero = [b"\0\0", &llmnr[2..]].concat();
        assert_eq!(Message::new(&zero, zero.len()).unwrap().dialect(), Dialect::Llmnr);
        let reverse = b"\x77\x01\0\0\0\x01\0\0\0\0\0\0\x011\x010\x010\x03127\x07in-addr\x04arpa\0\0\x0c\0\x01";
        let reverse = Message::new(reverse, reverse.len()).unwrap();
        assert_eq!((reverse.dialect(), reverse.dialect_over_tcp()), (Dialect::Dns, Dialect::Llmnr));
        let nbns = b"\x77\x01\x01\x10\0\x01\0\0\0\0\0\0\x20FHEPFCELEHFCEPFFFACACACACACACABN\0\0\x20\0\x01";
        assert_eq!(Message::new(nbns, nbns.len()).unwrap().dialect(), Dialect::NetbiosNs);
    }
}
