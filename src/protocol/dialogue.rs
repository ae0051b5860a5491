//! What recognisers of protocols over TCP have in common: a client and a server, each with first bytes of its own shape.
//!
//! A recogniser says by [`Dialogue`] what it makes of each side's first bytes; here that is turned into an assessment.
//! The side that sent the SYN is the client. Where no SYN was captured both ways are tried.
//!
//! A foreign first byte of the server excludes the protocol when the start was seen, whatever the client said: a client
//! alone may be a probe, or may have the wrong port.

use super::announce::Reader;
use super::joined::{self, Joined};
use super::{Assessment, Bits, Evidence, Family, Finding, Protocol, Sentence};
use crate::flow::{Dir, Head, Stream};
use crate::packet::Transport;
use arrayvec::ArrayVec;
use std::borrow::Cow;

/// What the server answers is not the protocol that the client spoke.
static FOREIGN_ANSWER: Family = Family { id: "flow.foreign-answer", cap: Bits::ZERO };

/// A protocol over TCP that shows itself in the first bytes of its client and of its server.
pub(super) trait Dialogue: Sync {
    /// See [`Protocol::name`].
    const NAME: &'static str;
    /// See [`Protocol::reference`].
    const REFERENCE: &'static str;
    /// Whether both sides speak alike, so that the bytes do not show who serves.
    const SYMMETRIC: bool = false;
    /// See [`Protocol::announces`].
    const ANNOUNCES: Option<Reader> = None;

    /// Whether both sides speak in lines of text, so that those which the snaplen cut are worth reading. See [`joined::lines`].
    const LINES: bool = false;

    /// Whether servers of this protocol are known to answer in ways that no specification allows, or in none: then an
    /// answer that is foreign excludes the protocol only where the client's first bytes are foreign, too.
    const FORGIVING: bool = false;

    /// Judges what the client sent first; there is at least one byte.
    fn client(&self, bytes: &[u8]) -> Opening;

    /// Judges what the server sent first; there is at least one byte. `client` is what the client has sent so far.
    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening;

    /// Judges what `role` sent, joined in the middle, if its first bytes are no opening; `other` is what the other side sent.
    /// Foreign: more bytes will not help.
    fn joined(&self, _bytes: &Joined<'_>, _role: Role, _other: &[u8]) -> Opening {
        Opening::Foreign
    }
}

/// A side of a dialogue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// The side that opened the connection.
    Client,
    /// The side that was connected to.
    Server,
}

impl Role {
    /// The element of a (client, server) pair.
    pub(super) fn of<T>(self, [client, server]: &[T; 2]) -> &T {
        match self {
            Self::Client => client,
            Self::Server => server,
        }
    }
}

/// What one side's first bytes are.
#[derive(Debug)]
pub(super) enum Opening {
    /// Too few to tell.
    Short,
    /// Not this protocol, whatever follows.
    Foreign,
    /// Nothing against the protocol, and nothing for it.
    Neutral,
    /// This protocol.
    Spoken(Said),
}

/// What a side said. It is handed on often, so it lies behind a pointer, and everything in one piece.
#[derive(Debug)]
pub(super) struct Said(Box<Parts>);

/// Parts of what a side said.
#[derive(Debug, Default)]
struct Parts {
    /// With the place of the first byte instead of the frame.
    evidence: ArrayVec<Evidence, 3>,
    variant: Option<Cow<'static, str>>,
    details: ArrayVec<(&'static str, String), 3>,
    unfinished: bool,
}

impl Said {
    /// `bits` of evidence, seen in the first byte of the direction.
    pub(super) fn new(family: &'static Family, bits: i32, text: impl Into<Sentence>) -> Self {
        Self(Box::default()).and(family, bits, 0, text)
    }

    /// More evidence, of another family, seen at byte `offset`; there is room for three items.
    pub(super) fn and(mut self, family: &'static Family, bits: i32, offset: usize, text: impl Into<Sentence>) -> Self {
        let (bits, frames) = (Bits::whole(bits), [offset as u64].into());
        let added = self.0.evidence.try_push(Evidence { family, bits, frames, text: text.into() });
        debug_assert!(added.is_ok(), "no room for {}", family.id);
        self
    }

