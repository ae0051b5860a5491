//! tinc, by the first lines of its TCP connection. Version 1.0's UDP packets are encrypted throughout: only their lengths
//! show, and those are suspected at most, until the merge sees the TCP connection between the same hosts. Those of version
//! 1.1 have their sender and a number in clear, and are likely.

use super::datagrams::{self, item};
use super::text::{self, Start};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol, uniform};
use crate::flow::{Datagram, Dir, Head, Stream};
use crate::packet::Transport;
use crate::wire::tinc::Sptps;

/// tinc.
pub(super) struct Tinc;

/// The line "0 NAME 17", an ID request with protocol version 17 (1.0) or 17.x (1.1). Rigid, but short text.
static ID: Family = Family { id: "tinc.id-line", cap: Bits::whole(16) };
/// Both sides send it.
static BOTH: Family = Family { id: "tinc.both-sides", cap: Bits::whole(10) };
/// A METAKEY line follows: "1", four numbers and a key in hexadecimal; in version 1.1 a key exchange of SPTPS, whose first
/// four bytes are fixed.
static KEY: Family = Family { id: "tinc.key-line", cap: Bits::whole(12) };

/// A number and an Ethernet frame in whole cipher blocks, then the first four bytes of a MAC (`send_udppacket` in
/// `net_packet.c`): a length is so by chance with 2^-3. OpenVPN's under a static key and SHA1 are as well.
static DATA: Family = Family { id: "tinc.data-lengths", cap: Bits::whole(6) };

/// Version 1.1: no addressee, and a sender that stays. Others may begin with an empty field and an address.
static SENDER: Family = Family { id: "tinc.sender", cap: Bits::whole(8) };
/// A number behind them that counts the side's packets.
static COUNTER: Family = Family { id: "tinc.counter", cap: Bits::whole(8) };
/// What follows has no structure. With the two above 19 bits: never more than likely by its shape alone.
static NOISE: Family = Family { id: "tinc.noise", cap: Bits::whole(3) };

/// Steps by one of a side's number below which nothing is said, and what disorder may add to any.
const FEWEST_STEPS: i32 = 2;
const DISORDER: i64 = 32;

/// Bytes of the smaller block, and of the MAC.
const BLOCK: usize = 8;
const MAC: usize = 4;
/// Datagrams of each side, and different lengths, below which nothing is said.
const FEWEST: u64 = 7;
const FEWEST_LENGTHS: usize = 4;

/// The sender of a side, and how often its number went up by one; `None` if it is no counter. A side that was not seen is
/// no objection.
fn counted(reading: &datagrams::Reading<'_, Sptps>, dir: Dir) -> Option<(Option<[u8; 6]>, i32)> {
    let sender = reading.by(dir).next().map(|h| h.message.sender);
    let pairs = || reading.by(dir).zip(reading.by(dir).skip(1));
    let excess = |(a, b): (&datagrams::Hit<'_, Sptps>, &datagrams::Hit<'_, Sptps>)| {
        i64::from(b.message.number) - i64::from(a.message.number) - (b.datagram.nth as i64 - a.datagram.nth as i64)
    };
    let stays = reading.by(dir).all(|h| Some(h.message.sender) == sender);
    let counts = pairs().all(|pair| excess(pair).abs() <= DISORDER);
    (stays && counts).then(|| (sender, pairs().filter(|pair| excess(*pair) == 0).count() as i32))
}

/// What UDP packets of version 1.1 show.
fn sptps(head: &Head<'_>) -> Option<Finding> {
    let read = |d: &Datagram<'_>| Sptps::new(d.bytes, d.len);
    if head.datagrams().any(|d| d.len > 1 && read(&d).is_none()) {
        return None;
    }
    let reading = datagrams::read(head, read);
    let [(here, a), (there, b)] = [counted(&reading, Dir::Originator)?, counted(&reading, Dir::Responder)?];
    let noise = Dir::BOTH.into_iter().all(|dir| uniform::is_noise_behind(head, dir, Sptps::HEADER));
    if a.max(b) < FEWEST_STEPS || here == there || !noise {
        return None;
    }
    let frames = || reading.frames(|_| true);
    let sender = if reading.both() { 8 } else { 6 };
    let evidence = vec![
        item(&SENDER, sender, frames(), "six zero bytes for no addressee, then six of the sender that stay"),
        item(&COUNTER, 4 + a + b, frames(), "a number that counts the packets of the side"),
        item(&NOISE, 3, frames(), "what follows has no structure"),
    ];
    Some(Finding { variant: Some("1.1".into()), evidence, spoke: reading.spoke(), ..Finding::default() })
}

/// What UDP packets of version 1.0 show: nothing but lengths.
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

/// What a stream's start shows.
struct Greeting {
    /// Whether the ID request is of protocol version 17.x.
    sptps: bool,
    /// Whether an exchange of keys follows.
    key: bool,
}

