//! Reading lines and words, for the many protocols that greet and command in text.

use super::dialogue::Opening;

/// How some bytes compare with an expected beginning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Start {
    /// All of it so far, but it is not complete.
    Short,
    /// Something else.
    Other,
    /// It is there.
    Same,
}

/// Compares the beginning of `bytes` with `expected`.
#[inline]
pub(super) fn start(bytes: &[u8], expected: &[u8]) -> Start {
    compare(bytes, expected, |a, b| a == b)
}

/// Like [`start`], with letters of either case.
#[inline]
pub(super) fn start_any_case(bytes: &[u8], expected: &[u8]) -> Start {
    compare(bytes, expected, |a, b| a.eq_ignore_ascii_case(b))
}

#[inline]
fn compare(bytes: &[u8], expected: &[u8], same: impl Fn(&u8, &u8) -> bool) -> Start {
    if bytes.first().zip(expected.first()).is_some_and(|(a, b)| !same(a, b)) {
        // The commonest answer, at the least cost.
        return Start::Other;
    }
    if !bytes.iter().zip(expected).all(|(a, b)| same(a, b)) {
        Start::Other
    } else if bytes.len() < expected.len() {
        Start::Short
    } else {
        Start::Same
    }
}

impl Start {
    /// The opening it makes: short, foreign, or what `then` says if it is there.
    pub(super) fn then(self, then: impl FnOnce() -> Opening) -> Opening {
        match self {
            Self::Short => Opening::Short,
            Self::Other => Opening::Foreign,
            Self::Same => then(),
        }
    }
}

/// The first line without its end, and what follows; none if it has no end yet. A lone LF ends a line too.
#[inline]
pub(super) fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let line = match bytes.get(..end)? {
        [line @ .., b'\r'] => line,
        line => line,
    };
    Some((line, bytes.get(end + 1..)?))
}

/// The complete lines, without their ends.
#[inline]
pub(super) fn lines(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (line, rest) = line(bytes)?;
        bytes = rest;
        Some(line)
    })
}

/// The values of header fields ("Name: value"), searched up to the first empty line, and whether that is there.
pub(super) fn fields<'a, const N: usize>(bytes: &'a [u8], names: [&str; N]) -> ([Option<&'a [u8]>; N], bool) {
    let (mut values, mut rest) = ([None; N], bytes);
    while let Some((line, after)) = line(rest) {
        if line.is_empty() {
            return (values, true);
        }
        if values.iter().all(Option::is_some) {
            break;
        }
        rest = after;
        for (name, value) in names.iter().zip(&mut values) {
            if value.is_none()
                && line.get(name.len()) == Some(&b':')
                && start_any_case(line, name.as_bytes()) == Start::Same
            {
                *value = line.get(name.len() + 1..).map(<[u8]>::trim_ascii);
            }
        }
    }
    let whole = |end: &[u8]| memchr::memmem::find(rest, end).is_some();
    (values, whole(b"\n\r\n") || whole(b"\n\n"))
}

/// The value of one header field.
pub(super) fn field<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let ([value], _) = fields(bytes, [name]);
    value
}

/// Whether all of it is printable ASCII, tabs, line ends or bytes of UTF-8.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let legal = |b: &u8| matches!(b, b'\t' | b'\r' | b'\n' | 0x20..=0x7e | 0x80..);
    // Many at a time, without a branch for each: whole answers are read so.
    bytes.chunks(32).all(|chunk| chunk.iter().fold(true, |all, b| all & legal(b)))
}

/// Whether `needle` occurs in `bytes`, in any case.
pub(super) fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    let places = memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), bytes);
    places.filter_map(|at| bytes.get(at..at + needle.len())).any(|window| window.eq_ignore_ascii_case(needle))
}

/// Whether an answer begins as those of HTTP and of protocols with codes or marks do, not as a text for people.
pub(super) fn is_coded(answer: &[u8]) -> bool {
    matches!(answer.first(), Some(b'0'..=b'9' | b'+' | b'*' | b':' | b'@' | b'<' | b'{'))
        || answer.starts_with(b"HTTP/")
}

