//! The state directory: the account, and each certificate in a folder of its own.
//!
//! ```text
//! account.json              the account, and the directory URL that it belongs to
//! current -> certificates/7 what is served
//! certificates/7/chain.pem  key.pem  order.json
//! ```
//!
//! A certificate's folder is filled first and never changed after; then one rename turns `current` to it. Whoever opens the
//! chain just before and the key just after that rename has two files of two certificates; whoever asks
//! [`Paths::settled`] first has two of one.
//! A crash leaves a folder that nothing leads to, and the old certificate in its place.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::certificate::{Certificate, PairError};
use super::files;

const ACCOUNT: &str = "account.json";
const CURRENT: &str = "current";
const CERTIFICATES: &str = "certificates";
const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";
const ORDER: &str = "order.json";

/// The current certificate and the two before it stay: someone may still be reading them, or want to go back.
const KEPT_BEFORE_CURRENT: u64 = 2;

/// Where chain and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The certificate and those that vouch for it, in PEM.
    pub chain: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

impl Paths {
    pub(super) fn within(state_dir: &Path) -> Self {
        let current = state_dir.join(CURRENT);
        Self {
            chain: current.join(CHAIN),
            key: current.join(KEY),
        }
    }

    /// The same two files by the name of the folder that never changes, so that both are of one certificate however
    /// late the second is read.
    ///
    /// # Errors
    /// There is no certificate yet, or the state directory cannot be read.
    pub fn settled(&self) -> io::Result<Self> {
        let nowhere = || io::Error::from(io::ErrorKind::NotFound);
        let folder = self.chain.parent().ok_or_else(nowhere)?.canonicalize()?;
        Ok(Self {
            chain: folder.join(CHAIN),
            key: folder.join(KEY),
        })
    }
}

/// The state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not ours, not there, full, or not a place for files.
    #[error("cannot write {path}")]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What is to be kept has no form in JSON.
    #[error("cannot write JSON")]
    Json(#[from] serde_json::Error),
}

/// Why a new certificate is needed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Need {
    /// The first start, or somebody deleted it.
    #[error("there is no certificate yet")]
    Missing,
    /// The files cannot be used.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(io::Error),
    /// They are damaged.
    #[error("the certificate is broken: {0}")]
    Broken(#[from] PairError),
    /// The configured domains are others.
    #[error("the certificate is for {}", list(.0))]
    OtherNames(BTreeSet<String>),
    /// It came from another ACME server, for example from the one for trials.
    #[error("the certificate is of another ACME server")]
    OtherServer,
    /// Its time has come.
    #[error("two thirds of its lifetime are over")]
    Due,
}

/// What belongs to a certificate and is not in it.
#[derive(Debug, Serialize, Deserialize)]
struct Ordered {
    directory: String,
}

/// The state directory.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// A store in `folder`, which need not exist.
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// The certificate that is served, if it is a good one for `names` from the server with that directory URL.
    ///
    /// # Errors
    /// Why a new one is needed.
    pub fn current(&self, names: &BTreeSet<String>, directory: &str) -> Result<Certificate, Need> {
        let paths = Paths::within(&self.folder).settled().map_err(missing)?;
        let chain = fs::read(&paths.chain).map_err(missing)?;
        let key = fs::read(&paths.key).map_err(missing)?;
        let certificate = Certificate::parse(&chain, &key)?;
        if certificate.names != *names {
            return Err(Need::OtherNames(certificate.names));
        }
        let order = fs::read(paths.chain.with_file_name(ORDER)).map_err(missing)?;
        match serde_json::from_slice::<Ordered>(&order) {
            Ok(order) if order.directory == directory => Ok(certificate),
            _ => Err(Need::OtherServer),
        }
    }

    /// When the certificate that is served was put there.
    pub fn published_at(&self) -> Option<SystemTime> {
        let link = fs::symlink_metadata(self.folder.join(CURRENT));
        link.and_then(|link| link.modified()).ok()
    }

    /// The account's file, if there is a readable one.
    pub fn account(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.join(ACCOUNT)).ok()
    }

    /// Keeps the account.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn keep_account(&self, account: &impl Serialize) -> Result<(), StoreError> {
        let json = serde_json::to_vec_pretty(account)?;
        own(&self.folder)?;
        write(&self.folder, ACCOUNT, &json)
    }

    /// A folder for a new certificate, with its key in it: a full disk is found before anything is ordered.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn draft(&self, key: &str, directory: &str) -> Result<Draft<'_>, StoreError> {
        own(&self.folder)?;
        let certificates = self.folder.join(CERTIFICATES);
        own(&certificates)?;
        let number = self
            .numbers()
            .last()
            .map_or(1, |last| last.saturating_add(1));
        let folder = certificates.join(number.to_string());
        own(&folder)?;
        let draft = Draft {
            store: self,
            number,
            folder,
        };
        let order = serde_json::to_vec(&Ordered {
            directory: directory.to_owned(),
        })?;
        write(&draft.folder, KEY, key.as_bytes())?;
        write(&draft.folder, ORDER, &order)?;
        Ok(draft)
    }

    /// The numbers of all certificates' folders.
    fn numbers(&self) -> BTreeSet<u64> {
        let entries = fs::read_dir(self.folder.join(CERTIFICATES));
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Deletes what is older than the last few. What stays behind does no harm and is tried again next time.
    fn prune(&self, current: u64) {
        let old = self.numbers().into_iter();
        for number in old.filter(|number| number.saturating_add(KEPT_BEFORE_CURRENT) < current) {
            let folder = self.folder.join(CERTIFICATES).join(number.to_string());
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A certificate that is being ordered. Its folder goes with it unless it was published.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    store: &'a Store,
    number: u64,
    folder: PathBuf,
}

impl Draft<'_> {
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
        if !self.is_published() {
            // An empty try that cannot be cleared away is pruned some certificates later.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Names in a line of the log.
pub(super) fn list(names: &BTreeSet<String>) -> String {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.join(", ")
}

fn missing(error: io::Error) -> Need {
    match error.kind() {
        io::ErrorKind::NotFound => Need::Missing,
        _ => Need::Unreadable(error),
    }
}

fn own(folder: &Path) -> Result<(), StoreError> {
    files::own_folder(folder).map_err(cannot_write(folder.to_owned()))
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    files::write_whole(folder, name, bytes).map_err(cannot_write(folder.join(name)))
}

fn cannot_write(path: PathBuf) -> impl FnOnce(io::Error) -> StoreError {
    |source| StoreError::Write { path, source }
}
