//! tinc, by the first lines of its TCP connection. Its UDP packets are encrypted throughout: of version 1.0's only the
//! lengths show, and those are suspected at most, until the merge sees the TCP connection between the same hosts.

use super::datagrams::item;
use super::text::{self, Start};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol, uniform};
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

/// A number and an Ethernet frame in whole cipher blocks, then the first four bytes of a MAC (`send_udppacket` in
/// `net_packet.c`): a length is so by chance with 2^-3. OpenVPN's under a static key and SHA1 are as well.
static DATA: Family = Family { id: "tinc.data-lengths", cap: Bits::whole(6) };

/// Bytes of the smaller block, and of the MAC.
const BLOCK: usize = 8;
const MAC: usize = 4;
/// Datagrams of each side, and different lengths, below which nothing is said.
const FEWEST: u64 = 7;
const FEWEST_LENGTHS: usize = 4;

/// What UDP packets show: nothing but lengths.
fn data(head: &Head<'_>) -> Assessment {
    let fits = |len: usize| len > BLOCK && len % BLOCK == MAC;
    if head.datagrams().any(|d| !fits(d.len)) {
        return Assessment::NotNow;
    }
    let tallied = |dir: Dir| {
        head.tally(dir).is_some_and(|t| (0..).zip(t.lengths.by_mod16).all(|(class, n)| n == 0 || class % BLOCK == MAC))
    };
    let mut lengths: Vec<usize> = head.datagrams().map(|d| d.len).collect();
    lengths.sort_unstable();
    lengths.dedup();
    let many = lengths.len() >= FEWEST_LENGTHS && Dir::BOTH.into_iter().all(|dir| head.count(dir) >= FEWEST);
    if !many || !Dir::BOTH.into_iter().all(tallied) || !uniform::is_fully_encrypted(head) {
        return Assessment::NotNow;
    }
    let text = "all lengths are whole cipher blocks and a MAC of four bytes, and nothing else shows";
    let frames: Frames = head.datagrams().map(|d| d.frame).collect();
    let evidence = vec![item(&DATA, 6, frames, text)];
    Assessment::Recognised(Finding { evidence, spoke: [true; 2], ..Finding::default() })
}

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
            return data(head);
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
    use crate::flow::HeadBuf;
    use crate::packet::Time;
    use crate::protocol::evidence::PRIOR;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Tinc, "tinc.pcap", Band::Certain);
    }

    /// Datagrams of both sides in turn, with bytes from a small generator (xorshift) behind `header`.
    fn datagrams(header: &[u8], lens: impl Iterator<Item = usize>) -> HeadBuf {
        let (mut buf, mut state) = (HeadBuf::new(Transport::Udp), 0x9e37_79b9_7f4a_7c15u64);
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        for (n, len) in lens.enumerate() {
            let dir = if n % 2 == 0 { Dir::Originator } else { Dir::Responder };
            let noise = std::iter::repeat_with(&mut next).take(len - header.len());
            let bytes: Vec<u8> = header.iter().copied().chain(noise).collect();
            buf.push_datagram(n as u64 + 1, Time(0), dir, len, &bytes);
        }
        buf
    }

    #[test]
    fn datagrams_are_suspected_by_their_lengths_and_never_named() {
        let bits = |buf: &HeadBuf| match Tinc.assess(&buf.view(None, true)) {
            Assessment::Recognised(finding) => finding.bits(),
            _ => Bits::ZERO,
        };
        let blocks = |n: usize| 4 + 16 * (3 + n % 7);
        assert_eq!(bits(&datagrams(&[], (0..20).map(blocks))), DATA.cap);
        assert!(Band::of(PRIOR + DATA.cap).is_none());
        assert_eq!(bits(&datagrams(&[], (0..20).map(|n| blocks(n) + n % 2))), Bits::ZERO, "no whole blocks");
        assert_eq!(bits(&datagrams(&[], (0..20).map(|_| 116))), Bits::ZERO, "one length");
        assert_eq!(bits(&datagrams(&[7, 0, 0, 0], (0..20).map(blocks))), Bits::ZERO, "a header");
        assert_eq!(bits(&datagrams(&[], (0..12).map(blocks))), Bits::ZERO, "too few");
    }
}
