//! A flow under assessment: its head, what the recognisers found so far, and when they are asked again.

use crate::flow::stream::STREAM_BYTES;
use crate::flow::{Datagram, Dir, HeadBuf};
use crate::packet::{Time, Transport};
use crate::protocol::announce::{Announcement, Reader};
use crate::protocol::decide;
use crate::protocol::evidence::{self, Band};
use crate::protocol::{ALL, Assessment, Decision, FULLY_ENCRYPTED, Finding, ProtocolSet, ask, uniform};

/// Payloads after which a UDP flow that nobody recognised is given up.
const PATIENCE: u64 = 2048;

/// Payloads up to which it is soon that their number passes a power of two: those to whom a beginning of a new shape is no
/// news wait for that.
const SOON: u64 = 64;

/// What came of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// More is needed.
    Open,
    /// Nothing more can be learned: the flow is decided or given up.
    Done,
}

/// The assessment of one flow.
#[derive(Clone, Debug)]
pub struct Undecided {
    head: HeadBuf,
    excluded: ProtocolSet,
    /// Who waits for the first byte of a direction.
    waiting: [ProtocolSet; 2],
    /// Who can make something of what came since the last assessment.
    concerned: ProtocolSet,
    /// Whether some were not asked about some payloads.
    skipped: bool,
    findings: Vec<(usize, Finding)>,
    band: Option<Band>,
    /// Who is certain, if somebody is.
    certain: Option<usize>,
    /// How to read what the named protocol announces.
    reader: Option<Reader>,
    decided_at: u64,
    payloads: u64,
    /// How many of the payloads there were when nobody was spared, and of the last assessment who was asked then, and whether
    /// the flow had ended.
    assessed: u64,
    asked: ProtocolSet,
    at_end: bool,
    /// Bytes of memory held when that was last asked for.
    held: usize,
}

impl Undecided {
    /// A flow of which nothing was seen yet.
    pub fn new(transport: Transport) -> Self {
        Self {
            head: HeadBuf::new(transport),
            excluded: ask::strangers(transport),
            waiting: [ProtocolSet::EMPTY; 2],
            concerned: ProtocolSet::EMPTY,
            skipped: false,
            findings: Vec::new(),
            band: None,
            certain: None,
            reader: None,
            decided_at: 0,
            payloads: 0,
            assessed: 0,
            asked: ProtocolSet::EMPTY,
            at_end: false,
            held: 0,
        }
    }

    /// The same memory for another flow.
    pub fn reuse(&mut self, transport: Transport) {
        // The head is large and stays where it is; every other field stands here, so that none is forgotten.
        let Self {
            head,
            excluded,
            waiting,
            concerned,
            skipped,
            findings,
            band,
            certain,
            reader,
            decided_at,
            payloads,
            assessed,
            asked,
            at_end,
            held,
        } = self;
        head.reuse(transport);
        findings.clear();
        *excluded = ask::strangers(transport);
        (*waiting, *concerned, *asked) = Default::default();
        (*skipped, *at_end) = (false, false);
        (*band, *certain, *reader) = (None, None, None);
        (*decided_at, *payloads, *assessed, *held) = (0, 0, 0, 0);
    }

    /// Takes a UDP payload of `len` bytes on the wire, of which `data` was captured.
    pub fn datagram(&mut self, frame: u64, time: Time, dir: Dir, len: usize, data: &[u8]) -> Progress {
        let nth = self.head.count(dir);
        let new_shape = self.head.push_datagram(frame, time, dir, len, data);
        self.payloads += 1;
        let tail = if data.len() == len { data.get(len.saturating_sub(16)..).unwrap_or_default() } else { &[] };
        let newest = Datagram { frame, time, dir, nth, len, bytes: data, tail };
        self.concerned = self.concerned.union(&ask::may_read(data, len));
        // The first payload waits for the next: most flows are an exchange of two, and then all is asked once.
        let due = self.payloads > 1 && (nth == 0 || is_due(self.payloads));
        if due || new_shape && nth > 0 {
            let spared = if due || self.payloads >= SOON { ProtocolSet::EMPTY } else { ask::omnivorous() };
            return self.assess(Some(&newest), false, spared);
        }
        if self.payloads > PATIENCE && self.band.is_none() { Progress::Done } else { Progress::Open }
    }

    /// Reads a little of each part, so that it comes into the caches; what it gives means nothing.
    #[inline]
    pub(super) fn touch(&self) -> u64 {
        let waiting = self.waiting.iter().fold(0, |touched, set| touched ^ u64::from(set.contains(0)));
        waiting ^ self.payloads ^ self.assessed ^ self.decided_at ^ self.findings.len() as u64 ^ self.head.touch()
    }

