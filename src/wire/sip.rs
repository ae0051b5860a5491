//! The first lines of a SIP message, RFC 3261 section 7.
//!
//! ```text
//! INVITE sip:bob@example.org SIP/2.0          or    SIP/2.0 200 OK
//! Via: SIP/2.0/UDP host;branch=z9hG4bK776
//! Call-ID: a84b4c76e66710
//! CSeq: 314159 INVITE
//! ```

use super::cursor::text;

/// A message with SIP's start line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sip<'a> {
    /// Method of a request; none in a response.
    pub method: Option<&'a str>,
    /// Value of the Call-ID header, if it is visible.
    pub call_id: Option<&'a str>,
    /// Value of the CSeq header, if it is visible.
    pub cseq: Option<&'a str>,
    /// Whether a Via header follows at once or later.
    pub via: bool,
}

impl<'a> Sip<'a> {
    /// Reads the visible bytes of a message.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (line, _) = bytes.split_at_checked(memchr::memchr(b'\n', bytes)?)?;
        if !line.starts_with(b"SIP/2.0 ") && !line.ends_with(b" SIP/2.0\r") {
            return None;
        }
        let (start, headers) = text(bytes).split_once("\r\n")?;
        let method = match start.strip_prefix("SIP/2.0 ") {
            Some(status) => {
                let code = status.get(..3)?;
                (code.bytes().all(|b| b.is_ascii_digit()) && code.starts_with(|c| ('1'..='6').contains(&c)))
                    .then_some(())?;
                None
            }
            None => {
                let (method, rest) = start.split_once(' ')?;
                let uri = rest.strip_suffix(" SIP/2.0")?;
                let token = !method.is_empty() && method.bytes().all(|b| b.is_ascii_uppercase());
                (token && uri.contains(':')).then_some(Some(method))?
            }
        };
        let mut message = Self { method, call_id: None, cseq: None, via: false };
        for line in headers.split("\r\n") {
            let Some((name, value)) = line.split_once(':') else { break };
            let is = |long: &str, short: &str| name.trim_end().eq_ignore_ascii_case(long) || name == short;
            let value = value.trim();
            if is("via", "v") {
                message.via |= value.starts_with("SIP/2.0/");
            } else if is("call-id", "i") {
                message.call_id = message.call_id.or(Some(value));
            } else if is("cseq", "CSeq") {
                message.cseq = message.cseq.or(Some(value));
            }
        }
        Some(message)
    }

    /// Whether `reply` answers this request.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let same = |a: Option<&str>, b: Option<&str>| a.is_some() && a == b;
        self.method.is_some()
            && reply.method.is_none()
            && (same(self.call_id, reply.call_id) || same(self.cseq, reply.cseq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_its_response() {
        let options = b"OPTIONS sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9\r\ni: x1\r\nCSeq: 7 OPTIONS\r\n\r\n";
        let ok = b"SIP/2.0 200 OK\r\nv: SIP/2.0/UDP 192.0.2.2;branch=z9\r\nCall-ID: x1\r\nCSeq: 7 OPTIONS\r\n\r\n";
        let (q, r) = (Sip::new(options).unwrap(), Sip::new(ok).unwrap());
        assert_eq!((q.method, q.call_id, q.via), (Some("OPTIONS"), Some("x1"), true));
        assert!(q.is_answered_by(&r) && !r.is_answered_by(&q));
        assert_eq!(Sip::new(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(Sip::new(b"SIP/2.0 999 OK\r\n\r\n"), None);
    }
}
