//! iperf3: its TCP control connection, and the UDP data of a test.

use super::datagrams::{self, item};
use super::{Assessment, Bits, Family, Finding, Frames, Protocol};
use crate::flow::{Dir, Head};
use crate::packet::Transport;
use crate::wire::iperf3::{Data, is_greeting};

/// iperf3.
pub(super) struct Iperf3;

/// Packets count by one while their time stamps advance as the capture's clock does, within 20 ms: 2^-60 a pair for
/// random bytes; telemetry with a time and a serial number in front could do the same.
static COUNT: Family = Family { id: "iperf3.count", cap: Bits::whole(18) };
/// The four-byte word that opens a stream, and its answer.
static GREETING: Family = Family { id: "iperf3.greeting", cap: Bits::whole(12) };
/// Over TCP: a cookie of 36 characters of iperf3's alphabet and a NUL open the connection.
static COOKIE: Family = Family { id: "iperf3.cookie", cap: Bits::whole(16) };
/// Over TCP: the server's state byte, then the test's parameters as JSON behind their length.
static PARAMETERS: Family = Family { id: "iperf3.parameters", cap: Bits::whole(16) };

impl Protocol for Iperf3 {
    fn name(&self) -> &'static str {
        "iperf3"
    }

    fn reference(&self) -> &'static str {
        "github.com/esnet/iperf"
    }

    fn may_have(&self, at: usize, byte: u8) -> bool {
        // Microseconds, below a million.
        match at {
            4 => byte == 0,
            5 => byte <= 0x0f,
            _ => true,
        }
    }

    fn assess(&self, head: &Head<'_>) -> Assessment {
        if head.transport() == Transport::Tcp {
            return over_tcp(head);
        }
        let mut greetings = Vec::new();
        let reading = datagrams::read(head, |d| {
            if d.len == 4 && is_greeting(d.bytes) {
                greetings.push((d.dir, d.frame));
            }
            if d.len >= 16 { Data::new(d.bytes, d.len) } else { None }
        });
        if reading.is_hopeless() || (reading.hits.is_empty() && greetings.is_empty()) {
            return reading.nothing();
        }
        if reading.hits.len() < 2 && greetings.is_empty() {
            return Assessment::NotNow;
        }
        let steps = Dir::BOTH.map(|dir| {
            let pairs = reading.by(dir).zip(reading.by(dir).skip(1));
            let good = pairs.filter(|(a, b)| {
                let time = |d: &Data| i64::from(d.seconds) * 1_000_000 + i64::from(d.microseconds);
                let elapsed = b.datagram.time.since(a.datagram.time) / 1000;
                let apart = b.datagram.nth - a.datagram.nth;
                let count = u64::from(b.message.count.wrapping_sub(a.message.count));
                // What stands still is no clock, however short the time between the two.
                let advance = time(&b.message) - time(&a.message);
                advance > 0 && (advance - elapsed).abs() < 20_000 && (1..=apart * 2).contains(&count)
            });
            good.count() as i32
        });
        let steps = steps[0] + steps[1];
        let mut finding = Finding { spoke: reading.spoke(), ..Finding::default() };
        let foreign = reading.misses.iter().sum::<u64>() > reading.hits.len() as u64 / 4 + greetings.len() as u64;
        if steps > 0 && !foreign {
            let text = "packets count by one, with time stamps that advance as the capture's clock does";
            finding.evidence.push(item(&COUNT, 6 + 3 * steps, reading.frames(|_| true), text));
        }
        let both = greetings.iter().any(|g| g.0 == Dir::Originator) && greetings.iter().any(|g| g.0 == Dir::Responder);
        if !greetings.is_empty() {
            let frames: Frames = greetings.iter().map(|g| g.1).take(4).collect();
            let bits = if both { 12 } else { 6 };
            finding.evidence.push(item(&GREETING, bits, frames, "the word that opens an iperf3 stream"));
            finding.server = greetings.first().map(|g| g.0.other());
            for (dir, _) in &greetings {
                *dir.of_mut(&mut finding.spoke) = true;
            }
        }
        if finding.evidence.is_empty() { Assessment::NotNow } else { Assessment::Recognised(finding) }
    }
}

fn over_tcp(head: &Head<'_>) -> Assessment {
    let [client, server] = Dir::BOTH.map(|dir| head.stream(dir));
    let cookie = client.bytes().get(..37);
    // iperf_util.c make_cookie: a to z and 2 to 7.
    let legal = |c: &[u8]| c.iter().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(b));
    let Some((text, 0)) = cookie.and_then(|c| c.split_last()).map(|(nul, text)| (text, *nul)) else {
        return if client.bytes().len() >= 37 { Assessment::Excluded } else { Assessment::NotNow };
    };
    if !legal(text) {
        return Assessment::Excluded;
    }
    let frames: Frames = [client, server].iter().filter_map(|s| s.origin(0)).map(|(frame, _)| frame).collect();
    let mut finding = Finding { server: Some(Dir::Responder), spoke: [true, false], ..Finding::default() };
    finding.evidence.push(item(
        &COOKIE,
        16,
        frames.clone(),
        "a cookie of 36 characters and a NUL opens the connection",
    ));
    let rest = client.bytes().get(37..).unwrap_or_default();
    if let (Some((9, _)), Some((length, [b'{', ..]))) =
        (server.bytes().split_first().map(|(b, r)| (*b, r)), rest.split_first_chunk::<4>())
        && u32::from_be_bytes(*length) < 4096
    {
        let text = "the server asks for parameters and the client sends them as JSON behind their length";
        finding.evidence.push(item(&PARAMETERS, 16, frames, text));
        (finding.spoke, finding.settled) = ([true; 2], true);
    }
    Assessment::Recognised(finding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Band, replay};

    #[test]
    fn the_capture_is_recognised() {
        replay::expect(&Iperf3, "iperf3-udp.pcap", Band::Likely);
    }
}
