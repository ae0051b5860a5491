//! Text for terminals: escaped, wrapped, and bold only where asked for.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use unicode_width::UnicodeWidthStr;

/// How the output is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Columns to wrap at.
    pub width: usize,
    /// Whether lines may be cut at the width: on a terminal only.
    pub cut: bool,
    /// Whether escape sequences for bold and dim text may be written.
    pub colour: bool,
}

impl Screen {
    /// Paper: 80 columns, nothing cut, no colour.
    pub const PLAIN: Self = Self { width: 80, cut: false, colour: false };

    /// What standard output is, by `NO_COLOR`, `CLICOLOR_FORCE` and the terminal's size. Text wider than 120 columns
    /// reads badly and is wrapped there.
    pub fn of_stdout() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let terminal = io::stdout().is_terminal();
        let colour = !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE"));
        if !terminal {
            return Self { colour, ..Self::PLAIN };
        }
        let width = terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0));
        Self { width: width.clamp(40, 120), cut: true, colour }
    }

    /// The text in bold.
    pub fn bold(self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The text dimmed.
    pub fn dim(self, text: &str) -> String {
        if self.colour { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The first columns of the text, as many as fit, if lines may be cut.
    pub fn cut(self, text: &str) -> Cow<'_, str> {
        if !self.cut || text.width() <= self.width {
            return Cow::Borrowed(text);
        }
        let mut cut = String::new();
        for c in text.chars() {
            if cut.width() + UnicodeWidthStr::width(c.encode_utf8(&mut [0; 4]) as &str) + 1 > self.width {
                break;
            }
            cut.push(c);
        }
        cut.push('…');
        Cow::Owned(cut)
    }
}

/// Makes text from outside safe to print: control characters, and those that reorder or hide others, are spelled out.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// Control characters, and the format characters of Unicode that change how the others are shown (UAX #9, UTS #39).
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Folds every run of blanks and line feeds to one blank, and escapes the rest.
pub fn fold(text: &str) -> String {
    let words: Vec<Cow<'_, str>> = text.split_ascii_whitespace().map(escape).collect();
    words.join(" ")
}

/// Breaks text at blanks so that each line has at most `width` columns; a longer word stands alone.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_and_bidi_characters_are_spelled_out() {
        assert_eq!(escape("plain é"), "plain é");
        assert_eq!(escape("a\u{1b}[2Jb\u{202e}c"), "a\\u{1b}[2Jb\\u{202e}c");
        assert_eq!(fold("a\n\n  b\u{7}"), "a b\\u{7}");
    }

    #[test]
    fn lines_are_no_wider_than_asked() {
        assert_eq!(wrap("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("a-very-long-word b", 4), ["a-very-long-word", "b"]);
        assert!(wrap("", 4).is_empty());
    }

    #[test]
    fn only_a_terminal_cuts() {
        assert_eq!(Screen::PLAIN.cut("x".repeat(100).as_str()).len(), 100);
        let screen = Screen { width: 5, cut: true, colour: false };
        assert_eq!(screen.cut("abcdefg"), "abcd…");
        assert_eq!(screen.cut("abcde"), "abcde");
    }
}
