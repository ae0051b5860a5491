//! Claim against observation: the rules that turn what a flow speaks and what the registry says into a verdict.
//!
//! The registry's claim enters here and nowhere before. The rules are tried in order; the first that fits decides.

pub mod addresses;
pub mod prober;
pub mod record;
pub mod row;
pub mod rows;
pub mod serve;

pub use addresses::Addresses;
pub use prober::Prober;
pub use record::{Announced, Counts, Direction, FlowRecord, IpProto, LeftOut, ServerBy, Summary};
pub use row::{Observed, PortRow, RowKey};
pub use rows::{Rows, Share};

use crate::packet::Transport;
use crate::protocol::{self, ProtocolSet};
use crate::registry::{Claim, ClaimRow, Proto, State};
use std::fmt;

/// What a flow, an endpoint or a port comes to. The order is that of the port row's choice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Verdict {
    /// Named, and the port is assigned to something it cannot be.
    Mismatch,
    /// Not named, and everything that would satisfy the claim is excluded.
    Contradicted,
    /// Named, on a port that is assigned to nothing on this transport.
    Unregistered,
    /// Named, and satisfies the claim.
    Match,
    /// Neither confirmed nor refuted; the reason says why.
    Unverifiable,
    /// Too little was seen to judge.
    Insufficient,
}

impl Verdict {
    /// All of them, in the order of the port row's choice.
    pub const ALL: [Self; 6] =
        [Self::Mismatch, Self::Contradicted, Self::Unregistered, Self::Match, Self::Unverifiable, Self::Insufficient];

    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Contradicted => "contradicted",
            Self::Unregistered => "unregistered",
            Self::Match => "match",
            Self::Unverifiable => "unverifiable",
            Self::Insufficient => "insufficient",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a verdict is `insufficient` or `unverifiable`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// The server side never answered.
    Unanswered,
    /// The server refused (TCP RST, ICMP unreachable).
    Refused,
    /// Packets without payload only.
    NoPayload,
    /// Keepalives only.
    KeepaliveOnly,
    /// Too few bytes.
    Few,
    /// The deciding bytes are missing from the capture.
    Lossy,
    /// The snaplen cut the deciding bytes off.
    Truncated,
    /// No side is the server.
    NoServerSide,
    /// Only an envelope was seen, inside which the service may run.
    Carrier,
    /// The registry claims nothing of this port.
    NoClaim,
    /// The claimed service has no public wire format.
    NoPublicFormat,
    /// There is no recogniser for the claimed service.
    NoRecogniser,
    /// The claimed service was neither seen nor excluded.
    NotExcluded,
}

impl Reason {
    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::NoPayload => "no-payload",
            Self::KeepaliveOnly => "keepalive-only",
            Self::Few => "few",
            Self::Lossy => "lossy",
            Self::Truncated => "truncated",
            Self::NoServerSide => "no-server-side",
            Self::Carrier => "carrier",
            Self::NoClaim => "no-claim",
            Self::NoPublicFormat => "no-public-format",
            Self::NoRecogniser => "no-recogniser",
            Self::NotExcluded => "not-excluded",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a match came about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MatchBy {
    /// The service itself was seen.
    Service,
    /// Only the envelope was seen that the service runs in.
    Wrapper,
}

impl MatchBy {
    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Wrapper => "wrapper",
        }
    }
}

/// Whether the server side answered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Answered {
    /// Its payload was seen.
    Seen,
    /// What the client sent shows that it did.
    Implied,
    /// Multicast or one-way by nature: nobody answers.
    NotExpected,
    /// No.
    No,
}

impl Answered {
    /// The word of contract 1.
    pub fn name(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Implied => "implied",
            Self::NotExpected => "not-expected",
            Self::No => "no",
        }
    }
}

/// What was observed of a flow, as far as a verdict depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The protocol named, from band "likely" up.
    pub protocol: Option<&'static str>,
    /// Whether the server side spoke it: its bytes were seen, or are implied, or none are expected.
    pub server_spoke: bool,
    /// Whether the server side answered at all.
    pub answered: Answered,
    /// A reason why this flow cannot be judged, whatever it is: no payload, keepalives only, refused, no server side.
    pub obstacle: Option<Reason>,
    /// Why a flow without a name may just have shown too little.
    pub shortage: Option<Reason>,
    /// The recognisers that excluded themselves.
    pub excluded: &'a ProtocolSet,
    /// Whether the exchange was seen whole: its start or self-contained datagrams of both sides, no gap, no cut.
    pub complete: bool,
}

