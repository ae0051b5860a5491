//! A STUN message, RFC 8489 section 5, and a TURN ChannelData message, RFC 8656 section 12.4.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |0 0|     STUN Message Type     |         Message Length        |
//! |                   Magic Cookie (0x2112a442)                   |
//! |                     Transaction ID (96 bits)                  |
//! | attributes: type (16), length (16), value, padded to 4 bytes  |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//!
//! |0 1| Channel Number (0x4000..) |            Length             |
//! |                       Application Data                        |
//! ```

use super::cursor::Cursor;

/// The magic cookie.
pub const COOKIE: u32 = 0x2112_a442;

/// The class of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// Answers, with success.
    Success,
    /// Answers, with an error.
    Error,
}

/// A message whose length and attributes agree with the datagram.
#[derive(Clone, Copy, Debug)]
pub struct Stun<'a> {
    kind: u16,
    cookie: bool,
    transaction: [u8; 16],
    attributes: &'a [u8],
}

impl<'a> Stun<'a> {
    /// Reads a message of `len` bytes of which `bytes` is visible; what is visible of the attributes is checked.
    /// Without the cookie (RFC 3489) the method must be Binding.
    pub fn new(bytes: &'a [u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (kind, length) = (c.be16()?, c.be16()?);
        let transaction: [u8; 16] = c.array()?;
        let cookie = transaction.starts_with(&COOKIE.to_be_bytes());
        let message = Self { kind, cookie, transaction, attributes: c.rest() };
        // Some old clients of TURN leave out the padding of the last attribute.
        let legal = kind < 0x4000 && usize::from(length) + 20 == len && (length % 4 == 0 || cookie);
        // RFC 3489 had methods 1 (Binding) and 2 (Shared Secret), and no class for indications.
        let classic = matches!(kind, 1 | 2 | 0x101 | 0x102 | 0x111 | 0x112);
        if !legal || !(cookie || classic) || !message.attributes_hold(bytes.len() == len) {
            return None;
        }
        Some(message)
    }

    fn attributes_hold(&self, whole: bool) -> bool {
        let mut c = Cursor::new(self.attributes);
        while !c.is_empty() {
            let (Some(_), Some(length)) = (c.be16(), c.be16()) else { return !whole };
            if whole && self.cookie && c.rest().len() == usize::from(length) {
                return true;
            }
            // RFC 3489 did not pad; its attributes have multiples of four by nature.
            if c.take(usize::from(length).next_multiple_of(4)).is_none() {
                return !whole;
            }
        }
        true
    }

    /// Whether it has the magic cookie of RFC 5389 and later.
    pub fn has_cookie(&self) -> bool {
        self.cookie
    }

    /// Whether it is a request of RFC 3489 to be answered from another address or port: one attribute, type 3, 4 bytes.
    pub fn asks_for_change(&self) -> bool {
        self.kind == 1 && matches!(self.attributes, [0, 3, 0, 4, 0, 0, 0, flags, ..] if *flags < 8)
    }

    /// Whether the message has no attributes.
    pub fn is_bare(&self) -> bool {
        self.attributes.is_empty()
    }

    /// Request, indication or answer.
    pub fn class(&self) -> Class {
        match (self.kind >> 8 & 1, self.kind >> 4 & 1) {
            (0, 0) => Class::Request,
            (0, _) => Class::Indication,
            (_, 0) => Class::Success,
            _ => Class::Error,
        }
    }

    /// The method: 1 is Binding, 3 Allocate.
    pub fn method(&self) -> u16 {
        self.kind & 0xf | self.kind >> 1 & 0x70 | self.kind >> 2 & 0xf80
    }

    /// Whether the method is one of TURN (RFC 8656, RFC 6062).
    pub fn is_turn(&self) -> bool {
        matches!(self.method(), 3 | 4 | 6..=12)
    }

    /// Whether `reply` answers this request.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let classes = self.class() == Class::Request && matches!(reply.class(), Class::Success | Class::Error);
        classes && self.method() == reply.method() && self.transaction == reply.transaction
    }

    /// The value of the first attribute of `kind`.
    pub fn attribute(&self, kind: u16) -> Option<&'a [u8]> {
        let mut c = Cursor::new(self.attributes);
        loop {
            let (found, length) = (c.be16()?, usize::from(c.be16()?));
            let value = c.take(length.next_multiple_of(4)).or(Some(c.rest()))?;
            if found == kind {
                return value.get(..length);
            }
            if c.is_empty() || value.len() < length {
                return None;
            }
        }
    }
}

/// A ChannelData message whose length agrees with the datagram (over UDP padding is optional).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ChannelData {
    /// The channel's number, 0x4000 to 0x4fff.
    pub channel: u16,
}

impl ChannelData {
    /// Reads a message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (channel, length) = (c.be16()?, usize::from(c.be16()?));
        let fits = len == 4 + length || len == 4 + length.next_multiple_of(4);
        ((0x4000..=0x4fff).contains(&channel) && fits).then_some(Self { channel })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"\0\x01\0\x08\x21\x12\xa4\x42abcdefghijkl\x80\x22\0\x03abc\0";

    #[test]
    fn a_request_and_what_is_none() {
        let m = Stun::new(REQUEST, REQUEST.len()).unwrap();
        assert_eq!((m.class(), m.method(), m.has_cookie(), m.is_turn()), (Class::Request, 1, true, false));
        assert_eq!(m.attribute(0x8022), Some(&b"abc"[..]));
        assert_eq!(m.attribute(6), None);
        for cut in 0..REQUEST.len() {
            assert!(Stun::new(&REQUEST[..cut], cut).is_none());
        }
        assert!(Stun::new(&REQUEST[..20], REQUEST.len()).is_some());
        let mut unpadded = REQUEST[..REQUEST.len() - 1].to_vec();
        unpadded[3] = 7;
        assert!(Stun::new(&unpadded, unpadded.len()).is_some_and(|m| m.attribute(0x8022) == Some(b"abc")));
        unpadded[4] = 0;
        assert!(Stun::new(&unpadded, unpadded.len()).is_none(), "without the cookie");
    }

    #[test]
    fn methods_are_spread_over_the_type() {
        let mut allocate = REQUEST.to_vec();
        allocate[..2].copy_from_slice(&[1, 0x13]);
        let m = Stun::new(&allocate, allocate.len()).unwrap();
        assert_eq!((m.class(), m.method(), m.is_turn()), (Class::Error, 3, true));
    }

    #[test]
    fn channel_data() {
        assert_eq!(ChannelData::new(&[0x40, 1, 0, 2, 9, 9], 6).unwrap().channel, 0x4001);
        assert!(ChannelData::new(&[0x40, 1, 0, 2, 9, 9, 0, 0], 8).is_some());
        assert!(ChannelData::new(&[0x40, 1, 0, 2, 9], 5).is_none());
        assert!(ChannelData::new(&[0x50, 1, 0, 1, 9], 5).is_none());
    }
}
