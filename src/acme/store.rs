//! The state directory: the account, and each certificate in a folder of its own.
//!
//! ```text
//! account.json              the account, and the directory URL that it belongs to
//! lock                      held by the one process that orders
//! current -> certificates/7 what is served
//! certificates/7/chain.pem  key.pem  order.json
//! ```
//!
//! A certificate's folder is filled first and never changed after; then one rename turns `current` to it. Whoever opens the
//! chain just before and the key just after that rename has two files of two certificates; whoever asks
//! [`Paths::settled`] first has two of one.
//! A crash leaves a folder that nothing leads to, and the old certificate in its place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use log::warn;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::certificate::{Certificate, PairError};
use super::draft::Ordered;
use super::files::{self, FolderFault};
use super::schedule::Validity;

const ACCOUNT: &str = "account.json";
const ROOM: &str = "room";
pub(super) const CURRENT: &str = "current";
pub(super) const CERTIFICATES: &str = "certificates";
pub(super) const CHAIN: &str = "chain.pem";
pub(super) const KEY: &str = "key.pem";
pub(super) const ORDER: &str = "order.json";
const LOCK: &str = "lock";

/// An account with its key and URL has some 500.
const ACCOUNT_LIMIT_BYTES: usize = 4096;

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
    /// Not there, full, or not a place for files.
    #[error("cannot write {path}")]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder is no place for secrets.
    #[error("cannot use {path}: {fault}")]
    Folder {
        /// The state directory, or a folder in it.
        path: PathBuf,
        /// The fault: expected and found.
        fault: FolderFault,
    },
    /// The account is there and cannot be read: a new one in its place would be one too many.
    #[error("cannot read {path}")]
    Read {
        /// What was to be read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two balancers have one directory.
    #[error(
        "another process orders certificates into this state directory (it holds {0}): give each balancer its own state_dir"
    )]
    Claimed(PathBuf),
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
    Due(Validity),
}

impl Need {
    /// Lifetime of certificates of this server, as far as that is known.
    pub fn lifetime(&self) -> Option<Duration> {
        match self {
            Self::Due(validity) => Some(validity.lifetime()),
            _ => None,
        }
    }
}

/// The right to order into a state directory; it ends with the value, and with the process.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: Option<Flock<File>>,
}

/// The state directory.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) folder: PathBuf,
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
        let folder = paths.chain.parent().unwrap_or(&paths.chain);
        match Ordered::read(folder).map_err(missing)? {
            Some(order) if order.directory == directory => Ok(certificate),
            _ => Err(Need::OtherServer),
        }
    }

    /// Shuts others out of the files that lie here, as far as a copy or a backup left them open.
    pub fn shut_files(&self) {
        let certificates = self.folder.join(CERTIFICATES);
        let numbers = self.numbers().into_iter();
        let folders = numbers.map(|number| certificates.join(number.to_string()));
        let in_folders =
            folders.flat_map(|folder| [KEY, CHAIN, ORDER].map(|name| folder.join(name)));
        let own = [ACCOUNT, LOCK].map(|name| self.folder.join(name));
        for path in own.into_iter().chain(in_folders) {
            let shown = path.display();
            match files::shut_file(&path) {
                Ok(true) => warn!("acme: file closed to other users: {shown}"),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => warn!("acme: file cannot be closed to other users: {shown}: {error}"),
            }
        }
    }

    /// When the order of the certificate that is served was placed, by the clock of then; none
    /// where that was not noted.
    pub fn ordered_at(&self) -> Option<SystemTime> {
        let paths = Paths::within(&self.folder).settled().ok()?;
        Ordered::read(paths.chain.parent()?).ok()??.begun_at()
    }

    /// When the certificate that is served was put there.
    pub fn published_at(&self) -> Option<SystemTime> {
        let link = fs::symlink_metadata(self.folder.join(CURRENT));
        link.and_then(|link| link.modified()).ok()
    }

    /// The account's file, if there is one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn account(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.folder.join(ACCOUNT);
        match fs::read(&path) {
            Ok(json) => Ok(Some(json)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Read { path, source }),
        }
    }

    /// Takes as much room as an account needs, and gives it back: a full disk is found before one is registered that could
    /// not be kept. The key that binds it may serve once only.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn try_room(&self) -> Result<(), StoreError> {
        own(&self.folder)?;
        write(&self.folder, ROOM, &[0; ACCOUNT_LIMIT_BYTES])?;
        let path = self.folder.join(ROOM);
        fs::remove_file(&path).map_err(cannot_write(path))
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

    /// Keeps other processes from ordering into this directory, until the claim is dropped: two that share it would overwrite
    /// each other's drafts, and with other names each other's certificates.
    ///
    /// # Errors
    /// Another one holds it, or the directory cannot be written.
    pub fn claim(&self) -> Result<Claim, StoreError> {
        own(&self.folder)?;
        let path = self.folder.join(LOCK);
        let file = files::own_file(&path).map_err(cannot_write(path.clone()))?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Claim { _lock: Some(lock) }),
            Err((_, Errno::EWOULDBLOCK)) => Err(StoreError::Claimed(path)),
            // Some network file systems have no locks; who is alone there shall not be without a certificate for that.
            Err(_) => Ok(Claim { _lock: None }),
        }
    }

    /// The numbers of all certificates' folders.
    pub(super) fn numbers(&self) -> BTreeSet<u64> {
        let entries = fs::read_dir(self.folder.join(CERTIFICATES));
        let names = entries.into_iter().flatten().flatten();
        names
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect()
    }

    /// Deletes what is older than the last few. What stays behind does no harm and is tried again next time.
    pub(super) fn prune(&self, current: u64) {
        let old = self.numbers().into_iter();
        for number in old.filter(|number| number.saturating_add(KEPT_BEFORE_CURRENT) < current) {
            let folder = self.folder.join(CERTIFICATES).join(number.to_string());
            let _ = fs::remove_dir_all(folder);
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

pub(super) fn own(folder: &Path) -> Result<(), StoreError> {
    let path = folder.to_owned();
    files::own_folder(folder).map_err(|fault| match fault {
        FolderFault::Io(source) => StoreError::Write { path, source },
        fault => StoreError::Folder { path, fault },
    })
}

pub(super) fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
    files::write_whole(folder, name, bytes).map_err(cannot_write(folder.join(name)))
}

pub(super) fn cannot_write(path: PathBuf) -> impl FnOnce(io::Error) -> StoreError {
    |source| StoreError::Write { path, source }
}