    /// The protocol's form.
    pub(super) fn variant(mut self, variant: impl Into<Cow<'static, str>>) -> Self {
        self.0.variant = Some(variant.into());
        self
    }

    /// A fact worth showing, if there is one; there is room for three. Bytes that are no UTF-8 are replaced.
    pub(super) fn detail(mut self, name: &'static str, value: Option<&[u8]>) -> Self {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            let text =
                std::str::from_utf8(value).map_or_else(|_| String::from_utf8_lossy(value).into_owned(), str::to_owned);
            let added = self.0.details.try_push((name, text));
            debug_assert!(added.is_ok(), "no room for {name}");
        }
        self
    }

    /// More bytes of this side may say more.
    pub(super) fn unfinished(mut self, unfinished: bool) -> Self {
        self.0.unfinished = unfinished;
        self
    }
}

impl From<Said> for Opening {
    fn from(said: Said) -> Self {
        Self::Spoken(said)
    }
}

impl Opening {
    /// `said`, or foreign if there is none.
    pub(super) fn or_foreign(said: Option<Said>) -> Self {
        said.map_or(Self::Foreign, Self::from)
    }

    fn is_decided(&self) -> bool {
        match self {
            Self::Short => false,
            Self::Foreign | Self::Neutral => true,
            Self::Spoken(said) => !said.0.unfinished,
        }
    }
}

impl<D: Dialogue> Protocol for D {
    fn name(&self) -> &'static str {
        D::NAME
    }

    fn reference(&self) -> &'static str {
        D::REFERENCE
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        assess(self, head)
    }

    fn announces(&self) -> Option<Reader> {
        D::ANNOUNCES
    }
}

/// Judges a head by a dialogue; for recognisers that do more than that.
pub(super) fn assess<D: Dialogue>(protocol: &D, head: &Head<'_>) -> Assessment {
    if head.transport() != Transport::Tcp {
        return Assessment::Excluded;
    }
    let (originator, responder) = (head.stream(Dir::Originator), head.stream(Dir::Responder));
    if originator.bytes().is_empty() && responder.bytes().is_empty() {
        return Assessment::NotNow;
    }
    let forward = converse(protocol, originator, responder, Dir::Responder);
    if originator.start_seen() || responder.start_seen() {
        return forward;
    }
    // Nobody saw who opened the connection, so the roles may be the other way round.
    let backward = converse(protocol, responder, originator, Dir::Originator);
    match (&forward, &backward) {
        (Assessment::Recognised(f), Assessment::Recognised(b)) if b.bits() > f.bits() => backward,
        (Assessment::Recognised(_), _) | (Assessment::Never, Assessment::Never) => forward,
        (_, Assessment::Recognised(_)) => backward,
        (Assessment::Until(side), Assessment::Until(same)) if side == same => forward,
        _ => Assessment::NotNow,
    }
}

/// Judges one distribution of the roles.
fn converse<D: Dialogue>(protocol: &D, client: Stream<'_>, server: Stream<'_>, serves: Dir) -> Assessment {
    let said = |stream| if D::LINES { joined::lines(stream) } else { Cow::Borrowed(stream.bytes()) };
    let [question, answer] = [said(client), said(server)];
    let (question, answer) = (&*question, &*answer);
    let answered = match answer {
        [] => Opening::Short,
        _ => match protocol.server(answer, question) {
            Opening::Foreign if !server.start_seen() => {
                protocol.joined(&Joined::new(server, answer), Role::Server, question)
            }
            opening => opening,
        },
    };
    if !D::FORGIVING && server.start_seen() && matches!(answered, Opening::Foreign) {
        return Assessment::Excluded;
    }
    let asked = match question {
        [] => Opening::Short,
        _ => match protocol.client(question) {
            Opening::Foreign if !client.start_seen() => {
                protocol.joined(&Joined::new(client, question), Role::Client, answer)
            }
            opening => opening,
        },
    };
    match (asked, answered) {
        // What a side said is something else, whatever follows; only the other side can say more.
        (Opening::Foreign, Opening::Foreign) if server.start_seen() => Assessment::Excluded,
        (Opening::Foreign, Opening::Foreign) => Assessment::Never,
        (Opening::Foreign, _) if answer.is_empty() => Assessment::Until(serves),
        (_, Opening::Foreign) if question.is_empty() => Assessment::Until(serves.other()),
        (
            Opening::Short | Opening::Neutral | Opening::Foreign,
            Opening::Short | Opening::Neutral | Opening::Foreign,
        ) => Assessment::NotNow,
        (asked, answered) => {
            let finding = find(asked, answered, client, server, serves);
            Assessment::Recognised(Finding { server: (!D::SYMMETRIC).then_some(serves), ..finding })
        }
    }
}

