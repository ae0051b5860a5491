//! An NTP packet, RFC 5905 section 7.3, a control message, RFC 9327 section 2, and a private one, ntp_request.h of ntpd.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |LI | VN  |Mode |    Stratum    |     Poll      |   Precision   |
//! |                          Root Delay                           |
//! |                       Root Dispersion                         |
//! |                         Reference ID                          |
//! |                    Reference Timestamp (64)                   |
//! |                      Origin Timestamp (64)                    |
//! |                     Receive Timestamp (64)                    |
//! |                     Transmit Timestamp (64)                   |
//! |            extension fields, key ID, message digest           |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// Seconds from 1900-01-01 to 1970-01-01.
pub const UNIX_EPOCH: i64 = 2_208_988_800;

/// Who speaks to whom: the association mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Mode 1 or 2.
    Symmetric,
    /// Mode 3.
    Client,
    /// Mode 4.
    Server,
    /// Mode 5.
    Broadcast,
}

/// A time packet with plausible fields.
#[derive(Clone, Copy, Debug)]
pub struct Ntp {
    /// Association mode.
    pub mode: Mode,
    /// Version, 1 to 4.
    pub version: u8,
    /// Distance from a reference clock; 0 is unspecified.
    pub stratum: u8,
    /// When the sender's clock was last set; 64-bit NTP timestamp, as all of them.
    pub reference: u64,
    /// When the client sent its request, as the server repeats it.
    pub origin: u64,
    /// When the request arrived.
    pub receive: u64,
    /// When this packet left. Many clients put a random number here.
    pub transmit: u64,
}

impl Ntp {
    /// Reads a packet of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, stratum, poll, precision) = (c.u8()?, c.u8()?, c.u8()? as i8, c.u8()? as i8);
        let mode = match first & 7 {
            1 | 2 => Mode::Symmetric,
            3 => Mode::Client,
            4 => Mode::Server,
            5 => Mode::Broadcast,
            _ => return None,
        };
        let version = first >> 3 & 7;
        // 48 bytes, or with a MAC of 20, 24 or 4 bytes, or with extension fields.
        let legal = (1..=4).contains(&version) && len >= 48 && len.is_multiple_of(4) && len <= 1024 && stratum <= 16;
        let (delay, dispersion) = (c.be32()?, c.be32()?);
        // 16.16 fixed point: more than 128 seconds of delay does not occur. The bounds of poll and precision are those
        // of RFC 5905 with room for clients that leave zeros or send 32 (no precision known).
        let small = (delay as i32).unsigned_abs() < 128 << 16 && dispersion < 128 << 16;
        if !legal || !small || !(-8..=17).contains(&poll) || !(-32..=32).contains(&precision) {
            return None;
        }
        let (_source, reference) = (c.be32()?, c.be64()?);
        Some(Self { mode, version, stratum, reference, origin: c.be64()?, receive: c.be64()?, transmit: c.be64()? })
    }

    /// How many of the four timestamps are set and lie within a day of each other, after 1968; 0 if one that is set does not.
    /// Origin and receive time are of the last exchange, which may be long ago: as a pair of their own they count as one.
    pub fn agreeing(&self) -> usize {
        let pair = |a: u64, b: u64| a >> 63 == 1 && b >> 63 == 1 && (a >> 32).abs_diff(b >> 32) < 86_400;
        let asks = matches!(self.mode, Mode::Client | Mode::Symmetric) && self.receive < self.transmit;
        if asks && pair(self.origin, self.receive) && pair(self.reference, self.transmit) {
            return if pair(self.receive, self.transmit) { 4 } else { 3 };
        }
        let set = [self.reference, self.origin, self.receive, self.transmit].into_iter().filter(|t| *t != 0);
        let seconds: Vec<u64> = set.map(|t| t >> 32).collect();
        let (first, last) = (seconds.iter().min().copied(), seconds.iter().max().copied());
        match first.zip(last) {
            Some((first, last)) if first >> 31 == 1 && last - first < 86_400 => seconds.len(),
            _ => 0,
        }
    }

    /// Whether `reply` answers this request.
    pub fn is_answered_by(&self, reply: &Self) -> bool {
        let roles =
            matches!((self.mode, reply.mode), (Mode::Client, Mode::Server) | (Mode::Symmetric, Mode::Symmetric));
        roles && self.transmit != 0 && self.transmit == reply.origin
    }
}

/// Seconds from the Unix epoch to an NTP timestamp (of era 0, until 2036).
pub fn unix_seconds(timestamp: u64) -> i64 {
    (timestamp >> 32) as i64 - UNIX_EPOCH
}

