//! HTTP/1: a request line from the client, a status line from the server (RFC 9112 sections 3 and 4).

use super::dialogue::{Dialogue, Opening, Role, Said};
use super::joined::Joined;
use super::text::{self, Start};
use super::{Bits, Family, Sentence, counted, tls};
use std::fmt;

/// "METHOD target HTTP/1.x" is over 80 bits by chance. Anybody can send a request to anything, so it stays below certain.
static REQUEST: Family = Family { id: "http.request", cap: Bits::whole(24) };
/// "HTTP/1.x nnn": 80 bits by chance; what answers so is HTTP by definition.
static STATUS: Family = Family { id: "http.status", cap: Bits::whole(32) };

/// An HTML document right after a request: the answer of HTTP/0.9. Some 40 bits; but others may hand out HTML.
static DOCUMENT: Family = Family { id: "http.document", cap: Bits::whole(8) };

/// The registered methods that are in use (RFC 9110 section 9, RFC 4918, RFC 3253, UPnP, SSTP).
const METHODS: &[&str] = &[
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "TRACE",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "NOTIFY",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "M-SEARCH",
    "SSTP_DUPLEX_POST",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "CCM_POST",
    "BITS_POST",
    "SOURCE",
    "PURGE",
    "MERGE",
    "CHECKOUT",
];

/// Joined in the middle: a segment begins with a status line or a request line. Over 80 bits, less what the search for the
/// segment takes; but a message of HTTP may be what another protocol carries.
static MIDDLE: [Family; 2] = [
    Family { id: "http.later-request", cap: Bits::whole(16) },
    Family { id: "http.later-status", cap: Bits::whole(18) },
];

/// The recogniser.
pub(super) struct Http;

impl Dialogue for Http {
    const NAME: &'static str = "http";
    const REFERENCE: &'static str = "RFC 9112";
    const FORGIVING: bool = true;

