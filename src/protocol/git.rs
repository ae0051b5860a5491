//! Git's own protocol (9418): a request in one pkt-line, then the refs (gitprotocol-pack).
//!
//! ```text
//! four hexadecimal digits of length | 'git-upload-pack /path' 00 'host=…' 00
//! four hexadecimal digits of length | object ID in hexadecimal, space, ref
//! ```

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::{self, Joined};
use super::{Bits, Family};

/// Length and "git-…-pack /": over 100 bits. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "git.request", cap: Bits::whole(26) };
/// A pkt-line with an object ID, "version" or "ERR".
static ANSWER: Family = Family { id: "git.answer", cap: Bits::whole(24) };

/// Joined in the middle: pkt-lines that lead to each other, from the start of a segment to the end. Four hexadecimal digits
/// are 14 bits, but common in text: only words of Git's own count.
static LINES: [Family; 2] =
    [Family { id: "git.client-lines", cap: Bits::whole(16) }, Family { id: "git.server-lines", cap: Bits::whole(16) }];

/// The recogniser.
pub(super) struct Git;

impl Dialogue for Git {
    const NAME: &'static str = "git";
    const REFERENCE: &'static str = "gitprotocol-pack(5)";

    fn client(&self, bytes: &[u8]) -> Opening {
        match line(bytes) {
            Ok(body) => {
                let services = [&b"git-upload-pack "[..], b"git-receive-pack ", b"git-upload-archive "];
                let path =
                    services.iter().find_map(|s| body.strip_prefix(*s)).and_then(|rest| rest.split(|&b| b == 0).next());
                Opening::or_foreign(path.map(|path| {
                    Said::new(&REQUEST, 26, "client requests a service of Git").detail("path", Some(path.trim_ascii()))
                }))
            }
            Err(opening) => opening,
        }
    }

    fn server(&self, bytes: &[u8], _client: &[u8]) -> Opening {
        match line(bytes) {
            Ok(body) => {
                let (id, rest) = body.split_at_checked(40).unwrap_or_default();
                let object = id.len() == 40 && id.iter().all(u8::is_ascii_hexdigit) && rest.first() == Some(&b' ');
                let other = [&b"version "[..], b"ERR "].iter().any(|w| body.starts_with(w));
                Opening::or_foreign(
                    (object || other).then(|| {
                        Said::new(&ANSWER, if object { 24 } else { 16 }, "server answers with a pkt-line of Git")
                    }),
                )
            }
            Err(opening) => opening,
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        joined::opening(joined::heaviest(bytes, 4, pkt_line), &LINES, role)
    }
}

/// A pkt-line on the wire (gitprotocol-common): its length and what it proves.
fn pkt_line(bytes: &[u8]) -> Option<(usize, i32)> {
    let (digits, rest) = bytes.split_first_chunk::<4>()?;
    if !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let length = usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    // Flush, delimiter, end of a response.
    let Some(size) = length.checked_sub(4) else { return (length < 3).then_some((4, 0)) };
    let body = rest.get(..size.min(rest.len())).unwrap_or_default();
    let object = |body: &[u8]| body.len() >= 40 && body.iter().take(40).all(u8::is_ascii_hexdigit);
    let named = [&b"want "[..], b"have ", b"ACK ", b"shallow "].iter().find_map(|word| body.strip_prefix(*word));
    let words = [
        &b"command="[..],
        b"agent=git/",
        b"ref-prefix ",
        b"object-format=sha",
        b"\x01PACK\0\0\0",
        b"\x02Enumerating objects",
        b"\x02Counting objects",
        b"\x02Compressing objects",
        b"git-upload-pack ",
        b"git-receive-pack ",
    ];
    let bits = match body {
        _ if named.is_some_and(object) || words.iter().any(|word| body.starts_with(word)) => 12,
        [.., b'\n'] if object(body) && body.get(40) == Some(&b' ') => 12,
        b"NAK\n" | b"done\n" | b"packfile\n" => 6,
        _ => 0,
    };
    Some((length, bits))
}

/// The first pkt-line, or as much of it as is needed.
fn line(bytes: &[u8]) -> Result<&[u8], Opening> {
    let (digits, rest) = bytes.split_at(bytes.len().min(4));
    if !digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Opening::Foreign);
    }
    let length = std::str::from_utf8(digits).ok().and_then(|d| usize::from_str_radix(d, 16).ok()).unwrap_or(0);
    match length.checked_sub(4).filter(|_| digits.len() == 4) {
        Some(n) if rest.len() >= n.min(44) => Ok(rest.get(..n.min(rest.len())).unwrap_or_default()),
        None if digits.len() == 4 => Err(Opening::Foreign),
        _ => Err(Opening::Short),
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined as middle};
    use super::*;

    #[test]
    fn request_and_refs() {
        let client = b"0032git-upload-pack /a.git\x00host=git.example.org\x00\x00";
        let server = b"003f0000000000000000000000000000000000000001 HEAD\x00multi_ack ofs";
        let finding = found(&Git, client, server).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(50), "/a.git"));
        assert!(excluded(&Git, client, b"HTTP"));
    }

    #[test]
    fn lines_in_the_middle() {
        let asked = b"0014command=ls-refs\n0015agent=git/2.47.3\n0016object-format=sha10001";
        assert_eq!(middle(&Git, asked, b"").unwrap().bits(), Bits::whole(16));
        let answered = b"0008NAK\n0023\x02Enumerating objects: 3, done.\n0000";
        assert_eq!(middle(&Git, b"", answered).unwrap().bits(), Bits::whole(16));
        assert!(middle(&Git, b"0000000100020008aaaa", b"0000").is_none_or(|f| f.bits() < Bits::whole(14)));
    }
}
