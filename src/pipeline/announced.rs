//! Flows whose ports another flow announced: FTP's data, the media of SIP and RTSP, TFTP's answer from a new port.
//!
//! Such a port was picked for one transfer and promises nothing by its number. The flow belongs to the service that
//! announced it: it is judged by that service's claim and stands in its row.

use super::merge::{self, Merged};
use super::undecided::Undecided;
use crate::flow::Dir;
use crate::packet::{Endpoint, Ip, Packet, Time, Transport, Tunnel};
use crate::protocol::announce::{Announcement, Host, Reader};
use crate::protocol::evidence::{self, PRIOR, goes_along};
use crate::protocol::{self, Bits, Decision, Evidence, Family, Rival};
use crate::registry::Registry;
use crate::verdict::{Announced, ServerBy};
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::sync::Arc;

/// A flow that begins later than this after the announcement is another one, nanoseconds. Servers wait for minutes at
/// most; a call that changes its ports announces them again.
const WINDOW: i64 = 600_000_000_000;
/// Announcements kept of one flow.
const KEPT: usize = 4096;

/// A conversation that was named by its own bytes announced address, port, transport and protocol shortly before. By
/// chance a flow ends at just that port with 2^-16; a port that another program got soon after bounds it.
static ANNOUNCED: Family = Family { id: "flow.announced", cap: Bits::whole(24) };
/// And the flow is between the two hosts of that conversation.
static SAME_HOSTS: Family = Family { id: "flow.announced-between-the-same-hosts", cap: Bits::whole(8) };

/// A message of TCP whose end is still to come is kept up to this length, bytes.
const BROKEN_OFF: usize = 4096;

/// What a flow announces, as it is read.
#[derive(Clone, Debug)]
pub struct Heard {
    reader: Reader,
    said: Vec<Said>,
    /// Per direction, what does not end with the end of a line, and the sequence number behind it.
    broken_off: [Option<(u32, Vec<u8>)>; 2],
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Said {
    announcement: Announcement,
    frame: u64,
    time: Time,
    sender: Dir,
}

impl Heard {
    /// Nothing yet; payloads will be read by `reader`.
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, said: Vec::new(), broken_off: [None, None] }
    }

    /// What the flow said until it got its name.
    pub(super) fn so_far(undecided: &Undecided, reader: Reader) -> Self {
        let mut heard = Self::new(reader);
        undecided.said_so_far(reader, |announcement, frame, time, sender| {
            if heard.said.len() < KEPT {
                heard.said.push(Said { announcement, frame, time, sender });
            }
        });
        heard
    }

    /// Whether something was heard in this frame.
    pub(super) fn has(&self, frame: u64) -> bool {
        self.said.iter().any(|said| said.frame == frame)
    }

    /// How many announcements were heard.
    pub(super) fn len(&self) -> usize {
        self.said.len()
    }

    /// Reads a payload. Gives how many announcements there were in it.
    pub(super) fn listen(&mut self, packet: &Packet, sender: Dir, payload: &[u8]) -> usize {
        let before = self.said.len();
        let said = self.read(packet, sender, payload).into_iter().take(KEPT.saturating_sub(before));
        let (frame, time) = (packet.frame, packet.time);
        self.said.extend(said.map(|announcement| Said { announcement, frame, time, sender }));
        self.said.len() - before
    }

    /// What a payload announces, together with what came before it of the same message.
    fn read(&mut self, packet: &Packet, sender: Dir, payload: &[u8]) -> Vec<Announcement> {
        let Some(tcp) = packet.tcp else { return (self.reader)(payload) };
        let slot = sender.of_mut(&mut self.broken_off);
        let begun = slot.take().filter(|(next, _)| *next == tcp.sequence).map(|(_, begun)| begun).unwrap_or_default();
        // A line that is not complete may end in the middle of a number.
        let lines = |bytes: &[u8]| {
            let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            (self.reader)(bytes.get(..end).unwrap_or_default())
        };
        let known = if begun.is_empty() { 0 } else { lines(&begun).len() };
        let message = [&begun, payload].concat();
        let mut said = lines(&message);
        said.drain(..known.min(said.len()));
        if !message.ends_with(b"\n") && message.len() <= BROKEN_OFF && payload.len() == packet.wire_len as usize {
            *slot = Some((tcp.sequence.wrapping_add(packet.wire_len), message));
        }
        said
    }

    /// The last `count` announcements.
    pub(super) fn latest(&self, count: usize) -> Self {
        let said = self.said.iter().skip(self.said.len().saturating_sub(count)).copied().collect();
        Self { said, ..Self::new(self.reader) }
    }

    /// Adds what was heard later.
    pub(super) fn append(&mut self, later: Self) {
        self.said.extend(later.said);
    }
}

