//! The full-screen view, drawn on paper: what it shows of the demo captures, at two sizes.
//!
//! After a change that is meant to change it: `PORTPROOF_BLESS=1 cargo test --test view`, then look at `tests/view`.
#![allow(clippy::unwrap_used, clippy::panic)]

use portproof::capture::Merged;
use portproof::packet::Transport;
use portproof::pipeline::{Captured, Control, Options, watch_capture};
use portproof::registry::Registry;
use portproof::view::{Model, Seen, draw};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What was seen of the demo captures, second by second.
fn snapshots() -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/demo");
    let ports = [1196, 1197, 2797, 2897, 3197];
    let paths: Vec<PathBuf> = ports.iter().map(|port| folder.join(format!("{port}.pcap"))).collect();
    let merged = Merged::open(&paths, |path, error| panic!("{}: {error}", path.display()));
    let options = Options { workers: 0, every: Some(1_000_000_000), ..Options::default() };
    let mut seen = Vec::new();
    let last =
        watch_capture(merged, "demo", &options, Registry::embedded(), &Control::default(), |so_far| seen.push(so_far));
    seen.push(last);
    seen
}

/// The model after all of it; `lost` frames were dropped by the kernel.
fn model(lost: u64) -> Model {
    let mut model = Model::new("eth0", true);
    let snapshots = snapshots();
    for (second, captured) in (1..).zip(&snapshots) {
        let counts = portproof::verdict::Counts { dropped_kernel: lost, ..captured.counts };
        model.update(&Seen {
            at: Duration::from_secs(second),
            rows: &captured.rows,
            counts: &counts,
            open: captured.flows,
            flows: captured.flows,
            evicted: 0,
        });
    }
    explain(&mut model, snapshots.last().unwrap());
    model
}

fn explain(model: &mut Model, captured: &Captured) {
    model.show_detail(&captured.rows);
    let flow = model.wanted_flow();
    if let Some(flow) = captured.records(Registry::embedded()).find(|record| Some(record.id) == flow) {
        model.explain(&flow, None);
    }
}

fn drawn(model: &mut Model, width: u16, height: u16) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw::draw(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let lines = buffer.content.chunks(usize::from(buffer.area.width));
    let line = |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
    lines.map(|cells| format!("{}\n", line(cells).trim_end())).collect()
}

fn check(name: &str, buffer: &Buffer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/view").join(name);
    let shown = text(buffer);
    if std::env::var_os("PORTPROOF_BLESS").is_some() {
        std::fs::write(&path, &shown).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), shown, "{name}");
}

fn press(model: &mut Model, keys: &str) -> bool {
    keys.chars().all(|key| {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '↓' => KeyCode::Down,
            '↑' => KeyCode::Up,
            other => KeyCode::Char(other),
        };
        model.key(KeyEvent::new(code, KeyModifiers::NONE))
    })
}

/// docs/watch.md shows this screen.
fn document_shows(screen: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/watch.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once("```\nportproof  eth0").unwrap();
    let (_, after) = rest.split_once("```\n").unwrap();
    let expected = format!("{before}```\n{screen}```\n{after}");
    if std::env::var_os("PORTPROOF_BLESS").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    assert!(std::fs::read_to_string(&path).unwrap() == expected, "docs/watch.md shows another screen");
}

#[test]
fn a_small_and_a_large_screen() {
    let mut model = model(0);
    let small = drawn(&mut model, 80, 24);
    check("80x24.txt", &small);
    document_shows(&text(&small));
    check("200x50.txt", &drawn(&mut model, 200, 50));
    press(&mut model, "\n");
    check("detail-80x24.txt", &drawn(&mut model, 80, 24));
    press(&mut model, "\n");
    let hidden = text(&drawn(&mut model, 80, 24));
    assert!(hidden.contains("1196/udp") && !hidden.contains("session ID"), "{hidden}");
    press(&mut model, "\n?");
    check("help-80x24.txt", &drawn(&mut model, 80, 24));
}

