//! H.323: call signalling in Q.931 messages over TPKT (H.225.0 section 7.2, Q.931 section 4), and over UDP the messages by which
//! terminals find a gatekeeper and register (RAS, H.225.0 section 7.6 and Annex H).
//!
//! ```text
//! 03 00 length (2) | 08 | 02 | call reference (2) | message type | information elements, 7E user-user last
//! ```
//! The top bit of the call reference is set by the side that was called. RAS is in aligned packed encoding (X.691):
//!
//! ```text
//! |0| kind (5) | options ... up to 16 bits | sequence (16) | 06 | 00 08 91 4A 00 version: ITU-T H.225.0 by its object identifier |
//! ```

use super::datagrams::{self, item};
use super::dialogue::{self, Dialogue, Opening, Said};
use super::{Assessment, Bits, Family, Finding, Protocol};
use crate::flow::Head;
use crate::packet::Transport;
use crate::wire::tpkt::Tpkt;

/// TPKT, discriminator 8, reference length 2, a message type: 48 bits. From a client alone it may be a probe.
static SETUP: Family = Family { id: "h323.setup", cap: Bits::whole(22) };
/// The same with the caller's reference in it.
static ANSWER: Family = Family { id: "h323.answer", cap: Bits::whole(24) };

/// A discovery or registration with the identifier of H.225.0: 56 fixed bits, which occur nowhere else.
static RAS: Family = Family { id: "h323.registration", cap: Bits::whole(24) };
/// A confirmation or rejection of what was requested, with the request's number.
static RAS_ANSWER: Family = Family { id: "h323.registration-answer", cap: Bits::whole(14) };

/// The object identifier of H.225.0, of whatever version.
const IDENTIFIER: [u8; 6] = [6, 0, 8, 0x91, 0x4a, 0];

/// The recogniser.
pub(super) struct H323;

impl Protocol for H323 {
    fn name(&self) -> &'static str {
        OverTcp::NAME
    }

    fn reference(&self) -> &'static str {
        OverTcp::REFERENCE
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        match at {
            0 => byte < 6 << 2,
            4.. => IDENTIFIER.get(at - 4) == Some(&byte),
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return dialogue::assess(&OverTcp, head);
        }
        let reading = datagrams::read(head, |d| Ras::new(d.bytes));
        let identified = |ras: &Ras| matches!(ras, Ras::Identified { .. });
        let count = reading.hits.iter().filter(|hit| identified(&hit.message)).count() as i32;
        if count == 0 {
            return reading.nothing();
        }
        let text = "a discovery of a gatekeeper or a registration, with the identifier of H.225.0";
        let mut finding = Finding {
            evidence: vec![item(&RAS, 20 + 2 * count, reading.frames(identified), text)],
            spoke: reading.spoke(),
            ..Finding::default()
        };
        if let Some((asked, answered)) = reading.answer(Ras::answers) {
            let frames = [asked.datagram.frame, answered.datagram.frame];
            finding.evidence.push(item(&RAS_ANSWER, 14, frames, "the answer bears the request's number"));
            finding.server = Some(answered.datagram.dir);
            finding.settled = true;
        }
        Assessment::Recognised(finding)
    }
}

/// A message of RAS.
#[derive(Clone, Copy, Debug)]
enum Ras {
    /// Discovery and registration: request, confirmation, rejection, by their place in the list of messages.
    Identified { kind: u8, sequence: [u8; 2] },
    /// Any other: nothing in it is fixed.
    Other,
}

impl Ras {
    fn new(bytes: &[u8]) -> Option<Self> {
        let (&[first, _, high, low, rest @ ..], version) = bytes.split_first_chunk::<10>()?;
        let kind = first >> 2;
        match kind {
            0..=5 if rest == IDENTIFIER && matches!(version, [1..=15, ..]) => {
                Some(Self::Identified { kind, sequence: [high, low] })
            }
            6..=24 => Some(Self::Other),
            _ => None,
        }
    }

    /// Whether `later` confirms or rejects it.
    fn answers(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Identified { kind: a, sequence: s }, Self::Identified { kind: b, sequence: t }) => {
                matches!((a, b), (0, 1 | 2) | (3, 4 | 5)) && s == t
            }
            _ => false,
        }
    }
}

struct OverTcp;

impl Dialogue for OverTcp {
    const NAME: &'static str = "h323";
    const REFERENCE: &'static str = "ITU-T H.225.0";