type End = (Endpoint, Transport, Option<Tunnel>);

/// An announcement with all that is known of who made it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    protocol: &'static str,
    /// Whether the flow must speak the protocol visibly and be between the same hosts: nothing else names its port.
    pub(super) strict: bool,
    hosts: [Ip; 2],
    time: Time,
    pub(super) announced: Announced,
}

/// Finds the flows that others announced, names them where their own bytes do not, and files them.
pub(super) fn settle(merged: &mut [Merged], registry: &Registry) {
    let mut offers = Offers::default();
    for (number, flow) in (1..).zip(merged.iter()) {
        offers.learn(number, flow, 0);
    }
    if offers.is_empty() {
        return;
    }
    let place = |number: u64| usize::try_from(number - 1).unwrap_or(usize::MAX);
    let mut filed = Vec::new();
    for number in 1..=merged.len() as u64 {
        let Some(flow) = merged.get_mut(place(number)) else { return };
        let Some(offer) = flow.offered(number, &offers) else { continue };
        if !flow.accept(&offer) {
            continue;
        }
        filed.push((number, offer.announced.by));
        if offer.strict
            && let Some(announcer) = merged.get_mut(place(offer.announced.by))
        {
            announcer.answered_elsewhere = true;
        }
    }
    for (number, by) in filed {
        let inherited = merged.get(place(by)).map(|announcer| merge::record(0, announcer, registry).judgement);
        if let Some(flow) = merged.get_mut(place(number)) {
            flow.inherited = inherited;
        }
    }
}

/// What flows announced, by the end that it is for.
#[derive(Debug, Default)]
pub(super) struct Offers {
    by_end: HashMap<End, Vec<Offer>>,
    /// How many there are, of all ends.
    made: usize,
}

impl Offers {
    /// Takes what the flow of this number announced after its first `known` announcements. Gives how many are known now.
    pub(super) fn learn(&mut self, number: u64, flow: &Merged, known: usize) -> usize {
        let ended = &flow.ended;
        let Some(heard) = &ended.heard else { return known };
        let Some(protocol) = ended.decision.as_ref().and_then(|d| d.protocol) else { return known };
        let spoke = ended.decision.as_ref().is_some_and(|d| *flow.server.of(&d.spoke));
        let key = &ended.flow.key;
        let server = ended.flow.end(flow.server);
        for said in heard.said.iter().skip(known) {
            let Announcement { protocol: expected, transport, host, port } = said.announcement;
            let strict = port.is_none();
            // What a client alone says may be a probe, unless it is the answer's form that is announced.
            if !spoke && !strict {
                return known;
            }
            let (sender, receiver) = (ended.flow.end(said.sender), ended.flow.end(said.sender.other()));
            let ip = match host {
                Host::Sender => sender.ip,
                Host::Receiver => receiver.ip,
                Host::Named(ip) => ip,
            };
            let end = Endpoint { ip, port: port.unwrap_or(sender.port) };
            let announced = Announced { by: number, protocol, frame: said.frame, server, transport: key.transport };
            let hosts = [sender.ip, receiver.ip];
            let offer = Offer { protocol: expected, strict, hosts, time: said.time, announced };
            self.add((end, transport, key.tunnel), offer);
        }
        heard.said.len()
    }

    fn add(&mut self, end: End, offer: Offer) {
        self.by_end.entry(end).or_default().push(offer);
        self.made += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.made == 0
    }

    /// Forgets what is too old to matter when there are more than `most`, and all if that does not help. A server has few
    /// ports to announce, and announces them again and again.
    pub(super) fn make_room(&mut self, most: usize, now: Time) {
        if self.made <= most {
            return;
        }
        self.by_end.retain(|_, offers| {
            offers.retain(|offer| now.since(offer.time) <= WINDOW);
            offers.shrink_to_fit();
            !offers.is_empty()
        });
        self.made = self.by_end.values().map(Vec::len).sum();
        if self.made > most / 2 {
            *self = Self::default();
        }
    }
}

