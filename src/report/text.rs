//! Text for terminals: escaped, wrapped, and bold only where asked for.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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

/// When to write colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Screen {
    /// Paper: 80 columns, nothing cut, no colour.
    pub const PLAIN: Self = Self { width: 80, cut: false, colour: false };

    /// What standard output is, for running text: wider than 120 columns reads badly and is wrapped there.
    pub fn of_stdout() -> Self {
        let screen = Self::of_stdout_with(Colour::Auto);
        Self { width: screen.width.min(120), ..screen }
    }

    /// What standard output is, by `NO_COLOR`, `CLICOLOR_FORCE` and the terminal's size. `COLUMNS` stands for a
    /// terminal's width where there is none.
    pub fn of_stdout_with(colour: Colour) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
        let terminal = io::stdout().is_terminal();
        let colour = match colour {
            Colour::Auto => !set("NO_COLOR") && (terminal || set("CLICOLOR_FORCE")),
            Colour::Always => true,
            Colour::Never => false,
        };
        let columns = || std::env::var("COLUMNS").ok()?.parse::<usize>().ok().filter(|&columns| columns > 0);
        let size = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0)).filter(|&width| width > 0);
        match if terminal { size().or_else(columns).or(Some(80)) } else { columns() } {
            Some(width) => Self { width: width.max(40), cut: true, colour },
            None => Self { colour, ..Self::PLAIN },
        }
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
        Cow::Owned(clip(text, self.width))
    }
}

/// The text in at most `width` columns; where it is longer, an ellipsis says so.
pub fn clip(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut cut = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// A count with separators: 48,211.
pub fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// "1 port", "2 ports", "1,041 ports".
pub fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(count), if count == 1 { "" } else { "s" })
}

/// Bytes in at most four characters, as `ls -h` has them: 22K is 22 times 1,024.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["", "K", "M", "G", "T", "P", "E"];
    let mut value = bytes as f64;
    for unit in UNITS {
        // The next unit starts where four characters no longer do.
        if value < 999.5 || unit == "E" {
            let tenths = value < 9.95 && !unit.is_empty();
            return if tenths { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") };
        }
        value /= 1024.0;
    }
    bytes.to_string()
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
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 48_211, 1_234_567].map(thousands), ["0", "999", "1,000", "48,211", "1,234,567"]);
        assert_eq!(
            [0, 999, 1000, 22 << 10, 1_288_490_189, 1023 << 20].map(size),
            ["0", "999", "1.0K", "22K", "1.2G", "1.0G"]
        );
        assert!((0..64).all(|shift| size(1 << shift).len() <= 4 && size((1 << shift) - 1).len() <= 4));
        assert_eq!(counted(1, "port") + &counted(1041, "port"), "1 port1,041 ports");
    }

    #[test]
    fn only_a_terminal_cuts() {
        assert_eq!(Screen::PLAIN.cut("x".repeat(100).as_str()).len(), 100);
        let screen = Screen { width: 5, cut: true, colour: false };
        assert_eq!(screen.cut("abcdefg"), "abcd…");
        assert_eq!(screen.cut("abcde"), "abcde");
    }
}
