//! Draws the view.
//!
//! ```text
//! portproof  eth0                                    2 mismatch, 1 unregistered, 32 match
//! 12,345 packets/s  8.2M/s  1,204 flows  2,345,678 packets  12 dropped (kernel)
//!     ▁▂▃▅▇█▇▅▃▂▁
//! VERDICT ▼ PORT     CLAIM          OBSERVED         SURE      PACKETS/S SIZE
//! mismatch  1197/udp carrius-rshell openvpn tls-auth certain         120 1.2G
//! ─ 1197/udp ─────────────────────────────────────────────────────────────────
//! 10.0.0.1 <- 9 clients; the server reset echoes the client's session ID; frames 1, 2
//! q quit  ↑↓ select  s sort …
//! ```
//! Wide screens have the detail at the right.

use super::keys::{HELP, HINTS};
use super::line::{Cell, Line as Row};
use super::model::{Model, Pane, Sort};
use crate::report::text::{clip, counted, size, thousands, wrap};
use crate::report::when;
use crate::verdict::Verdict;
use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Sparkline};
use unicode_width::UnicodeWidthStr;

/// From this width on the detail stands at the right.
const WIDE: u16 = 140;
/// From this height on the traffic has more room.
const TALL: u16 = 36;

/// Draws the whole screen.
pub fn draw(model: &mut Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let graph = if area.height >= TALL { 4 } else { 2 };
    let [title, stats, traffic, body, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(graph),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let paint = Paint { colour: model.colour };
    frame.render_widget(title_line(model, paint, title.width), title);
    frame.render_widget(stats_line(model, paint), stats);
    graph_of(model, paint, frame, traffic);
    let (rows, detail) = match (model.pane, area.width >= WIDE) {
        (Pane::Hidden, _) => (Some(body), None),
        (Pane::Whole, _) => (None, Some((body, Borders::TOP))),
        (Pane::Shared, true) => {
            let [rows, _, detail] =
                Layout::horizontal([Constraint::Fill(5), Constraint::Length(1), Constraint::Fill(3)]).areas(body);
            (Some(rows), Some((detail, Borders::LEFT)))
        }
        (Pane::Shared, false) => {
            // What the rows leave, but not less than half.
            let rows = u16::try_from(model.shown.len() + 1).unwrap_or(u16::MAX);
            let wanted = body.height.saturating_sub(rows).clamp(body.height / 2, body.height * 3 / 4);
            let [rows, detail] = Layout::vertical([Constraint::Fill(1), Constraint::Length(wanted)]).areas(body);
            (Some(rows), Some((detail, Borders::TOP)))
        }
    };
    if let Some(rows) = rows {
        table(model, paint, frame, rows);
    }
    if let Some((area, borders)) = detail {
        detail_pane(model, paint, frame, area, borders);
    }
    frame.render_widget(bottom_line(model, paint, bottom.width), bottom);
    if model.help {
        help(paint, frame, area);
    }
}

/// Colours, where they are wanted.
#[derive(Clone, Copy)]
struct Paint {
    colour: bool,
}

impl Paint {
    const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
    const DIM: Style = Style::new().add_modifier(Modifier::DIM);

    fn of(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// The colours of the table report.
    fn verdict(self, verdict: Verdict) -> Style {
        match verdict {
            Verdict::Mismatch => self.of(Color::Red).add_modifier(Modifier::BOLD),
            Verdict::Contradicted => self.of(Color::Red),
            Verdict::Unregistered => self.of(Color::Yellow),
            Verdict::Unverifiable => self.of(Color::Cyan),
            Verdict::Match => self.of(Color::Green),
            Verdict::Insufficient => Self::DIM,
        }
    }

    fn alarm(self) -> Style {
        self.of(Color::Red).add_modifier(Modifier::BOLD)
    }
}

/// What is captured at the left, the verdicts at the right.
fn title_line(model: &Model, paint: Paint, width: u16) -> Line<'static> {
    let name = "portproof";
    let title = clip(&model.title, usize::from(width).saturating_sub(name.len() + 2).min(24));
    let mut right: Vec<Span<'static>> = Vec::new();
    let mut taken = 0;
    // Those that matter least stay out where there is no room for all.
    for (verdict, ports) in &model.verdicts {
        let text = format!("  {} {verdict}", thousands(*ports as u64));
        if name.len() + 2 + title.width() + taken + text.width() > usize::from(width) {
            break;
        }
        taken += text.width();
        right.push(Span::styled(text, paint.verdict(*verdict)));
    }
    let mut left = vec![Span::styled(name, Paint::BOLD), Span::raw(format!("  {title}"))];
    let used = name.len() + 2 + title.width();
    left.push(Span::raw(" ".repeat(usize::from(width).saturating_sub(used + taken))));
    left.extend(right);
    Line::from(left)
}

fn stats_line(model: &Model, paint: Paint) -> Line<'static> {
    let counts = &model.counts;
    let mut spans = Vec::new();
    if model.paused {
        spans.push(Span::styled(" PAUSED ", Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)));
        spans.push(Span::raw("  "));
    }
    spans.push(Span::raw(format!(
        "{} packets/s  {}B/s  {}  {} in {}",
        thousands(model.rate),
        size(model.byte_rate),
        counted(model.open, "open flow"),
        counted(counts.received, "packet"),
        when::duration(i64::try_from(model.at.as_nanos()).unwrap_or(i64::MAX)),
    )));
    let lost = [
        (counts.dropped_kernel, "dropped by the kernel"),
        (counts.dropped_queue, "shed"),
        (counts.dropped_interface, "dropped by the interface"),
        (model.evicted, "flows judged early"),
    ];
    for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
        spans.push(Span::styled(format!("  {} {what}", thousands(count)), paint.alarm()));
    }
    Line::from(spans)
}