    /// The same of the streams.
    #[inline]
    pub(super) fn touch_streams(&self) -> u64 {
        self.head.touch_streams()
    }

    /// Notes a SYN.
    pub fn open(&mut self, dir: Dir, syn_sequence: u32) {
        self.head.stream_mut(dir).open(syn_sequence);
    }

    /// Takes a TCP payload of `len` bytes on the wire, of which `data` was captured.
    pub fn segment(&mut self, frame: u64, time: Time, dir: Dir, sequence: u32, len: usize, data: &[u8]) -> Progress {
        let stream = self.head.stream_mut(dir);
        let (before, pieces, restarted) = (stream.len(), stream.pieces(), stream.view().restarted());
        let grew = stream.push(sequence, frame, time, len, data);
        let after = stream.len();
        // Behind a cut by the snaplen: at four segments and whenever their number has doubled.
        let more = stream.pieces() > pieces && stream.pieces() >= 4 && stream.pieces().is_power_of_two();
        self.payloads += 1;
        if grew {
            self.concerned = ask::everybody();
        }
        if before == 0 {
            *dir.of_mut(&mut self.waiting) = ProtocolSet::EMPTY;
            self.heed_opening(dir);
        }
        let stream = self.head.stream(dir);
        if stream.view().restarted() != restarted {
            // Who opened the connection with what is unknown now.
            self.waiting = [ProtocolSet::EMPTY; 2];
        }
        // When both sides have spoken, and whenever the number of a side's bytes passes a power of two from 16 on; where
        // nobody saw the start many search for a boundary, so it is a power of four there.
        let step = if stream.view().start_seen() { 2 } else { 4 };
        let answers = before == 0 && after > 0 && !self.head.stream(dir.other()).is_empty();
        let passes = after >= 16 && before > 0 && before.ilog(step) < after.ilog(step);
        let full = after == STREAM_BYTES && before < after;
        let due = more || grew && (answers || passes || full);
        if due && self.assess(None, false, ProtocolSet::EMPTY) == Progress::Done {
            return Progress::Done;
        }
        let closed = |dir| self.head.stream(dir).is_closed();
        let total = |dir| self.head.stream(dir).view().total();
        let plenty = Dir::BOTH.iter().map(|&d| total(d)).sum::<u64>() > 32 * STREAM_BYTES as u64;
        if (closed(dir) && closed(dir.other())) || (closed(dir) && plenty) { Progress::Done } else { Progress::Open }
    }

    /// Takes what the first bytes of `dir` tell.
    fn heed_opening(&mut self, dir: Dir) {
        let (this, other) = (self.head.stream(dir).view(), self.head.stream(dir.other()).view());
        let seen = this.start_seen();
        if other.start_seen() != seen {
            return;
        }
        let opened = ask::opened(dir, seen, this.bytes());
        self.excluded = self.excluded.union(&opened.excluded);
        // What the other side's bytes were taken for, this side's may rule out.
        self.findings.retain(|(n, _)| !opened.excluded.contains(*n));
        if other.bytes().is_empty() {
            let waiting = dir.other().of_mut(&mut self.waiting);
            *waiting = waiting.union(&opened.waiting);
        } else if !seen {
            // Whoever makes nothing of either side's bytes makes nothing of both.
            let never = opened.waiting.both(&ask::opened(dir.other(), seen, other.bytes()).waiting);
            self.waiting.iter_mut().for_each(|waiting| *waiting = waiting.union(&never));
        }
    }

    /// Whether nobody was asked about any payload.
    pub fn is_overlooked(&self) -> bool {
        self.assessed == 0
    }

    /// Asks about payloads that waited for more.
    pub fn look(&mut self, ended: bool) -> Progress {
        if self.payloads == self.assessed { Progress::Open } else { self.assess(None, ended, ProtocolSet::EMPTY) }
    }

    /// Asks whom the payloads since the last assessment concern, but those that are `spared` until the next: first whoever
    /// found something before, then those to whom most flows belong, then the others.
    fn assess(&mut self, newest: Option<&Datagram<'_>>, ended: bool, spared: ProtocolSet) -> Progress {
        if spared == ProtocolSet::EMPTY {
            self.assessed = self.payloads;
        }
        self.at_end = ended;
        let (mut found, mut concerned) = (self.found(), std::mem::take(&mut self.concerned));
        if let Some(certain) = self.certain {
            // Beside what is certain only what may go along with it is still looked for.
            let wanted = ask::beside(certain);
            (found, concerned) = (found.both(&wanted), concerned.both(&wanted));
        }
        let later = concerned.both(&spared);
        (found, concerned) = (found.without(&spared), concerned.without(&spared));
        self.skipped |= concerned != ask::everybody();
        self.asked = concerned.union(&found);
        concerned = concerned.without(&found);
        let mut common = concerned.both(&ask::common());
        let mut others = concerned.without(&common);
        let whom = [&mut found, &mut common, &mut others];
        let _ = whom.into_iter().any(|whom| self.ask(whom, newest, ended));
        self.concerned = found.union(&common).union(&others).union(&later);
        self.asked = self.asked.without(&self.concerned);
        self.weigh()
    }

