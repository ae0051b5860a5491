//! Git's own protocol (9418): a request in one pkt-line, then the refs (gitprotocol-pack).
//!
//! ```text
//! four hexadecimal digits of length | 'git-upload-pack /path' 00 'host=…' 00
//! four hexadecimal digits of length | object ID in hexadecimal, space, ref
//! ```

use super::dialogue::{Dialogue, Opening, Said};
use super::{Bits, Family};

/// Length and "git-…-pack /": over 100 bits. From a client alone it may be a probe.
static REQUEST: Family = Family { id: "git.request", cap: Bits::whole(26) };
/// A pkt-line with an object ID, "version" or "ERR".
static ANSWER: Family = Family { id: "git.answer", cap: Bits::whole(24) };

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
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    #[test]
    fn request_and_refs() {
        let client = b"0032git-upload-pack /a.git\x00host=git.example.org\x00\x00";
        let server = b"003f0000000000000000000000000000000000000001 HEAD\x00multi_ack ofs";
        let finding = found(&Git, client, server).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(50), "/a.git"));
        assert!(excluded(&Git, client, b"HTTP"));
    }
}
