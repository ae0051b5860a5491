//! IKE and ESP in TCP (RFC 8229, RFC 9329), seen from the start or joined in the middle.

use super::family::{FRAMING, IKE, PREFIX};
use super::sa::{self, Sa, Seen};
use super::weigh::{conclude, weigh};
use crate::flow::{Dir, Head, Stream};
use crate::packet::Transport;
use crate::protocol::{Assessment, Band, Bits, Evidence, Finding, Frames, Protocol, Sentence, counted, evidence, link};
use crate::wire::esp::{Encapsulated, Esp, TCP_PREFIX, split_message};
use crate::wire::ike::Ike;

/// The recogniser.
#[derive(Debug)]
pub(in crate::protocol) struct EspInTcp;

/// How far into a stream that was joined in the middle a message is sought: where one of an Ethernet frame's size ends.
const SEARCHED: usize = 1600;
/// The longest message that is believed, in bytes: a jumbo frame. And the first byte of its length.
const LONGEST: u16 = 9000;
const HIGHEST: u8 = (LONGEST >> 8) as u8;
/// Messages that have to follow each other there.
const FOLLOWING: usize = 3;
/// A stream of which so much shows no chain of messages has none.
const ENOUGH: usize = 6000;

/// The messages of one direction.
#[derive(Default)]
struct Messages<'a> {
    /// Frame of the prefix, if the stream begins with it.
    prefix: Option<u64>,
    esp: Vec<Seen<'a>>,
    ike: Vec<(u64, Ike<'a>)>,
    frames: Vec<u64>,
}

impl Protocol for EspInTcp {
    fn name(&self) -> &'static str {
        "esp-in-tcp"
    }

    fn reference(&self) -> &'static str {
        "RFC 8229, RFC 9329"
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() != Transport::Tcp {
            return Assessment::Excluded;
        }
        let sent = head.stream(Dir::Originator);
        let differs = sent.bytes().iter().zip(&TCP_PREFIX).any(|(a, b)| a != b);
        if sent.start_seen() && differs {
            return Assessment::Excluded;
        }
        let found = Dir::BOTH.map(|dir| messages(head, dir));
        if found.iter().any(|m| m.prefix.is_some() || !m.frames.is_empty()) {
            return Assessment::Recognised(finding(found));
        }
        let exhausted = Dir::BOTH.iter().any(|dir| head.stream(*dir).bytes().len() >= ENOUGH);
        if exhausted { Assessment::Excluded } else { Assessment::NotNow }
    }
}

/// Follows the chain of messages in one direction.
fn messages<'a>(head: &Head<'a>, dir: Dir) -> Messages<'a> {
    let stream = head.stream(dir);
    let bytes = stream.bytes();
    if let Some(rest) = bytes.strip_prefix(&TCP_PREFIX) {
        let mut found = chain(head, dir, bytes.len() - rest.len());
        found.prefix = stream.origin(0).map(|(frame, _)| frame);
        return found;
    }
    if stream.start_seen() && dir == Dir::Responder {
        let found = chain(head, dir, 0);
        return if is_chain(&found) && ends_open(bytes, 0) { found } else { Messages::default() };
    }
    if !stream.pieces().is_empty() {
        return bridge(stream, dir);
    }
    // Most bytes are not the first of a length.
    let next_length = |from: usize| Some(from + bytes.get(from..)?.iter().position(|high| *high <= HIGHEST)?);
    let mut next = next_length(0);
    while let Some(at) = next.filter(|at| *at < SEARCHED) {
        if plausible(bytes.get(at..).unwrap_or_default()) && leads(bytes, at) {
            let found = chain(head, dir, at);
            if is_chain(&found) && ends_open(bytes, at) {
                return found;
            }
        }
        next = next_length(at + 1);
    }
    Messages::default()
}

/// A cheap look at where a message may start: a sensible length, then an SPI or a marker.
#[inline]
fn plausible(start: &[u8]) -> bool {
    let [high, low, a, b, c, _, ..] = start else { return false };
    let len = u16::from_be_bytes([*high, *low]);
    (22..=LONGEST).contains(&len) && (len % 4 == 2) | ([0, 0, 0] == [*a, *b, *c])
}

