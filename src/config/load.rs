//! Loading: defaults under the file under the environment, and then the whole judged.
//!
//! In: [`Sources`]. Out: [`Loaded`], or every problem at once. Touches the disk only for the files that are named.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use toml_span::value::Table;

use super::draft::{self, Draft};
use super::drop_in::DropIn;
use super::env::Sources;
use super::error::{Fault, Place, Problem, Problems, Spot};
use super::file::Document;
use super::reader::Reader;
use super::section::Section;
use super::{Config, validate};

/// A valid configuration and what is to be said about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// One line each for the log: where the environment set aside what the file says, and what is allowed but seldom meant.
    pub notices: Vec<String>,
}

/// Reads and checks the whole configuration.
///
/// # Errors
/// Every problem of the file and the environment, in order.
pub fn load(sources: &Sources) -> Result<Loaded, Problems> {
    match sources.config_file().map(|file| Document::load(&file)) {
        None => assemble(None, &sources.environment, Vec::new()),
        Some(Ok(document)) => assemble(Some(&document), &sources.environment, Vec::new()),
        Some(Err(problem)) => assemble(None, &sources.environment, vec![problem]),
    }
}

/// Checks a configuration whose file is read; `problems` are those that prevented reading it.
pub(super) fn assemble(
    document: Option<&Document>,
    environment: &BTreeMap<String, OsString>,
    mut problems: Vec<Problem>,
) -> Result<Loaded, Problems> {
    let table = document.map(Document::table).transpose();
    let table = table.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let understood = problems.is_empty();
    let mut reader = Reader::new(document.map(Document::lines), environment);
    reader.problems.append(&mut problems);
    let draft = drafted(&mut reader, table.unwrap_or_default());
    validate::judge(&draft, &mut reader.problems);
    // A file that cannot be understood may well name relays.
    if understood && draft.relays.is_empty() {
        let fault = Fault::NoRelay;
        let file = document.map(|document| Place::File(document.file.clone()));
        reader.refuse(Spot::bare(file.unwrap_or(Place::Whole)), fault);
    }
    match Problems::found(reader.problems) {
        Some(problems) => Err(problems),
        None => Ok(Loaded {
            config: draft.into_config(),
            file: document.map(|document| document.file.clone()),
            notices: reader.notices,
        }),
    }
}

fn drafted(reader: &mut Reader, table: Table<'_>) -> Draft {
    let drop_in = DropIn::read(reader);
    let mut draft = Section::root(reader, table, draft::read);
    reader.refuse_unused();
    draft.set_aside_for(drop_in, reader);
    draft.fill_binds(reader);
    draft
}
