//! Sessions that go on in another flow, because the client floated or a NAT gave it another address or port.
//!
//! Neither flow need show who it is: what tells is that one end stays, the header stays, and the numbers behind it go on
//! where those of the other flow stopped.

use super::merge::{End, Merged};
use crate::flow::Dir;
use crate::packet::Endpoint;
use crate::protocol::evidence::sum;
use crate::protocol::{Bits, Evidence, Family, Strand};
use hashbrown::HashMap;

/// The numbers of another flow to the same end go on here, or those from here there.
///
/// A number of 32 bits follows another within 64 by chance with 2^-26, under a header that is equal, too. So the two flows
/// are one session, and the one is what the other is: it is lent what the other has more. By itself that they are one
/// session says nothing of what they speak.
static MOVED: Family = Family { id: "flow.moved", cap: Bits::whole(13) };

/// How far the numbers may jump between the flows: OpenVPN's replay window.
const GAP: u32 = 64;
/// Flows with the same header at the same end that are looked back at.
const RECENT: usize = 64;

/// The end that stays, whether it receives, and the header.
type Key = (End, bool, u64);

/// Whether a flow may go on in another, or from one.
pub(super) fn may_move(flow: &Merged) -> bool {
    flow.ended.decision.as_deref().is_some_and(|decision| !decision.strands.is_empty())
}

/// Finds the flows that go on in others, and lets both say so.
pub(super) fn join(flows: &mut [Merged]) {
    let pairs = pairs((0..).zip(flows.iter()));
    if !pairs.is_empty() {
        tell(&pairs, &mut (0..).zip(flows).collect());
    }
}

/// A flow and the one that goes on from it.
pub(super) struct Pair {
    earlier: u64,
    later: u64,
    /// The runs that meet.
    runs: (Strand, Strand),
}

/// Flows of which one goes on from the other. `flows` are numbered and in order of their first frames.
pub(super) fn pairs<'a>(flows: impl Iterator<Item = (u64, &'a Merged)>) -> Vec<Pair> {
    let mut seen: HashMap<Key, Vec<(u64, Strand)>> = HashMap::new();
    let mut pairs = Vec::new();
    for (later, flow) in flows {
        let Some(decision) = flow.ended.decision.as_deref() else { continue };
        let keys = |strand: &Strand| keys(flow, strand);
        let fits = |before: &Strand, strand: &Strand| {
            let gap = strand.numbers.0.wrapping_sub(before.numbers.1);
            ((1..=GAP).contains(&gap) && before.frames.1 < strand.frames.0).then_some(gap)
        };
        let before = decision.strands.iter().flat_map(|strand| {
            let known = keys(strand).into_iter().filter_map(|key| seen.get(&key)).flatten();
            known.filter_map(|(earlier, before)| Some((fits(before, strand)?, *earlier, *before, *strand)))
        });
        if let Some((_, earlier, before, strand)) = before.min_by_key(|(gap, earlier, ..)| (*gap, *earlier)) {
            pairs.push(Pair { earlier, later, runs: (before, strand) });
        }
        for (key, strand) in decision.strands.iter().flat_map(|s| keys(s).map(|key| (key, *s))) {
            let known = seen.entry(key).or_default();
            if known.len() == RECENT {
                known.remove(0);
            }
            known.push((later, strand));
        }
    }
    pairs
}

/// Either end may be the one that stays.
fn keys(flow: &Merged, strand: &Strand) -> [Key; 2] {
    let key = &flow.ended.flow.key;
    let end = |dir: Dir| (flow.ended.flow.end(dir), key.transport, key.tunnel);
    [(end(strand.dir.other()), true, strand.mark), (end(strand.dir), false, strand.mark)]
}

/// Lets the flows of each pair say so. Gives those that had not said it yet.
pub(super) fn tell(pairs: &[Pair], flows: &mut HashMap<u64, &mut Merged>) -> Vec<u64> {
    // What is known is carried along a session of many flows, first one way and then the other.
    let later = pairs.iter().filter(|pair| pair.tell(flows, true)).map(|pair| pair.later).collect::<Vec<u64>>();
    let earlier = pairs.iter().rev().filter(|pair| pair.tell(flows, false)).map(|pair| pair.earlier);
    earlier.chain(later).collect()
}

impl Pair {
    /// Lets one of the two say what it has from the other. False if there is no news.
    fn tell(&self, flows: &mut HashMap<u64, &mut Merged>, later: bool) -> bool {
        let (to, from) = if later { (self.later, self.earlier) } else { (self.earlier, self.later) };
        let Some(from) = flows.get(&from) else { return false };
        let [a, b] = Dir::BOTH.map(|dir| show(from.ended.flow.end(dir)));
        let (last, first) = (self.runs.0.numbers.1, self.runs.1.numbers.0);
        let text = if later {
            format!(
                "packet ID {first} goes on where {last} of the flow between {a} and {b} stopped, under the same header: one session"
            )
        } else {
            format!(
                "after packet ID {last} the flow between {a} and {b} goes on with {first}, under the same header: one session"
            )
        };
        let Some(known) = from.ended.decision.as_deref() else { return false };
        let (odds, name) = (known.odds, known.protocol.or(known.suspected));
        let Some(decision) = flows.get_mut(&to).and_then(|flow| flow.ended.decision_mut()) else {
            return false;
        };
        let told = decision.evidence.iter().any(|e| e.family == &MOVED && e.text.in_words() == text);
        let Some(name) = decision.protocol.or(decision.suspected).filter(|own| !told && Some(*own) == name) else {
            return false;
        };
        let lent = decision.evidence.iter().filter(|e| e.family == &MOVED).map(|e| e.bits).sum::<Bits>();
        let bits = (odds - decision.odds).max(Bits::ZERO).min(MOVED.cap - lent);
        let frames = [self.runs.0.frames.1, self.runs.1.frames.0].into();
        decision.evidence.push(Evidence { family: &MOVED, bits, frames, text: text.into() });
        let (odds, sum) = (decision.odds + bits, sum(&decision.evidence));
        decision.set_odds(name, odds, sum);
        true
    }
}

fn show(end: Endpoint) -> std::net::SocketAddr {
    std::net::SocketAddr::new(end.ip.to_std(), end.port)
}
