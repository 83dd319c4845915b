//! `[upstream]`: the authorities whose certificates relays must have.
//!
//! In: a section of the file under its variables. Out: the path of a file of which it is known that it can be used.

use std::fs;
use std::path::Path;

use pingora::tls::{RootCertStore, load_ca_file_into_store};

use super::Upstream;
use super::error::{Fault, quoted};
use super::section::Section;
use super::value;

/// The bundle of all public authorities has a quarter of it.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// Reads `[upstream]`.
pub(super) fn upstream(section: &mut Section<'_, '_>) -> Upstream {
    let file = section.scalar("ca_file", value::text);
    let Some((file, spot)) = file.given() else {
        return Upstream::default();
    };
    let path = section.reader.beside_file(&file);
    if let Err(found) = inspect(&path) {
        let expected = "a file with certificates of authorities (PEM) and nothing else";
        let found = format!("{} ({found})", quoted(&path.to_string_lossy()));
        section
            .reader
            .refuse(spot, Fault::expected(expected, found));
    }
    Upstream {
        ca_file: Some(path),
    }
}

/// Says why the file cannot be used.
///
/// PINGORA: (0.9.1) its connector panics at a file that it cannot load, and takes its path as text: what is refused here
/// is what it would refuse.
fn inspect(path: &Path) -> Result<(), String> {
    let file = fs::metadata(path).map_err(|error| error.to_string())?;
    if !file.is_file() {
        return Err("no regular file".to_owned());
    }
    if file.len() > LIMIT_BYTES {
        return Err("larger than 1 MiB".to_owned());
    }
    if path.to_str().is_none() {
        return Err("a path that is no UTF-8".to_owned());
    }
    fs::File::open(path).map_err(|error| error.to_string())?;
    let mut store = RootCertStore::empty();
    match load_ca_file_into_store(path, &mut store) {
        Ok(()) if !store.is_empty() => Ok(()),
        Ok(()) => Err("no certificate in it".to_owned()),
        Err(_) => Err("a damaged certificate in it, or something else such as a key".to_owned()),
    }
}
