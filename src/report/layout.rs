//! Columns on a screen: widths, second lines or a WHY column, and colour by verdict.
//!
//! A line is never wider than the screen where lines may be cut (a terminal). Columns are as wide as their content needs;
//! where that is too much, those that can give way do, the widest first. The WHY of a row stands in a last column where
//! there is room for one, else on lines of its own below.

use super::text::{Screen, clip, wrap};
use crate::verdict::Verdict;
use std::io::{self, Write};
use unicode_width::UnicodeWidthStr;

/// Below this width the WHY column is not worth having.
const WHY_MIN: usize = 40;

/// Lines that one WHY may take before it is cut.
const WHY_LINES: usize = 3;

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Numbers stand at the right.
    pub right: bool,
    /// It may be cut down to this width; a column without one never is.
    pub least: Option<usize>,
    /// It may be left out where there is no room for all, its content then standing before the WHY.
    pub drops: bool,
}

impl Column {
    pub(super) const fn fixed(title: &'static str) -> Self {
        Self { title, right: false, least: None, drops: false }
    }

    pub(super) const fn number(title: &'static str) -> Self {
        Self { title, right: true, least: None, drops: false }
    }

    pub(super) const fn flexible(title: &'static str, least: usize) -> Self {
        Self { title, right: false, least: Some(least), drops: false }
    }

    pub(super) const fn optional(title: &'static str) -> Self {
        Self { title, right: false, least: None, drops: true }
    }
}

/// One row, all texts already escaped.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Colours the first cell, if it is a verdict.
    pub colour: Option<Verdict>,
    /// One text a column.
    pub cells: Vec<String>,
    /// Why.
    pub why: String,
    /// Whether the WHY is worth a line of its own where there is no column for it.
    pub attention: bool,
}

/// Writes the heading and the rows. `last` heads the column of the WHY.
pub(super) fn write(
    columns: &[Column],
    last: &str,
    lines: &[Line],
    screen: Screen,
    out: &mut dyn Write,
) -> io::Result<()> {
    let plan = Plan::new(columns, lines, screen);
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    let mut heading = plan.join(columns, &titles, None);
    if plan.why.is_some() {
        heading.extend(["  ", last]);
    }
    writeln!(out, "{}", screen.bold(heading.trim_end()))?;
    for line in lines {
        let first = plan.join(columns, &line.cells, line.colour.map(|verdict| (screen, verdict)));
        match plan.why {
            Some(room) => {
                let mut wrapped = limited(&line.why, room).into_iter();
                let start = wrapped.next().map(|why| format!("{first}  {why}")).unwrap_or(first);
                writeln!(out, "{}", start.trim_end())?;
                for more in wrapped {
                    writeln!(out, "{:1$}{more}", "", plan.used + 2)?;
                }
            }
            None => {
                writeln!(out, "{}", first.trim_end())?;
                let dropped: Vec<&str> =
                    plan.dropped.iter().filter_map(|n| line.cells.get(*n)).map(String::as_str).collect();
                let below = match (dropped.is_empty(), line.attention) {
                    (true, true) => line.why.clone(),
                    (false, true) => format!("{}; {}", dropped.join(" "), line.why),
                    (false, false) => dropped.join(" "),
                    (true, false) => continue,
                };
                let below = match screen.cut {
                    true => limited(&below, screen.width.saturating_sub(2)),
                    false => vec![below],
                };
                for text in below {
                    writeln!(out, "  {}", screen.dim(&text))?;
                }
            }
        }
    }
    Ok(())
}

/// Wrapped, with an ellipsis where it would be too long.
fn limited(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = wrap(text, room).into_iter().map(|line| clip(&line, room)).collect();
    if lines.len() > WHY_LINES {
        lines.truncate(WHY_LINES);
        if let Some(last) = lines.last_mut() {
            *last = clip(&format!("{last} ……"), room.min(last.width() + 2));
        }
    }
    lines
}

/// Who gets how much room.
struct Plan {
    /// Width of each column; none: left out.
    widths: Vec<Option<usize>>,
    /// The columns that were left out.
    dropped: Vec<usize>,
    /// Columns of the screen taken by all of that.
    used: usize,
    /// Width of the WHY column.
    why: Option<usize>,
}

impl Plan {
    fn new(columns: &[Column], lines: &[Line], screen: Screen) -> Self {
        let natural = |n: usize, column: &Column| {
            let cells = lines.iter().filter_map(|line| line.cells.get(n)).map(|cell| cell.width());
            cells.chain([column.title.width()]).max().unwrap_or(0)
        };
        let mut widths: Vec<Option<usize>> =
            columns.iter().enumerate().map(|(n, column)| Some(natural(n, column))).collect();
        let mut dropped = Vec::new();
        if screen.cut {
            let least: Vec<usize> = columns
                .iter()
                .zip(&widths)
                .map(|(column, width)| column.least.unwrap_or(usize::MAX).min(width.unwrap_or(0)))
                .collect();
            let sum_least = least.iter().sum::<usize>() + columns.len().saturating_sub(1);
            if sum_least > screen.width {
                for (n, column) in columns.iter().enumerate().filter(|(_, column)| column.drops) {
                    let _ = column;
                    dropped.push(n);
                    if let Some(width) = widths.get_mut(n) {
                        *width = None;
                    }
                }
            }
            while total(&widths) > screen.width && shrink(columns, &mut widths) {}
            // Narrower than any terminal in use: what still fits.
            while total(&widths) > screen.width
                && let Some(last) = widths.iter_mut().rfind(|width| width.is_some())
            {
                *last = None;
            }
        }
        let used = total(&widths);
        let why =
            screen.width.checked_sub(used + 2).filter(|room| screen.cut && dropped.is_empty() && *room >= WHY_MIN);
        Self { widths, dropped, used, why }
    }