/// Whether what follows from a place may be a chain.
fn leads(bytes: &[u8], at: usize) -> bool {
    let mut count = 0;
    follow(bytes, at).any(|(_, message)| {
        count += 1;
        count == FOLLOWING || matches!(message, Message::Ike(_))
    })
}

/// Whether a chain that was found by searching is one: three messages, and IKE or one sender's counter among them. Lengths
/// alone fit noise once in 2^15 places.
fn is_chain(found: &Messages<'_>) -> bool {
    let counts = || sa::group(found.esp.iter().copied()).iter().any(|sa| sa.sequence().counts());
    !found.ike.is_empty() || (found.frames.len() >= FOLLOWING && counts())
}

/// Whether the messages from `start` on lead to the end of what is visible, and not to something that is none.
fn ends_open(bytes: &[u8], start: usize) -> bool {
    let last = follow(bytes, start).last().map_or(start, |(place, _)| place);
    let behind = bytes.get(last..).and_then(split_message).map_or(&[][..], |(_, behind)| behind);
    let unfinished = |high: u8, low: u8| usize::from(u16::from_be_bytes([high, low])) > behind.len();
    match behind {
        [high, low, _, _, _, _, ..] => unfinished(*high, *low) && plausible(behind),
        [high, ..] => *high <= HIGHEST,
        [] => true,
    }
}

/// One message of a stream.
enum Message<'a> {
    Keepalive,
    Ike(Ike<'a>),
    Esp(usize, Esp<'a>),
}

/// The messages that follow each other from `start` up to something that is none, each with its place.
fn follow(bytes: &[u8], start: usize) -> impl Iterator<Item = (usize, Message<'_>)> {
    let mut rest = bytes.get(start..).unwrap_or_default();
    std::iter::from_fn(move || {
        let place = bytes.len() - rest.len();
        let (message, behind) = split_message(rest)?;
        rest = behind;
        Some((place, read(message.len(), message)?))
    })
}

/// A message of `len` bytes of which `bytes` are visible.
fn read(len: usize, bytes: &[u8]) -> Option<Message<'_>> {
    Some(match Encapsulated::of(len, bytes) {
        Encapsulated::Keepalive => Message::Keepalive,
        Encapsulated::Marked(bytes) => Message::Ike(Ike::new(len.saturating_sub(4), bytes)?),
        Encapsulated::NonIkeMarked(_) => return None,
        // SPI, number and ciphertext are not one byte over and over.
        Encapsulated::Bare([first, rest @ ..]) if rest.iter().take(15).all(|byte| byte == first) => return None,
        Encapsulated::Bare(bytes) => Message::Esp(len, Esp::new(len, bytes)?),
    })
}

/// The messages of a stream that the snaplen cut or that has gaps: one is looked for where the one before ends, and where that
/// is not known at the start of a segment. Nothing unless enough lengths lead to a message, and few to none.
fn bridge<'a>(stream: Stream<'a>, dir: Dir) -> Messages<'a> {
    let (mut found, mut next, mut links, mut misled) = (Messages::default(), None, 0, 0);
    let (frame, time) = stream.origin(0).unwrap_or_default();
    let first = (0, stream.bytes(), frame, time);
    let pieces = stream.pieces().iter().map(|p| (p.offset as usize, &*p.data, p.frame, p.time));
    for (start, bytes, frame, time) in std::iter::once(first).chain(pieces) {
        let led = next.filter(|next| (start..start + bytes.len()).contains(next));
        let mut at = led.unwrap_or(start);
        // A message that goes on in this segment or behind it.
        if led.is_none() && next.is_some_and(|next| next > start) {
            continue;
        }
        while let Some([high, low, body @ ..]) = bytes.get(at - start..).filter(|rest| !rest.is_empty()) {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let message = len.checked_sub(2).and_then(|len| read(len, body.get(..len).unwrap_or(body)));
            let led = next == Some(at);
            next = None;
            match message.filter(|_| len <= usize::from(LONGEST)) {
                None => {
                    misled += usize::from(led);
                    break;
                }
                Some(Message::Keepalive) => {}
                Some(Message::Ike(ike)) => found.ike.push((frame, ike)),
                Some(Message::Esp(len, esp)) => found.esp.push(Seen { frame, time, dir, len, esp }),
            }
            links += usize::from(led);
            found.frames.push(frame);
            at += len;
            next = Some(at);
        }
    }
    let enough = links >= FOLLOWING && misled * 4 <= links && is_chain(&found);
    if enough { found } else { Messages::default() }
}

