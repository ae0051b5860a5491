//! A Kerberos V5 message, RFC 4120 section 5: an application tag, then fields in a fixed order. DER throughout.
//!
//! ```text
//! [APPLICATION 10, 12] AS-REQ, TGS-REQ  SEQUENCE { [1] pvno (5), [2] msg-type, [3] padata, [4] req-body }
//! [APPLICATION 11, 13] AS-REP, TGS-REP  SEQUENCE { [0] pvno (5), [1] msg-type, ... }
//! [APPLICATION 14, 15] AP-REQ, AP-REP   SEQUENCE { [0] pvno (5), [1] msg-type, ... }
//! [APPLICATION 30]     KRB-ERROR        SEQUENCE { [0] pvno (5), [1] msg-type, ... }
//! ```

use super::ber;
use super::cursor::Cursor;

/// A message whose version and type are as its tag says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kerberos {
    /// 10 AS-REQ, 11 AS-REP, 12 TGS-REQ, 13 TGS-REP, 14 AP-REQ, 15 AP-REP, 30 KRB-ERROR.
    pub kind: u8,
}

impl Kerberos {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let tag = *bytes.first()?;
        let kind = tag & 0x1f;
        if !matches!(tag, 0x6a..=0x6f | 0x7e) {
            return None;
        }
        let mut c = ber::whole(bytes, len, tag)?;
        let (sequence, _) = ber::header(&mut c)?;
        let first = if matches!(kind, 10 | 12) { 0xa1 } else { 0xa0 };
        let mut field = |tag| ber::element(&mut c, tag).and_then(|f| ber::integer(&mut Cursor::new(f)));
        let agrees = field(first)? == 5 && field(first + 1)? == i64::from(kind);
        (sequence == 0x30 && agrees).then_some(Self { kind })
    }

    /// Whether `reply` can answer this request.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        matches!((self.kind, reply.kind), (10, 11 | 30) | (12, 13 | 30) | (14, 15 | 30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error() {
        let m = [0x7e, 12, 0x30, 10, 0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 30];
        assert_eq!(Kerberos::new(&m, m.len()), Some(Kerberos { kind: 30 }));
        assert_eq!(Kerberos::new(&m, m.len() + 1), None);
        let other = [0x6b, 12, 0x30, 10, 0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 30];
        assert_eq!(Kerberos::new(&other, other.len()), None);
    }
}
