//! The states that an operator set, in a file: a relay that he drained stays so when the balancer starts anew.
//!
//! In: the fleet, after each order and each other roster. Out: a small JSON file, written whole; at the start the states in it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use log::{error, info, warn};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::control::STATES;
use crate::acme::write_whole;
use crate::fleet::{AdminState, Fleet, RelayId, SharedFleet};

/// Thousands of relays fit; a larger file is the wrong one.
const FILE_LIMIT_BYTES: u64 = 1024 * 1024;

/// Where states are kept; nowhere by default.
#[derive(Debug, Default)]
pub struct States {
    file: Option<PathBuf>,
    /// What was written last.
    written: Mutex<Option<Kept>>,
    /// The last attempt to write failed.
    is_behind: AtomicBool,
}

/// The states are in force and could not be stored: the next start has those that were stored
/// before.
#[derive(Debug, Error)]
#[error("cannot write {}: {source}", .file.display())]
pub struct StateFileError {
    file: PathBuf,
    source: io::Error,
}

/// What is in the file: the relays that are not ready.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    relays: BTreeMap<String, String>,
}

impl States {
    /// States in this file, which need not exist.
    pub fn kept_in(file: Option<PathBuf>) -> Self {
        Self {
            file,
            ..Self::default()
        }
    }

    /// Sets the states that are in the file; a relay that is not in it is ready. A file that cannot be read is told, and left as it is until something is kept.
    pub fn restore(&self, fleet: &mut Fleet) {
        let Some(file) = &self.file else { return };
        let kept = match load(file) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                warn!(
                    "{}: {error}; every relay is ready, whatever was set before",
                    file.display()
                );
                return;
            }
        };
        let mut states = kept.states(fleet, file);
        let before: Vec<_> = fleet
            .iter()
            .map(|(id, _, standing, _)| (id, standing.admin_state))
            .collect();
        for (id, before) in before {
            let state = states.remove(&id).unwrap_or_default();
            if state != before {
                let name = fleet.relay(id).map_or("", |relay| &relay.name);
                info!(
                    "relay {name}: {}, as it was set before the start",
                    state.as_str()
                );
                fleet.set_admin_state(id, state);
            }
        }
    }

    /// Keeps the states as they are.
    ///
    /// # Errors
    /// They could not be stored; logged here. The next call tries again.
    pub fn keep(&self, fleet: &SharedFleet) -> Result<(), StateFileError> {
        let kept = self.try_to_keep(fleet);
        if let Err(error) = &kept {
            error!("{error}; what was set of relays is forgotten at the next start");
        }
        kept
    }

    /// True while the last attempt to keep the states is one that failed.
    pub fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Relaxed)
    }

    /// Keeps what the last attempt did not; a failure is in the log already.
    pub fn catch_up(&self, fleet: &SharedFleet) {
        if self.is_behind() && self.try_to_keep(fleet).is_ok() {
            info!("admin: relay states stored, after earlier attempts failed");
        }
    }

    fn try_to_keep(&self, fleet: &SharedFleet) -> Result<(), StateFileError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Kept::of(&fleet.lock());
        let stored = match written.as_ref() == Some(&kept) {
            true => Ok(()),
            false => store(file, &kept),
        };
        self.is_behind.store(stored.is_err(), Ordering::Relaxed);
        stored.map_err(|source| StateFileError {
            file: file.clone(),
            source,
        })?;
        *written = Some(kept);
        Ok(())
    }
}

impl Kept {
    fn states(self, fleet: &Fleet, file: &Path) -> HashMap<RelayId, AdminState> {
        let mut states = HashMap::new();
        for (name, word) in self.relays {
            let known = fleet.roster().find(|(_, relay)| relay.name == name);
            let state = STATES.into_iter().find(|state| state.as_str() == word);
            match (known, state) {
                (Some((id, _)), Some(state)) => {
                    states.insert(id, state);
                }
                _ => warn!(
                    "{}: {name:?} with state {word:?} is not known, and forgotten",
                    file.display()
                ),
            }
        }
        states
    }

    fn of(fleet: &Fleet) -> Self {
        let unready = fleet
            .iter()
            .filter(|(_, _, standing, _)| standing.admin_state != AdminState::Ready);
        let relays = unready.map(|(_, relay, standing, _)| {
            (relay.name.clone(), standing.admin_state.as_str().to_owned())
        });
        Self {
            relays: relays.collect(),
        }
    }
}

/// The look at the file comes before opening it: opening a pipe would wait for its writer.
fn load(file: &Path) -> io::Result<Kept> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("expected a file, found something else"));
    }
    let mut bytes = Vec::new();
    File::open(file)?
        .take(FILE_LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_LIMIT_BYTES {
        return Err(io::Error::other("expected a file of at most 1 MiB"));
    }
    Ok(serde_json::from_slice(&bytes)?)
}

fn store(file: &Path, kept: &Kept) -> io::Result<()> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|n| n.to_str()))
    else {
        return Err(io::Error::other("expected a path of a file"));
    };
    let mut bytes = serde_json::to_vec_pretty(kept)?;
    bytes.push(b'\n');
    write_whole(folder, name, &bytes)
}

#[cfg(test)]
mod tests;
