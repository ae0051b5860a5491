//! tinc, by the first lines of its TCP connection. Its UDP packets are encrypted throughout.

use super::datagrams::item;
use super::text::{self, Start};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head, Stream};
use crate::packet::Transport;

/// tinc.
pub(super) struct Tinc;

/// The line "0 NAME 17", an ID request with protocol version 17 (1.0) or 17.x (1.1). Rigid, but short text.
static ID: Family = Family { id: "tinc.id-line", cap: Bits::whole(16) };
/// Both sides send it.
static BOTH: Family = Family { id: "tinc.both-sides", cap: Bits::whole(10) };
/// A METAKEY line follows: "1", four numbers and a key in hexadecimal.
static KEY: Family = Family { id: "tinc.key-line", cap: Bits::whole(12) };

/// The lines of a stream's start: whether the first is an ID request, and the second exchanges keys.
fn lines(bytes: &[u8]) -> Option<(bool, bool)> {
    let rest = bytes.strip_prefix(b"0 ")?;
    let end = rest.iter().take(300).position(|&b| b == b'\n')?;
    let line = std::str::from_utf8(rest.get(..end)?).ok()?;
    let (name, version) = line.split_once(' ')?;
    let named =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'^' || b == b'.');
    let id = named && (version == "17" || version.starts_with("17."));
    let key = rest.get(end + 1..).is_some_and(|next| {
        let mut words = next.split(|&b| b == b' ').take(6);
        let numbers = words.by_ref().take(5).all(|w| !w.is_empty() && w.iter().all(u8::is_ascii_digit));
        numbers && next.starts_with(b"1 ") && words.next().is_some_and(|k| k.iter().take(32).all(u8::is_ascii_hexdigit))
    });
    id.then_some((id, key))
}

impl Protocol for Tinc {
    fn name(&self) -> &'static str {
        "tinc"
    }

    fn reference(&self) -> &'static str {
        "tinc manual, chapter 6"
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Udp {
            return Assessment::Excluded;
        }
        let streams = [head.stream(Dir::Originator), head.stream(Dir::Responder)];
        let foreign = |s: &Stream<'_>| s.start_seen() && text::start(s.bytes(), b"0 ") == Start::Other;
        if streams.iter().any(foreign) {
            return Assessment::Excluded;
        }
        let found = streams.map(|s| lines(s.bytes()));
        let spoke = found.map(|f| f.is_some());
        if spoke == [false; 2] {
            let excluded = streams.iter().any(|s| s.start_seen() && s.bytes().len() > 300);
            return if excluded { Assessment::Excluded } else { Assessment::NotNow };
        }
        let frames: Frames = streams.iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
        let mut finding = Finding { spoke, server: Some(Dir::Responder), ..Finding::default() };
        finding.evidence.push(item(&ID, 16, frames.clone(), "the first line is an ID request of protocol version 17"));
        if spoke == [true; 2] {
            finding.evidence.push(item(&BOTH, 10, frames.clone(), "both sides send an ID request"));
        }
        if found.iter().flatten().any(|(_, key)| *key) {
            finding.evidence.push(item(&KEY, 12, frames, "the second line exchanges a key in hexadecimal"));
        }
        finding.settled = finding.evidence.len() == 3;
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Tinc, "tinc.pcap", Band::Certain);
    }
}
