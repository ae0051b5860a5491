//! The record of the whole run.

use super::parts::{SCHEMA, is_zero};
use crate::packet::FragmentCounts;
use crate::report::when::rfc3339;
use crate::verdict::{Counts, LeftOut, Summary};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
#[serde(remote = "Counts")]
struct Frames {
    received: u64,
    classified: u64,
    other: u64,
    malformed: u64,
    filtered: u64,
    dropped_queue: u64,
    dropped_kernel: u64,
    dropped_interface: u64,
    truncated: u64,
    duplicates: u64,
    #[serde(skip_serializing_if = "is_zero")]
    decrypted: u64,
}

#[derive(Serialize)]
#[serde(remote = "FragmentCounts")]
struct Fragments {
    reassembled: u64,
    incomplete: u64,
    overlapping: u64,
}

#[derive(Serialize)]
#[serde(remote = "LeftOut")]
struct Left {
    flows: u64,
    packets: u64,
    ports: u64,
}

#[derive(Serialize)]
struct Span {
    first: String,
    last: String,
}

/// The summary record.
#[derive(Serialize)]
pub(super) struct SummaryLine<'a> {
    r#type: &'static str,
    schema: &'static str,
    version: &'static str,
    registry: &'a str,
    captures: usize,
    #[serde(with = "Frames")]
    packets: Counts,
    #[serde(with = "Fragments")]
    fragments: FragmentCounts,
    /// Tunnels opened, by kind.
    tunnels: BTreeMap<&'static str, u64>,
    flows: u64,
    evicted: u64,
    hurried: u64,
    /// What the end of a live run left no time to put into a row.
    #[serde(with = "Left", skip_serializing_if = "LeftOut::is_nothing")]
    left_out: LeftOut,
    ports: usize,
    span: Option<Span>,
    /// Files in directories that are no captures.
    skipped: u64,
    /// More is to come: what was reported so far is reported again, with what is new.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    so_far: bool,
}

impl<'a> SummaryLine<'a> {
    pub(super) fn new(summary: &'a Summary, ports: usize) -> Self {
        Self {
            r#type: "summary",
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            registry: &summary.registry,
            captures: summary.captures.len(),
            packets: summary.counts,
            fragments: summary.fragments,
            tunnels: summary.tunnels.iter().map(|(kind, opened)| (kind.name(), *opened)).collect(),
            flows: summary.flows,
            evicted: summary.evicted,
            hurried: summary.hurried,
            left_out: summary.left,
            ports,
            span: summary.span.map(|(first, last)| Span { first: rfc3339(first), last: rfc3339(last) }),
            skipped: summary.skipped,
            so_far: summary.so_far,
        }
    }
}
