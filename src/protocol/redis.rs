//! Redis: commands as arrays of bulk strings, replies by their first byte (the RESP specification).

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family, text};

/// "*N CRLF $L CRLF word CRLF" with lengths that agree: over 60 bits. From a client alone it may be a probe.
static COMMAND: Family = Family { id: "redis.command", cap: Bits::whole(24) };
/// A typed reply. Alone many line protocols could send it; the words of Redis's errors and INFO are its own.
static REPLY: Family = Family { id: "redis.reply", cap: Bits::whole(24) };

const INLINE: &[&str] = &["PING", "INFO", "AUTH", "CONFIG", "SELECT", "CLIENT", "ECHO", "SET", "GET", "KEYS"];

/// The recogniser.
pub(super) struct Redis;

impl Dialogue for Redis {
    const NAME: &'static str = "redis";
    const REFERENCE: &'static str = "RESP";

    fn client(&self, bytes: &[u8]) -> Opening {
        match bytes.first() {
            Some(b'*') => array(bytes),
            _ => text::command(bytes, INLINE)
                .then(|| Said::new(&COMMAND, 4, "client sends an inline command of Redis").into()),
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        if !matches!(bytes.first(), Some(b'+' | b'-' | b':' | b'$' | b'*' | b'%' | b'_' | b'#' | b'~' | b'>')) {
            return Opening::Foreign;
        }
        let Some((line, _)) = text::line(bytes) else {
            return if bytes.len() < 1024 && text::is_text(bytes) { Opening::Short } else { Opening::Foreign };
        };
        let (kind, value) = line.split_first().unwrap_or((&0, &[]));
        let number = value.strip_prefix(b"-").unwrap_or(value);
        let sane = match kind {
            b'+' => text::is_text(value),
            b'-' => value.first().is_some_and(u8::is_ascii_uppercase),
            b'_' => value.is_empty(),
            b'#' => matches!(value, b"t" | b"f"),
            _ => !number.is_empty() && number.len() < 12 && number.iter().all(u8::is_ascii_digit),
        };
        let head = bytes.get(..bytes.len().min(256)).unwrap_or_default();
        let own =
            [&b"-NOAUTH "[..], b"-DENIED Redis", b"-WRONGPASS", b"+PONG", b"-MISCONF", b"-NOPERM", b"-LOADING Redis"];
        let own = own.iter().any(|w| bytes.starts_with(w))
            || text::contains(head, b"redis_version:")
            || text::contains(head, b"-ERR unknown command");
        let asked = client.first() == Some(&b'*') && matches!(array(client), Opening::Spoken(_));
        let bits = match (own, asked) {
            (true, true) => 24,
            (true, false) => 18,
            (false, true) => 14,
            (false, false) => 4,
        };
        Opening::or_foreign(sane.then(|| Said::new(&REPLY, bits, "server replies in RESP")))
    }
}

/// An array of bulk strings whose first is a command.
fn array(bytes: &[u8]) -> Opening {
    let short = || if bytes.len() < 64 { Opening::Short } else { Opening::Foreign };
    let number = |line: &[u8], mark: u8| -> Option<usize> {
        let digits = line.strip_prefix(&[mark])?;
        (digits.len() < 8).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
    };
    let Some((first, rest)) = text::line(bytes) else { return short() };
    let Some(1..) = number(first, b'*') else { return Opening::Foreign };
    let Some((second, rest)) = text::line(rest) else { return short() };
    let Some(length @ 1..64) = number(second, b'$') else { return Opening::Foreign };
    let Some((word, after)) = rest.split_at_checked(length) else { return Opening::Short };
    let sane = word.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'|'))
        && b"\r\n".starts_with(after.get(..after.len().min(2)).unwrap_or_default());
    Opening::or_foreign(sane.then(|| {
        Said::new(&COMMAND, 24, "client sends a command as an array of bulk strings").detail("command", Some(word))
    }))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn command_and_reply() {
        let finding = found(&Redis, b"*1\r\n$4\r\nPING\r\n", b"+PONG\r\n").unwrap();
        assert_eq!(finding.bits(), Bits::whole(48));
        assert!(found(&Redis, b"AUTH x\r\n", b"+OK\r\n").is_none());
        assert!(found(&Redis, b"PING\r\n", b"-NOAUTH Authentication required.\r\n").is_some());
        assert!(excluded(&Redis, b"*1\r\n$4\r\nPING\r\n", b"HTTP/1.1 400\r\n"));
        assert!(found(&Redis, b"*1\r\n$9999\r\nx", b"").is_none());
    }
}
