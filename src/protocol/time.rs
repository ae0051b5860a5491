//! Time: the server sends one number of four bytes, the seconds since 1900, over TCP and UDP (RFC 868).

use super::{Assessment, Bits, Evidence, Family, Finding, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::{Time, Transport};

/// Within a day of the packet's own time: 15 bits by chance; four bytes and no more are a weak frame, so likely at best.
static NOW: Family = Family { id: "time.seconds-since-1900", cap: Bits::whole(16) };

/// Seconds from 1900 to 1970.
const TO_1970: i64 = 2_208_988_800;

/// The recogniser.
pub(super) struct TimeProtocol;

impl Protocol for TimeProtocol {
    fn name(&self) -> &'static str {
        "time"
    }

    fn reference(&self) -> &'static str {
        "RFC 868"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        // The answers of 1970 and after; questions are empty.
        at != 0 || byte >= 0x83
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        match head.transport() {
            Transport::Tcp => over_tcp(head),
            Transport::Udp => over_udp(head),
        }
    }
}

fn over_tcp(head: &Head<'_>) -> Assessment {
    let (client, server) = (head.stream(Dir::Originator), head.stream(Dir::Responder));
    if !client.bytes().is_empty() || server.total() > 4 {
        return Assessment::Excluded;
    }
    match (server.bytes().first_chunk(), server.origin(0)) {
        (Some(number), Some((frame, time))) => judge(*number, frame, time, Dir::Responder),
        _ => Assessment::NotNow,
    }
}

/// The client asks with an empty datagram, so that the answers are all there is.
fn over_udp(head: &Head<'_>) -> Assessment {
    let first = |dir| head.sent_by(dir).find(|d| d.len > 0);
    match Dir::BOTH.map(first) {
        [Some(only), None] | [None, Some(only)] if head.sent_by(only.dir).all(|d| matches!(d.len, 0 | 4)) => {
            match only.bytes.first_chunk().map(|number| judge(*number, only.frame, only.time, only.dir)) {
                Some(Assessment::Recognised(finding)) => Assessment::Recognised(finding),
                _ => Assessment::NotNow,
            }
        }
        // Whoever of the two answers does it with four bytes.
        [Some(a), Some(b)] if a.len != 4 && b.len != 4 => Assessment::Excluded,
        _ => Assessment::NotNow,
    }
}

fn judge(number: [u8; 4], frame: u64, Time(nanoseconds): Time, server: Dir) -> Assessment {
    let off = i64::from(u32::from_be_bytes(number)) - TO_1970 - nanoseconds / 1_000_000_000;
    if off.abs() > 86_400 {
        return Assessment::Excluded;
    }
    let evidence = Evidence {
        family: &NOW,
        bits: Bits::whole(16),
        frames: [frame].into(),
        text: "server sends four bytes that are the time of the packet".into(),
    };
    let mut finding = Finding { evidence: vec![evidence], server: Some(server), ..Finding::default() };
    *server.of_mut(&mut finding.spoke) = true;
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::HeadBuf;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_time_of_the_packet() {
        let judge = |number: u32| {
            let mut buf = HeadBuf::new(Transport::Tcp);
            let stream = buf.stream_mut(Dir::Responder);
            stream.open(0);
            stream.push(1, 5, Time(1_000_000_000 * 1_000_000_000), 4, &number.to_be_bytes());
            TimeProtocol.assess(&buf.view(None, false))
        };
        assert!(matches!(judge(2_208_988_800 + 1_000_000_100), Assessment::Recognised(_)));
        assert!(matches!(judge(1_000_000_100), Assessment::Excluded));
    }

    #[test]
    fn over_udp() {
        replay::expect(&TimeProtocol, "inetd-udp.pcap", Band::Likely);
    }
}
