//! Tests of the configuration: what is read, and the exact line of every problem.

mod admin_hosts;
mod broken;
mod disk;
mod documented;
mod environment;
mod good;
mod never_panics;
mod operator;
mod rules;
mod state_dir;
mod trust;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::file::Document;
use super::load::assemble;
use super::{Loaded, Problems};

/// A relay for configurations that are about something else.
const RELAY: (&str, &str) = ("ICECAST_RELAYS", "relay1.example.com:8000");

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, OsString> {
    let owned = |(name, value): &(&str, &str)| (name.to_string(), OsString::from(value));
    variables.iter().map(owned).collect()
}

/// Reads a file called `x.toml` with this text under these variables.
fn read(toml: &str, variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let document = Document {
        file: PathBuf::from("x.toml"),
        text: toml.to_owned(),
    };
    assemble(Some(&document), &environment(variables), Vec::new())
}

fn good(toml: &str, variables: &[(&str, &str)]) -> Loaded {
    read(toml, variables).unwrap_or_else(|problems| panic!("{problems}"))
}

fn lines(read: Result<Loaded, Problems>) -> Vec<String> {
    match read {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}
