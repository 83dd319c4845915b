//! Single values: durations, numbers and words out of a closed set.
//!
//! In: a value as it was given, in the file or in a variable. Out: the typed value, or what was expected instead. Pure.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml_span::Value;

use super::error::{Fault, quoted};
use crate::fleet::{NAME_LIMIT_BYTES, check_name, check_public};

/// A value as somebody gave it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Given<'a> {
    /// A string of the file.
    Text(&'a str),
    /// The text of a variable, which may stand for any scalar.
    Variable(&'a str),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List,
    Table,
}

impl<'a> Given<'a> {
    pub(super) fn of(value: &'a Value<'_>) -> Self {
        let scalar = None
            .or_else(|| value.as_str().map(Self::Text))
            .or_else(|| value.as_integer().map(Self::Integer))
            .or_else(|| value.as_float().map(Self::Float))
            .or_else(|| value.as_bool().map(Self::Boolean))
            .or_else(|| value.as_array().map(|_| Self::List));
        scalar.unwrap_or(Self::Table)
    }

    pub(super) fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) | Self::Variable(text) => Some(text),
            _ => None,
        }
    }

    fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            Self::Variable(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// The fault that `expected` should stand here.
    pub(super) fn instead_of(&self, expected: impl Into<String>) -> Fault {
        Fault::expected(expected, self.shown())
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) | Self::Variable(text) => quoted(text),
            Self::Integer(integer) => integer.to_string(),
            Self::Float(float) => float.to_string(),
            Self::Boolean(boolean) => boolean.to_string(),
            Self::List => "an array".to_owned(),
            Self::Table => "a table".to_owned(),
        }
    }
}

/// humantime 2.4 panics when seconds near `u64::MAX` meet exactly one more second in smaller units; that takes 27
/// characters, and no duration that we accept needs as many.
const DURATION_LIMIT_CHARS: usize = 24;

/// Reads a duration such as "5s".
pub(super) fn duration(
    given: &Given<'_>,
    range: RangeInclusive<Duration>,
) -> Result<Duration, Fault> {
    let parsed = given
        .text()
        .filter(|text| text.len() <= DURATION_LIMIT_CHARS)
        .and_then(|text| humantime::parse_duration(text).ok());
    match parsed {
        None => Err(given.instead_of("a duration such as \"5s\"")),
        Some(duration) if range.contains(&duration) => Ok(duration),
        Some(_) => Err(given.instead_of(format!(
            "a duration from {} to {}",
            shown(*range.start()),
            shown(*range.end())
        ))),
    }
}

/// The duration as an operator would write it.
pub(super) fn shown(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// Reads a whole number in a range.
pub(super) fn count(given: &Given<'_>, range: RangeInclusive<u32>) -> Result<u32, Fault> {
    given
        .integer()
        .and_then(|integer| u32::try_from(integer).ok())
        .filter(|count| range.contains(count))
        .ok_or_else(|| given.instead_of(format!("{}..={}", range.start(), range.end())))
}

/// Reads a number of listeners that limits something; 0 would shut it, which is no limit's job.
pub(super) fn capacity(given: &Given<'_>) -> Result<u32, Fault> {
    given
        .integer()
        .and_then(|integer| u32::try_from(integer).ok())
        .filter(|listeners| *listeners >= 1)
        .ok_or_else(|| given.instead_of("a number of listeners of at least 1"))
}

/// Reads true or false.
pub(super) fn boolean(given: &Given<'_>) -> Result<bool, Fault> {
    match given {
        Given::Boolean(boolean) => Ok(*boolean),
        _ => Err(given.instead_of("true or false")),
    }
}

/// Reads any text.
pub(super) fn text(given: &Given<'_>) -> Result<String, Fault> {
    given
        .text()
        .map(str::to_owned)
        .ok_or_else(|| given.instead_of("a string"))
}

/// Reads one word of a closed set.
pub(super) fn word<T: Copy>(given: &Given<'_>, words: &[(&str, T)]) -> Result<T, Fault> {
    let chosen = given
        .text()
        .and_then(|text| words.iter().find(|(word, _)| *word == text));
    chosen.map(|(_, meant)| *meant).ok_or_else(|| {
        let known: Vec<String> = words.iter().map(|(word, _)| quoted(word)).collect();
        given.instead_of(format!("one of {}", known.join(", ")))
    })
}

/// Reads the public path of a mount; `/` is one where an operator says so.
pub(super) fn public_path(given: &Given<'_>) -> Result<String, Fault> {
    let path = mount_path(given)?;
    if path != "/" && check_public(&path).is_err() {
        return Err(given.instead_of("a mount's path that is no page of the balancer"));
    }
    Ok(path)
}

/// Reads the path of a mount.
///
/// SECURITY: it ends up in a `Location`; what would end the path there or the header is refused.
pub(super) fn mount_path(given: &Given<'_>) -> Result<String, Fault> {
    let usable = |text: &&str| {
        text.len() <= NAME_LIMIT_BYTES
            && text.starts_with('/')
            && !text.contains(|c: char| c.is_control() || c == '?' || c == '#')
    };
    let path = given.text().filter(usable).ok_or_else(|| {
        given.instead_of(
            "a mount's path such as \"/live.mp3\" (at most 255 bytes, without ?, # and control characters)",
        )
    })?;
    match check_name(path) {
        Ok(()) => Ok(path.to_owned()),
        Err(reason) => Err(given.instead_of(format!(
            "a mount's path that no server takes for one of its pages or for another path ({})",
            reason.as_str()
        ))),
    }
}

/// Long enough for a host name with a port, short enough for a column of a table.
const NAME_LIMIT_CHARS: usize = 100;

/// Reads the name of a relay.
///
/// It is a segment of the admin address's paths and a label of the metrics.
pub(super) fn relay_name(given: &Given<'_>) -> Result<String, Fault> {
    let usable = |text: &&str| {
        (1..=NAME_LIMIT_CHARS).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_graphic() && c != '/')
    };
    given
        .text()
        .filter(usable)
        .map(str::to_owned)
        .ok_or_else(|| {
            given.instead_of("a name of 1 to 100 printable ASCII characters without spaces and /")
        })
}
