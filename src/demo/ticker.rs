//! The ticker: a line for each second of the demo, and one for its end.
//!
//! Comes in: counts. Goes out: text. Pure; the caller writes it.

use super::tally::Tally;
use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// A bar's cell stands for this many listeners.
const CELL_LISTENERS: u32 = 4;
/// What all bars together may take of a line; beyond its bar's width only a relay's number tells.
const LINE_CELLS: usize = 36;
/// A bar of 48 listeners: more than half of a demo's, which is what two relays have.
const BAR_CELLS: usize = 12;

/// How lines are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// With bars of block characters.
    Bars,
    /// Numbers alone, in ASCII: for files, pipes and terminals that cannot draw more.
    Numbers,
}

impl Style {
    /// What standard output can show: bars on a terminal whose locale is UTF-8.
    pub fn of_stdout() -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(|name| std::env::var(name).ok())
            .find(|value| !value.is_empty());
        Self::of(std::io::stdout().is_terminal(), locale.as_deref())
    }

    fn of(terminal: bool, locale: Option<&str>) -> Self {
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        if terminal && (locale.contains("utf-8") || locale.contains("utf8")) {
            Self::Bars
        } else {
            Self::Numbers
        }
    }
}

/// A relay as the ticker shows it.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its listeners; `None` while it is dead.
    pub listeners: Option<u32>,
}

/// The line of one second.
pub fn line(second: u64, relays: &[Shown<'_>], tally: &Tally, style: Style) -> String {
    let mut line = format!("{second:>3}s");
    let cells = BAR_CELLS.min(LINE_CELLS / relays.len().max(1));
    for relay in relays {
        // Writing to a String cannot fail.
        let _ = write!(
            line,
            "  {} {}",
            relay.name,
            gauge(relay.listeners, cells, style)
        );
    }
    let _ = write!(
        line,
        " | listeners {}, redirects {}, failed {}",
        tally.present(),
        tally.redirects.read(),
        tally.failed.read()
    );
    line
}

/// A relay's count, as wide whatever it is, so that the columns stand still.
fn gauge(listeners: Option<u32>, cells: usize, style: Style) -> String {
    let (bar, count) = match listeners {
        Some(listeners) => (bar(listeners, cells), listeners.to_string()),
        None => (String::new(), "dead".to_owned()),
    };
    match style {
        Style::Bars => format!("{bar:<cells$} {count:>4}"),
        Style::Numbers => format!("{count:>4}"),
    }
}

fn bar(listeners: u32, most_cells: usize) -> String {
    let cells = usize::try_from(listeners.div_ceil(CELL_LISTENERS)).unwrap_or(most_cells);
    "\u{2588}".repeat(cells.min(most_cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: [Shown<'_>; 2] = [
        Shown {
            name: "relay1",
            listeners: Some(24),
        },
        Shown {
            name: "relay2",
            listeners: None,
        },
    ];

    #[test]
    fn a_line_shows_each_relay_and_the_sums() {
        let tally = Tally::default();
        let _present = tally.come();
        tally.redirects.add(92);
        assert_eq!(
            line(12, &FLEET, &tally, Style::Numbers),
            " 12s  relay1   24  relay2 dead | listeners 1, redirects 92, failed 0"
        );
        assert_eq!(
            line(12, &FLEET, &tally, Style::Bars),
            " 12s  relay1 ██████         24  relay2              dead | listeners 1, redirects 92, failed 0"
        );
    }

    #[test]
    fn a_bar_is_never_wider_than_its_column_and_shows_the_first_listener() {
        let widths: Vec<usize> = [0, 1, 4, 5, 48, 1000]
            .map(|n| bar(n, 12).chars().count())
            .into();
        assert_eq!(widths, [0, 1, 1, 2, 12, 12]);
    }

    #[test]
    fn bars_are_for_terminals_with_utf_8() {
        assert_eq!(Style::of(true, Some("de_DE.UTF-8")), Style::Bars);
        assert_eq!(Style::of(true, Some("C.utf8")), Style::Bars);
        assert_eq!(Style::of(false, Some("C.utf8")), Style::Numbers);
        assert_eq!(Style::of(true, Some("C")), Style::Numbers);
        assert_eq!(Style::of(true, None), Style::Numbers);
    }
}
