//! GTP′, which carries charging records: 3GPP TS 32.295 section 6.
//!
//! ```text
//! |Ver|PT=0|1 1 1|S| Message Type (8) | Length (16) | Sequence Number (16) | version 0 with S=0: 14 bytes | elements |
//! ```

use super::cursor::Cursor;

/// A message whose elements fill it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GtpPrime {
    /// Message type.
    pub kind: u8,
    /// Sequence number.
    pub sequence: u16,
    /// How many elements were read.
    pub elements: usize,
    /// Whether charging records were among them, whose lengths fill their element.
    pub records: bool,
}

/// Message types: a request's answer has the next one.
const REQUESTS: [u8; 4] = [1, 4, 6, 240];

impl GtpPrime {
    /// Length of the common header in bytes.
    pub const HEADER: usize = 6;

    /// Reads a datagram of `len` bytes of which `bytes` is visible. Of elements that are cut off what is visible counts.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (flags, kind, _length, sequence) = (c.u8()?, c.u8()?, c.be16()?, c.be16()?);
        if Self::measure(bytes)? != len {
            return None;
        }
        if flags == 0x0e {
            c.take(14)?;
        }
        let mut message = Self { kind, sequence, elements: 0, records: false };
        while !c.is_empty() {
            match element(&mut c) {
                Some(records) => message.records |= records,
                None if bytes.len() < len => break,
                None => return None,
            }
            message.elements += 1;
        }
        // Only echoes, "version not supported" and "node alive" may do without.
        (message.elements > 0 || bytes.len() < len || matches!(kind, 1..=3 | 5)).then_some(message)
    }

    /// Length on the wire of the message at the start of a stream, if one can begin there; [`Self::HEADER`] bytes are enough.
    pub fn measure(bytes: &[u8]) -> Option<usize> {
        let &[flags, kind, high, low, ..] = bytes else { return None };
        let header = match flags {
            0x0e => 20,
            0x0f | 0x2e | 0x4e => Self::HEADER,
            _ => return None,
        };
        let known = kind == 3 || REQUESTS.iter().any(|r| kind == *r || kind == r + 1);
        known.then_some(header + usize::from(u16::from_be_bytes([high, low])))
    }

    /// Whether `reply` answers this message.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let kind = reply.kind == self.kind + 1 || reply.kind == 3;
        REQUESTS.contains(&self.kind) && kind && reply.sequence == self.sequence
    }
}

/// Reads an element; whether it holds charging records.
fn element(c: &mut Cursor<'_>) -> Option<bool> {
    let kind = c.u8()?;
    match kind {
        // Cause, recovery, packet transfer command.
        1 | 14 | 126 => c.take(1).map(|_| false),
        249..=255 => {
            let size = usize::from(c.be16()?);
            let value = c.take(size)?;
            let legal = match kind {
                249 | 250 | 253 => size.is_multiple_of(2) && size > 0,
                251 | 254 => size == 4 || size == 16,
                252 => are_records(value),
                _ => size >= 2,
            };
            legal.then_some(kind == 252)
        }
        _ => None,
    }
}

/// Whether a count, a format and its version precede so many records, each behind its length.
fn are_records(value: &[u8]) -> bool {
    let mut c = Cursor::new(value);
    let (Some(count), Some(_), Some(_)) = (c.u8(), c.u8(), c.be16()) else { return false };
    let each = (0..count).all(|_| c.be16().is_some_and(|size| size > 0 && c.take(usize::from(size)).is_some()));
    count > 0 && each && c.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_and_their_answer() {
        let mut m = vec![0x2e, 240, 0, 16, 0, 4, 126, 1, 252, 0, 11, 1, 1, 0x1c, 6, 0, 5];
        m.extend(b"\xbf\x4f\x02\x80\x00");
        let request = GtpPrime::new(&m, m.len()).unwrap();
        assert_eq!(request, GtpPrime { kind: 240, sequence: 4, elements: 2, records: true });
        let r = [0x2e, 241, 0, 7, 0, 4, 1, 128, 253, 0, 2, 0, 4];
        let response = GtpPrime::new(&r, r.len()).unwrap();
        assert!(request.is_answered_by(&response) && !response.is_answered_by(&request));
        assert!(GtpPrime::new(&m[..12], m.len()).is_some_and(|cut| cut.elements == 1));
        m[16] = 4;
        assert_eq!(GtpPrime::new(&m, m.len()), None);
    }

    #[test]
    fn echoes_and_other_versions_of_gtp() {
        assert!(GtpPrime::new(&[0x0f, 1, 0, 0, 0, 9], 6).is_some());
        assert!(GtpPrime::new(&[0x32, 1, 0, 4, 0, 0, 0, 0, 0, 9, 0, 0], 12).is_none(), "PT is one");
        assert!(GtpPrime::new(&[0x2e, 240, 0, 0, 0, 9], 6).is_none(), "records, and none there");
    }
}