/// What was said, as a finding.
fn find(asked: Opening, answered: Opening, client: Stream<'_>, server: Stream<'_>, serves: Dir) -> Finding {
    let settled = asked.is_decided() && answered.is_decided();
    let against = matches!(answered, Opening::Foreign) && server.start_seen();
    let mut finding = Finding { settled, ..Finding::default() };
    let said = [asked, answered].map(|opening| match opening {
        Opening::Spoken(Said(parts)) => Some(parts),
        _ => None,
    });
    let count = |of: fn(&Parts) -> usize| said.iter().flatten().map(|parts| of(parts)).sum::<usize>();
    finding.evidence.reserve_exact(count(|parts| parts.evidence.len()) + usize::from(against));
    finding.details.reserve_exact(count(|parts| parts.details.len()));
    // The server's form decides, so its variant comes last.
    for (parts, (stream, dir)) in said.into_iter().zip([(client, serves.other()), (server, serves)]) {
        let Some(parts) = parts else { continue };
        *dir.of_mut(&mut finding.spoke) = true;
        finding.variant = parts.variant.or(finding.variant);
        finding.details.extend(parts.details);
        finding.evidence.extend(parts.evidence.into_iter().map(|mut item| {
            let origins = item.frames.iter().filter_map(|place| stream.origin(*place as usize));
            item.frames = origins.map(|(frame, _)| frame).collect();
            item
        }));
    }
    if let Some((frame, _)) = server.origin(0).filter(|_| against) {
        let text = "the server's answer is something else".into();
        finding.evidence.push(Evidence {
            family: &FOREIGN_ANSWER,
            bits: Bits::whole(-10),
            frames: [frame].into(),
            text,
        });
    }
    finding
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::Time;

    /// The assessment of a connection seen from its SYN.
    pub(in crate::protocol) fn assess<P: Protocol>(protocol: &P, client: &[u8], server: &[u8]) -> Assessment {
        let mut buf = HeadBuf::new(Transport::Tcp);
        for (frame, dir, bytes) in [(4, Dir::Originator, client), (5, Dir::Responder, server)] {
            buf.stream_mut(dir).open(0);
            buf.stream_mut(dir).push(1, frame, Time(0), bytes.len(), bytes);
        }
        protocol.assess(&buf.view(None, false))
    }

    /// The finding of a connection seen from its SYN, if the protocol is at least likely.
    pub(in crate::protocol) fn found<P: Protocol>(protocol: &P, client: &[u8], server: &[u8]) -> Option<Finding> {
        match assess(protocol, client, server) {
            Assessment::Recognised(f) if super::super::Band::of(super::super::evidence::PRIOR + f.bits()).is_some() => {
                Some(f)
            }
            _ => None,
        }
    }

    /// The finding of a connection joined in the middle, whoever sent first.
    pub(in crate::protocol) fn joined<P: Protocol>(protocol: &P, first: &[u8], second: &[u8]) -> Option<Finding> {
        let mut buf = HeadBuf::new(Transport::Tcp);
        for (frame, dir, bytes) in [(1, Dir::Originator, first), (2, Dir::Responder, second)] {
            buf.stream_mut(dir).push(7000, frame, Time(0), bytes.len(), bytes);
        }
        match protocol.assess(&buf.view(None, false)) {
            Assessment::Recognised(f) => Some(f),
            _ => None,
        }
    }

    /// Whether the protocol is excluded for good.
    pub(in crate::protocol) fn excluded<P: Protocol>(protocol: &P, client: &[u8], server: &[u8]) -> bool {
        matches!(assess(protocol, client, server), Assessment::Excluded)
    }
}