/// All traffic, the newest at the right, with its peak beside it.
fn graph_of(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let data = model.traffic.last(usize::from(area.width));
    let spark = Sparkline::default().data(&data).max(model.traffic.peak().max(1)).style(paint.of(Color::Blue));
    frame.render_widget(spark, area);
}

/// A column: its heading, what it shows, the sort it stands for, its width, and whether it stands at the right.
struct Column {
    title: &'static str,
    shows: Shows,
    sort: Option<Sort>,
    width: usize,
    right: bool,
}

/// What a column shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Cell(Cell),
    Rate,
    Traffic,
}

/// The columns and their widths for so much room; the rows on the screen are these.
fn columns(model: &mut Model, height: usize, room: usize) -> Vec<Column> {
    let of = [Cell::Claim, Cell::Observed, Cell::Flows];
    let mut widest = model.widest;
    for line in model.shown_lines().skip(model.offset).take(height) {
        widest.iter_mut().zip(of).for_each(|(widest, cell)| *widest = line.cell(cell).width().max(*widest));
    }
    model.widest = widest;
    let [claim, observed, flows] = widest;
    let column = |title, shows, sort, width, right| Column { title, shows, sort, width, right };
    let mut all = vec![
        column("VERDICT", Shows::Cell(Cell::Verdict), Some(Sort::Verdict), 13, false),
        column("PORT", Shows::Cell(Cell::Port), Some(Sort::Port), 9, false),
        column("CLAIM", Shows::Cell(Cell::Claim), Some(Sort::Claim), claim.max(7), false),
        column("OBSERVED", Shows::Cell(Cell::Observed), Some(Sort::Observed), observed.max(10), false),
        column("SURE", Shows::Cell(Cell::Sure), None, 9, false),
        column("FLOWS", Shows::Cell(Cell::Flows), None, flows.max(5), true),
        column("PKT/S", Shows::Rate, Some(Sort::Rate), 7, true),
        column("SIZE", Shows::Cell(Cell::Size), Some(Sort::Size), 6, true),
    ];
    let total = |all: &[Column]| all.iter().map(|column| column.width + 1).sum::<usize>().saturating_sub(1);
    if total(&all) > room {
        all.remove(5);
    }
    // Claim and observation give way, the wider first.
    while total(&all) > room {
        let [_, _, claim, observed, ..] = all.as_mut_slice() else { break };
        let (claim, observed) = (&mut claim.width, &mut observed.width);
        match (*claim > 10, *observed > 12) {
            (false, false) => break,
            (true, false) => *claim -= 1,
            (false, true) => *observed -= 1,
            (true, true) if *claim > *observed => *claim -= 1,
            (true, true) => *observed -= 1,
        }
    }
    if room >= total(&all) + 12 {
        let width = (room - total(&all) - 1).min(60);
        all.push(column("TRAFFIC", Shows::Traffic, None, width, false));
    }
    all
}