impl Merged {
    /// The latest announcement of one of the flow's ends before it began.
    pub(super) fn offered(&self, number: u64, offers: &Offers) -> Option<Offer> {
        let flow = &self.ended.flow;
        let hosts = Dir::BOTH.map(|dir| flow.end(dir).ip);
        let timely = |offer: &&Offer| {
            let same = hosts == offer.hosts || hosts == [offer.hosts[1], offer.hosts[0]];
            let ours = offer.announced.by == number;
            !ours && (0..=WINDOW).contains(&flow.first.since(offer.time)) && (same || !offer.strict)
        };
        let ends = Dir::BOTH.map(|dir| (flow.end(dir), flow.key.transport, flow.key.tunnel));
        let made = ends.iter().filter_map(|end| offers.by_end.get(end)).flatten().filter(timely);
        made.max_by_key(|offer| (offer.time, offer.announced.frame, Reverse(offer.announced.by))).copied()
    }

    /// Takes the flow for what was announced, unless its bytes are something else; whether it was.
    pub(super) fn accept(&mut self, offer: &Offer) -> bool {
        let flow = &self.ended.flow;
        let one_way = flow.bytes.contains(&0);
        let spoke = flow.bytes.map(|bytes| bytes > 0);
        let hosts = Dir::BOTH.map(|dir| flow.end(dir).ip);
        if let Some(decision) = self.ended.decision.as_mut().map(Arc::make_mut) {
            let expected = offer.protocol;
            let known = match decision.protocol {
                Some(own) if own == expected || goes_along(own, expected) || goes_along(expected, own) => true,
                // A file sent one way may begin like anything.
                Some(_) => expected == "ftp-data" && one_way,
                None if offer.strict => decision.suspected == Some(expected),
                None => protocol::index(expected).is_none_or(|n| !decision.excluded.contains(n)),
            };
            if !known {
                return false;
            }
            let same_hosts = offer.hosts.iter().all(|ip| hosts.contains(ip));
            name(decision, offer, same_hosts, spoke);
        } else if offer.strict {
            return false;
        }
        let server = Dir::BOTH.into_iter().filter(|dir| flow.end(*dir).ip == offer.announced.server.ip);
        if let [server] = server.collect::<Vec<_>>()[..]
            && !flow.opening_seen()
        {
            self.server = server;
            self.server_by = ServerBy::Recogniser;
        }
        self.announced = Some(Box::new(offer.announced));
        true
    }
}

/// Adds the announcement to what is known of the flow.
fn name(decision: &mut Decision, offer: &Offer, same_hosts: bool, spoke: [bool; 2]) {
    let expected = offer.protocol;
    let Announced { protocol: by, frame, .. } = offer.announced;
    match decision.protocol.or(decision.suspected) {
        Some(own) if own == expected => {}
        // A companion keeps its own name.
        Some(own) if decision.protocol.is_some() && expected != "ftp-data" => {
            decision.also.retain(|name| *name != own);
            return;
        }
        own => {
            let evidence = std::mem::take(&mut decision.evidence);
            if let Some(own) = own {
                decision.also.extend(decision.protocol);
                decision.rivals.insert(0, Rival { protocol: own, bits: evidence::sum(&evidence), evidence });
            }
            (decision.odds, decision.variant, decision.details) = (PRIOR, None, Vec::new());
            decision.spoke = spoke;
        }
    }
    let item = |family: &'static Family, text: String| Evidence {
        family,
        bits: family.cap,
        frames: [frame].into(),
        text: text.into(),
    };
    let mut items = vec![item(&ANNOUNCED, format!("announced by {by}"))];
    if same_hosts {
        items.push(item(&SAME_HOSTS, format!("the two hosts are those of the {by} conversation")));
    }
    let odds = decision.odds + evidence::sum(&items);
    decision.evidence.extend(items);
    decision.set_odds(expected, odds, evidence::sum(&decision.evidence));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_announced_again_and_again_does_not_fill_the_memory() {
        let server = Endpoint { ip: Ip::v4([10, 0, 0, 1]), port: 21 };
        let end = (Endpoint { port: 50_000, ..server }, Transport::Tcp, None);
        let mut offers = Offers::default();
        // One each second.
        for second in 0..10_000_i64 {
            let time = Time(second * 1_000_000_000);
            let announced = Announced { by: 1, protocol: "ftp", frame: 1, server, transport: Transport::Tcp };
            let offer = Offer { protocol: "ftp-data", strict: false, hosts: [server.ip; 2], time, announced };
            offers.add(end, offer);
            offers.make_room(2000, time);
            assert!(offers.made <= 2000);
        }
        // Those of the last ten minutes are still there.
        assert!(offers.made > 600 && offers.by_end.get(&end).is_some_and(|all| all.len() == offers.made));
    }
}