/// The first line of a stream, if it is an ID request, and what follows.
fn greeting(bytes: &[u8]) -> Option<Greeting> {
    let rest = bytes.strip_prefix(b"0 ")?;
    let end = rest.iter().take(300).position(|&b| b == b'\n')?;
    let line = std::str::from_utf8(rest.get(..end)?).ok()?;
    let (name, version) = line.split_once(' ')?;
    let named =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'^' || b == b'.');
    let id = named && (version == "17" || version.starts_with("17."));
    let sptps = version != "17";
    let key = rest.get(end + 1..).is_some_and(|next| {
        if sptps {
            return next.starts_with(&Sptps::KEY_EXCHANGE);
        }
        let mut words = next.split(|&b| b == b' ').take(6);
        let numbers = words.by_ref().take(5).all(|w| !w.is_empty() && w.iter().all(u8::is_ascii_digit));
        numbers && next.starts_with(b"1 ") && words.next().is_some_and(|k| k.iter().take(32).all(u8::is_ascii_hexdigit))
    });
    id.then_some(Greeting { sptps, key })
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
            return sptps(head).map_or_else(|| data(head), Assessment::Recognised);
        }
        let streams = [head.stream(Dir::Originator), head.stream(Dir::Responder)];
        let foreign = |s: &Stream<'_>| s.start_seen() && text::start(s.bytes(), b"0 ") == Start::Other;
        if streams.iter().any(foreign) {
            return Assessment::Excluded;
        }
        let found = streams.map(|s| greeting(s.bytes()));
        let spoke = found.each_ref().map(Option::is_some);
        if spoke == [false; 2] {
            let excluded = streams.iter().any(|s| s.start_seen() && s.bytes().len() > 300);
            return if excluded { Assessment::Excluded } else { Assessment::NotNow };
        }
        let frames: Frames = streams.iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
        let both_new = found.iter().flatten().all(|f| f.sptps);
        let variant = Some(if both_new { "1.1" } else { "1.0" }.into());
        let mut finding = Finding { variant, spoke, server: Some(Dir::Responder), ..Finding::default() };
        finding.evidence.push(item(&ID, 16, frames.clone(), "the first line is an ID request of protocol version 17"));
        if spoke == [true; 2] {
            finding.evidence.push(item(&BOTH, 10, frames.clone(), "both sides send an ID request"));
        }
        if found.iter().flatten().any(|f| f.key) {
            let text = if both_new {
                "SPTPS exchanges keys behind it"
            } else {
                "the second line exchanges a key in hexadecimal"
            };
            finding.evidence.push(item(&KEY, 12, frames, text));
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
        let finding = replay::expect(&Tinc, "tinc.pcap", Band::Certain);
        assert_eq!(finding.variant.as_deref(), Some("1.0"));
        let finding = replay::expect(&Tinc, "tinc-1.1.pcap", Band::Certain);
        assert_eq!((finding.variant.as_deref(), finding.evidence.len()), (Some("1.1"), 3));
        let flows = replay::flows(&replay::testdata("tinc/tinc-1.1.pcap"));
        let names: Vec<_> = flows.iter().map(replay::named).collect();
        assert_eq!(names, [Some(("tinc", Band::Certain)), Some(("tinc", Band::Likely))]);
    }

    #[test]
    fn datagrams_of_version_1_1_are_likely_and_no_more() {
        let bits = |header: &dyn Fn(usize) -> Vec<u8>| {
            let (mut buf, mut x) = (HeadBuf::new(Transport::Udp), 0x9e37_79b9_7f4a_7c15u64);
            for n in 0..40 {
                let dir = if n % 2 == 0 { Dir::Originator } else { Dir::Responder };
                let mut bytes = header(n);
                while bytes.len() < 96 {
                    x = x.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
                    bytes.push((x >> 56) as u8);
                }
                buf.push_datagram(n as u64 + 1, Time(0), dir, 96, &bytes);
            }
            match Tinc.assess(&buf.view(None, true)) {
                Assessment::Recognised(finding) => finding.bits(),
                _ => Bits::ZERO,
            }
        };
        let header = |sender: u8, number: usize| {
            [&[0; 6][..], &[sender, 0x80, 0x26, 0xf2, 0x4b, 0x8c], &(number as u32).to_be_bytes()].concat()
        };
        assert_eq!(bits(&|n| header(1 + (n % 2) as u8, 700 + n / 2)), Bits::whole(19));
        assert_eq!(bits(&|n| header(1 + (n % 2) as u8, 700 + n / 2 * 100)), Bits::ZERO, "no counter");
        assert_eq!(bits(&|n| header(1, 700 + n / 2)), Bits::ZERO, "both sides are one sender");
        assert_eq!(bits(&|n| header(1 + (n % 3) as u8, 700 + n / 2)), Bits::ZERO, "senders change");
        assert_eq!(bits(&|n| [header(1 + (n % 2) as u8, n / 2), vec![7; 80]].concat()), Bits::ZERO, "no noise");
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