fn table(model: &mut Model, paint: Paint, frame: &mut Frame<'_>, area: Rect) {
    let [heading, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    model.scroll(usize::from(body.height));
    let columns = columns(model, usize::from(body.height), usize::from(area.width));
    let mark = |column: &Column| match (column.sort == Some(model.sort), model.reversed) {
        (false, _) => "",
        (true, false) => "▼",
        (true, true) => "▲",
    };
    let titles = columns.iter().map(|column| pad(&format!("{}{}", column.title, mark(column)), column));
    frame.render_widget(Line::styled(titles.collect::<Vec<_>>().join(" "), Paint::BOLD), heading);
    if model.shown.is_empty() {
        let text = if model.lines.is_empty() { "Nothing seen yet." } else { "No port fits the filter." };
        frame.render_widget(Line::styled(text, Paint::DIM), body);
        return;
    }
    let selected = model.place();
    for (place, (line, area)) in
        model.shown_lines().enumerate().skip(model.offset).zip(body.rows()).map(|((n, line), area)| (n, (line, area)))
    {
        let chosen = selected == Some(place);
        row(line, &columns, paint, chosen, frame, area);
    }
}

fn row(line: &Row, columns: &[Column], paint: Paint, chosen: bool, frame: &mut Frame<'_>, area: Rect) {
    let mut spans: Vec<Span<'static>> = Vec::with_capacity(columns.len() * 2);
    let mut left = 0;
    for column in columns {
        if left > 0 {
            spans.push(Span::raw(" "));
            left += 1;
        }
        let text = match column.shows {
            Shows::Cell(cell) => line.cell(cell),
            Shows::Rate if line.rate > 0 => thousands(line.rate).into(),
            Shows::Rate | Shows::Traffic => "".into(),
        };
        let coloured = column.shows == Shows::Cell(Cell::Verdict);
        let style = if coloured { paint.verdict(line.verdict) } else { Style::new() };
        spans.push(Span::styled(pad(&text, column), style));
        if column.shows == Shows::Traffic {
            let room = Rect { x: area.x + left as u16, width: column.width as u16, ..area };
            let (data, most) = line.traffic(column.width);
            let spark = Sparkline::default().data(&data).max(most).style(paint.of(Color::Blue));
            frame.render_widget(spark, room.intersection(area));
            spans.pop();
        }
        left += column.width;
    }
    let style = if chosen { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    let used: usize = spans.iter().map(|span| span.content.width()).sum();
    let own = Rect { width: (used as u16).min(area.width), ..area };
    frame.render_widget(Line::from(spans), own);
    // The traffic would be its own opposite.
    let traffic = columns.iter().any(|column| column.shows == Shows::Traffic);
    let width = if traffic { used as u16 } else { area.width };
    frame.buffer_mut().set_style(Rect { width, ..area }, style);
}

/// The text cut or filled to the column's width.
fn pad(text: &str, column: &Column) -> String {
    let text = clip(text, column.width);
    let blanks = " ".repeat(column.width.saturating_sub(text.width()));
    if column.right { format!("{blanks}{text}") } else { format!("{text}{blanks}") }
}

fn detail_pane(model: &Model, paint: Paint, frame: &mut Frame<'_>, area: Rect, borders: Borders) {
    let mut block = Block::new().borders(borders).border_style(Paint::DIM);
    let room = usize::from(area.width).saturating_sub(if borders == Borders::LEFT { 2 } else { 0 });
    let mut lines: Vec<Line<'static>> = Vec::new();
    let Some(detail) = &model.detail else {
        frame.render_widget(block, area);
        return;
    };
    match borders == Borders::LEFT {
        true => lines.push(Line::styled(detail.title.clone(), Paint::BOLD)),
        false => block = block.title(Span::styled(format!(" {} ", detail.title), Paint::BOLD)),
    }
    let place = model.place().and_then(|place| model.shown_lines().nth(place));
    for text in wrap(&detail.why, room) {
        lines.push(Line::styled(text, place.map_or_else(Style::new, |line| paint.verdict(line.verdict))));
    }
    for text in &detail.observed {
        lines.extend(hanging("", text, room));
    }
    if !detail.ends.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled(clip(&detail.ends, room), Paint::BOLD));
    }
    for (weight, text) in &detail.evidence {
        lines.extend(hanging(&format!("{weight:>6}  "), text, room));
    }
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let inner = match borders == Borders::LEFT {
        true => Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner },
        false => inner,
    };
    let height = usize::from(inner.height);
    if lines.len() > height && height > 0 {
        lines.truncate(height);
        if let Some(last) = lines.last_mut() {
            *last = Line::styled("…", Paint::DIM);
        }
    }
    frame.render_widget(Paragraph::new(lines), inner);
}

