//! What a multicast group tells of messages whose format several protocols share: those of DNS, mDNS and LLMNR.
//!
//! A resolver's question for the name of an address is the same in DNS and in LLMNR. Only where it goes to tells which it is:
//! each of the two multicast protocols has a group of its own (RFC 6762 section 3, RFC 4795 section 2), to which no other
//! protocol's messages go.

use super::ended::Ended;
use crate::flow::Dir;
use crate::packet::Ip;
use crate::protocol::{Bits, Evidence, Family, evidence};

/// The message went to the protocol's group, which IANA assigned to it alone.
static GROUP: Family = Family { id: "flow.group", cap: Bits::whole(6) };

/// The protocols that share the format of messages.
const ALIKE: &[&str] = &["dns", "llmnr", "mdns"];

/// Whose group this is.
fn protocol_of(group: Ip) -> Option<&'static str> {
    let mdns = [Ip::v4([224, 0, 0, 251]), Ip::v6(*b"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\xfb")];
    let llmnr = [Ip::v4([224, 0, 0, 252]), Ip::v6(*b"\xff\x02\0\0\0\0\0\0\0\0\0\0\0\x01\0\x03")];
    match () {
        () if mdns.contains(&group) => Some("mdns"),
        () if llmnr.contains(&group) => Some("llmnr"),
        () => None,
    }
}

/// Calls a flow to a group by that group's protocol if it was called by another of the same format.
pub(super) fn settle(ended: &mut Ended) {
    let to = Dir::BOTH.iter().map(|&dir| ended.flow.end(dir).ip);
    let Some(name) = to.filter(|ip| ip.is_multicast()).find_map(protocol_of) else { return };
    let frame = ended.flow.first_frame;
    let known = ended.decision.as_ref().and_then(|decision| decision.protocol);
    if known.is_none_or(|known| known == name || !ALIKE.contains(&known)) {
        return;
    }
    let Some(decision) = ended.decision_mut() else { return };
    let text = format!("sent to the multicast group of {name}").into();
    decision.evidence.push(Evidence { family: &GROUP, bits: GROUP.cap, frames: [frame].into(), text });
    let odds = decision.odds + GROUP.cap;
    decision.set_odds(name, odds, evidence::sum(&decision.evidence));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_both_families() {
        let group = |text: &str| protocol_of(text.parse::<std::net::IpAddr>().unwrap().into());
        assert_eq!((group("224.0.0.252"), group("ff02::1:3")), (Some("llmnr"), Some("llmnr")));
        assert_eq!((group("224.0.0.251"), group("ff02::fb")), (Some("mdns"), Some("mdns")));
        assert_eq!((group("224.0.0.1"), group("ff02::1")), (None, None));
    }
}