/// A control message (mode 6) whose length agrees with its count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Control {
    /// Whether it is a response.
    pub response: bool,
    /// Operation code.
    pub opcode: u8,
    /// Sequence number, repeated in the response.
    pub sequence: u16,
}

impl Control {
    /// Reads a control message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (first, second, sequence) = (c.u8()?, c.u8()?, c.be16()?);
        let (_status, _association, _offset, count) = (c.be16()?, c.be16()?, c.be16()?, c.be16()?);
        let expected = 12 + usize::from(count).next_multiple_of(4);
        let legal = first & 0xc7 == 6
            && (2..=4).contains(&(first >> 3 & 7))
            && (len == expected || len == 12 + usize::from(count));
        legal.then_some(Self { response: second & 0x80 != 0, opcode: second & 0x1f, sequence })
    }
}

/// A private message (mode 7) of ntpd, with which its status was asked before there were better ways.
///
/// ```text
/// |R|M|VN |Mode | A, sequence   | implementation| request code  |
/// | error |  number of items    |  zero |     size of an item   | items, zeros up to a fixed size in requests
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Private {
    /// Whether it is a response.
    pub response: bool,
    /// Implementation and request code, which the response repeats.
    pub request: [u8; 2],
}

impl Private {
    /// Reads a private message of `len` bytes.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let (&[first, second, implementation, code, e, n, s, t], items) = bytes.split_first_chunk()?;
        let response = first & 0x80 != 0;
        let (error, count) = (e >> 4, usize::from(u16::from_be_bytes([e & 15, n])));
        let size = usize::from(u16::from_be_bytes([s, t]));
        let filled = 8 + count * size;
        let legal = first & 7 == 7
            && (2..=4).contains(&(first >> 3 & 7))
            && matches!(implementation, 0 | 2 | 3)
            && code <= 45
            && error <= 7
            && size < 1 << 12
            && match response {
                true => filled == len || (error != 0 && count == 0 && len <= 48),
                false => first & 0x40 == 0 && second & 0x7f == 0 && error == 0 && filled <= len && len <= 256,
            };
        let padded = response || items.get(count * size..).unwrap_or_default().iter().all(|b| *b == 0);
        (legal && padded).then_some(Self { response, request: [implementation, code] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_and_what_is_none() {
        let mut request = [0; 48];
        request[0] = 0x23;
        request[40..].copy_from_slice(&7u64.to_be_bytes());
        let packet = Ntp::new(&request, 48).unwrap();
        assert_eq!((packet.mode, packet.version, packet.transmit), (Mode::Client, 4, 7));
        assert!(Ntp::new(&request, 47).is_none() && Ntp::new(&request[..47], 48).is_none());
        request[1] = 17;
        assert!(Ntp::new(&request, 48).is_none());
        assert!(Ntp::new(&[0; 48], 48).is_none());
        assert_eq!(unix_seconds((UNIX_EPOCH as u64 + 5) << 32), 5);
    }

    #[test]
    fn timestamps_that_agree() {
        let mut packet = [0; 48];
        packet[0] = 0x1b;
        let at = |n: u8| [0xd9, 0x4f, 0x51, n, 1, 2, 3, 4];
        packet[16..24].copy_from_slice(&at(1));
        packet[40..].copy_from_slice(&at(9));
        assert_eq!(Ntp::new(&packet, 48).unwrap().agreeing(), 2);
        // The last exchange was eight days before.
        packet[24..32].copy_from_slice(&[0xd9, 0x44, 0x57, 5, 0, 0, 0, 0]);
        packet[32..40].copy_from_slice(&[0xd9, 0x44, 0x57, 6, 0, 0, 0, 0]);
        assert_eq!(Ntp::new(&packet, 48).unwrap().agreeing(), 3);
        packet[32..40].fill(0);
        assert_eq!(Ntp::new(&packet, 48).unwrap().agreeing(), 0);
        packet[24] = 7;
        assert_eq!(Ntp::new(&packet, 48).unwrap().agreeing(), 0);
    }

    #[test]
    fn a_private_request() {
        let mut list = [0; 48];
        list[..4].copy_from_slice(&[0x17, 0, 3, 42]);
        let asked = Private { response: false, request: [3, 42] };
        assert_eq!((Private::new(&list, 48), Private::new(&list[..8], 8)), (Some(asked), Some(asked)));
        list[47] = 1;
        assert_eq!(Private::new(&list, 48), None);
        let answer = [0x97, 0, 3, 42, 0, 1, 0, 4, 9, 9, 9, 9];
        assert_eq!(Private::new(&answer, 12).map(|p| p.response), Some(true));
        assert_eq!(Private::new(&answer, 13), None);
    }
}
