//! What NetFlow and IPFIX share: one-way messages from an exporter, with the time and a sequence number in the header.

use super::datagrams::{self, item};
use super::{Assessment, Family, Finding};
use crate::flow::Head;
use crate::wire::ipfix::Export;

/// Judges a head as export messages of one of these versions. The families are those of a whole message, of its time, and
/// of the sequence numbers; `variant` names a version.
pub(super) fn assess(
    head: &Head<'_>,
    versions: &[u8],
    [message, clock, sequence]: [&'static Family; 3],
    variant: impl Fn(u16) -> Option<&'static str>,
) -> Assessment {
    let reading = datagrams::read(head, |d| match d.bytes {
        [0, version, ..] if versions.contains(version) && d.len >= 20 => Export::new(d.bytes, d.len),
        _ => None,
    });
    let Some(first) = reading.hits.first() else { return reading.nothing() };
    // Collectors do not answer.
    if reading.misses != [0; 2] || reading.both() {
        return Assessment::NotNow;
    }
    let mut finding =
        Finding { spoke: reading.spoke(), server: Some(first.datagram.dir.other()), ..Finding::default() };
    let text = "version and counts agree, and the records or sets fill the datagram";
    finding.evidence.push(item(message, 15 + reading.hits.len() as i32, reading.frames(|_| true), text));
    let near = |h: &&datagrams::Hit<'_, Export>| {
        (i64::from(h.message.seconds) - h.datagram.time.0 / 1_000_000_000).abs() < 86_400
    };
    if let Some(hit) = reading.hits.iter().find(near) {
        finding.evidence.push(item(clock, 8, [hit.datagram.frame], "the export time is that of the capture's day"));
    }
    let pairs = reading.hits.iter().zip(reading.hits.iter().skip(1));
    let steps = pairs.map(|(a, b)| b.message.sequence.wrapping_sub(a.message.sequence)).collect::<Vec<_>>();
    if !steps.is_empty() && steps.iter().all(|s| *s < 1 << 16) {
        let text = "the sequence numbers of the messages advance";
        finding.evidence.push(item(sequence, 2 * steps.len() as i32, reading.frames(|_| true), text));
    }
    finding.variant = variant(first.message.version).map(Into::into);
    Assessment::Recognised(finding)
}
