//! ONC RPC over TCP and UDP, on which NFS and the port mapper run (RFC 5531).

use super::dialogue::{self, Dialogue, Opening, Said};
use super::framing::be32;
use super::{Assessment, Bits, Evidence, Family, Finding, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::sunrpc::Message;

/// A call: two fixed words, a program and a version in their ranges: over 80 bits. Alone it may be a probe.
static CALL: Family = Family { id: "sunrpc.call", cap: Bits::whole(24) };
/// A reply: two fixed words and small numbers, but those are zeros and ones.
static REPLY: Family = Family { id: "sunrpc.reply", cap: Bits::whole(10) };
/// Replies of a server alone: another one stands where the record mark leads, 60 bits; over UDP its transaction ID is one
/// above the last, 32 bits.
static FURTHER: Family = Family { id: "sunrpc.further-replies", cap: Bits::whole(8) };
/// The reply bears the call's transaction ID, 32 bits that mostly start at random.
static ECHO: Family = Family { id: "sunrpc.xid-echo", cap: Bits::whole(18) };

/// The recogniser.
pub(super) struct Sunrpc;

impl Protocol for Sunrpc {
    fn name(&self) -> &'static str {
        "sunrpc"
    }

    fn reference(&self) -> &'static str {
        "RFC 5531"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        // Behind the transaction ID, call or reply.
        match at {
            4..=6 => byte == 0,
            7 => byte <= 1,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp { dialogue::assess(&OverTcp, head) } else { over_udp(head) }
    }
}

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "sunrpc";
    const REFERENCE: &'static str = "RFC 5531";

    fn client(&self, bytes: &[u8]) -> Opening {
        match Message::marked(bytes) {
            Some(Message::Call { program, version, .. }) => Said::new(&CALL, 24, "client calls by ONC RPC")
                .detail("program", Some(name(program, version).as_bytes()))
                .into(),
            None if bytes.len() < 28 => short(bytes),
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match (Message::marked(bytes), Message::marked(client)) {
            (Some(Message::Reply { xid }), asked) => {
                let said = Said::new(&REPLY, 10, "server replies by ONC RPC");
                match asked {
                    Some(Message::Call { xid: asked, .. }) if asked == xid => {
                        said.and(&ECHO, 18, 4, "the reply bears the call's transaction ID").into()
                    }
                    _ if client.is_empty() => match further(bytes) {
                        0 => said.unfinished(true).into(),
                        n => said.and(&FURTHER, 4 * n, 4, "more replies, each behind its record mark").into(),
                    },
                    _ => said.into(),
                }
            }
            (None, _) if bytes.len() < 28 => short(bytes),
            _ => Opening::Foreign,
        }
    }
}

/// How many replies follow the first record, each where the record mark of the one before leads.
fn further(bytes: &[u8]) -> i32 {
    let next = |bytes: &mut &[u8]| {
        *bytes = bytes.get(4 + (be32(bytes, 0)? & 0x7fff_ffff) as usize..)?;
        matches!(Message::marked(bytes), Some(Message::Reply { .. })).then_some(())
    };
    let mut rest = bytes;
    std::iter::from_fn(|| next(&mut rest)).take(8).count() as i32
}

/// A record mark has its top bit set, but for the first fragments of long records, and a moderate length.
fn short(bytes: &[u8]) -> Opening {
    let mark = bytes.first().is_none_or(|&b| b & 0x7f == 0);
    let kind = bytes.get(8..12).is_none_or(|kind| matches!(kind, [0, 0, 0, 0..=1]));
    if mark && kind { Opening::Short } else { Opening::Foreign }
}

