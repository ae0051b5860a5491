//! A datagram of KCP segments (`ikcp.c` of skywind3000/kcp). All numbers are little-endian.
//!
//! ```text
//!  0               4   5   6       8              12
//! +---------------+---+---+-------+---------------+
//! |     conv      |cmd|frg|  wnd  |      ts       |
//! |      sn       |     una       |     len       |
//! |                  data (len)                   |
//! +---------------+---------------+---------------+
//! ```

use super::cursor::Cursor;

/// What a segment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Data.
    Push,
    /// Acknowledges one segment: its number and time stamp are repeated.
    Ack,
    /// Asks for the window.
    AskWindow,
    /// Tells the window.
    TellWindow,
}

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Conversation, the same both ways.
    pub conversation: u32,
    /// What it does.
    pub command: Command,
    /// Sender's time in milliseconds.
    pub timestamp: u32,
    /// Number of the segment.
    pub number: u32,
}

/// Segments of one conversation that fill a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kcp(Vec<Segment>);

impl Kcp {
    /// Reads a datagram of `len` bytes; segments behind what is visible are taken on trust.
    pub fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let (mut c, mut at, mut segments) = (Cursor::new(bytes), 0, Vec::new());
        while at < len {
            let Some((segment, data)) = segment(&mut c) else {
                return (bytes.len() < len && !segments.is_empty()).then_some(Self(segments));
            };
            let same = segments.first().is_none_or(|first: &Segment| first.conversation == segment.conversation);
            let empty = segment.command == Command::Push || data == 0;
            at += 24 + data;
            if !same || !empty || at > len {
                return None;
            }
            segments.push(segment);
            c = Cursor::new(c.rest().get(data..).unwrap_or_default());
        }
        (!segments.is_empty()).then_some(Self(segments))
    }

    /// The segments, in order.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether `reply` acknowledges a segment of this datagram by its number and time.
    pub fn is_acknowledged_by(&self, reply: &Self) -> bool {
        let acknowledges = |push: &Segment, ack: &Segment| {
            (push.command, ack.command) == (Command::Push, Command::Ack)
                && push.conversation == ack.conversation
                && (push.number, push.timestamp) == (ack.number, ack.timestamp)
        };
        reply.0.iter().any(|ack| self.0.iter().any(|push| acknowledges(push, ack)))
    }
}

fn segment(c: &mut Cursor<'_>) -> Option<(Segment, usize)> {
    let (conversation, command, _fragment, _window) = (c.le32()?, c.u8()?, c.u8()?, c.le16()?);
    let command = match command {
        81 => Command::Push,
        82 => Command::Ack,
        83 => Command::AskWindow,
        84 => Command::TellWindow,
        _ => return None,
    };
    let (timestamp, number, _una, length) = (c.le32()?, c.le32()?, c.le32()?, c.le32()?);
    (length < 65_536).then_some((Segment { conversation, command, timestamp, number }, length as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_acknowledgement() {
        let push = b"\x0a\0\0\0\x51\0\x80\0\x64\0\0\0\x07\0\0\0\0\0\0\0\x03\0\0\0abc";
        let ack = b"\x0a\0\0\0\x52\0\x80\0\x64\0\0\0\x07\0\0\0\x08\0\0\0\0\0\0\0";
        let [p, a] = [&push[..], &ack[..]].map(|m| Kcp::new(m, m.len()).unwrap());
        assert!(p.is_acknowledged_by(&a) && !a.is_acknowledged_by(&p));
        for cut in 0..push.len() {
            assert!(Kcp::new(&push[..cut], cut).is_none(), "{cut}");
        }
        assert!(Kcp::new(&push[..25], 27).is_some());
        let both = [&ack[..], &push[..]].concat();
        assert_eq!(Kcp::new(&both, both.len()).unwrap().segments().len(), 2);
    }
}