    fn client(&self, bytes: &[u8]) -> Opening {
        match message(bytes) {
            Some((_, 0x05, false)) => Said::new(&SETUP, 22, "client sends a Q.931 SETUP").into(),
            Some((_, 0x62 | 0x5a | 0x7d | 0x75 | 0x7b, _)) => {
                Said::new(&SETUP, 16, "client sends a message of Q.931").into()
            }
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }

    fn server(&self, bytes: &[u8], client: &[u8]) -> Opening {
        let asked = message(client).map(|(reference, ..)| reference);
        match message(bytes) {
            Some((reference, 0x01..=0x03 | 0x07 | 0x0d | 0x5a | 0x62 | 0x6e | 0x75 | 0x7b | 0x7d, called)) => {
                let bits = if called && asked == Some(reference) { 24 } else { 14 };
                Said::new(&ANSWER, bits, "server answers with a message of Q.931").into()
            }
            None => short(bytes),
            _ => Opening::Foreign,
        }
    }
}

/// Call reference, message type, and whether the sender was called.
fn message(bytes: &[u8]) -> Option<(u16, u8, bool)> {
    let tpkt = Tpkt::new(bytes)?;
    let &[8, 2, high, low, kind] = tpkt.payload.first_chunk()? else { return None };
    Some((u16::from_be_bytes([high & 0x7f, low]), kind, high & 0x80 != 0))
}

fn short(bytes: &[u8]) -> Opening {
    let expected = [(0, 3), (1, 0), (4, 8), (5, 2)];
    let fits = expected.iter().all(|&(at, byte)| bytes.get(at).is_none_or(|&b| b == byte));
    if fits && bytes.len() < 9 { Opening::Short } else { Opening::Foreign }
}

#[cfg(test)]
mod tests {
    use super::super::dialogue::tests::{excluded, found};
    use super::*;
    use crate::flow::{Dir, HeadBuf};
    use crate::packet::Time;
    use crate::protocol::{Band, replay};

    /// A message with the identifier of H.225.0 version 4.
    fn ras(first: u8, sequence: u8) -> Vec<u8> {
        [&[first, 0x20, 0, sequence][..], &IDENTIFIER, &[4, 0, 0x11, 2, 0, 0x7c, 7]].concat()
    }

    fn over_udp(datagrams: &[(Dir, Vec<u8>)]) -> Assessment {
        let mut buf = HeadBuf::new(Transport::Udp);
        for (frame, (dir, bytes)) in (1..).zip(datagrams) {
            buf.push_datagram(frame, Time(0), *dir, bytes.len(), bytes);
        }
        H323.assess(&buf.view(None, true))
    }

    #[test]
    fn a_registration_over_udp() {
        let (ours, theirs) = (Dir::Originator, Dir::Responder);
        let admission = (ours, vec![0x26, 0x48, 0, 2, 0x18, 0xc0, 0, 0x34, 0, 0x37, 0, 0x34]);
        let confirmed = [(ours, ras(0x0e, 1)), (theirs, ras(0x12, 1)), admission.clone()];
        let Assessment::Recognised(finding) = over_udp(&confirmed) else { panic!("not recognised") };
        assert_eq!((finding.bits(), finding.server), (Bits::whole(24 + 14), Some(Dir::Responder)));
        let Assessment::Recognised(finding) = over_udp(&[(ours, ras(0x02, 1)), (theirs, ras(0x12, 1))]) else {
            panic!("not recognised")
        };
        assert_eq!((finding.bits(), finding.server), (Bits::whole(24), None), "a registration answers no discovery");
        assert!(matches!(over_udp(&[admission]), Assessment::NotNow));
        assert!(matches!(over_udp(&vec![(ours, vec![0xff; 20]); 8]), Assessment::Excluded));
    }

    #[test]
    fn the_captures_are_recognised() {
        replay::expect(&H323, "setup.pcap", Band::Certain);
        replay::expect(&H323, "registration.pcap", Band::Certain);
    }

    #[test]
    fn setup_and_proceeding() {
        let setup = [3, 0, 0, 12, 8, 2, 0x77, 0xf4, 5, 4, 3, 0x80];
        let proceeding = [3, 0, 0, 12, 8, 2, 0xf7, 0xf4, 2, 0x7e, 0, 0];
        assert_eq!(found(&H323, &setup, &proceeding).unwrap().bits(), Bits::whole(46));
        assert!(excluded(&H323, &setup, &[3, 0, 0, 11, 6, 0xd0, 0, 0, 0, 0, 0]));
        assert!(!excluded(&H323, &setup, &setup[..6]));
    }
}
