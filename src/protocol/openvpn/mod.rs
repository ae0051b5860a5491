//! OpenVPN on any port: its control channel from the first packet, its data channel from any point of a session.

mod control;
mod data;
mod families;
mod framing;
mod message;
mod random;

use super::evidence::PRIOR;
use super::{Assessment, Band, Finding, Protocol};
use crate::flow::{Dir, Head};
use families::FRAMING;
use message::{Message, Messages};

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

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let messages = message::gather(head);
        let control = control::read(&messages.all);
        let data = data::read(&messages.all, head);
        let Some(finding) = combine(&messages, control, data) else { return Assessment::NotNow };
        Assessment::Recognised(finding)
    }
}

/// One finding of what the two channels show.
fn combine(messages: &Messages<'_>, control: Option<control::Reading>, data: Option<data::Reading>) -> Option<Finding> {
    let mut finding = Finding::default();
    if let Some(c) = control.filter(|c| c.bits() > super::Bits::ZERO) {
        finding.variant = c.variant.map(Into::into);
        finding.server = c.server;
        finding.spoke = c.spoke;
        finding.implied = c.implied;
        finding.links = c.sessions.iter().flatten().map(|s| super::link("openvpn", &s.0)).collect();
        finding.evidence = c.evidence;
    }
    if let Some(d) = data.filter(|d| d.bits() > super::Bits::ZERO) {
        finding.variant = finding.variant.or(Some(d.variant.into()));
        finding.server = finding.server.or(d.server);
        for dir in Dir::BOTH {
            *dir.of_mut(&mut finding.spoke) |= *dir.of(&d.spoke);
        }
        finding.details.push(("data-channel", d.variant.to_owned()));
        finding.evidence.extend(d.evidence);
    }
    if finding.evidence.is_empty() {
        return None;
    }
    framing(messages, &mut finding);
    finding.implied = [0, 1].map(|i| finding.implied.get(i) == Some(&true) && finding.spoke.get(i) == Some(&false));
    let certain = Band::of(PRIOR + finding.bits()) == Some(Band::Certain);
    let decided = finding.spoke == [true, true] || messages.all.len() >= 16;
    finding.settled = certain && decided && finding.server.is_some();
    Some(finding)
}

/// Over TCP, the lengths that led from packet to packet.
fn framing(messages: &Messages<'_>, finding: &mut Finding) {
    let legal = |m: &&Message<'_>| m.first().and_then(crate::wire::openvpn::Opcode::of).is_some();
    let legal = messages.all.iter().filter(legal).count();
    let links = messages.links.len();
    if links >= 2 && legal * 10 >= messages.all.len() * 9 {
        let mut items = control::Items::default();
        let bits = 2 * i32::try_from(links).unwrap_or(i32::MAX / 2);
        let text = format!("{links} lengths in the stream lead from one packet to the next");
        items.add(&FRAMING, bits.min(6), &messages.links, text);
        finding.evidence.extend(items.into_vec());
    }
}
