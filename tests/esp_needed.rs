//! How many packets ESP and IKE take, measured on testdata: a table of `docs/recognition.md`.
//!
//! Run with `PORTPROOF_BLESS=1` to write the table anew; without, the committed one must be current.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A test.

mod common;

use common::flows::{Flow, Piece};
use common::mutate;
use common::needed::{BANDS, captures, check, judge, main_flow, needed, visible};
use portproof::flow::Dir;
use portproof::packet::Transport;
use std::fmt::Write;
use std::path::Path;

const FOLDERS: [&str; 3] = ["esp-in-udp", "esp-in-tcp", "ike"];
/// Packets left out at the start for "joined in the middle".
const MISSED: usize = 7;

/// Joined in the middle, with no IKE in sight. In TCP a message that begins before the middle is cut.
fn from_the_middle(flow: &Flow) -> Vec<Piece> {
    let ike =
        |p: &&Piece| flow.transport == Transport::Udp && p.data.starts_with(&[0; 4]) && !p.data.starts_with(&[0; 8]);
    let esp: Vec<Piece> = flow.pieces.iter().filter(|p| !ike(p)).cloned().collect();
    mutate::without_start(&esp, MISSED)
}

fn name(path: &Path) -> String {
    path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned()
}

fn table() -> String {
    let mut text = String::from(
        "| capture | protocol | variant | from the start | joined in the middle, no IKE | originator only | responder only \
         | snaplen 96 | snaplen 64 | evidence in bits after packet |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for path in captures(&FOLDERS) {
        let (flow, name) = (main_flow(&path), name(&path));
        let whole = judge(&name, &flow, &flow.pieces);
        let cell = |pieces: &[Piece]| needed(&judge(&name, &flow, pieces));
        let cut = |snaplen| cell(&mutate::cut(&flow.pieces, visible(&flow, snaplen)));
        let middle = if name == "ike" { "-".to_owned() } else { cell(&from_the_middle(&flow)) };
        let steps: Vec<String> = whole.steps.iter().map(|s| format!("{}: {}", s.0, s.1)).collect();
        writeln!(
            text,
            "| {} | {name} | {} | {} | {middle} | {} | {} | {} | {} | {} |",
            path.file_stem().unwrap().to_string_lossy(),
            whole.variant(),
            needed(&whole),
            cell(&mutate::one_way(&flow.pieces, Dir::Originator)),
            cell(&mutate::one_way(&flow.pieces, Dir::Responder)),
            cut(96),
            cut(64),
            steps.join(", ")
        )
        .unwrap();
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_current() {
    check("esp", &table());
}

/// What no change may undo: AEAD and NULL are certain in six packets (a keepalive or marker more), CBC is likely in as many,
/// and certain only where IKE goes along.
#[test]
fn six_packets_are_enough() {
    for path in captures(&["esp-in-udp"]) {
        let flow = main_flow(&path);
        let outcome = judge("esp-in-udp", &flow, &flow.pieces);
        let at = |floor: f64| outcome.steps.iter().find(|s| s.1 >= floor).map(|s| s.0);
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        if file == "kernel-many-spis" {
            // Each SPI sends twice.
            assert!(at(BANDS[1]).is_some_and(|n| n <= 6), "{file} {:?}", outcome.steps);
        } else if outcome.variant() == "cbc" {
            assert!(at(BANDS[0]).is_some_and(|n| n <= 6) && at(BANDS[1]).is_none(), "{file} {:?}", outcome.steps);
        } else {
            let most = if file == "strongswan-ikev1" { 12 } else { 6 };
            assert!(at(BANDS[2]).is_some_and(|n| n <= most), "{file} {:?}", outcome.steps);
        }
    }
}