    fn client(&self, bytes: &[u8]) -> Opening {
        match text::command(bytes, METHODS) {
            Start::Short if bytes.contains(&b' ') => part_of_request(bytes),
            // A request line may be longer than anything that `command` waits for.
            Start::Other if begins_method(bytes) && !bytes.contains(&b'\n') => part_of_request(bytes),
            start => start.then(|| Opening::or_foreign(request(bytes))),
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        if let [b'I', ..] = bytes {
            return text::start(bytes, b"ICY 200 ").then(|| match self.client(client) {
                Opening::Spoken(_) => Said::new(&STATUS, 16, "status line of a SHOUTcast stream").variant("icy").into(),
                _ => Opening::Foreign,
            });
        }
        match (text::start(bytes, b"HTTP/1."), bytes.get(7..)) {
            (Start::Same, Some([minor @ b'0'..=b'9', b' ', a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', ..])) => {
                let code = [a, b, c].iter().fold(0, |n, digit| n * 10 + u16::from(**digit - b'0'));
                if code == 400 && tls::asks_for_tls(bytes) {
                    // An apology in HTTP for not being HTTP.
                    return Opening::Foreign;
                }
                let ([server], whole) = text::fields(bytes, ["Server"]);
                let unfinished = if code == 400 { bytes.len() < 1024 } else { !whole && bytes.len() < 2048 };
                Said::new(&STATUS, 32, counted!("status line with code {code}", code))
                    .variant(if *minor == b'0' { "1.0" } else { "1.1" })
                    .detail("server", server)
                    .unfinished(unfinished)
                    .into()
            }
            (Start::Same, Some(rest)) if rest.len() >= 5 => self.malformed(bytes, client),
            (Start::Same, _) => Opening::Short,
            (Start::Other, _) => self.malformed(bytes, client),
            (start, _) => start.then(|| Opening::Foreign),
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        bytes.segments().find_map(|segment| begins_message(segment, role)).map_or(Opening::Neutral, Opening::from)
    }
}

/// What a segment in the middle of a connection begins with: a request line, whole or long enough, or a status line.
fn begins_message(segment: &[u8], role: Role) -> Option<Said> {
    match role {
        Role::Client => match Http.client(segment) {
            Opening::Spoken(_) => {
                let line = text::line(segment).map_or(segment, |(line, _)| line);
                let versioned = line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0");
                (versioned || line.len() >= 24)
                    .then(|| Said::new(&MIDDLE[0], 16, "a segment begins with a request line"))
            }
            _ => None,
        },
        Role::Server => match segment.strip_prefix(b"HTTP/1.")? {
            [b'0' | b'1', b' ', b'1'..=b'5', b'0'..=b'9', b'0'..=b'9', b' ', ..] => {
                Some(Said::new(&MIDDLE[1], 18, "a segment begins with a status line"))
            }
            _ => None,
        },
    }
}

impl Http {
    /// Answers that clients take though they are not well-formed: white space or rubbish before the status line, a version
    /// that does not exist, no status line at all (RFC 1945 section 5).
    fn malformed(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let (start, text) = (bytes.get(..bytes.len().min(16)).unwrap_or_default(), bytes.trim_ascii_start());
        let document =
            [&b"<html"[..], b"<!doctype html"].iter().any(|tag| text::start_any_case(text, tag) == Start::Same);
        let status = start.contains(&b'/') && text::contains(start, b"HTTP/");
        if !status && !document {
            return Opening::Foreign;
        }
        let question = if client.is_empty() { Opening::Short } else { self.client(client) };
        let asked = matches!(question, Opening::Spoken(_));
        match status {
            true if asked => {
                Said::new(&STATUS, 16, "a status line that is not well-formed").variant("malformed").into()
            }
            // A proxy's reply, say, and then HTTP's.
            true if matches!(question, Opening::Foreign) => Opening::Foreign,
            // The beginning is HTTP's own, whatever became of the rest.
            true => Opening::Neutral,
            // The client's half may yet come: captures put packets of the two directions in the wrong order.
            false if client.is_empty() => Opening::Short,
            false if asked => Said::new(&DOCUMENT, 8, "an HTML document without a status line").variant("0.9").into(),
            false => Opening::Foreign,
        }
    }
}

/// Whether the first word is a method; the first letter is compared first.
fn begins_method(bytes: &[u8]) -> bool {
    let first = |method: &&str| method.as_bytes().first() == bytes.first();
    METHODS.iter().any(first) && text::word(bytes).is_some_and(|(word, _)| is_method(word))
}

fn is_method(word: &[u8]) -> bool {
    METHODS.iter().any(|m| m.as_bytes() == word)
}

/// A request whose line is not complete.
fn part_of_request(bytes: &[u8]) -> Opening {
    let Some((method, [b' ', target @ ..])) = text::word(bytes) else { return Opening::Short };
    let plausible = is_method(method) && target.iter().all(u8::is_ascii_graphic);
    match target {
        [b'/', _, ..] | [b'h', b't', b't', b'p', ..] if plausible => {
            // RTSP has OPTIONS too. Of the four others and twelve bytes of a path no other protocol is known, some 80 bits.
            let own = target.len() >= 12 && matches!(method, b"GET" | b"HEAD" | b"POST" | b"PUT");
            let bits = if own { 16 } else { 12 };
            Said::new(&REQUEST, bits, "beginning of a request line").unfinished(bytes.len() < 8192).into()
        }
        _ if target.len() < 1024 => Opening::Short,
        _ => Opening::Foreign,
    }
}

/// Says which of [`METHODS`] a request has.
fn name_method([place, ..]: &[u64; 3], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(out, "request line with method {}", METHODS.get(*place as usize).unwrap_or(&"unknown"))
}

fn request(bytes: &[u8]) -> Option<Said> {
    let (line, _) = text::line(bytes)?;
    let (method, rest) = text::word(line)?;
    let place = METHODS.iter().position(|m| m.as_bytes() == method)?;
    let said = match rest.strip_suffix(b" HTTP/1.0").or(rest.strip_suffix(b" HTTP/1.1")) {
        Some(_) => Said::new(&REQUEST, 24, Sentence::Counted([place as u64, 0, 0], name_method)),
        // HTTP/0.9 (RFC 1945 section 5): no version, no headers.
        None if method == b"GET" && rest.starts_with(b" /") && !text::contains(rest, b" HTTP/") => {
            return Some(Said::new(&REQUEST, 10, "request line of HTTP/0.9").variant("0.9"));
        }
        None => return None,
    };
    let ([host, agent], whole) = text::fields(bytes, ["Host", "User-Agent"]);
    Some(said.detail("host", host).detail("user-agent", agent).unfinished(!whole && bytes.len() < 2048))
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;

    const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: a.io\r\nUser-Agent: x\r\n\r\n";
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: y\r\n\r\nhello";

    #[test]
    fn request_and_answer() {
        let finding = found(&Http, REQUEST, ANSWER).unwrap();
        assert_eq!((finding.spoke, finding.settled, finding.variant.as_deref()), ([true, true], true, Some("1.1")));
        let details: Vec<_> = finding.details.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert_eq!(details, [("host", "a.io"), ("user-agent", "x"), ("server", "y")]);
        for n in 0..REQUEST.len() {
            assert!(!excluded(&Http, &REQUEST[..n], &ANSWER[..n.min(ANSWER.len())]), "{n}");
        }
    }

    #[test]
    fn a_server_proves_it_whatever_the_client_said() {
        assert_eq!(found(&Http, b"\x16\x03\x01", ANSWER).unwrap().spoke, [false, true]);
        // A request alone may have gone to the wrong port.
        let alone = found(&Http, REQUEST, b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
        assert_eq!((alone.spoke, alone.bits()), ([true, false], Bits::whole(14)));
        assert!(excluded(&Http, b"hello\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"));
    }

    #[test]
    fn neighbours_with_the_same_shape_are_not_http() {
        for other in
            [&b"OPTIONS rtsp://a/b RTSP/1.0\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\n", b"HELO a\r\n", b"GET key\r\n"]
        {
            assert!(found(&Http, other, b"").is_none(), "{other:?}");
        }
        let wants_tls = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
        assert_eq!(found(&Http, REQUEST, wants_tls).unwrap().spoke, [true, false]);
    }

    #[test]
    fn what_clients_put_up_with_is_http() {
        for answer in [
            &b"http/1.1 200 ok\r\n\r\n"[..],
            b"HTTP/2.1 200 ok\r\n\r\n",
            b"\r\n\r\nHTTP/1.1 200 ok\r\n\r\n",
            b"HTTP/1.1 2XX ok\r\n",
        ] {
            assert_eq!(found(&Http, REQUEST, answer).unwrap().spoke, [true, true]);
            assert!(found(&Http, b"hello\r\n", answer).is_none());
        }
        let old = found(&Http, b"GET /a\r\n", b"<HTML>\n<HEAD>").unwrap();
        assert_eq!((old.variant.as_deref(), old.spoke), (Some("0.9"), [true, true]));
        // Anything may be an answer of HTTP/0.9, so nothing excludes it, and nothing is named.
        assert!(found(&Http, b"GET /a\r\n", b"0123456789").is_none() && !excluded(&Http, b"GET /a\r\n", b"0123456789"));
        assert!(!excluded(&Http, REQUEST, b"0123456789") && excluded(&Http, b"\x01\x02\r\n", b"0123456789"));
    }
}
