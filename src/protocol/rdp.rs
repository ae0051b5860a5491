//! RDP, also over UDP (MS-RDPEUDP): an X.224 connection request with a cookie or a negotiation request (MS-RDPBCGR 2.2.1.1 and 2.2.1.2).
//!
//! ```text
//! 01 | flags | 08 00 | protocols (4, LE)      RDP Negotiation Request
//! 02 | flags | 08 00 | protocol (4, LE)       Response          03 | 00 | 08 00 | code (4, LE)    Failure
//! ```

use super::datagrams::{self, Shape};
use super::dialogue::{self, Dialogue, Opening, Role, Said};
use super::framing::be16;
use super::joined::Joined;
use super::tpkt::short;
use super::{Assessment, Bits, Family, Protocol, joined, text};
use crate::flow::Head;
use crate::packet::Transport;
use crate::wire::cursor::Cursor;
use crate::wire::tpkt::{Tpkt, X224, packets};

/// The cookie is 17 bytes of fixed text; the negotiation request has over 50 fixed bits on top of TPKT.
static REQUEST: Family = Family { id: "rdp.connection-request", cap: Bits::whole(26) };
/// The same for the answer.
static CONFIRM: Family = Family { id: "rdp.connection-confirm", cap: Bits::whole(28) };

/// Data joined in the middle, where no TLS hides it: a unit on a channel of T.125 in TPKT with some 70 fixed bits counts 10;
/// updates and input on the fast path, between the units, have a length and little else. H.323's data conferencing, which
/// hardly anyone used, has the same units.
static UNITS: [Family; 2] =
    [Family { id: "rdp.client-units", cap: Bits::whole(14) }, Family { id: "rdp.server-units", cap: Bits::whole(14) }];

/// A SYN of MS-RDPEUDP: no sequence number to acknowledge (FFFFFFFF), two MTUs and zeros up to a size of about 1,200.
static SYN: Family = Family { id: "rdp.udp-syn", cap: Bits::whole(24) };
/// The answer acknowledges the client's initial sequence number: 32 random bits.
static SYN_ACK: Family = Family { id: "rdp.udp-syn-ack", cap: Bits::whole(14) };

static SHAPE: Shape = Shape {
    message: &SYN,
    first: 22,
    further: 1,
    form: "a SYN of RDP over UDP, padded with zeros",
    answer: &SYN_ACK,
    answered: 14,
    link: "the answer acknowledges the client's initial sequence number",
};

/// Data of MS-RDPEUDP joined in the middle: flags of 16 bits of which six may be set, and a vector that is padded to whole
/// words, behind which the datagram ends or carries data. Small numbers in such places are in other protocols, too.
static DATA: Family = Family { id: "rdp.udp-data", cap: Bits::whole(12) };
/// What one side acknowledges is the number that the other sent: 32 random bits.
static ACKNOWLEDGED: Family = Family { id: "rdp.udp-acknowledged", cap: Bits::whole(14) };

static DATA_SHAPE: Shape = Shape {
    message: &DATA,
    first: 8,
    further: 1,
    form: "a header of RDP over UDP with an acknowledgement vector",
    answer: &ACKNOWLEDGED,
    answered: 14,
    link: "a side acknowledges the number of the other's data",
};

/// The recogniser.
pub(super) struct Rdp;

