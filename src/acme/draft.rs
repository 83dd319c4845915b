//! A certificate that is being ordered: its folder, from the key to the chain, and what is needed to ask after it again.
//!
//! From the moment on when the server may be making the certificate the folder stays, whatever happens: a slow server, a full
//! disk or a restart costs another request then, not another order.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::files::{self, ReservedFile};
use super::store::{
    CERTIFICATES, CHAIN, CURRENT, KEY, ORDER, Store, StoreError, cannot_write, own, write,
};

/// Room for the order's file: the names of a certificate, a hundred at most, and the order's URL.
const ORDER_ROOM_BYTES: usize = 32 * 1024;

/// Who has not made a certificate in a day is asked for a new one: of six days, the shortest lifetime in public use, two are
/// left at the renewal.
const LONGEST_ORDER: Duration = Duration::from_secs(24 * 3600);

/// What belongs to a certificate and is not in it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ordered {
    /// Of which server it is.
    pub directory: String,
    /// The order, once the server may be making the certificate.
    #[serde(default)]
    begun: Option<Begun>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    url: String,
    names: BTreeSet<String>,
    /// When, in seconds since 1970.
    at: u64,
}

impl Ordered {
    /// What lies in that folder; none where it makes no sense.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let json = fs::read(folder.join(ORDER))?;
        Ok(serde_json::from_slice(&json).ok())
    }

    /// When the order was placed, by the clock of then.
    pub fn begun_at(&self) -> Option<SystemTime> {
        let at = Duration::from_secs(self.begun.as_ref()?.at);
        SystemTime::UNIX_EPOCH.checked_add(at)
    }
}

/// A certificate that is being ordered. Its folder goes with it unless it was published, or is awaited.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    store: &'a Store,
    number: u64,
    folder: PathBuf,
    /// Room for the order's file, so that a disk that is full by then costs no order.
    room: Option<ReservedFile>,
    is_awaited: bool,
}

impl Store {
    /// A folder for a new certificate, with its key in it, and room for its order: a full disk is
    /// found before anything is ordered.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn draft(&self, key: &str, directory: &str) -> Result<Draft<'_>, StoreError> {
        own(&self.folder)?;
        own(&self.folder.join(CERTIFICATES))?;
        let last = self.numbers().last().copied().unwrap_or_default();
        let mut draft = self.folder_of(last.saturating_add(1));
        own(&draft.folder)?;
        write(&draft.folder, KEY, key.as_bytes())?;
        draft.note(directory, None)?;
        let room = ReservedFile::new(&draft.folder, ORDER, ORDER_ROOM_BYTES);
        draft.room = Some(room.map_err(cannot_write(draft.folder.join(ORDER)))?);
        Ok(draft)
    }

    /// The last draft of which the server may have made a certificate for `names` by now: the draft, its key, the order's URL.
    pub fn awaited(
        &self,
        names: &BTreeSet<String>,
        directory: &str,
        now: SystemTime,
    ) -> Option<(Draft<'_>, String, String)> {
        let current = fs::read_link(self.folder.join(CURRENT)).ok();
        let current = current.and_then(|link| link.file_name()?.to_str()?.parse().ok());
        let numbers = self.numbers().into_iter().rev();
        let mut newer = numbers.take_while(|number| Some(*number) > current);
        newer.find_map(|number| self.awaited_at(number, names, directory, now))
    }

    fn awaited_at(
        &self,
        number: u64,
        names: &BTreeSet<String>,
        directory: &str,
        now: SystemTime,
    ) -> Option<(Draft<'_>, String, String)> {
        let mut draft = self.folder_of(number);
        // Whatever it is, it is not for us to delete unless we go on with it.
        draft.is_awaited = true;
        let ordered = Ordered::read(&draft.folder).ok().flatten()?;
        let is_ours = ordered.directory == directory;
        let begun = ordered
            .begun
            .filter(|begun| is_ours && begun.names == *names)?;
        let age = seconds(now).saturating_sub(begun.at);
        let key = fs::read_to_string(draft.folder.join(KEY)).ok()?;
        (age < LONGEST_ORDER.as_secs()).then_some((draft, key, begun.url))
    }

    fn folder_of(&self, number: u64) -> Draft<'_> {
        let folder = self.folder.join(CERTIFICATES).join(number.to_string());
        Draft {
            store: self,
            number,
            folder,
            room: None,
            is_awaited: false,
        }
    }
}

impl Draft<'_> {
    /// Notes the order, and stays from now on.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn await_order(
        &mut self,
        url: &str,
        names: &BTreeSet<String>,
        directory: &str,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let begun = Begun {
            url: url.to_owned(),
            names: names.clone(),
            at: seconds(now),
        };
        self.note(directory, Some(begun))?;
        self.is_awaited = true;
        Ok(())
    }

    /// Nothing will come of its order.
    pub fn discard(mut self) {
        self.is_awaited = false;
    }

    /// Adds the chain and lets `current` lead here.
    ///
    /// # Errors
    /// The directory cannot be written; the old certificate is still the current one.
    pub fn publish(self, chain: &str) -> Result<(), StoreError> {
        write(&self.folder, CHAIN, chain.as_bytes())?;
        files::link_whole(&self.store.folder, CURRENT, &self.target())
            .map_err(cannot_write(self.store.folder.join(CURRENT)))?;
        self.store.prune(self.number);
        Ok(())
    }

    fn note(&mut self, directory: &str, begun: Option<Begun>) -> Result<(), StoreError> {
        let directory = directory.to_owned();
        let json = serde_json::to_vec(&Ordered { directory, begun })?;
        match self.room.take() {
            Some(room) => room
                .fill(&json)
                .map_err(cannot_write(self.folder.join(ORDER))),
            None => write(&self.folder, ORDER, &json),
        }
    }

    /// The folder as `current` names it.
    fn target(&self) -> PathBuf {
        Path::new(CERTIFICATES).join(self.number.to_string())
    }

    /// Asked of the disk: an error may come after the rename was done.
    fn is_published(&self) -> bool {
        fs::read_link(self.store.folder.join(CURRENT)).is_ok_and(|link| link == self.target())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_awaited && !self.is_published() {
            // An empty try that cannot be cleared away is pruned some certificates later.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

fn seconds(at: SystemTime) -> u64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
