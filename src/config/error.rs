//! What is wrong with a configuration: each problem with its place, all of them at once.
//!
//! In: faults from every file of this room. Out: one line per problem, for an operator. Never the content of a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::acme::FolderFault;

/// Every problem of a configuration, in the order of the file, then of the environment; not empty.
#[derive(Debug, Error)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems in order, or `None` when there are none.
    pub(super) fn found(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by(|a, b| a.spot.place.cmp(&b.spot.place));
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems, each to be shown on a line of its own.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}

impl fmt::Display for Problems {
    /// One line per problem, without a last newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// One problem: where it is and what it is.
#[derive(Debug, Error)]
#[error("{spot}{fault}")]
pub struct Problem {
    /// Where it is.
    pub spot: Spot,
    /// What it is.
    #[source]
    pub fault: Fault,
}

/// A place and the key that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The line or the variable.
    pub place: Place,
    /// The key as a path (`relay[2].weight`, counted from 0); `None` where the place says it all.
    pub key: Option<String>,
}

impl Spot {
    /// A place without a key.
    pub(super) fn bare(place: Place) -> Self {
        Self { place, key: None }
    }

    /// The spot of an environment variable.
    pub(super) fn variable(name: impl Into<String>) -> Self {
        Self::bare(Place::Variable(name.into()))
    }

    /// The problem that this fault is here.
    pub(super) fn with(self, fault: Fault) -> Problem {
        Problem { spot: self, fault }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)?;
        match &self.key {
            Some(key) => write!(f, "{key}: "),
            None => Ok(()),
        }
    }
}

/// Where a problem is; ordered as an operator reads them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    File(PathBuf),
    /// A line of the file; lines and columns count from 1.
    Line {
        /// The file as it was named.
        file: PathBuf,
        /// The line.
        line: usize,
        /// The byte in the line; only for the order.
        column: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// The configuration as a whole.
    Whole,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}: ", file.display()),
            Self::Line { file, line, .. } => write!(f, "{}:{line}: ", file.display()),
            Self::Variable(name) => write!(f, "environment {}: ", printable(name)),
            Self::Whole => Ok(()),
        }
    }
}

/// What is wrong.
#[derive(Debug, Error)]
pub enum Fault {
    /// A value is not what it should be.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What would have been right.
        expected: String,
        /// What is there, shortened and quoted.
        found: String,
    },
    /// No such key in this section.
    #[error(
        "expected {}, found an unknown key{}",
        one_of(known),
        did_you_mean(nearest)
    )]
    UnknownKey {
        /// The keys that this section has.
        known: Vec<String>,
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// A variable begins with `BALANCER__` but names no key.
    #[error(
        "expected the name of a setting such as BALANCER__POLL__INTERVAL, found an unknown one{}",
        did_you_mean(nearest)
    )]
    UnknownVariable {
        /// The one that was probably meant.
        nearest: Option<String>,
    },
    /// The configuration file cannot be read.
    #[error("expected a readable file, found: {0}")]
    Unreadable(#[source] io::Error),
    /// The file of a secret cannot be used.
    #[error("expected {expected}, found {}: {found}", printable(&file.to_string_lossy()))]
    Secret {
        /// What would have been right.
        expected: &'static str,
        /// The file, beside the configuration file where it was named so.
        file: PathBuf,
        /// What it is instead.
        found: SecretFault,
    },
    /// A directory for keys is no place for them.
    #[error("{}: {fault}", printable(&folder.to_string_lossy()))]
    Folder {
        /// The directory, beside the configuration file where it was named so.
        folder: PathBuf,
        /// The fault: expected and found.
        fault: FolderFault,
    },
    /// Neither the file nor the environment names a relay.
    #[error(
        "no relay configured: set ICECAST_RELAYS=host[:port],... or add [[relay]] to the configuration file"
    )]
    NoRelay,
}

/// Why the file of a secret cannot be used.
#[derive(Debug, Error)]
pub enum SecretFault {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// Everybody may read or write it.
    #[error("mode {0:04o}")]
    Exposed(u32),
    /// A directory, a pipe, a device.
    #[error("no regular file")]
    Irregular,
    /// More than 4 KiB.
    #[error("a larger file")]
    TooLarge,
    /// Bytes that are no text.
    #[error("other bytes")]
    NotText,
    /// Nothing in its first line.
    #[error("nothing there")]
    Empty,
}

impl SecretFault {
    /// The fault of the key that names `file`.
    pub(super) fn of(self, file: PathBuf) -> Fault {
        let expected = match self {
            Self::Unreadable(_) => "a readable file",
            Self::Exposed(_) => "a file that others can neither read nor write (chmod o-rw)",
            Self::Irregular => "a regular file",
            Self::TooLarge => "a file of at most 4 KiB",
            Self::NotText => "a file of UTF-8 text",
            Self::Empty => "a file with the secret in its first line",
        };
        Fault::Secret {
            expected,
            file,
            found: self,
        }
    }
}

impl Fault {
    /// The fault that something else was expected.
    pub(super) fn expected(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Unexpected {
            expected: expected.into(),
            found: found.into(),
        }
    }
}

fn one_of(known: &[String]) -> String {
    match known {
        [only] => only.clone(),
        several => format!("one of {}", several.join(", ")),
    }
}

fn did_you_mean(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|name| format!(" (did you mean {name}?)"))
        .unwrap_or_default()
}

/// The text with its control characters escaped, so that a file cannot steer the terminal that shows its problems.
pub(super) fn printable(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// More of a wrong value would not help to find it.
const QUOTED_LIMIT_CHARS: usize = 80;

/// The text in quotes, escaped, cut at 80 characters.
pub(super) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_LIMIT_CHARS) {
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}
