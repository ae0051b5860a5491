//! Flows whose ports another flow announced: FTP's data, the media of SIP and RTSP, TFTP's answer from a new port.
//!
//! Such a port was picked for one transfer and promises nothing by its number. The flow belongs to the service that
//! announced it: it is judged by that service's claim and stands in its row.

use super::merge::{self, Merged};
use crate::flow::Dir;
use crate::packet::{Endpoint, Ip, Packet, Time, Transport, Tunnel};
use crate::protocol::announce::{Announcement, Host, Reader};
use crate::protocol::evidence::{self, PRIOR, goes_along};
use crate::protocol::{self, Bits, Decision, Evidence, Family, Rival};
use crate::registry::Registry;
use crate::verdict::{Announced, ServerBy};
use hashbrown::HashMap;
use std::cmp::Reverse;

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

/// What a flow announces, as it is read.
#[derive(Clone, Debug)]
pub struct Heard {
    reader: Reader,
    said: Vec<Said>,
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
        Self { reader, said: Vec::new() }
    }

    /// Reads a payload.
    pub(super) fn listen(&mut self, packet: &Packet, sender: Dir, payload: &[u8]) {
        let room = KEPT - self.said.len().min(KEPT);
        let said = (self.reader)(payload).into_iter().take(room);
        let (frame, time) = (packet.frame, packet.time);
        self.said.extend(said.map(|announcement| Said { announcement, frame, time, sender }));
    }
}

type End = (Endpoint, Transport, Option<Tunnel>);

/// An announcement with all that is known of who made it.
#[derive(Clone, Copy, Debug)]
struct Offer {
    protocol: &'static str,
    /// Whether the flow must speak the protocol visibly and be between the same hosts: nothing else names its port.
    strict: bool,
    hosts: [Ip; 2],
    time: Time,
    /// The announcing flow's place among the merged.
    by: usize,
    announced: Announced,
}

/// Finds the flows that others announced, names them where their own bytes do not, and files them.
pub(super) fn settle(merged: &mut [Merged], registry: &Registry) {
    let offers = offers(merged);
    if offers.is_empty() {
        return;
    }
    let mut filed = Vec::new();
    for place in 0..merged.len() {
        let Some(flow) = merged.get_mut(place) else { return };
        let Some(offer) = flow.offered(place, &offers) else { continue };
        if !flow.accept(&offer) {
            continue;
        }
        filed.push((place, offer.by));
        if offer.strict
            && let Some(announcer) = merged.get_mut(offer.by)
        {
            announcer.answered_elsewhere = true;
        }
    }
    for (place, by) in filed {
        let inherited = merged.get(by).map(|announcer| merge::record(0, announcer, registry).judgement);
        if let Some(flow) = merged.get_mut(place) {
            flow.inherited = inherited;
        }
    }
}

fn offers(merged: &[Merged]) -> HashMap<End, Vec<Offer>> {
    let mut offers: HashMap<End, Vec<Offer>> = HashMap::new();
    for (by, flow) in merged.iter().enumerate() {
        let ended = &flow.ended;
        let Some(heard) = &ended.heard else { continue };
        let Some(protocol) = ended.decision.as_ref().and_then(|d| d.protocol) else { continue };
        let spoke = ended.decision.as_ref().is_some_and(|d| *flow.server.of(&d.spoke));
        let key = &ended.flow.key;
        let server = ended.flow.end(flow.server);
        for said in &heard.said {
            let Announcement { protocol: expected, transport, host, port } = said.announcement;
            let strict = port.is_none();
            // What a client alone says may be a probe, unless it is the answer's form that is announced.
            if !spoke && !strict {
                continue;
            }
            let (sender, receiver) = (ended.flow.end(said.sender), ended.flow.end(said.sender.other()));
            let ip = match host {
                Host::Sender => sender.ip,
                Host::Receiver => receiver.ip,
                Host::Named(ip) => ip,
            };
            let end = Endpoint { ip, port: port.unwrap_or(sender.port) };
            let announced =
                Announced { by: by as u64 + 1, protocol, frame: said.frame, server, transport: key.transport };
            let hosts = [sender.ip, receiver.ip];
            let offer = Offer { protocol: expected, strict, hosts, time: said.time, by, announced };
            offers.entry((end, transport, key.tunnel)).or_default().push(offer);
        }
    }
    offers
}

impl Merged {
    /// The latest announcement of one of the flow's ends before it began.
    fn offered(&self, place: usize, offers: &HashMap<End, Vec<Offer>>) -> Option<Offer> {
        let flow = &self.ended.flow;
        let hosts = Dir::BOTH.map(|dir| flow.end(dir).ip);
        let timely = |offer: &&Offer| {
            let same = hosts == offer.hosts || hosts == [offer.hosts[1], offer.hosts[0]];
            offer.by != place && (0..=WINDOW).contains(&flow.first.since(offer.time)) && (same || !offer.strict)
        };
        let ends = Dir::BOTH.map(|dir| (flow.end(dir), flow.key.transport, flow.key.tunnel));
        let made = ends.iter().filter_map(|end| offers.get(end)).flatten().filter(timely);
        made.max_by_key(|offer| (offer.time, offer.announced.frame, Reverse(offer.by))).copied()
    }

    /// Takes the flow for what was announced, unless its bytes are something else; whether it was.
    fn accept(&mut self, offer: &Offer) -> bool {
        let flow = &self.ended.flow;
        let one_way = flow.bytes.contains(&0);
        let spoke = flow.bytes.map(|bytes| bytes > 0);
        let hosts = Dir::BOTH.map(|dir| flow.end(dir).ip);
        if let Some(decision) = self.ended.decision.as_deref_mut() {
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
        self.announced = Some(offer.announced);
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
        frames: vec![frame],
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
