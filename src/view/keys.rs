//! What keys do.

use super::Model;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is shown at the bottom.
pub(super) const HINTS: [(&str, &str); 8] = [
    ("q", "quit"),
    ("↑↓", "select"),
    ("s", "sort"),
    ("r", "reverse"),
    ("/", "filter"),
    ("p", "pause"),
    ("⏎", "detail"),
    ("?", "help"),
];

/// All of them, for the help.
pub(super) const HELP: [(&str, &str); 12] = [
    ("q, Ctrl-C", "quit; the summary is printed below"),
    ("↑ ↓, k j", "select another port"),
    ("PgUp PgDn", "ten ports further"),
    ("Home End, g G", "the first, the last port"),
    ("s", "sort by the next column"),
    ("1 … 6", "sort by verdict, port, claim, observed, packets/s, size"),
    ("r", "reverse the order"),
    ("/", "only rows with all the words; Enter keeps, Esc clears"),
    ("p, Space", "pause the view; the capture goes on"),
    ("Enter", "the detail of the selected port: more, none, some"),
    ("Esc", "clear the filter, close this"),
    ("?", "this"),
];

/// Lines that PgUp and PgDn move.
const PAGE: isize = 10;

impl Model {
    /// Does what a key asks for. `false`: to quit.
    pub fn key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'd')) {
            return false;
        }
        if self.typing {
            self.type_key(key.code, control);
            return true;
        }
        if std::mem::take(&mut self.help) && key.code != KeyCode::Char('q') {
            return true;
        }
        self.chosen |= matches!(
            key.code,
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown | KeyCode::Home | KeyCode::End
        ) || matches!(key.code, KeyCode::Char('k' | 'j' | 'g' | 'G'));
        match key.code {
            KeyCode::Char('q') => return false,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1),
            KeyCode::PageUp => self.step(-PAGE),
            KeyCode::PageDown => self.step(PAGE),
            KeyCode::Home | KeyCode::Char('g') => self.select(0),
            KeyCode::End | KeyCode::Char('G') => self.select(usize::MAX),
            KeyCode::Char('s') => self.sort_by(self.sort.next(), false),
            KeyCode::Char(digit @ '1'..='6') => {
                let place = digit.to_digit(10).unwrap_or(1) as usize - 1;
                self.sort_by(super::Sort::ALL.get(place).copied().unwrap_or_default(), false);
            }
            KeyCode::Char('r') => self.sort_by(self.sort, !self.reversed),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Enter => self.pane = self.pane.next(),
            KeyCode::Esc => {
                self.filter.clear();
                self.arrange();
            }
            KeyCode::Char('?' | 'h') => self.help = true,
            _ => {}
        }
        true
    }

    fn sort_by(&mut self, sort: super::Sort, reversed: bool) {
        (self.sort, self.reversed) = (sort, reversed);
        self.arrange();
    }

    fn type_key(&mut self, code: KeyCode, control: bool) {
        match code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.typing = false;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char('u') if control => self.filter.clear(),
            KeyCode::Char(c) if !control && !c.is_control() => self.filter.push(c),
            _ => {}
        }
        self.arrange();
    }
}
