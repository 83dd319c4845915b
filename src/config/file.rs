//! The configuration file: from disk to a table of values that know their lines.
//!
//! In: a path. Out: its text, then its table, or the one problem that prevents it. Knows no key.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml_span::ErrorKind;
use toml_span::value::{Table, ValueInner};

use super::error::{Fault, Place, Problem, Spot, printable};

/// A fleet of thousands of relays fits; a larger file is the wrong one.
const FILE_LIMIT_BYTES: usize = 1024 * 1024;

/// The text of a file and its name.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) file: PathBuf,
    pub(super) text: String,
}

impl Document {
    /// Reads the file from disk.
    pub(super) fn load(file: &Path) -> Result<Self, Problem> {
        let bytes =
            bytes_of(file).map_err(|fault| Spot::bare(Place::File(file.to_owned())).with(fault))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let place = Lines::of(file, error.as_bytes()).place(good);
            Spot::bare(place).with(Fault::expected("UTF-8 text", "other bytes"))
        })?;
        Ok(Self {
            file: file.to_owned(),
            text,
        })
    }

    pub(super) fn lines(&self) -> Lines {
        Lines::of(&self.file, self.text.as_bytes())
    }

    /// The file's table of all tables.
    pub(super) fn table(&self) -> Result<Table<'_>, Problem> {
        let mut root = toml_span::parse(&self.text).map_err(|error| {
            let place = self.lines().place(error.span.start);
            Spot::bare(place).with(syntax(error))
        })?;
        match root.take() {
            ValueInner::Table(table) => Ok(table),
            _ => Ok(Table::new()),
        }
    }
}

fn bytes_of(file: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    File::open(file)
        .and_then(|open| {
            open.take(FILE_LIMIT_BYTES as u64 + 1)
                .read_to_end(&mut bytes)
        })
        .map_err(Fault::Unreadable)?;
    if bytes.len() > FILE_LIMIT_BYTES {
        return Err(Fault::expected("a file of at most 1 MiB", "a larger one"));
    }
    // A file without a word is a failed copy or an empty volume, not a wish for defaults.
    if bytes.trim_ascii().is_empty() {
        return Err(Fault::expected("settings", "an empty file"));
    }
    Ok(bytes)
}

fn syntax(error: toml_span::Error) -> Fault {
    match error.kind {
        ErrorKind::Wanted { expected, found } => Fault::expected(expected, found),
        ErrorKind::UnquotedString => Fault::expected(
            "a value (a string stands in quotes)",
            "a word without quotes",
        ),
        ErrorKind::UnexpectedEof => Fault::expected("a value", "the end of the file"),
        _ => Fault::expected("valid TOML", printable(&error.to_string())),
    }
}

/// Where the lines of a file begin.
#[derive(Debug)]
pub(super) struct Lines {
    file: PathBuf,
    starts: Vec<usize>,
}

impl Lines {
    fn of(file: &Path, text: &[u8]) -> Self {
        let newlines = text.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        Self {
            file: file.to_owned(),
            starts: std::iter::once(0)
                .chain(newlines.map(|(at, _)| at + 1))
                .collect(),
        }
    }

    /// The line that holds the byte at `offset`.
    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied();
        Place::Line {
            file: self.file.clone(),
            line: line.max(1),
            column: offset - start.unwrap_or(0) + 1,
        }
    }

    pub(super) fn file(&self) -> &Path {
        &self.file
    }
}