    fn join(&self, columns: &[Column], cells: &[String], colour: Option<(Screen, Verdict)>) -> String {
        let mut text = String::new();
        let shown = self
            .widths
            .iter()
            .zip(columns)
            .zip(cells)
            .filter_map(|((width, column), cell)| Some(((*width)?, column, cell)));
        for (place, (width, column, cell)) in shown.enumerate() {
            if place > 0 {
                text.push(' ');
            }
            let cell = clip(cell, width);
            let blanks = " ".repeat(width.saturating_sub(cell.width()));
            let painted = match colour.filter(|_| place == 0) {
                Some((screen, verdict)) => paint(screen, verdict, &cell),
                None => cell,
            };
            match column.right {
                true => text.extend([blanks, painted]),
                false => text.extend([painted, blanks]),
            }
        }
        text
    }
}

fn total(widths: &[Option<usize>]) -> usize {
    let shown = widths.iter().flatten();
    shown.clone().sum::<usize>() + shown.count().saturating_sub(1)
}

/// Takes one column of the screen from the widest that can give; `false` if none can.
fn shrink(columns: &[Column], widths: &mut [Option<usize>]) -> bool {
    let can_give = |(_, (column, width)): &(usize, (&Column, &Option<usize>))| {
        column.least.zip(**width).is_some_and(|(least, width)| width > least)
    };
    let widest =
        columns.iter().zip(widths.iter()).enumerate().filter(can_give).max_by_key(|(n, (_, width))| (**width, *n));
    let Some((n, _)) = widest else { return false };
    if let Some(Some(width)) = widths.get_mut(n) {
        *width -= 1;
    }
    true
}

/// A text in the colour of a verdict.
pub(super) fn paint(screen: Screen, verdict: Verdict, text: &str) -> String {
    if !screen.colour {
        return text.to_owned();
    }
    let code = match verdict {
        Verdict::Mismatch => "1;31",
        Verdict::Contradicted => "31",
        Verdict::Unregistered => "33",
        Verdict::Unverifiable => "36",
        Verdict::Match => "32",
        Verdict::Insufficient => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] =
        [Column::fixed("VERDICT"), Column::optional("WHERE"), Column::flexible("CLAIM", 6), Column::number("FLOWS")];

    fn show(place: &str, width: Option<usize>) -> Vec<String> {
        let line = Line {
            colour: Some(Verdict::Mismatch),
            cells: ["mismatch", place, "a-long-service-name", "12"].map(str::to_owned).to_vec(),
            why: "10.0.0.1 <- 9 clients; reset echoes the session ID; frames 1, 2".into(),
            attention: true,
        };
        let screen = width.map_or(Screen::PLAIN, |width| Screen { width, cut: true, colour: false });
        let mut out = Vec::new();
        write(&COLUMNS, "WHY", &[line], screen, &mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_narrow_screen_has_second_lines_and_a_wide_one_a_column() {
        assert_eq!(
            show("1197/udp", Some(60)),
            [
                "VERDICT  WHERE    CLAIM               FLOWS",
                "mismatch 1197/udp a-long-service-name    12",
                "  10.0.0.1 <- 9 clients; reset echoes the session ID; frames",
                "  1, 2"
            ]
        );
        let wide = show("1197/udp", Some(120));
        assert!(
            wide[1].ends_with("   12  10.0.0.1 <- 9 clients; reset echoes the session ID; frames 1, 2"),
            "{wide:?}"
        );
    }

    #[test]
    fn columns_give_way_and_then_go() {
        assert_eq!(show("1197/udp", Some(40))[1], "mismatch 1197/udp a-long-service-…    12");
        let dropped = show("[2001:db8::1]:1197/udp", Some(40));
        assert_eq!(dropped[1], "mismatch a-long-service-name    12");
        assert!(dropped[2].starts_with("  [2001:db8::1]:1197/udp; 10.0.0.1"), "{dropped:?}");
    }

    #[test]
    fn no_line_is_wider_than_the_screen_and_on_paper_none_is_cut() {
        for width in 40..200 {
            for line in show("[2001:db8::1]:1197/udp", Some(width)) {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
        assert_eq!(
            show("[2001:db8::1]:1197/udp", None)[2],
            "  10.0.0.1 <- 9 clients; reset echoes the session ID; frames 1, 2"
        );
    }
}
