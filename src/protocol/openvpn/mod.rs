//! OpenVPN on any port: its control channel from the first packet, its data channel from any point of a session.

mod bodies;
mod control;
mod data;
mod exclude;
mod families;
mod framing;
mod items;
mod masked;
mod message;
mod random;
mod resets;
mod scramble;
mod side;
mod static_key;
mod undo;

use super::evidence::PRIOR;
use super::{Assessment, Band, Bits, Evidence, Family, Finding, Protocol, counted};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use families::*;
use message::{Message, Messages};
use undo::Undo;

/// Numbered data in one direction for so long show that the other side answers, nanoseconds.
const HALF_A_MINUTE: i64 = 30_000_000_000;

/// The recogniser.
#[derive(Debug)]
pub(super) struct OpenVpn;

impl Protocol for OpenVpn {
    fn name(&self) -> &'static str {
        "openvpn"
    }

    fn reference(&self) -> &'static str {
        "draft openvpn-wire-protocol; OpenVPN src/openvpn/ssl_pkt.h"
    }

    fn heeds_end(&self) -> bool {
        true
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp && exclude::unframed(head) {
            return Assessment::Excluded;
        }
        let messages = message::gather(head);
        if messages.all.is_empty() {
            return Assessment::NotNow;
        }
        if head.transport() == Transport::Udp && exclude::foreign(&messages.all, head.ended()) {
            return Assessment::Excluded;
        }
        let mut best = channels(&messages.all, head);
        // A scrambled session may look a little like a clear one: byte 0 stays what it is in one of the modes.
        if best.as_ref().is_none_or(|clear| !is_likely(clear) || is_doubtful(clear)) {
            prefer(&mut best, scrambled(&messages.all, head));
        }
        // No header at all is the last thing to think of.
        if best.as_ref().is_none_or(|best| best.bits() <= Bits::whole(6)) {
            prefer(&mut best, keyed(&messages.all, head));
        }
        match best {
            Some(mut finding) => {
                conclude(&messages, head, &mut finding);
                Assessment::Recognised(finding)
            }
            None => Assessment::NotNow,
        }
    }
}

/// Takes what is found next, if it weighs more than the best so far.
fn prefer(best: &mut Option<Finding>, next: Option<Finding>) {
    if let Some(next) = next
        && best.as_ref().is_none_or(|best| next.bits() > best.bits())
    {
        *best = Some(next);
    }
}

fn is_likely(finding: &Finding) -> bool {
    Band::of(PRIOR + finding.bits()).is_some()
}

/// Whether the data channel's header is not one that a server gives out: `xorptrpos` makes such headers of those.
fn is_doubtful(finding: &Finding) -> bool {
    finding.evidence.iter().any(|e| e.family == &DATA_HEADER && e.bits < e.family.cap)
}