/// Text behind an indent; further lines stand under its start.
fn hanging(indent: &str, text: &str, room: usize) -> Vec<Line<'static>> {
    let wrapped = wrap(text, room.saturating_sub(indent.width()).max(10));
    let lines = wrapped.into_iter().enumerate().map(|(n, line)| match n {
        0 => Line::raw(format!("{indent}{line}")),
        _ => Line::raw(format!("{:1$}{line}", "", indent.width().max(2))),
    });
    lines.collect()
}

fn bottom_line(model: &Model, paint: Paint, width: u16) -> Line<'static> {
    if model.typing {
        return Line::from(vec![
            Span::styled("filter: ", Paint::BOLD),
            Span::raw(clip(&model.filter, usize::from(width).saturating_sub(9))),
            Span::styled(" ", Style::new().add_modifier(Modifier::REVERSED)),
        ]);
    }
    if let Some(notice) = &model.notice {
        return Line::styled(clip(notice, usize::from(width)), paint.alarm());
    }
    let mut spans = Vec::new();
    for (key, what) in HINTS {
        spans.push(Span::styled(key, Paint::BOLD));
        spans.push(Span::styled(format!(" {what}  "), Paint::DIM));
    }
    if !model.filter.is_empty() {
        let text = format!("filter: {} ({} of {})", model.filter, model.shown.len(), model.lines.len());
        spans =
            vec![Span::styled(clip(&text, usize::from(width)), Paint::BOLD), Span::styled("  Esc clears", Paint::DIM)];
    }
    Line::from(spans)
}

fn help(_: Paint, frame: &mut Frame<'_>, area: Rect) {
    let lines: Vec<Line<'static>> = HELP
        .iter()
        .map(|(key, what)| Line::from(vec![Span::styled(format!(" {key:<15}"), Paint::BOLD), Span::raw(*what)]))
        .collect();
    let (width, height) = (76.min(area.width), (lines.len() as u16 + 2).min(area.height));
    let inner = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    frame.render_widget(Clear, inner);
    let block = Block::bordered().title(" Keys ").title_alignment(Alignment::Center);
    frame.render_widget(Paragraph::new(lines).block(block), inner);
}
