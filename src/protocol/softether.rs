//! SoftEther VPN, where it is visible: its UDP NAT traversal. The VPN itself runs in TLS or looks like noise.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::wire::softether::SoftEther as Message;

/// SoftEther VPN.
pub(super) struct SoftEther;

/// Named elements in big-endian lengths that fill the datagram: 2^-80 for random bytes. What one side alone sends may be a
/// probe.
static PACK: Family = Family { id: "softether.pack", cap: Bits::whole(24) };
/// "IP=…,PORT=…" and nothing else: fixed text, but such an answer is easily thought of.
static ADDRESS: Family = Family { id: "softether.address", cap: Bits::whole(16) };
/// The answer repeats the transaction, or comes to the letter that asks for it.
static ANSWER: Family = Family { id: "softether.answer", cap: Bits::whole(10) };

impl Protocol for SoftEther {
    fn name(&self) -> &'static str {
        "softether"
    }

    fn reference(&self) -> &'static str {
        "SoftEther VPN src/Mayaqua/Pack.c"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => matches!(byte, 0 | b'A' | b'I'),
            1 => matches!(byte, 0 | b'P'),
            2 => matches!(byte, 0 | b'='),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        let reading = datagrams::read(head, |d| match d.bytes {
            [b'A'] | [b'I', b'P', b'=', ..] | [0, 0, 0, 1..=64, 0, 0, 0, ..] if d.is_whole() => Message::new(d.bytes),
            _ => None,
        });
        let told = |wanted: fn(&Message<'_>) -> bool| reading.frames(move |m| wanted(m));
        let packs = told(|m| matches!(m, Message::Pack { opcode: Some(_), .. }));
        let addresses = told(|m| matches!(m, Message::Address));
        if (packs.is_empty() && addresses.is_empty()) || reading.mostly_foreign() {
            return reading.conclude(None);
        }
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        if !packs.is_empty() {
            let bits = 20 + packs.len() as i32;
            finding.evidence.push(item(&PACK, bits, packs, "a PACK with an opcode, whose elements fill the datagram"));
        }
        if !addresses.is_empty() {
            finding.evidence.push(item(&ADDRESS, 16, addresses, "an address and a port in text and nothing else"));
        }
        if let Some((query, reply)) = reading.answer(Message::is_answered_by) {
            let frames = [query.datagram.frame, reply.datagram.frame];
            finding.evidence.push(item(&ANSWER, 10, frames, "the answer belongs to the question before it"));
            finding.server = Some(reply.datagram.dir);
        }
        Assessment::Recognised(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Dir;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        let finding = replay::expect(&SoftEther, "nat-traversal.pcap", Band::Certain);
        assert_eq!(finding.server, Some(Dir::Responder));
    }
}