fn chain<'a>(head: &Head<'a>, dir: Dir, start: usize) -> Messages<'a> {
    let stream = head.stream(dir);
    let mut found = Messages::default();
    for (place, message) in follow(stream.bytes(), start) {
        let (frame, time) = stream.origin(place).unwrap_or_default();
        match message {
            Message::Keepalive => {}
            Message::Ike(ike) => found.ike.push((frame, ike)),
            Message::Esp(len, esp) => found.esp.push(Seen { frame, time, dir, len, esp }),
        }
        found.frames.push(frame);
    }
    found
}

fn finding(found: [Messages<'_>; 2]) -> Finding {
    let sas: Vec<Sa<'_>> = sa::group(found.iter().flat_map(|m| m.esp.iter().copied()));
    let mut weighed = weigh(&sas);
    let mut say = |family, bits: Bits, frames: Frames, text: Sentence| {
        if !frames.is_empty() {
            weighed.evidence.push(Evidence { family, bits, frames, text });
        }
    };
    let [from_originator, _] = &found;
    if let Some(frame) = from_originator.prefix {
        say(&PREFIX, PREFIX.cap, [frame].into(), "the stream begins with IKETCP".into());
    }
    let frames: Frames = found.iter().flat_map(|m| m.frames.iter().take(3).copied()).collect();
    let count: usize = found.iter().map(|m| m.frames.len()).sum();
    let bits = if count >= FOLLOWING && weighed.fits { FRAMING.cap } else { Bits::whole(4) };
    say(&FRAMING, bits, frames, counted!("{count} messages follow each other by lengths that count themselves", count));
    let ikes: Vec<_> =
        Dir::BOTH.iter().flat_map(|dir| dir.of(&found).ike.iter().map(|(f, m)| (*dir, *f, *m))).collect();
    say(&IKE, IKE.cap, ikes.iter().map(|i| i.1).collect(), "IKE with the Non-ESP Marker is in the stream".into());
    let mut finding = Finding { evidence: std::mem::take(&mut weighed.evidence), ..Finding::default() };
    conclude(&mut finding, &sas, &weighed);
    if from_originator.prefix.is_some() {
        finding.server = Some(Dir::Responder);
        *Dir::Originator.of_mut(&mut finding.spoke) = true;
    }
    for (dir, _, message) in &ikes {
        *dir.of_mut(&mut finding.spoke) = true;
        if let Some(from_initiator) = message.from_initiator() {
            finding.server = finding.server.or(Some(if from_initiator { dir.other() } else { *dir }));
        }
        let mark = link("ike.initiator-spi", &message.initiator_spi());
        if !finding.links.contains(&mark) {
            finding.links.push(mark);
        }
    }
    if let Some((_, _, message)) = ikes.first() {
        finding.also.push("ike");
        finding.details.push(("ike-version", message.version().name().into()));
    }
    let certain = Band::of(evidence::PRIOR + finding.bits()) == Some(Band::Certain);
    finding.settled = certain && weighed.counted.iter().all(|n| *n >= 2);
    finding
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages of these lengths.
    fn stream(lengths: &[u16]) -> Vec<u8> {
        let message = |(n, len): (usize, &u16)| {
            let mut bytes = [&len.to_be_bytes()[..], &[0xc3, 0xa1, 7, 9, 0, 0, 0, n as u8 + 1]].concat();
            bytes.extend((10..*len).map(|at| (at * 37 + n as u16 * 11) as u8));
            bytes
        };
        lengths.iter().enumerate().flat_map(message).collect()
    }

    #[test]
    fn a_chain_leads_to_the_end() {
        let whole = stream(&[122, 142, 106, 122]);
        assert_eq!(follow(&whole, 0).count(), 4);
        assert!(ends_open(&whole, 0) && ends_open(&whole[..whole.len() - 50], 0));
        assert!((1..10).all(|more| ends_open(&stream(&[122, 142, 106, 122])[..370 + more], 0)));
        // No multiple of four with the length in front: what is read as ESP before it was none.
        let broken = stream(&[122, 142, 106, 123, 122]);
        assert_eq!(follow(&broken, 0).count(), 3);
        assert!(!ends_open(&broken, 0));
    }
}