/// What the packets show as they are.
fn channels(messages: &[Message<'_>], head: &Head<'_>) -> Option<Finding> {
    combine(control::read(messages), data::read(messages, head))
}

/// What they show under the XOR patch.
fn scrambled(messages: &[Message<'_>], head: &Head<'_>) -> Option<Finding> {
    let mut best = None;
    for undo in Undo::ALL.into_iter().filter(|undo| undo.fits(messages) && undo.may_show(messages)) {
        let mut store = Vec::new();
        let messages = undo.apply(messages, &mut store);
        if let Some(mut finding) = combine(control::read(&messages), data::read_strong(&messages, head)) {
            let under = finding.variant.unwrap_or_default();
            finding.variant = Some(format!("{} {under}", undo.name()).trim().to_owned().into());
            prefer(&mut best, Some(finding));
        }
    }
    if let Some(r) = scramble::read(messages) {
        let variant = Some(r.variant.into());
        let found = Finding { variant, evidence: r.evidence, server: r.server, spoke: r.spoke, ..Finding::default() };
        prefer(&mut best, Some(found));
    }
    best
}

/// What they show as packets of static key mode.
fn keyed(messages: &[Message<'_>], head: &Head<'_>) -> Option<Finding> {
    let reading = static_key::read(messages, head).filter(|r| r.bits() > Bits::ZERO)?;
    Some(Finding {
        variant: Some("static-key".into()),
        spoke: reading.spoke,
        evidence: reading.evidence,
        ..Finding::default()
    })
}

/// One finding of what the two channels show.
fn combine(control: Option<control::Reading>, data: Option<data::Reading>) -> Option<Finding> {
    if control.is_none() && data.is_none() {
        return None;
    }
    let (control, data) = (control.filter(|c| c.bits() > Bits::ZERO), data.filter(|d| d.bits() > Bits::ZERO));
    if control.is_none() && data.is_none() {
        return None;
    }
    let mut finding = Finding::default();
    if let Some(c) = control {
        finding.variant = c.variant.map(Into::into);
        finding.server = c.server;
        finding.spoke = c.spoke;
        finding.implied = c.implied;
        finding.links = c.sessions.iter().flatten().map(|s| super::link("openvpn", &s.0)).collect();
        finding.evidence = c.evidence;
    }
    if let Some(d) = data {
        finding.variant = finding.variant.or(Some(d.variant.into()));
        finding.server = finding.server.or(d.server);
        for dir in Dir::BOTH {
            *dir.of_mut(&mut finding.spoke) |= *dir.of(&d.spoke);
        }
        finding.details.push(("data-channel", d.variant.to_owned()));
        finding.strands = d.strands;
        finding.evidence.extend(d.evidence);
    }
    Some(finding)
}

/// What needs the whole: TCP framing, who is only implied, and whether more could be learned.
fn conclude(messages: &Messages<'_>, head: &Head<'_>, finding: &mut Finding) {
    framing(messages, finding);
    limit(finding);
    for dir in Dir::BOTH {
        // Without an answer a peer stops after its --ping-restart or hand-window; numbered data do not flow into the void.
        let first = messages.all.iter().find(|m| m.dir == dir).map(|m| m.time);
        let lasts = head.last(dir).zip(first).is_some_and(|(last, first)| last.since(first) >= HALF_A_MINUTE);
        let counted = finding.evidence.iter().any(|e| e.family == &DATA_COUNTER);
        *dir.other().of_mut(&mut finding.implied) |= lasts && counted && *dir.of(&finding.spoke);
    }
    finding.implied = [0, 1].map(|i| finding.implied.get(i) == Some(&true) && finding.spoke.get(i) == Some(&false));
    let certain = Band::of(PRIOR + finding.bits()) == Some(Band::Certain);
    let decided = finding.spoke == [true, true] || messages.all.len() >= 16;
    finding.settled = certain && decided && finding.server.is_some();
}

/// What other protocols may have as well as point-to-point mode.
const SHAPE: [&Family; 9] = [
    &DATA_HEADER,
    &DATA_COUNTER,
    &DATA_BOTH,
    &DATA_RANDOM,
    &DATA_LENGTHS,
    &DATA_PING,
    &DATA_BLOCKS,
    &DATA_FRESH,
    &FRAMING,
];
/// One bit less than confident needs.
const SHAPE_ONLY: Bits = Bits::whole(19);

/// Point-to-point mode has a header of no known number, and nothing else that is OpenVPN's own: likely at most.
fn limit(finding: &mut Finding) {
    let random = |e: &Evidence| e.family == &DATA_HEADER && e.bits == Bits::whole(side::SHARED);
    let shape = |e: &Evidence| SHAPE.contains(&e.family);
    let over = finding.bits() - SHAPE_ONLY;
    if finding.evidence.iter().any(random) && finding.evidence.iter().all(shape) && over > Bits::ZERO {
        let text = "the header holds no number that OpenVPN gives out, so that this shape is likely at most";
        let frames = finding.evidence.first().map(|e| e.frames.clone()).unwrap_or_default();
        finding.evidence.push(Evidence { family: &DATA_SHAPE, bits: Bits::ZERO - over, frames, text: text.into() });
    }
}

/// Over TCP, the lengths that led from packet to packet.
fn framing(messages: &Messages<'_>, finding: &mut Finding) {
    let legal = |m: &&Message<'_>| m.first().and_then(crate::wire::openvpn::Opcode::of).is_some();
    let legal = messages.all.iter().filter(legal).count();
    let links = messages.links.len();
    if links >= 2 && legal * 10 >= messages.all.len() * 9 {
        let mut items = items::Items::default();
        let bits = 2 * i32::try_from(links).unwrap_or(i32::MAX / 2);
        let text = counted!("{links} lengths in the stream lead from one packet to the next", links);
        items.add(&FRAMING, bits.min(6), &messages.links, text);
        finding.evidence.extend(items.into_vec());
    }
}
