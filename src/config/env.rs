//! The environment: which of its variables are ours, and which key each stands over.
//!
//! In: names and values as the process has them. Out: settings by the path of their key. Reads the environment of the
//! process in one place, so that everything else can be tested without it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::error::{Fault, Problem, Spot};

/// Where a configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file of `--config`; without it the file of `BALANCER_CONFIG`, without both none.
    pub file: Option<PathBuf>,
    /// The environment; variables that are not ours are not looked at.
    pub environment: BTreeMap<String, OsString>,
}

impl Sources {
    /// The environment of this process, and a file.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let mut environment: BTreeMap<_, _> = std::env::vars_os().filter_map(named).collect();
        // SECURITY: what is not ours may be somebody's secret, and `Sources` can be printed.
        environment.retain(|name, _| is_ours(name) || name == STATE_DIRECTORY);
        Self { file, environment }
    }

    /// The file to read.
    pub fn config_file(&self) -> Option<PathBuf> {
        let named = || self.environment.get(CONFIG).filter(|file| !file.is_empty());
        self.file.clone().or_else(|| named().map(PathBuf::from))
    }
}

/// Where systemd tells a service that it may keep something, as paths between colons.
const STATE_DIRECTORY: &str = "STATE_DIRECTORY";

const CONFIG: &str = "BALANCER_CONFIG";
const PREFIX: &str = "BALANCER__";

/// The variables of the Python project of the same name.
const DROP_IN: [&str; 4] = [
    "ICECAST_RELAYS",
    "ICECAST_RELAY_SCHEME",
    "PORT",
    "CACHE_TTL",
];

fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || name == CONFIG || DROP_IN.contains(&name)
}

/// The first directory in which the service may keep something, where systemd gives it one.
pub(super) fn state_directory(environment: &BTreeMap<String, OsString>) -> Option<PathBuf> {
    let folders = environment.get(STATE_DIRECTORY)?;
    std::env::split_paths(folders).find(|folder| folder.is_absolute())
}

/// The variable that stands over the key with this path.
pub(super) fn name_of(path: &str) -> String {
    format!("{PREFIX}{}", path.to_ascii_uppercase().replace('.', "__"))
}

/// A variable and its text.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) text: String,
}

impl Setting {
    pub(super) fn spot(&self) -> Spot {
        Spot::variable(&self.name)
    }

    /// Whether it is a `BALANCER__` variable and not one of the Python project's.
    pub(super) fn is_own(&self) -> bool {
        self.name.starts_with(PREFIX)
    }
}

/// Our variables by the name under which a key looks for them, and those that cannot be read.
pub(super) fn settings(
    environment: &BTreeMap<String, OsString>,
) -> (BTreeMap<String, Setting>, Vec<Problem>) {
    let mut settings = BTreeMap::new();
    let mut problems = Vec::new();
    let ours = |name: &str| is_ours(name) && name != CONFIG;
    for (name, value) in environment.iter().filter(|(name, _)| ours(name)) {
        let name = name.clone();
        match value.to_str() {
            Some(text) => {
                let text = text.to_owned();
                settings.insert(name.clone(), Setting { name, text });
            }
            None => problems
                .push(Spot::variable(name).with(Fault::expected("UTF-8 text", "other bytes"))),
        }
    }
    (settings, problems)
}
