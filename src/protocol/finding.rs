//! What a recogniser answers.

use super::evidence;
use super::{Bits, Evidence};
use crate::flow::Dir;
use std::borrow::Cow;

/// What a recogniser says of a head.
#[derive(Clone, Debug)]
pub enum Assessment {
    /// Nothing yet; ask again when there is more.
    NotNow,
    /// Nothing yet, and nothing before this side sends its first byte.
    Until(Dir),
    /// Nothing, whatever follows; but no exclusion, since nobody saw how the connection began.
    Never,
    /// No continuation can be this protocol, foreign packets among the first few included. It is never asked again.
    Excluded,
    /// There is evidence, strong or weak.
    Recognised(Finding),
}

/// What a recogniser found.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// The protocol's form, as in contract 1 ("tls-crypt", "1.3").
    pub variant: Option<Cow<'static, str>>,
    /// What was seen. At most one item per family.
    pub evidence: Vec<Evidence>,
    /// Who serves, where the bytes show it.
    pub server: Option<Dir>,
    /// Which sides' own bytes are this protocol: originator, responder.
    pub spoke: [bool; 2],
    /// Sides that are known to have answered though their bytes were not seen (an ACK carries their session ID).
    pub implied: [bool; 2],
    /// Nothing more can be learned of the flow: its head may be freed.
    pub settled: bool,
    /// Opaque marks; flows that export an equal one speak of the same session. The merge joins them.
    pub links: Vec<u64>,
    /// Numbered runs of packets that may go on in another flow. The merge joins them.
    pub strands: Vec<Strand>,
    /// Other protocols that were seen inside this one's flow as part of it.
    pub also: Vec<&'static str>,
    /// Facts worth showing, as name and value ("sni", "example.org").
    pub details: Vec<(&'static str, String)>,
}

/// Packets of one direction that count on under a header that stays. If the client comes to have another address, the
/// numbers go on in another flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strand {
    /// Opaque: which header.
    pub mark: u64,
    /// Who sends.
    pub dir: Dir,
    /// The numbers of the first and the last packet.
    pub numbers: (u32, u32),
    /// Their frames.
    pub frames: (u64, u64),
}

impl Finding {
    /// The sum of the evidence, each family up to its cap.
    pub fn bits(&self) -> Bits {
        evidence::sum(&self.evidence)
    }
}
