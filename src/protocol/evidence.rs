//! Evidence in bits, how it adds up, and how candidates compete.
//!
//! An item of evidence is a base-2 log-likelihood ratio: how much more probable what was seen is if the flow is the
//! protocol than if it is other traffic. Each item belongs to a [`Family`] whose cap is the most that this kind of
//! observation can honestly prove: repeating it makes chance less likely, but not that another protocol has that shape.
//! Different families speak of independent structure and add.
//!
//! The posterior odds of a candidate are 2^(prior + sum) against everything else, the best competitor included. The prior
//! is the same for every protocol and every port; the registry's claim never enters.

use super::sentence::{Frames, Sentence};
use smallvec::SmallVec;
use std::cmp::Ordering;
use std::fmt;

/// Fixed-point bits, in sixteenths, so that sums do not depend on their order or on the machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Bits(i32);

impl Bits {
    /// No evidence either way.
    pub const ZERO: Self = Self(0);

    /// `n` bits.
    pub const fn whole(n: i32) -> Self {
        Self(n * 16)
    }

    /// `n` sixteenths of a bit.
    pub const fn sixteenths(n: i32) -> Self {
        Self(n)
    }

    /// In bits, exactly (a sixteenth has a finite binary expansion).
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 16.0
    }
}

impl std::ops::Add for Bits {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for Bits {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::iter::Sum for Bits {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a + b)
    }
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1}", self.as_f64())
    }
}

/// One kind of observation, with the most it can prove.
#[derive(PartialEq, Eq, Debug)]
pub struct Family {
    /// Stable identifier, "protocol.what-was-seen".
    pub id: &'static str,
    /// Upper bound of the bits that items of this family may add, together.
    pub cap: Bits,
}

/// Something that was seen and speaks for (or, with negative bits, against) a protocol.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What kind of observation.
    pub family: &'static Family,
    /// Its weight before the cap.
    pub bits: Bits,
    /// The frames it was seen in; the first few are enough.
    pub frames: Frames,
    /// A plain sentence without a full stop: what was seen.
    pub text: Sentence,
}

/// Sums evidence, each family up to its cap.
pub fn sum(evidence: &[Evidence]) -> Bits {
    let first_of_family =
        |n: usize, e: &Evidence| evidence.iter().take(n).all(|other| !std::ptr::eq(other.family, e.family));
    evidence
        .iter()
        .enumerate()
        .filter(|(n, e)| first_of_family(*n, e))
        .map(|(_, e)| {
            let together: Bits = evidence.iter().filter(|o| std::ptr::eq(o.family, e.family)).map(|o| o.bits).sum();
            together.min(e.family.cap)
        })
        .sum()
}

/// Prior odds of any protocol on any flow.
pub const PRIOR: Bits = Bits::whole(-10);

/// How sure: bands of the posterior odds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Band {
    /// Odds of at least 2^4.
    Likely,
    /// Odds of at least 2^10.
    Confident,
    /// Odds of at least 2^20.
    Certain,
}

impl Band {
    /// The band of posterior odds 2^`odds`; none below "likely".
    pub fn of(odds: Bits) -> Option<Self> {
        [(20, Self::Certain), (10, Self::Confident), (4, Self::Likely)]
            .into_iter()
            .find(|(floor, _)| odds >= Bits::whole(*floor))
            .map(|(_, band)| band)
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Likely => "likely",
            Self::Confident => "confident",
            Self::Certain => "certain",
        }
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The posterior probability for odds 2^`odds`.
pub fn probability(odds: Bits) -> f64 {
    1.0 / (1.0 + (-odds.as_f64()).exp2())
}

/// A protocol that goes along in flows of another: seen beside it, it is part of the answer and no competitor.
pub(super) const COMPANIONS: &[(&str, &str)] = &[
    ("ike", "esp-in-udp"),
    ("ike", "esp-in-tcp"),
    ("stun", "rtp"),
    ("stun", "dtls"),
    ("rtcp", "rtp"),
    ("dtls", "rtp"),
    // After an upgrade (RFC 7540 section 3.2).
    ("http2", "http"),
    ("tpkt", "h323"),
    ("tpkt", "rdp"),
    ("tpkt", "s7comm"),
];

/// Whether `name` goes along with `other`.
pub fn goes_along(name: &str, other: &str) -> bool {
    COMPANIONS.contains(&(name, other))
}

/// A protocol that prepares flows of another between the same two hosts: IKE agrees on what ESP then carries, and tinc's
/// connection over TCP on the keys of its datagrams.
const HERALDS: &[(&str, &str)] = &[("ike", "esp-in-udp"), ("ike", "esp-in-tcp"), ("tinc", "tinc")];

/// Whether flows of something are to be expected between hosts that speak `name`.
pub fn is_herald(name: &str) -> bool {
    HERALDS.iter().any(|(herald, _)| *herald == name)
}

/// Whether flows of `other` are to be expected between hosts that speak `name`.
pub fn heralds(name: &str, other: &str) -> bool {
    HERALDS.contains(&(name, other))
}

/// A candidate for a flow.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The protocol's name.
    pub name: &'static str,
    /// The sum of its evidence.
    pub bits: Bits,
}

