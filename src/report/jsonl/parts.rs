//! What several records have in common.

use crate::packet::Endpoint;
use crate::protocol::evidence::{Band, Bits, Evidence, probability};
use crate::registry::{State, Transports};
use serde::{Serialize, Serializer};
use std::borrow::Cow;

pub(super) const SCHEMA: &str = "portproof/1";

/// An end of a flow.
#[derive(Serialize)]
pub(super) struct End {
    ip: String,
    port: u16,
}

impl From<Endpoint> for End {
    fn from(end: Endpoint) -> Self {
        Self { ip: end.ip.to_string(), port: end.port }
    }
}

/// Something counted in both directions.
#[derive(Serialize)]
pub(super) struct Pair {
    client: u64,
    server: u64,
}

impl From<(u64, u64)> for Pair {
    fn from((client, server): (u64, u64)) -> Self {
        Self { client, server }
    }
}

/// What the registry claims of a port.
#[derive(Serialize)]
pub(super) struct ClaimOf<'a> {
    state: &'static str,
    services: Vec<&'a str>,
    /// Where the names are assigned, with state assigned-other-transport.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other_transports: Vec<&'static str>,
}

impl<'a> ClaimOf<'a> {
    pub(super) fn new(state: State, services: impl Iterator<Item = &'a str>, other: Transports) -> Self {
        Self { state: state.name(), services: services.collect(), other_transports: other.names().collect() }
    }
}

/// An item of evidence.
#[derive(Serialize)]
pub(super) struct Item<'a> {
    id: &'static str,
    #[serde(serialize_with = "bits")]
    bits: Bits,
    frames: &'a [u64],
    text: Cow<'a, str>,
}

impl<'a> From<&'a Evidence> for Item<'a> {
    fn from(item: &'a Evidence) -> Self {
        Self { id: item.family.id, bits: item.bits, frames: &item.frames, text: item.text.in_words() }
    }
}

fn bits<S: Serializer>(bits: &Bits, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(bits.as_f64())
}

/// The posterior, rounded down to six places: nothing is ever proven, so it never reads 1.
pub(super) fn confidence(band: Option<Band>, odds: Bits) -> Option<f64> {
    band.map(|_| (probability(odds) * 1e6).floor().min(999_999.0) / 1e6)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
pub(super) fn is_zero(count: &u64) -> bool {
    *count == 0
}
