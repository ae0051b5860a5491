//! BitTorrent over UDP: the DHT's messages (BEP 5) and uTP's header (BEP 29).
//!
//! ```text
//! DHT: a bencoded dictionary, "d1:ad2:id20:" (query), "d1:rd2:id20:" (response), "d1:eli" (error) … "1:y1:q" … "e"
//!
//! uTP:
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! | Type  |  Ver  |   Extension   |         Connection ID         |
//! |                    Timestamp, microseconds                    |
//! |              Timestamp difference, microseconds               |
//! |                       Window, bytes                           |
//! |        Sequence number        |     Acknowledgement number    |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A message of the DHT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dht<'a> {
    /// b'q' query, b'r' response, b'e' error; none if it lies behind what is visible.
    pub kind: Option<u8>,
    /// Transaction identifier, if it is visible.
    pub transaction: Option<&'a [u8]>,
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|w| w == text)
}

impl<'a> Dht<'a> {
    /// Reads a message of `len` bytes of which `bytes` is visible.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let starts =
            [&b"d1:ad2:id20:"[..], b"d1:rd2:id20:", b"d1:eli2", b"d2:ip6:", b"d2:ip4:", b"d1:q", b"d1:t", b"d1:rd3:"];
        if !starts.iter().any(|s| bytes.starts_with(s)) {
            return None;
        }
        let whole = bytes.len() == len;
        let kind = find(bytes, b"1:y1:").and_then(|at| bytes.get(at + 5)).copied().filter(|k| b"qre".contains(k));
        let transaction = find(bytes, b"1:t").and_then(|at| {
            let mut c = Cursor::new(bytes.get(at + 3..)?);
            let length = c.u8().filter(u8::is_ascii_digit)? - b'0';
            (c.u8()? == b':').then(|| c.take(usize::from(length)))?
        });
        if whole && (kind.is_none() || !bytes.ends_with(b"e")) {
            return None;
        }
        Some(Self { kind, transaction })
    }

    /// Whether `reply` answers this query.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        self.kind == Some(b'q')
            && reply.kind.is_some_and(|k| k != b'q')
            && self.transaction.is_some()
            && self.transaction == reply.transaction
    }
}

/// A uTP packet of version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utp {
    /// 0 data, 1 fin, 2 state, 3 reset, 4 syn.
    pub kind: u8,
    /// Connection identifier of the addressee.
    pub connection: u16,
    /// When it was sent, in microseconds.
    pub timestamp: u32,
    /// Sequence number.
    pub sequence: u16,
    /// Last sequence number received.
    pub acknowledged: u16,
}

impl Utp {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, extension, connection) = (c.u8()?, c.u8()?, c.be16()?);
        let (timestamp, _difference, window) = (c.be32()?, c.be32()?, c.be32()?);
        let (sequence, acknowledged) = (c.be16()?, c.be16()?);
        let kind = first >> 4;
        // Extension 1 is the selective acknowledgement, whose length is a multiple of four.
        let extended = match extension {
            0 => true,
            1 | 2 => {
                c.u8().is_some_and(|next| next <= 2) && c.u8().is_some_and(|n| n >= 4 && usize::from(n) + 22 <= len)
            }
            _ => false,
        };
        let legal =
            first & 15 == 1 && kind <= 4 && window < 1 << 27 && extended && (kind == 0 || kind == 2 || len <= 64);
        (legal && len >= 20).then_some(Self { kind, connection, timestamp, sequence, acknowledged })
    }

    /// Whether `reply` acknowledges this SYN: same connection, and its sequence number.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let connection = reply.connection == self.connection || reply.connection == self.connection.wrapping_add(1);
        self.kind == 4 && reply.kind == 2 && connection && reply.acknowledged == self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_of_the_dht() {
        let q = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";
        let r = b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re";
        let (q, r) = (Dht::new(q, q.len()).unwrap(), Dht::new(r, r.len()).unwrap());
        assert!(q.is_answered_by(&r) && !r.is_answered_by(&q));
        assert_eq!(Dht::new(b"d1:ad2:id20:abc", 15), None);
    }

    #[test]
    fn a_syn_and_its_state() {
        let mut syn = [0; 20];
        syn[0] = 0x41;
        syn[16..18].copy_from_slice(&[0, 1]);
        let mut state = syn;
        state[0] = 0x21;
        state[18..20].copy_from_slice(&[0, 1]);
        assert!(Utp::new(&syn, 20).unwrap().is_answered_by(&Utp::new(&state, 20).unwrap()));
        syn[12] = 0xff;
        assert_eq!(Utp::new(&syn, 20), None);
    }
}