    fn found(&self) -> ProtocolSet {
        self.findings.iter().map(|(n, _)| *n).collect()
    }

    /// Asks those of `whom` that have not excluded themselves and wait for nothing, and takes them out of it. True if one is
    /// certain and can learn nothing more: then the others are not asked.
    fn ask(&mut self, whom: &mut ProtocolSet, newest: Option<&Datagram<'_>>, ended: bool) -> bool {
        let head = self.head.view(newest, ended);
        let [originator, responder] = &self.waiting;
        *whom = whom.without(&self.excluded).without(originator).without(responder);
        while let Some(n) = whom.pop() {
            let Some(protocol) = ALL.get(n) else { continue };
            let known = self.findings.iter().position(|(known, _)| *known == n);
            match protocol.assess(&head) {
                Assessment::Recognised(finding) => {
                    let done = finding.settled && Band::of(evidence::PRIOR + finding.bits()) == Some(Band::Certain);
                    match known.and_then(|place| self.findings.get_mut(place)) {
                        Some((_, known)) => *known = finding,
                        None => self.findings.push((n, finding)),
                    }
                    if done {
                        return true;
                    }
                    continue;
                }
                Assessment::NotNow => {}
                Assessment::Excluded => self.excluded.insert(n),
                Assessment::Until(dir) => dir.of_mut(&mut self.waiting).insert(n),
                Assessment::Never => self.waiting.iter_mut().for_each(|waiting| waiting.insert(n)),
            }
            if let Some(place) = known {
                self.findings.remove(place);
            }
        }
        false
    }

    fn weigh(&mut self) -> Progress {
        let compete = || evidence::compete(&decide::candidates(&self.findings));
        let Some(outcome) = (!self.findings.is_empty()).then(compete).flatten() else {
            // Whoever found something may have taken it back.
            (self.band, self.certain, self.reader) = (None, None, None);
            return Progress::Open;
        };
        let band = Band::of(outcome.odds);
        if band != self.band {
            self.band = band;
            self.decided_at = self.payloads;
        }
        let place = self.findings.get(outcome.winner).map(|(n, _)| *n);
        self.certain = place.filter(|_| band == Some(Band::Certain));
        let winner = place.and_then(|n| ALL.get(n));
        self.reader = winner.filter(|_| band.is_some()).and_then(|protocol| protocol.announces());
        let settled = self.findings.get(outcome.winner).is_some_and(|(_, f)| f.settled);
        if settled && band.is_some() { Progress::Done } else { Progress::Open }
    }

    /// How sure the last assessment was.
    pub fn band(&self) -> Option<Band> {
        self.band
    }

    /// How to read what the protocol announces that the flow is called so far.
    pub fn reader(&self) -> Option<Reader> {
        self.reader
    }