/// The first word of a text, up to a space or the end of the line, and what follows; none if it has no end yet.
pub(super) fn word(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(memchr::memchr3(b' ', b'\r', b'\n', bytes)?)
}

/// What a line of text is that must begin with one of `words`, in any case, followed by a space or the end of the line.
/// The words are given in capitals. `Same` once the whole line is there.
pub(super) fn command(bytes: &[u8], words: &[&str]) -> Start {
    let first = bytes.first().map(u8::to_ascii_uppercase);
    if first.is_some_and(|b| !b.is_ascii_uppercase()) {
        return Start::Other;
    }
    let mut verdict = Start::Other;
    for word in words {
        if first.is_some() && word.as_bytes().first() != first.as_ref() {
            continue;
        }
        match (start_any_case(bytes, word.as_bytes()), bytes.get(word.len())) {
            (Start::Other, _) => {}
            (Start::Same, Some(b' ' | b'\r' | b'\n')) => return first_line(bytes),
            (_, None) => verdict = Start::Short,
            _ => {}
        }
    }
    verdict
}

/// `Same` once the whole first line is there, if it is text.
fn first_line(bytes: &[u8]) -> Start {
    match line(bytes) {
        Some((line, _)) if is_text(line) => Start::Same,
        None if bytes.len() <= 1024 && is_text(bytes) => Start::Short,
        _ => Start::Other,
    }
}

/// A reply line that begins with three digits (RFC 5321 section 4.2, RFC 959 section 4.2): the code and the text.
pub(super) fn reply(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', ..] = *bytes else { return None };
    let (line, _) = line(bytes)?;
    let rest = line.get(3..)?;
    let text = match rest {
        [] => rest,
        [b' ' | b'-', text @ ..] => text,
        _ => return None,
    };
    let code = [a, b, c].iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0'));
    is_text(text).then_some((code, text))
}

/// Whether `bytes` can still become a [`reply`].
pub(super) fn may_become_reply(bytes: &[u8]) -> bool {
    let digits = bytes.iter().take(3).all(u8::is_ascii_digit);
    let separator = bytes.get(3).is_none_or(|b| matches!(b, b' ' | b'-' | b'\r'));
    digits && separator && bytes.len() < 1024 && !bytes.contains(&b'\n') && is_text(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_are_compared() {
        assert_eq!(start(b"SS", b"SSH-"), Start::Short);
        assert_eq!(start(b"SSH-2.0", b"SSH-"), Start::Same);
        assert_eq!(start(b"ssh-", b"SSH-"), Start::Other);
        assert_eq!(start_any_case(b"ehlo", b"EHLO"), Start::Same);
    }

    #[test]
    fn commands_are_whole_lines() {
        let words = ["EHLO", "HELO"];
        assert_eq!(command(b"EH", &words), Start::Short);
        assert_eq!(command(b"ehlo there", &words), Start::Short);
        assert_eq!(command(b"EHLO there\r\n", &words), Start::Same);
        assert_eq!(command(b"EHLOX there\r\n", &words), Start::Other);
        assert_eq!(command(b"EHLOXEHLOX", &words), Start::Other);
        assert_eq!(command(b"EHLO \x00", &words), Start::Other);
    }

    #[test]
    fn fields_end_with_the_head() {
        let head = b"GET / HTTP/1.1\r\nhost:  a.io \r\n\r\nServer: x\r\n";
        assert_eq!(field(head, "Host"), Some(&b"a.io"[..]));
        assert_eq!(field(head, "Server"), None);
    }

    #[test]
    fn replies_have_three_digits() {
        assert_eq!(reply(b"220 hello\r\n"), Some((220, &b"hello"[..])));
        assert_eq!(reply(b"220-hello\r\n"), Some((220, &b"hello"[..])));
        assert_eq!(reply(b"2200 hello\r\n"), None);
        assert!(may_become_reply(b"22") && may_become_reply(b"220 he") && !may_become_reply(b"2x"));
    }
}
