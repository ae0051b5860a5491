//! The frame in front of memcached's UDP datagrams (protocol.txt of memcached, "UDP protocol").
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |          Request ID           |       Sequence number         |
//! |     Datagrams in message      |        Reserved (zero)        |
//! |  text of a command or answer ...                              |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```

use super::cursor::Cursor;

/// A datagram that starts with a known word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemcachedUdp {
    /// Chosen by the client, repeated by the server.
    pub request: u16,
    /// Whether it is a command; else an answer.
    pub command: bool,
}

const COMMANDS: [&[u8]; 14] = [
    b"get ",
    b"gets ",
    b"set ",
    b"add ",
    b"replace ",
    b"append ",
    b"prepend ",
    b"delete ",
    b"incr ",
    b"decr ",
    b"touch ",
    b"stats",
    b"version",
    b"flush_all",
];
const ANSWERS: [&[u8]; 13] = [
    b"VALUE ",
    b"END\r\n",
    b"STORED\r\n",
    b"NOT_STORED",
    b"EXISTS\r\n",
    b"NOT_FOUND",
    b"DELETED\r\n",
    b"STAT ",
    b"ERROR\r\n",
    b"CLIENT_ERROR",
    b"SERVER_ERROR",
    b"VERSION ",
    b"OK\r\n",
];

impl MemcachedUdp {
    /// Reads the visible bytes of a datagram.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (request, sequence, count, reserved) = (c.be16()?, c.be16()?, c.be16()?, c.be16()?);
        if reserved != 0 || count == 0 || sequence >= count {
            return None;
        }
        let command = is_command(c.rest());
        (sequence == 0 && (command || is_answer(c.rest()))).then_some(Self { request, command })
    }
}

/// Whether a text starts with a command.
pub fn is_command(text: &[u8]) -> bool {
    COMMANDS.iter().any(|word| word.first() == text.first() && text.starts_with(word))
}

/// Whether a text starts with an answer.
pub fn is_answer(text: &[u8]) -> bool {
    ANSWERS.iter().any(|word| word.first() == text.first() && text.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_and_its_answer() {
        assert_eq!(
            MemcachedUdp::new(b"\0\x07\0\0\0\x01\0\0get a\r\n"),
            Some(MemcachedUdp { request: 7, command: true })
        );
        assert_eq!(
            MemcachedUdp::new(b"\0\x07\0\0\0\x01\0\0END\r\n"),
            Some(MemcachedUdp { request: 7, command: false })
        );
        assert_eq!(MemcachedUdp::new(b"\0\x07\0\x01\0\x01\0\0END\r\n"), None);
        assert_eq!(MemcachedUdp::new(b"\0\x07\0\0\0\x01\0\0what"), None);
    }
}