    /// What the payloads kept so far announce, each with its frame, time and sender.
    pub fn said_so_far(&self, reader: Reader, mut tell: impl FnMut(Announcement, u64, Time, Dir)) {
        for datagram in self.head.view(None, false).datagrams() {
            let said = reader(datagram.bytes);
            said.into_iter().for_each(|said| tell(said, datagram.frame, datagram.time, datagram.dir));
        }
        for dir in Dir::BOTH {
            let stream = self.head.stream(dir).view();
            let mut known = 0;
            // In the order of the lines, to know which frame brought each.
            for (end, _) in stream.bytes().iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                let said = reader(stream.bytes().get(..=end).unwrap_or_default());
                let Some((frame, time)) = stream.origin(end) else { continue };
                said.iter().skip(known).for_each(|said| tell(*said, frame, time, dir));
                known = said.len();
            }
        }
    }

    /// Whether the exchange was seen whole: both sides spoke, and of TCP both starts and no gap were seen.
    pub fn complete(&self) -> bool {
        match self.head.transport() {
            Transport::Udp => Dir::BOTH.iter().all(|&dir| self.head.count(dir) > 0),
            Transport::Tcp => Dir::BOTH.iter().all(|&dir| {
                let stream = self.head.stream(dir).view();
                stream.start_seen() && !stream.is_broken() && !stream.is_ambiguous() && !stream.bytes().is_empty()
            }),
        }
    }

    /// Whether bytes of `dir` are missing though it sent some.
    pub fn lossy(&self, dir: Dir) -> bool {
        let stream = self.head.stream(dir).view();
        stream.total() > 0 && (stream.bytes().is_empty() || stream.is_broken() || stream.restarted())
    }

    /// Bytes of memory held at the last call, and now.
    pub fn memory(&mut self) -> (usize, usize) {
        let findings = self.findings.capacity() * size_of::<(usize, Finding)>();
        let now = size_of::<Self>() + self.head.memory() + findings;
        (std::mem::replace(&mut self.held, now), now)
    }

    /// The last word, after [`Self::look`]. It counts of `claimed` whether they exclude the flow.
    pub fn conclude(&mut self, ended: bool, claimed: impl FnOnce() -> ProtocolSet) -> Decision {
        // Of a whole exchange that nobody named it counts whether the claim is excluded, by those who were passed over, too.
        if self.band.is_none() {
            // Whoever was left out when somebody seemed done is heard now.
            let (mut rest, mut asked) = (ask::expected().union(&self.concerned), self.asked);
            if self.complete() {
                let passed_over = if self.skipped { claimed() } else { ProtocolSet::EMPTY };
                rest = rest.union(&passed_over).union(&ask::heed_end());
                asked = if ended && !self.at_end { asked.without(&ask::heed_end()) } else { asked };
            }
            self.ask(&mut rest.without(&asked), None, ended);
            self.weigh();
        }
        self.decide(ended)
    }

    /// Concludes with what was found so far.
    pub fn decide(&mut self, ended: bool) -> Decision {
        let mut decision = Decision::from_findings(&mut self.findings);
        decision.excluded = self.excluded;
        decision.decided_at = self.decided_at;
        let nothing = decision.protocol.is_none() && uniform::is_fully_encrypted(&self.head.view(None, ended));
        decision.note = nothing.then_some(FULLY_ENCRYPTED);
        decision
    }
}

/// Whether a UDP flow is assessed at its `n`th payload.
fn is_due(n: u64) -> bool {
    n > 1 && n.is_power_of_two()
}

#[cfg(test)]
mod everybody;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_certain_and_done_spares_the_others() {
        let mut flow = Undecided::new(Transport::Tcp);
        Dir::BOTH.iter().for_each(|&dir| flow.open(dir, 0));
        let request = b"GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";
        let answer = b"HTTP/1.1 200 OK\r\nServer: test\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";
        let sent = flow.segment(1, Time(0), Dir::Originator, 1, request.len(), request);
        assert_eq!((sent, flow.asked), (Progress::Open, ProtocolSet::EMPTY), "one payload waits for the next");
        assert_eq!(flow.segment(2, Time(0), Dir::Responder, 1, answer.len(), answer), Progress::Done);
        assert!(flow.asked.iter().all(|n| ask::common().contains(n)), "only the common ones are asked");
        assert_eq!(flow.conclude(false, || ProtocolSet::EMPTY).protocol, Some("http"));
    }

    #[test]
    fn who_found_something_before_is_not_asked_beside_what_is_certain() {
        let [certain, along, other] = ["dtls", "stun", "openvpn"].map(|name| crate::protocol::index(name).unwrap());
        assert!(ask::beside(certain).contains(along) && !ask::beside(certain).contains(other));
        let mut flow = Undecided::new(Transport::Udp);
        flow.findings = [certain, along, other].map(|n| (n, Finding::default())).into();
        flow.certain = Some(certain);
        flow.datagram(1, Time(0), Dir::Originator, 4, b"abcd");
        flow.datagram(2, Time(0), Dir::Responder, 4, b"abcd");
        assert_eq!(flow.asked, [certain, along].into_iter().collect());
    }

    #[test]
    fn who_can_read_any_datagram_waits_for_a_power_of_two() {
        let openvpn = crate::protocol::index("openvpn").unwrap();
        let mut flow = Undecided::new(Transport::Udp);
        let datagram = |flow: &mut Undecided, n: u64, first: u8| {
            flow.datagram(n, Time(n as i64), Dir::Originator, 40, &[&[first][..], &[0x5a; 39]].concat());
            flow.asked.contains(openvpn)
        };
        let asked = (1..17).map(|n| datagram(&mut flow, n, 0x48)).last();
        assert_eq!(asked, Some(true));
        // The new beginning is news to others.
        assert!(!datagram(&mut flow, 17, 0x19) && flow.asked != ProtocolSet::EMPTY);
        assert!((18..32).all(|n| !datagram(&mut flow, n, 0x48)) && datagram(&mut flow, 32, 0x48));
    }

    #[test]
    fn assessments_thin_out() {
        let due: Vec<u64> = (1..=300).filter(|&n| is_due(n)).collect();
        assert_eq!(due, [2, 4, 8, 16, 32, 64, 128, 256]);
    }
}