#[test]
fn every_size_can_be_drawn() {
    let mut model = model(7);
    for (width, height) in [(1, 1), (2, 5), (10, 3), (20, 10), (40, 12), (80, 8), (139, 20), (140, 36), (400, 100)] {
        let shown = text(&drawn(&mut model, width, height));
        assert_eq!(shown.lines().count(), usize::from(height), "{width}x{height}");
    }
}

#[test]
fn the_verdict_has_its_colour_and_drops_are_red() {
    let mut model = model(7);
    let buffer = drawn(&mut model, 100, 24);
    let shown = text(&buffer);
    let find = |wanted: &str| {
        let (y, line) = shown.lines().enumerate().find(|(_, line)| line.contains(wanted)).unwrap();
        let x = line.chars().count() - line.split_once(wanted).unwrap().1.chars().count() - wanted.chars().count();
        buffer.cell((x as u16, y as u16)).unwrap()
    };
    assert_eq!(find("7 dropped by the kernel").fg, Color::Red);
    assert_eq!(find("2 match").fg, Color::Green);
    let selected = find("mismatch     ");
    assert!(selected.modifier.contains(Modifier::REVERSED | Modifier::BOLD) && selected.fg == Color::Red);
    model.colour = false;
    let plain = drawn(&mut model, 100, 24);
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset));
}

#[test]
fn keys_select_sort_and_filter() {
    let mut model = model(0);
    let first = model.selection();
    press(&mut model, "2");
    assert_eq!(model.selection(), first, "sorting keeps the selection");
    press(&mut model, "g");
    assert_eq!(model.selection(), Some((1196, Transport::Udp)));
    press(&mut model, "↓");
    assert_eq!(model.selection(), Some((1197, Transport::Udp)));
    press(&mut model, "↑↑↑");
    assert_eq!(model.selection(), Some((1196, Transport::Udp)));
    press(&mut model, "r");
    press(&mut model, "g");
    assert_eq!(model.selection(), Some((3197, Transport::Tcp)));
    press(&mut model, "/openvpn tls\n");
    assert!(matches!(model.selection(), Some((1196 | 1197, Transport::Udp))));
    let shown = text(&drawn(&mut model, 80, 24));
    assert!(shown.contains("filter: openvpn tls (2 of 5)") && !shown.contains("3197/tcp"), "{shown}");
    press(&mut model, "/ nothing\n");
    assert_eq!(model.selection(), None);
    assert!(text(&drawn(&mut model, 80, 24)).contains("No port fits the filter."));
    press(&mut model, "\u{1b}");
    assert!(model.selection().is_some());
    assert!(!press(&mut model, "q"));
    assert!(!model.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)));
}

#[test]
fn a_paused_view_stands_still() {
    let mut model = model(0);
    press(&mut model, "p");
    let before = text(&drawn(&mut model, 80, 24));
    assert!(before.contains("PAUSED"));
    let empty = portproof::verdict::Rows::new(false);
    let counts = portproof::verdict::Counts::default();
    let seen = Seen { at: Duration::from_secs(99), rows: &empty, counts: &counts, open: 0, flows: 0, evicted: 0 };
    assert!(!model.is_due(Duration::from_secs(99)));
    model.update(&seen);
    assert_eq!(text(&drawn(&mut model, 80, 24)), before);
    press(&mut model, "p");
    model.update(&seen);
    assert!(text(&drawn(&mut model, 80, 24)).contains("Nothing seen yet."));
}

#[test]
fn bytes_a_second_are_of_the_same_packets_as_packets_a_second() {
    let mut model = Model::new("eth0", true);
    // The rows follow when the flows are next asked for their counters.
    let rows = portproof::verdict::Rows::new(false);
    for (second, packets) in [(1, 10), (2, 40)] {
        let counts = portproof::verdict::Counts { received: packets, bytes: 1024 * packets, ..Default::default() };
        let at = Duration::from_secs(second);
        model.update(&Seen { at, rows: &rows, counts: &counts, open: 0, flows: 0, evicted: 0 });
        let shown = text(&drawn(&mut model, 80, 24));
        let rate = if second == 1 { "10 packets/s  10KB/s" } else { "30 packets/s  30KB/s" };
        assert!(shown.contains(rate), "{shown}");
    }
}
