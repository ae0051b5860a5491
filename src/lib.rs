//! portproof says what the traffic on a port really speaks, and whether that matches IANA's registry.
//!
//! # Layers
//!
//! | module | holds | may use |
//! | --- | --- | --- |
//! | [`wire`] | typed views over the bytes of one message | nothing |
//! | [`packet`] | frame to transport payload | `etherparse` |
//! | [`flow`] | 5-tuple, flow table, the head of a flow | `packet` |
//! | [`protocol`] | recognisers, evidence | `wire`, the head |
//! | [`registry`] | IANA's assignments, claims, lore | nothing |
//! | [`verdict`] | claim against observation | `protocol`, `registry` |
//! | [`process`] | who owns a port of this machine | `packet` |
//! | [`report`] | one file per output format | `verdict`, evidence, `process` |
//! | [`capture`] | capture files and interfaces | frames |
//! | [`pipeline`] | threads, channels, shards, merge, counters | all of those |
//! | `sandbox` | what the process may no longer do (Linux) | nothing |
//! | [`view`] | the full screen: model and drawing | `report`, `verdict`, evidence |
//! | [`cli`] | arguments and subcommands | everything |
//!
//! `tests/layers.rs` enforces the table.

pub mod capture;
pub mod cli;
pub mod flow;
pub mod packet;
pub mod pipeline;
#[cfg(target_os = "linux")]
pub mod process;
pub mod protocol;
pub mod registry;
pub mod report;
#[cfg(target_os = "linux")]
pub mod sandbox;
pub mod verdict;
pub mod view;
pub mod wire;
