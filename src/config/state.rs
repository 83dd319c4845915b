//! What outlives a configuration and a process: `[reload]`, and where the operator's wishes are kept.
//!
//! In: a section of the file under its variables. Out: its typed part of the configuration.

use std::path::{Path, PathBuf};

use super::Reload;
use super::error::Fault;
use super::section::{Read, Section};
use super::value;

/// The name of the file in the state directory.
const FILE: &str = "relays.json";

/// Reads `[reload]`.
pub(super) fn reload(section: &mut Section<'_, '_>) -> Reload {
    let watch = section.scalar("watch", value::boolean);
    Reload {
        watch: watch.or(false),
    }
}

/// Reads where the states of relays are kept: by default in the directory that systemd gives a service for such things.
pub(super) fn file(section: &mut Section<'_, '_>) -> Option<PathBuf> {
    let (path, spot) = match section.scalar("state_file", value::text) {
        Read::Value(path, spot) => (path, spot),
        Read::Refused => return None,
        Read::Absent => {
            let folder = section.reader.state_directory.as_ref()?;
            return Some(folder.join(FILE));
        }
    };
    if path.is_empty() {
        return None;
    }
    let mut file = section.reader.beside_file(&path);
    if file.parent() == Some(Path::new("")) {
        file = Path::new(".").join(file);
    }
    if file.is_dir() || !file.parent().is_some_and(Path::is_dir) {
        let expected = "a file in a folder that is there";
        let fault = Fault::expected(expected, format!("{path:?}"));
        section.reader.refuse(spot, fault);
    }
    Some(file)
}
