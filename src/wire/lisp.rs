//! LISP: control messages, RFC 9301 section 5, and the header before encapsulated packets, RFC 9300 section 5.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |  Type |  flags and reserved bits              | Record Count  |
//! |                           Nonce (64)                          |
//! | Register, Notify: key ID (16) | length (16), authentication   |
//! | records: TTL (32), locators (8), mask (8), flags (16),        |
//! |          map version (16), AFI (16), address, locators        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!
//! data: |N|L|E|V|I|R|K|K| nonce or map versions (24) | instance ID and locator status (32) | IP packet |
//! ```

use super::cursor::Cursor;
use super::inner::is_ip;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Wants the locators of an address.
    Request,
    /// Gives them.
    Reply,
    /// Tells a server of them.
    Register,
    /// The server confirms.
    Notify,
    /// And that is confirmed.
    NotifyAck,
}

/// A control message that holds together to its last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// Its type.
    pub kind: Kind,
    /// Repeated by the answer.
    pub nonce: u64,
}

impl Control {
    /// Reads a message, all of which is visible. One that is encapsulated (type 8) is taken out.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let first = c.u8()?;
        if first >> 4 == 8 {
            return Self::encapsulated(c.take(3).map(|_| c.rest())?);
        }
        let (second, _, records) = (c.u8()?, c.u8()?, c.u8()?);
        let kind = match first >> 4 {
            1 => Kind::Request,
            2 => Kind::Reply,
            3 => Kind::Register,
            4 => Kind::Notify,
            5 => Kind::NotifyAck,
            _ => return None,
        };
        if records == 0 || records > 64 {
            return None;
        }
        let nonce = c.be64()?;
        match kind {
            Kind::Request => {
                address(&mut c)?;
                let locators = (usize::from(second) & 0x1f) + 1;
                (0..locators).try_for_each(|_| address(&mut c))?;
                for _ in 0..records {
                    let (_reserved, mask) = (c.u8()?, c.u8()?);
                    (mask <= 128).then_some(())?;
                    address(&mut c)?;
                }
                // With the M bit a record follows.
                if first & 4 != 0 {
                    record(&mut c)?;
                }
            }
            Kind::Reply => (0..records).try_for_each(|_| record(&mut c))?,
            Kind::Register | Kind::Notify | Kind::NotifyAck => {
                let (key, length) = (c.be16()?, usize::from(c.be16()?));
                // Key IDs 1 and 2 are HMACs of 20 and 32 bytes; 0 is none. RFC 9301 puts an algorithm in the low byte.
                (key & 0xff <= 5 && matches!(length, 0 | 16 | 20 | 32)).then_some(())?;
                c.take(length)?;
                (0..records).try_for_each(|_| record(&mut c))?;
            }
        }
        // A site's identifiers may follow (RFC 9301 section 5.6).
        matches!(c.rest().len(), 0 | 24).then_some(Self { kind, nonce })
    }

    /// An IP packet with UDP and a message in it.
    fn encapsulated(bytes: &[u8]) -> Option<Self> {
        let header = match bytes.first()? {
            v @ 0x45..=0x4f => usize::from(v & 15) * 4,
            0x60..=0x6f => 40,
            _ => return None,
        };
        let message = is_ip(bytes, bytes.len(), 0).then(|| bytes.get(header + 8..)).flatten()?;
        (message.first()? >> 4 != 8).then(|| Self::new(message))?
    }

    /// Whether `reply` answers this message.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let follows = matches!(
            (self.kind, reply.kind),
            (Kind::Request, Kind::Reply) | (Kind::Register, Kind::Notify) | (Kind::Notify, Kind::NotifyAck)
        );
        follows && self.nonce == reply.nonce
    }
}

/// Takes an address family (RFC 9301 section 4) and the address.
fn address(c: &mut Cursor<'_>) -> Option<()> {
    let length = match c.be16()? {
        0 => 0,
        1 => 4,
        2 => 16,
        // RFC 8060: reserved (8), flags (8), type (8), reserved (8), length (16).
        16387 => {
            c.take(4)?;
            usize::from(c.be16()?)
        }
        _ => return None,
    };
    c.take(length).map(|_| ())
}

fn record(c: &mut Cursor<'_>) -> Option<()> {
    let _ttl = c.be32()?;
    let (locators, mask, _flags, _version) = (c.u8()?, c.u8()?, c.be16()?, c.be16()?);
    (mask <= 128 && locators <= 32).then_some(())?;
    address(c)?;
    (0..locators).try_for_each(|_| {
        c.take(6)?;
        address(c)
    })
}

/// The header before an encapsulated IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// Flags are set, none is reserved, and they agree with each other.
    Flagged,
    /// No flag is set, so that all eight bytes are zero.
    Bare,
}

/// Reads `bytes` (of `len`) as an encapsulated IP packet.
pub fn data(bytes: &[u8], len: usize) -> Option<Data> {
    let (header @ &[flags, a, b, c, ..], packet) = bytes.split_first_chunk::<8>()?;
    let [nonce, status, echo, version, instance] = [0x80, 0x40, 0x20, 0x10, 8].map(|bit| flags & bit != 0);
    let agrees = (nonce || !echo) && !(nonce && version) && (nonce || version || [a, b, c] == [0; 3]);
    let kind = match (nonce || status || instance, *header == [0; 8]) {
        (true, _) if flags & 7 == 0 && agrees => Data::Flagged,
        (_, true) => Data::Bare,
        _ => return None,
    };
    is_ip(packet, len.saturating_sub(8), 0).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register() -> Vec<u8> {
        let mut m = vec![0x30, 0, 1, 1];
        m.extend([7; 8]);
        m.extend([0, 1, 0, 20]);
        m.extend([9; 20]);
        m.extend([0, 0, 5, 0xa0, 1, 32, 0x10, 0, 0, 0, 0, 1, 192, 0, 2, 1]);
        m.extend([1, 100, 255, 0, 0, 5, 0, 1, 198, 51, 100, 1]);
        m
    }

    #[test]
    fn a_register_and_its_notify() {
        let register = register();
        let notify = [&[0x40, 0, 0, 1][..], &register[4..]].concat();
        let [q, r] = [&register, &notify].map(|m| Control::new(m).unwrap());
        assert_eq!((q.kind, r.kind), (Kind::Register, Kind::Notify));
        assert!(q.is_answered_by(&r) && !r.is_answered_by(&q));
        for cut in 0..register.len() {
            assert!(Control::new(&register[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn data_carry_an_ip_packet() {
        let mut packet = vec![0x88, 1, 2, 3, 0, 0, 1, 0];
        packet.extend([0x45, 0, 0, 20, 0, 0, 0x40, 0, 64, 17, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!((data(&packet, 28), data(&packet, 29)), (Some(Data::Flagged), None));
        for flags in [0, 8 + 1, 0x20, 0x90, 0x0c] {
            packet[0] = flags;
            assert_eq!(data(&packet, 28), None, "{flags:x}");
        }
        packet[..8].fill(0);
        assert_eq!(data(&packet, 28), Some(Data::Bare));
    }
}