fn over_udp(head: &Head<'_>) -> Assessment {
    let mut calls: Vec<(u32, Dir)> = Vec::new();
    let mut finding = Finding::default();
    let mut last: [Option<u32>; 2] = [None; 2];
    let mut item = |family: &'static Family, bits: i32, frame: u64, text: &'static str| match finding
        .evidence
        .iter_mut()
        .find(|e: &&mut Evidence| e.family.id == family.id)
    {
        Some(evidence) if evidence.frames.len() < 4 => evidence.frames.push(frame),
        Some(_) => {}
        None => finding.evidence.push(Evidence {
            family,
            bits: Bits::whole(bits),
            frames: [frame].into(),
            text: text.into(),
        }),
    };
    for datagram in head.datagrams() {
        match Message::new(datagram.bytes) {
            Some(Message::Call { xid, .. }) => {
                item(&CALL, 24, datagram.frame, "call by ONC RPC");
                calls.push((xid, datagram.dir));
            }
            Some(Message::Reply { xid }) => {
                item(&REPLY, 10, datagram.frame, "reply by ONC RPC");
                let before = datagram.dir.of_mut(&mut last).replace(xid);
                if before.is_some_and(|before| before.wrapping_add(1) == xid) {
                    item(&FURTHER, 6, datagram.frame, "a reply has the transaction ID behind the last one's");
                }
                if calls.contains(&(xid, datagram.dir.other())) {
                    item(&ECHO, 18, datagram.frame, "the reply bears the call's transaction ID");
                }
            }
            None => {}
        }
    }
    for datagram in head.datagrams() {
        match Message::new(datagram.bytes) {
            Some(Message::Call { .. }) => {
                *datagram.dir.of_mut(&mut finding.spoke) = true;
                finding.server = Some(datagram.dir.other());
            }
            Some(Message::Reply { .. }) => *datagram.dir.of_mut(&mut finding.spoke) = true,
            None => {}
        }
    }
    finding.settled = finding.evidence.iter().any(|e| e.family.id == ECHO.id);
    if finding.evidence.is_empty() { Assessment::NotNow } else { Assessment::Recognised(finding) }
}

/// The programs that are met most, by name (IANA, "RPC program numbers").
fn name(program: u32, version: u32) -> String {
    let known = match program {
        100_000 => "portmapper",
        100_003 => "nfs",
        100_005 => "mountd",
        100_021 => "nlockmgr",
        100_024 => "status",
        _ => return format!("{program} version {version}"),
    };
    format!("{known} version {version}")
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::found;
    use super::*;
    use crate::flow::HeadBuf;
    use crate::packet::Time;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|n| n.to_be_bytes()).collect()
    }

    #[test]
    fn over_tcp_with_a_record_mark() {
        let call = words(&[0x8000_0028, 0x1234_5678, 0, 2, 100_003, 4, 0, 0, 0, 0, 0]);
        let finding = found(&Sunrpc, &call, &words(&[0x8000_0018, 0x1234_5678, 1, 0, 0, 0, 0])).unwrap();
        assert_eq!((finding.bits(), finding.details[0].1.as_str()), (Bits::whole(52), "nfs version 4"));
        let reply = words(&[0x8000_0018, 0x1234_5678, 1, 0, 0, 0, 0]);
        assert_eq!(found(&Sunrpc, b"", &reply.repeat(2)).unwrap().bits(), Bits::whole(14));
        assert!(found(&Sunrpc, b"", &reply).is_none());
    }

    #[test]
    fn over_udp_without() {
        let mut buf = HeadBuf::new(Transport::Udp);
        let call = words(&[99, 0, 2, 100_000, 2, 3, 0, 0, 0, 0]);
        let reply = words(&[99, 1, 0, 0, 0, 0, 2049]);
        buf.push_datagram(1, Time(0), Dir::Originator, call.len(), &call);
        buf.push_datagram(2, Time(0), Dir::Responder, reply.len(), &reply);
        let Assessment::Recognised(finding) = Sunrpc.assess(&buf.view(None, false)) else { panic!() };
        assert_eq!(
            (finding.bits(), finding.server, finding.spoke),
            (Bits::whole(52), Some(Dir::Responder), [true, true])
        );
    }
}
