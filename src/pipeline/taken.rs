//! A capture thread's side of a live run, as it stands.

use crate::packet::{FragmentCounts, Time, TunnelCounts};
use crate::verdict::{Counts, IpProto};

/// What a capture thread has taken so far, or all of them together.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// Frames by fate.
    pub counts: Counts,
    /// First and last packet.
    pub span: Option<(Time, Time)>,
    /// Traffic without ports.
    pub ipprotos: Vec<IpProto>,
    /// What became of fragmented datagrams.
    pub fragments: FragmentCounts,
    /// Tunnels opened.
    pub tunnels: TunnelCounts,
}

impl Taken {
    /// Adds another capture thread's.
    pub(super) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.span = match (self.span, other.span) {
            (Some((first, last)), Some((a, b))) => Some((first.min(a), last.max(b))),
            (known, other) => known.or(other),
        };
        for kind in &other.ipprotos {
            match self.ipprotos.iter_mut().find(|known| known.protocol == kind.protocol) {
                Some(known) => {
                    known.packets += kind.packets;
                    known.bytes += kind.bytes;
                }
                None => self.ipprotos.push(kind.clone()),
            }
        }
        self.fragments.add(&other.fragments);
        for (kind, opened) in &other.tunnels {
            *self.tunnels.entry(*kind).or_default() += opened;
        }
    }
}
