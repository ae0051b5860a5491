//! What a filter expression left out although it asked for its port: frames whose port libpcap's `port` cannot see.
//!
//! Compiled for Ethernet, `port 53` looks for IP right behind the MAC addresses. A VLAN tag, a tunnel or a fragment's
//! missing transport header makes it false without a word.

use crate::capture::Filter;
use crate::packet::{Fate, Frame, Other, Packet, Parser};

/// Looks at the frames that a filter refused.
#[derive(Debug)]
pub struct Hidden {
    ports: Vec<(u16, u16)>,
    parser: Parser,
    packets: Vec<Packet>,
    /// Frames.
    pub seen: HiddenCounts,
}

/// Frames left out because the filter could not see their port.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HiddenCounts {
    /// With a VLAN tag.
    pub tagged: u64,
    /// In a tunnel.
    pub tunnelled: u64,
    /// Fragments after the first.
    pub fragments: u64,
}

impl HiddenCounts {
    /// Adds another capture's.
    pub fn add(&mut self, other: Self) {
        self.tagged += other.tagged;
        self.tunnelled += other.tunnelled;
        self.fragments += other.fragments;
    }
}

impl Hidden {
    /// `None` if the filter does not ask for ports, or says itself how to look behind what it knows.
    pub fn by(filter: &Filter) -> Option<Self> {
        let ports = filter.ports();
        let negated = filter.expression().split(|c: char| !c.is_alphanumeric() && c != '!').any(|w| w == "not")
            || filter.expression().contains('!');
        (!ports.is_empty() && !negated).then(|| Self {
            ports,
            parser: Parser::new(),
            packets: Vec::new(),
            seen: HiddenCounts::default(),
        })
    }

    /// Takes a frame that the filter refused.
    pub fn refused(&mut self, frame: &Frame<'_>) {
        self.packets.clear();
        let fate = self.parser.parse(frame, 0, &mut self.packets);
        if fate == Fate::Other(Other::Fragment) {
            self.seen.fragments += 1;
            return;
        }
        let asked = |port: u16| self.ports.iter().any(|&(first, last)| (first..=last).contains(&port));
        let wanted = self.packets.iter().filter(|p| asked(p.source.port) || asked(p.destination.port));
        if let Some(packet) = wanted.max_by_key(|p| p.vlan.is_some()) {
            if packet.vlan.is_some() {
                self.seen.tagged += 1;
            } else if packet.tunnel.is_some() {
                self.seen.tunnelled += 1;
            }
        }
    }
}