impl Protocol for Rdp {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        // Acknowledged sequence number, receive window, flags: SYN or ACK, and which extensions follow.
        match at {
            6 => byte & 0xe0 == 0,
            7 => byte & 1 == 1 || byte & 0x97 == 4,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| Syn::new(d.bytes));
        if reading.hits.is_empty() {
            let reading = datagrams::read(head, |d| Data::new(d.bytes, d.len));
            let found = datagrams::judge(&reading, &DATA_SHAPE, |a, b| a.number == Some(b.acknowledged));
            // The third version of the protocol hides its header, so without the handshake nothing excludes it.
            let recognised = |finding| Assessment::Recognised(super::Finding { server: None, ..finding });
            return found.map_or(Assessment::NotNow, recognised);
        }
        let opened = reading.answer(|a, b| a.acknowledged == u32::MAX && b.acknowledged == a.initial);
        let only = reading.hits.iter().all(|hit| hit.message.acknowledged == u32::MAX);
        match (opened, only) {
            (Some((asked, reply)), _) => {
                let frames = [asked.datagram.frame, reply.datagram.frame];
                Assessment::Recognised(super::Finding {
                    evidence: vec![
                        datagrams::item(&SYN, SHAPE.first, frames, SHAPE.form),
                        datagrams::item(&SYN_ACK, SHAPE.answered, frames, SHAPE.link),
                    ],
                    spoke: [true; 2],
                    server: Some(reply.datagram.dir),
                    settled: true,
                    ..super::Finding::default()
                })
            }
            (None, true) => reading.conclude(datagrams::judge(&reading, &SHAPE, |_, _| false)),
            (None, false) => Assessment::NotNow,
        }
    }
}

/// The handshake of RDP over UDP (MS-RDPEUDP 2.2.2.1 and 2.2.2.2).
#[derive(Clone, Copy, Debug)]
struct Syn {
    acknowledged: u32,
    initial: u32,
}

impl Syn {
    /// All of it in network order: acknowledged (4) | window (2) | flags (2) | initial (4) | MTU up (2) | MTU down (2).
    fn new(bytes: &[u8]) -> Option<Self> {
        let (&[a, b, c, d, _, _, f1, f2, i, j, k, l, u1, u2, d1, d2], rest) = bytes.split_first_chunk()?;
        let mtu = |n| (1132..=1232).contains(&u16::from_be_bytes(n));
        let padded = || rest.len() >= 1000 && rest.iter().skip(80).all(|&b| b == 0);
        let syn = f2 & 1 == 1 && f1 & 0xe0 == 0 && mtu([u1, u2]) && mtu([d1, d2]) && padded();
        syn.then(|| Self { acknowledged: u32::from_be_bytes([a, b, c, d]), initial: u32::from_be_bytes([i, j, k, l]) })
    }
}

/// What follows the handshake in versions 1 and 2 (MS-RDPEUDP 2.2.2.1, 2.2.2.4, 2.2.2.6 and 2.2.2.7).
#[derive(Clone, Copy, Debug)]
struct Data {
    acknowledged: u32,
    /// That of the data that it carries.
    number: Option<u32>,
}

/// Flags: the acknowledgement vector is there, and data are; what may be set beside them (congestion, its answer, an
/// acknowledgement of vectors, a delayed one).
const ACK: u16 = 4;
const WITH_DATA: u16 = 8;
const ACK_OF_ACKS: u16 = 0x100;
const BESIDE: u16 = 0x20 | 0x40 | ACK_OF_ACKS | 0x400;

