//! Figures of a live run in Prometheus' text format (version 0.0.4).
//!
//! A port has a series for each protocol and verdict, so scans could make more of them than anybody wants to keep: ports
//! that are insufficient are only counted, and no more than [`PORTS`] are listed.

use crate::verdict::{Counts, Rows, Verdict};
use std::fmt::{self, Write};

/// Ports listed at most.
const PORTS: usize = 2_000;

/// What is told.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a> {
    /// Frames by fate.
    pub counts: &'a Counts,
    /// One row per port.
    pub rows: &'a Rows,
    /// Flows seen.
    pub flows: u64,
    /// Flows that go on.
    pub open: u64,
    /// Flows for which there is room.
    pub room: u64,
    /// Flows forced out because there was no room for more.
    pub evicted: u64,
    /// Flows judged on fewer packets than usual for want of memory, or of time at the end.
    pub hurried: u64,
    /// The registry's date.
    pub registry: &'a str,
}

/// The whole page.
pub fn page(figures: &Figures<'_>) -> String {
    let mut text = String::with_capacity(4096);
    // Writing to a string does not fail.
    let _ = write(figures, &mut text);
    text
}

fn write(figures: &Figures<'_>, out: &mut String) -> fmt::Result {
    let Figures { counts, rows, .. } = figures;
    family(out, "portproof_packets_received_total", "counter", "Frames received.")?;
    writeln!(out, "portproof_packets_received_total {}", counts.received)?;
    family(out, "portproof_packets_total", "counter", "Frames received, by their outermost fate.")?;
    for (fate, count) in [
        ("classified", counts.classified),
        ("other", counts.other),
        ("malformed", counts.malformed),
        ("filtered", counts.filtered),
        ("dropped_queue", counts.dropped_queue),
    ] {
        writeln!(out, "portproof_packets_total{{fate=\"{fate}\"}} {count}")?;
    }
    family(out, "portproof_packets_lost_total", "counter", "Frames that were never received, by who dropped them.")?;
    for (by, count) in [("kernel", counts.dropped_kernel), ("interface", counts.dropped_interface)] {
        writeln!(out, "portproof_packets_lost_total{{by=\"{by}\"}} {count}")?;
    }
    for (name, kind, help, value) in [
        ("portproof_bytes_received_total", "counter", "Bytes of received frames, on the wire.", counts.bytes),
        ("portproof_packets_truncated_total", "counter", "Frames cut by the snaplen.", counts.truncated),
        ("portproof_flows_total", "counter", "Flows seen.", figures.flows),
        ("portproof_flows_open", "gauge", "Flows that go on.", figures.open),
        ("portproof_flows_room", "gauge", "Flows for which there is room.", figures.room),
        ("portproof_flows_evicted_total", "counter", "Flows judged early, for want of room.", figures.evicted),
        (
            "portproof_flows_hurried_total",
            "counter",
            "Flows judged on fewer packets, for want of memory, or of time at the end.",
            figures.hurried,
        ),
    ] {
        family(out, name, kind, help)?;
        writeln!(out, "{name} {value}")?;
    }
    family(out, "portproof_ports", "gauge", "Ports by verdict.")?;
    for verdict in Verdict::ALL {
        let ports = rows.iter().filter(|row| row.verdict() == verdict).count();
        writeln!(out, "portproof_ports{{verdict=\"{verdict}\"}} {ports}")?;
    }
    // A flow's verdict may strengthen, which takes it from one series to another: a gauge, then.
    family(
        out,
        "portproof_port_flows",
        "gauge",
        "Flows so far by port, protocol and verdict; insufficient ports left out.",
    )?;
    for row in rows.iter().filter(|row| row.verdict() != Verdict::Insufficient).take(PORTS) {
        for seen in &row.observed {
            let (port, transport, protocol, verdict) = (row.key.port, row.key.transport, seen.protocol, seen.verdict);
            let labels = format!("port=\"{port}\",transport=\"{transport}\",protocol=\"{protocol}\"");
            writeln!(out, "portproof_port_flows{{{labels},verdict=\"{verdict}\"}} {}", seen.flows)?;
        }
    }
    family(out, "portproof_build_info", "gauge", "Version of the program, date of the registry.")?;
    let (version, registry) = (env!("CARGO_PKG_VERSION"), quoted(figures.registry));
    writeln!(out, "portproof_build_info{{version=\"{version}\",registry=\"{registry}\"}} 1")
}

fn family(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// A label's value: backslash, double quote and line feed are escaped.
fn quoted(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_its_family_before_it() {
        let counts = Counts { received: 12, classified: 10, other: 2, dropped_kernel: 3, ..Counts::default() };
        let rows = Rows::new(false);
        let figures = Figures {
            counts: &counts,
            rows: &rows,
            flows: 4,
            open: 1,
            room: 100,
            evicted: 0,
            hurried: 0,
            registry: "2026-08-17",
        };
        let page = page(&figures);
        let mut family = "";
        for line in page.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(declared) => family = declared.split(' ').next().unwrap(),
                None if line.starts_with('#') => {}
                None => {
                    let (name, value) = line.rsplit_once(' ').unwrap();
                    assert_eq!(name.split('{').next(), Some(family), "{line}");
                    assert!(value.parse::<u64>().is_ok(), "{line}");
                }
            }
        }
        assert!(page.contains("portproof_packets_total{fate=\"classified\"} 10\n"));
        assert!(page.contains("portproof_packets_lost_total{by=\"kernel\"} 3\n"));
        assert!(page.ends_with("registry=\"2026-08-17\"} 1\n"));
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(quoted("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
