//! IANA's service name and port number registry, and what we know beside it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`compact`] | the embedded form of the registry, and look-up in it |
//! | [`entry`] | one row as IANA publishes it |
//! | [`import`] | from IANA's CSV or XML to checked rows |
//! | [`diff`] | what differs between two snapshots |
//! | [`check`] | the checks a new file must pass |
//! | [`encode`] | from rows to the compact form |
//! | [`claims`] | which protocols make the claim of a registered service true |
//! | [`lore`] | what really runs on a port: hearsay with its source, never evidence |
//!
//! A claim is what the registry says of a port and transport (RFC 6335). It is looked up beside what was
//! observed and never enters the recognition.

mod by_port;
pub mod check;
pub mod claims;
pub mod compact;
pub mod diff;
pub mod encode;
pub mod entry;
pub mod import;
pub mod lore;
mod xml;

use std::fmt;

pub use claims::{ClaimRow, protocols, satisfying};
pub use compact::{Registry, Row};
pub use lore::{Lore, lore};

/// The transports whose flows are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proto {
    /// Transmission Control Protocol.
    Tcp,
    /// User Datagram Protocol.
    Udp,
}

impl Proto {
    /// "tcp" or "udp".
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// The set that holds only this transport.
    pub fn transports(self) -> Transports {
        match self {
            Self::Tcp => Transports::TCP,
            Self::Udp => Transports::UDP,
        }
    }
}

/// A set of the registry's transports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Transports(u8);

impl Transports {
    /// No transport given: such a row counts for any.
    pub const NONE: Self = Self(0);
    /// TCP.
    pub const TCP: Self = Self(1);
    /// UDP.
    pub const UDP: Self = Self(2);
    /// SCTP.
    pub const SCTP: Self = Self(4);
    /// DCCP.
    pub const DCCP: Self = Self(8);
    const NAMES: [(Self, &'static str); 4] =
        [(Self::TCP, "tcp"), (Self::UDP, "udp"), (Self::SCTP, "sctp"), (Self::DCCP, "dccp")];

    /// The set with one name, "" being none; `None` for a transport the registry does not know.
    pub fn named(name: &str) -> Option<Self> {
        if name.is_empty() {
            return Some(Self::NONE);
        }
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(set, _)| *set)
    }

    /// The set with these low four bits (tcp, udp, sctp, dccp).
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self(bits & 15)
    }

    /// The low four bits: tcp, udp, sctp, dccp.
    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a row with these transports counts for `proto`: it names it, or names none.
    pub fn cover(self, proto: Proto) -> bool {
        self.is_empty() || self.0 & proto.transports().0 != 0
    }

    /// Whether no transport is named.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().filter(move |(set, _)| self.0 & set.0 != 0).map(|(_, name)| *name)
    }
}

impl fmt::Display for Transports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

/// The three ranges of RFC 6335, section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Range {
    /// 0-1023.
    System,
    /// 1024-49151.
    User,
    /// 49152-65535: never assigned.
    Dynamic,
}

impl Range {
    /// The range a port lies in.
    pub fn of(port: u16) -> Self {
        match port {
            0..=1023 => Self::System,
            1024..=49151 => Self::User,
            _ => Self::Dynamic,
        }
    }

    /// "system", "user" or "dynamic".
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Dynamic => "dynamic",
        }
    }
}

/// What the registry says of a port on a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// At least one service name is assigned.
    Assigned,
    /// Nothing on this transport, a service name on another. Most such ports carry a Reserved row for
    /// this transport (RFC 6335, section 8.1.1); the other transport's name says more and wins.
    AssignedOtherTransport,
    /// Kept by IANA.
    Reserved,
    /// Free.
    Unassigned,
    /// An assignment was taken back or given up.
    DeAssigned,
    /// 49152-65535: never assigned.
    Dynamic,
}

impl State {
    /// The state as the JSON Lines contract spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assigned => "assigned",
            Self::AssignedOtherTransport => "assigned-other-transport",
            Self::Reserved => "reserved",
            Self::Unassigned => "unassigned",
            Self::DeAssigned => "de-assigned",
            Self::Dynamic => "dynamic",
        }
    }
}

/// What the registry claims of a port on a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The state of the port on this transport.
    pub state: State,
    /// The assigned service names in the registry's order, historic aliases last; for
    /// [`State::AssignedOtherTransport`] the names on the other transports.
    pub services: Vec<String>,
    /// What makes the claim of each of `services` true, as far as that is known.
    pub rows: Vec<Option<&'static ClaimRow>>,
    /// The transports of `services` for [`State::AssignedOtherTransport`], else empty.
    pub other_transports: Transports,
}

impl Claim {
    /// A claim without services.
    pub(crate) const fn none(state: State) -> Self {
        Self { state, services: Vec::new(), rows: Vec::new(), other_transports: Transports::NONE }
    }

    /// What the registry says, whatever is known of the services beside.
    pub fn registered(&self) -> (State, &[String], Transports) {
        (self.state, &self.services, self.other_transports)
    }

    /// The services, each with what makes its claim true.
    pub fn by_service(&self) -> impl Iterator<Item = (&str, Option<&'static ClaimRow>)> {
        self.services.iter().map(String::as_str).zip(self.rows.iter().copied())
    }

    /// The protocols that would satisfy the claim, as far as that is known.
    pub fn satisfiers(&self) -> impl Iterator<Item = &'static str> {
        self.rows.iter().flatten().flat_map(|row| row.satisfied_by.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_where_rfc_6335_says() {
        let names = [0, 1023, 1024, 49151, 49152, 65535].map(|port| Range::of(port).name());
        assert_eq!(names, ["system", "system", "user", "user", "dynamic", "dynamic"]);
    }

    #[test]
    fn a_set_of_transports_prints_its_names() {
        assert_eq!(Transports::UDP.with(Transports::TCP).to_string(), "tcp, udp");
        assert_eq!(Transports::named("sctp"), Some(Transports::SCTP));
        assert_eq!(Transports::named("quic"), None);
        assert!(Transports::NONE.cover(Proto::Udp) && !Transports::TCP.cover(Proto::Udp));
    }
}
