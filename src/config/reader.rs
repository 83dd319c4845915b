//! What is shared while a configuration is read: the variables not yet used, the problems and notices so far.
//!
//! In: one call per finding. Out: all of them. Judges nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml_span::Span;

use super::env::{self, Setting};
use super::error::{Fault, Place, Problem, Spot, quoted};
use super::file::Lines;

/// The findings of one reading.
#[derive(Debug)]
pub(super) struct Reader {
    lines: Option<Lines>,
    settings: BTreeMap<String, Setting>,
    /// Every variable that a key looked for, for the hint at a misspelled one.
    sought: BTreeSet<String>,
    /// Where this service may keep something.
    pub(super) state_directory: Option<PathBuf>,
    pub(super) problems: Vec<Problem>,
    pub(super) notices: Vec<String>,
}

impl Reader {
    pub(super) fn new(lines: Option<Lines>, environment: &BTreeMap<String, OsString>) -> Self {
        let (settings, problems) = env::settings(environment);
        Self {
            lines,
            settings,
            sought: BTreeSet::new(),
            state_directory: env::state_directory(environment),
            problems,
            notices: Vec::new(),
        }
    }

    pub(super) fn refuse(&mut self, spot: Spot, fault: Fault) {
        self.problems.push(spot.with(fault));
    }

    /// The place of a byte of the file.
    pub(super) fn place(&self, offset: usize) -> Place {
        self.lines
            .as_ref()
            .map_or(Place::Whole, |lines| lines.place(offset))
    }

    /// The path beside the configuration file, or the path itself where it is absolute.
    pub(super) fn beside_file(&self, path: &str) -> PathBuf {
        let folder = self.lines.as_ref().and_then(|lines| lines.file().parent());
        folder.unwrap_or(Path::new("")).join(path)
    }

    /// Takes the variable over the key with this path.
    pub(super) fn take_setting(&mut self, path: &str) -> Option<Setting> {
        let name = env::name_of(path);
        let setting = self.settings.remove(&name);
        self.sought.insert(name);
        setting
    }

    /// Takes a variable of the Python project; an empty one, as compose's `${X:-}` leaves it, is not set.
    pub(super) fn take_drop_in(&mut self, name: &str) -> Option<Setting> {
        let setting = self.settings.remove(name)?;
        (!setting.text.trim().is_empty()).then_some(setting)
    }

    /// Lets a drop-in variable stand over the key with this path, unless the key's own variable does.
    pub(super) fn stand_in(&mut self, path: &str, setting: Setting) {
        match self.settings.entry(env::name_of(path)) {
            Entry::Vacant(free) => {
                free.insert(setting);
            }
            Entry::Occupied(own) => self.notices.push(format!(
                "{} of the environment replaces {}",
                own.key(),
                setting.name
            )),
        }
    }

    /// Notes that a drop-in variable replaces a key of the file; for the key's own variable that is its purpose.
    pub(super) fn note_replaced(&mut self, setting: &Setting, key: &str) {
        if !setting.is_own() {
            self.note_over_file(&setting.name, key);
        }
    }

    /// Notes that a variable replaces a part of the file.
    pub(super) fn note_over_file(&mut self, variable: &str, part: &str) {
        let file = self.lines.as_ref().map_or(Path::new(""), Lines::file);
        self.notices.push(format!(
            "{variable} of the environment replaces {part} of {}",
            file.display()
        ));
    }

    /// Refuses a key that its section does not have.
    pub(super) fn refuse_key(&mut self, section: &str, name: &str, at: Span, known: &[String]) {
        let shown = key_shown(name);
        let key = match section {
            "" => shown,
            section => format!("{section}.{shown}"),
        };
        let place = self.place(at.start);
        let fault = Fault::UnknownKey {
            known: known.to_vec(),
            nearest: nearest(name, known),
        };
        self.refuse(
            Spot {
                place,
                key: Some(key),
            },
            fault,
        );
    }

    /// Refuses the variables that no key looked for.
    pub(super) fn refuse_unused(&mut self) {
        for name in std::mem::take(&mut self.settings).into_keys() {
            let nearest = nearest(&name, &self.sought);
            self.refuse(Spot::variable(name), Fault::UnknownVariable { nearest });
        }
    }
}

/// The known name that was probably meant: at most one letter in three is wrong.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a String>) -> Option<String> {
    let folded = name.to_lowercase();
    let distance = |known: &&String| strsim::damerau_levenshtein(&folded, &known.to_lowercase());
    known
        .into_iter()
        .map(|known| (distance(&known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known.clone())
}

/// The key as it would stand in the file.
pub(super) fn key_shown(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match !name.is_empty() && name.len() <= 80 && name.chars().all(bare) {
        true => name.to_owned(),
        false => quoted(name),
    }
}