impl Data {
    /// All of it in network order: acknowledged (4) | window (2) | flags (2) | vector size (2) | vector | zeros up to a whole
    /// word | reset number (4) if flagged | coded number (4) | number (4) | data
    fn new(bytes: &[u8], len: usize) -> Option<Self> {
        let mut c = Cursor::new(bytes);
        let (acknowledged, _, flags, size) = (c.be32()?, c.be16()?, c.be16()?, usize::from(c.be16()?));
        if flags & ACK == 0
            || flags & !(ACK | WITH_DATA | BESIDE) != 0
            || acknowledged <= u16::MAX.into()
            || size > 2048
        {
            return None;
        }
        c.take(size)?;
        let padding = c.take((size + 2).next_multiple_of(4) - size - 2)?;
        if flags & ACK_OF_ACKS != 0 {
            c.be32()?;
        }
        let number = match flags & WITH_DATA {
            0 => None,
            _ => Some((c.be32()?, c.be32()?).1),
        };
        let ends = if number.is_some() { !c.is_empty() } else { c.is_empty() && bytes.len() == len };
        (ends && padding.iter().all(|byte| *byte == 0)).then_some(Self { acknowledged, number })
    }
}

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "rdp";
    const REFERENCE: &'static str = "MS-RDPBCGR";

    fn client(&self, bytes: &[u8]) -> Opening {
        match Tpkt::new(bytes).and_then(|t| t.x224()) {
            Some(X224::ConnectionRequest { parameters, .. }) => {
                let cookie = parameters.strip_prefix(b"Cookie: ");
                let user = cookie.and_then(|c| text::line(c)).map(|(line, _)| line);
                let negotiation =
                    matches!(parameters.last_chunk(), Some([1, _, 8, 0, protocols, _, 0, 0]) if *protocols < 0x20);
                let (said, name) = match (cookie, negotiation) {
                    (Some(_), _) => ("client requests a connection with an RDP cookie", user),
                    (None, true) => ("client requests a connection with an RDP negotiation request", None),
                    // Old clients send neither; what follows is T.125 with the GCC key (MS-RDPBCGR 2.2.1.3).
                    (None, false) => return conference(bytes),
                };
                Said::new(&REQUEST, 26, said).detail("cookie", name).into()
            }
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        match Tpkt::new(bytes).and_then(|t| t.x224()) {
            Some(X224::ConnectionConfirm { parameters, .. }) => match parameters {
                [2, _, 8, 0, protocol, 0, 0, 0] if *protocol < 0x20 => {
                    Said::new(&CONFIRM, 28, "server confirms with an RDP negotiation response").into()
                }
                [3, 0, 8, 0, 1..=6, 0, 0, 0] => {
                    Said::new(&CONFIRM, 28, "server refuses with an RDP negotiation failure").into()
                }
                [] if matches!(self.client(client), Opening::Spoken(_)) => {
                    Said::new(&CONFIRM, 12, "server confirms the connection").into()
                }
                [] => Opening::Short,
                _ => Opening::Foreign,
            },
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }

    fn joined(&self, bytes: &Joined<'_>, role: Role, _other: &[u8]) -> Opening {
        joined::opening(joined::heaviest(bytes, 7, |b| unit(b, role)), &UNITS, role)
    }
}

/// A unit on the wire in the middle of a connection: its length and what it proves.
///
/// ```text
/// 03 00 length (2) 02 F0 80 | 64 or 68 | initiator (2) | channel (2) | 70 | length (1 or 2) | …     MS-RDPBCGR 2.2.8.1.1
/// 00, 40, 80 or C0, and a number of events | length (1 or 2) | …                              fast path, 2.2.8.1.2
/// ```
fn unit(bytes: &[u8], role: Role) -> Option<(usize, i32)> {
    if let Some(tpkt) = Tpkt::new(bytes) {
        let send = if role == Role::Client { 0x64 } else { 0x68 };
        let Some(X224::Data([kind, _, _, 3, _, 0x70, length @ ..])) = tpkt.x224() else { return None };
        // The length of what the unit carries, which fills the packet.
        let filled = match length {
            [n @ 0..=0x7f, ..] => 14 + usize::from(*n),
            _ => 15 + (be16(length, 0)? & 0x7fff),
        };
        return (*kind == send && filled == tpkt.length).then_some((tpkt.length, 10));
    }
    let [first, high, low, ..] = bytes else { return None };
    let length = if high & 0x80 == 0 { usize::from(*high) } else { usize::from(high & 0x7f) << 8 | usize::from(*low) };
    (first & 3 == 0 && length > 3 && (role == Role::Client || first & 0x3c == 0)).then_some((length, 0))
}

/// An MCS connect-initial with "Duca" or the GCC key after a bare connection request.
fn conference(bytes: &[u8]) -> Opening {
    match packets(bytes).nth(1).and_then(|t| t.x224()) {
        Some(X224::Data([0x7f, 0x65, body @ ..])) if body.len() > 32 => {
            let ours = text::contains(body, b"Duca") || text::contains(body, &[0, 5, 0, 0x14, 0x7c, 0, 1]);
            Opening::or_foreign(ours.then(|| Said::new(&REQUEST, 26, "client joins a T.125 conference as RDP does")))
        }
        Some(X224::Data([] | [0x7f, ..])) | None => Opening::Short,
        _ => Opening::Foreign,
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found, joined};
    use super::super::{Band, evidence::PRIOR, replay};
    use super::*;
    use crate::flow::{Dir, HeadBuf};
    use crate::packet::Time;

    #[test]
    fn the_captures_over_udp_are_recognised() {
        replay::expect(&Rdp, "udp.pcap", Band::Certain);
        replay::expect(&Rdp, "udp-data.pcap", Band::Likely);
    }

    #[test]
    fn negotiation() {
        let request = b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x0b\x00\x00\x00";
        let confirm = b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x1f\x08\x00\x02\x00\x00\x00";
        assert_eq!(found(&Rdp, request, confirm).unwrap().bits(), Bits::whole(54));
        let cookie = b"\x03\x00\x00\x25\x20\xe0\x00\x00\x00\x00\x00Cookie: mstshash=joe\x0d\x0aabcd";
        assert_eq!(found(&Rdp, cookie, confirm).unwrap().details[0].1, "mstshash=joe");
    }

    /// A session joined in the middle: per datagram who sends, what it acknowledges and the number of its data.
    fn over_udp(datagrams: &[(Dir, u32, Option<u32>)]) -> Assessment {
        let mut buf = HeadBuf::new(Transport::Udp);
        for (n, (dir, acknowledged, number)) in (1..).zip(datagrams) {
            let mut bytes = [&acknowledged.to_be_bytes()[..], &[4, 0, 0, 4, 0, 1, n, 0]].concat();
            if let Some(number) = number {
                bytes[7] |= 8;
                bytes.extend([number.to_be_bytes(), number.to_be_bytes()].concat());
                bytes.extend(b"\x17\x03\x03\0\x02ab");
            }
            buf.push_datagram(n.into(), Time(0), *dir, bytes.len(), &bytes);
        }
        Rdp.assess(&buf.view(None, true))
    }

    #[test]
    fn data_over_udp_joined_in_the_middle() {
        use Dir::{Originator as O, Responder as R};
        let (ours, theirs) = (0x1097_6033, 0xe65f_846d);
        let session = [(O, ours, Some(theirs)), (R, theirs, Some(ours + 1)), (O, ours + 1, None), (R, theirs, None)];
        let Assessment::Recognised(finding) = over_udp(&session) else { panic!("not recognised") };
        assert_eq!((finding.bits(), finding.spoke, finding.server), (Bits::whole(11 + 14), [true; 2], None));
        let unrelated = session.map(|(dir, acknowledged, number)| (dir, acknowledged.wrapping_mul(3), number));
        let Assessment::Recognised(finding) = over_udp(&unrelated) else { panic!("not seen") };
        assert!(Band::of(PRIOR + finding.bits()).is_none(), "numbers that nobody sent name nothing");
        assert!(matches!(over_udp(&[(O, 7, None), (R, 9, None)]), Assessment::NotNow), "small numbers are no sequence");
    }

    #[test]
    fn other_iso_transport_is_not_rdp() {
        let confirm = [3, 0, 0, 14, 9, 0xd0, 0, 4, 0, 9, 0, 0xc0, 1, 10];
        assert!(excluded(&Rdp, &[], &confirm));
    }
    #[test]
    fn units_chain_when_joined_in_the_middle() {
        let unit = |kind: u8| [&[3, 0, 0, 20, 2, 0xf0, 0x80, kind, 0, 5, 3, 0xeb, 0x70, 6][..], &[9; 6]].concat();
        let input = [unit(0x64), vec![4, 9, 1, 2, 3, 4, 5, 6, 7]].concat();
        let finding = joined(&Rdp, &input, &unit(0x68).repeat(2)).unwrap();
        assert_eq!(finding.bits(), Bits::whole(10 + 14));
        assert!(
            joined(&Rdp, &[4, 9, 1, 2, 3, 4, 5, 6, 7], &[0, 8, 1, 2, 3, 4, 5, 6])
                .is_none_or(|f| f.bits() < Bits::whole(8))
        );
    }
}