/// A verdict with what explains it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, for `insufficient` and `unverifiable`.
    pub reason: Option<Reason>,
    /// How, for `match`.
    pub match_by: Option<MatchBy>,
}

impl Judgement {
    fn plain(verdict: Verdict) -> Self {
        Self { verdict, reason: None, match_by: None }
    }

    fn because(verdict: Verdict, reason: Reason) -> Self {
        Self { verdict, reason: Some(reason), match_by: None }
    }
}

/// Envelopes inside which any service may run.
const CARRIERS: [&str; 4] = ["tls", "dtls", "quic", "http"];

/// The registry's word for a transport.
pub fn proto(transport: Transport) -> Proto {
    match transport {
        Transport::Tcp => Proto::Tcp,
        Transport::Udp => Proto::Udp,
    }
}

/// Judges a flow.
pub fn judge(seen: &Observation<'_>, claim: &Claim) -> Judgement {
    use Verdict::{Contradicted, Insufficient, Unregistered, Unverifiable};
    if let Some(reason) = seen.obstacle {
        return Judgement::because(Insufficient, reason);
    }
    if seen.answered == Answered::No {
        return Judgement::because(Insufficient, Reason::Unanswered);
    }
    let assigned = claim.state == State::Assigned;
    match seen.protocol.filter(|_| seen.server_spoke) {
        Some(_) if !assigned => Judgement::plain(Unregistered),
        Some(name) => judge_named(name, claim),
        // A client's bytes alone never decide, and a server that was not seen cannot contradict.
        None if seen.answered == Answered::Implied => Judgement::because(Insufficient, Reason::Lossy),
        None => {
            if let Some(reason) = seen.shortage {
                return Judgement::because(Insufficient, reason);
            }
            if !assigned {
                return Judgement::because(Unverifiable, Reason::NoClaim);
            }
            match doubt(claim, seen) {
                Some(reason) => Judgement::because(Unverifiable, reason),
                None => Judgement::plain(Contradicted),
            }
        }
    }
}

fn judge_named(name: &'static str, claim: &Claim) -> Judgement {
    let found = claim.by_service().filter_map(|(service, row)| match row {
        Some(row) if row.satisfied_by.contains(&name) => {
            Some(if row.wrapper.contains(&name) { MatchBy::Wrapper } else { MatchBy::Service })
        }
        None if service == name => Some(MatchBy::Service),
        _ => None,
    });
    if let Some(by) = found.min() {
        return Judgement { verdict: Verdict::Match, reason: None, match_by: Some(by) };
    }
    if CARRIERS.contains(&name) && claim.rows.iter().any(is_rowless) {
        return Judgement::because(Verdict::Unverifiable, Reason::Carrier);
    }
    if claim.rows.iter().flatten().any(|row| row.companion.contains(&name)) {
        return Judgement::because(Verdict::Unverifiable, Reason::NotExcluded);
    }
    Judgement::plain(Verdict::Mismatch)
}

/// Whether nothing is known that would make a service's claim true.
fn is_rowless(row: &Option<&ClaimRow>) -> bool {
    row.is_none_or(|row| row.satisfied_by.is_empty())
}

/// Why an unnamed flow on an assigned port does not contradict the claim; `None` if it does.
fn doubt(claim: &Claim, seen: &Observation<'_>) -> Option<Reason> {
    if claim.rows.iter().all(|row| row.is_some_and(|row| row.no_public_format.is_some())) {
        return Some(Reason::NoPublicFormat);
    }
    if claim.rows.iter().any(is_rowless) || claim.satisfiers().any(|name| protocol::index(name).is_none()) {
        return Some(Reason::NoRecogniser);
    }
    let excluded = |name: &str| protocol::index(name).is_some_and(|n| seen.excluded.contains(n));
    if seen.complete && claim.satisfiers().all(excluded) { None } else { Some(Reason::NotExcluded) }
}
