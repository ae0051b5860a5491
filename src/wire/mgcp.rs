//! The first line of an MGCP message, RFC 3435 section 3.
//!
//! ```text
//! RQNT 1201 endpoint@gateway MGCP 1.0          or     200 1201 OK
//! ```

use super::cursor::text;

/// A command or a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mgcp<'a> {
    /// The verb of a command; none in a response.
    pub verb: Option<&'a str>,
    /// Transaction identifier.
    pub transaction: &'a str,
}

impl<'a> Mgcp<'a> {
    /// Reads the visible bytes of a message.
    pub fn new(bytes: &'a [u8], _len: usize) -> Option<Self> {
        // A verb of four letters or a code of three digits.
        let ([_, _, _, b' ' | b'\t', ..] | [_, _, _, _, b' ' | b'\t', ..]) = bytes else { return None };
        let line = text(bytes).split(['\r', '\n']).next()?;
        let mut words = line.split_ascii_whitespace();
        let (first, transaction) = (words.next()?, words.next()?);
        let number = |w: &str, most: usize| (1..=most).contains(&w.len()) && w.bytes().all(|b| b.is_ascii_digit());
        if !number(transaction, 9) {
            return None;
        }
        let verb =
            ["EPCF", "CRCX", "MDCX", "DLCX", "RQNT", "NTFY", "AUEP", "AUCX", "RSIP"].into_iter().find(|v| *v == first);
        match verb {
            Some(_) => (words.nth(1) == Some("MGCP")).then_some(Self { verb: Some(first), transaction }),
            None => (first.len() == 3 && number(first, 3)).then_some(Self { verb: None, transaction }),
        }
    }

    /// Whether `reply` answers this command.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        self.verb.is_some() && reply.verb.is_none() && self.transaction == reply.transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_and_its_response() {
        let (q, r) = (Mgcp::new(b"AUEP 1200 *@gw MGCP 1.0\r\n", 25).unwrap(), Mgcp::new(b"200 1200 OK\n", 12).unwrap());
        assert!(q.is_answered_by(&r));
        assert_eq!(Mgcp::new(b"AUEP 1200 *@gw HTTP 1.0\r\n", 25), None);
    }
}