/// Those of one flow: mostly a single one.
pub type Candidates = SmallVec<[Candidate; 4]>;

/// The outcome of the competition.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Index of the winner among the candidates.
    pub winner: usize,
    /// Its posterior odds, as a power of two.
    pub odds: Bits,
    /// Indices of the candidates that go along with the winner and are at least likely by themselves.
    pub also: Vec<usize>,
    /// Index of the strongest competitor that weighs against the winner, if it has odds above even.
    pub rival: Option<usize>,
}

/// Lets the candidates compete. `None` if there is none.
pub fn compete(candidates: &[Candidate]) -> Option<Outcome> {
    let likely = |c: &Candidate| Band::of(PRIOR + c.bits).is_some();
    let companion = |c: &Candidate| candidates.iter().any(|o| likely(o) && goes_along(c.name, o.name));
    let rank = |a: &(usize, &Candidate), b: &(usize, &Candidate)| -> Ordering {
        // Companions last, then the strongest; of equal ones the first in ALL.
        companion(b.1).cmp(&companion(a.1)).then(a.1.bits.cmp(&b.1.bits)).then(b.0.cmp(&a.0))
    };
    let (winner, best) = candidates.iter().enumerate().max_by(rank)?;
    let others = || candidates.iter().enumerate().filter(|(n, _)| *n != winner);
    let also = others().filter(|(_, c)| likely(c) && goes_along(c.name, best.name)).map(|(n, _)| n).collect();
    let rival = others().filter(|(_, c)| !goes_along(c.name, best.name)).max_by(rank);
    let rival = rival.filter(|(_, c)| PRIOR + c.bits > Bits::ZERO);
    let against = rival.map_or(Bits::ZERO, |(_, c)| PRIOR + c.bits);
    Some(Outcome { winner, odds: PRIOR + best.bits - against, also, rival: rival.map(|(n, _)| n) })
}

#[cfg(test)]
mod tests {
    use super::*;

    static A: Family = Family { id: "test.a", cap: Bits::whole(10) };
    static B: Family = Family { id: "test.b", cap: Bits::whole(20) };

    fn item(family: &'static Family, bits: i32) -> Evidence {
        Evidence { family, bits: Bits::whole(bits), frames: [1].into(), text: "seen".into() }
    }

    #[test]
    fn a_family_counts_up_to_its_cap() {
        assert_eq!(sum(&[item(&A, 8), item(&B, 5), item(&A, 8)]), Bits::whole(15));
        assert_eq!(sum(&[item(&A, 8), item(&A, -3)]), Bits::whole(5));
    }

    #[test]
    fn bands_are_of_posterior_odds() {
        assert_eq!(Band::of(Bits::whole(20)), Some(Band::Certain));
        assert_eq!(Band::of(Bits::sixteenths(20 * 16 - 1)), Some(Band::Confident));
        assert_eq!(Band::of(Bits::whole(4)), Some(Band::Likely));
        assert_eq!(Band::of(Bits::whole(3)), None);
    }

    #[test]
    fn a_competitor_weighs_against() {
        let c = |name, bits| Candidate { name, bits: Bits::whole(bits) };
        let alone = compete(&[c("openvpn", 24)]).unwrap();
        assert_eq!(Band::of(alone.odds), Some(Band::Confident));
        let contested = compete(&[c("dns", 22), c("openvpn", 24)]).unwrap();
        assert_eq!((contested.winner, contested.rival, Band::of(contested.odds)), (1, Some(0), None));
    }

    #[test]
    fn a_companion_is_no_competitor() {
        let c = |name, bits| Candidate { name, bits: Bits::whole(bits) };
        let out = compete(&[c("ike", 60), c("esp-in-udp", 30)]).unwrap();
        assert_eq!((out.winner, out.also, out.rival, out.odds), (1, vec![0], None, Bits::whole(20)));
        let alone = compete(&[c("ike", 60), c("esp-in-udp", 5)]).unwrap();
        assert_eq!((alone.winner, alone.rival), (0, None));
    }
}
