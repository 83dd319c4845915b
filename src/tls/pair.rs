//! A pair: a certificate with its chain, and the key that belongs to it.
//!
//! In: two files (PEM). Out: what rustls signs with, or what is wrong with which file. SECURITY: never a word of a key.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureAlgorithm};
use thiserror::Error;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A chain has a few certificates of 1 to 2 KB, but the authorities of a whole system, which are read here too, 220 KB.
const LIMIT_BYTES: u64 = 1024 * 1024;

/// The bits that let everybody on the machine read or write.
const OTHERS: u32 = 0o006;

/// Where a pair lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate, and behind it those that lead to its authority.
    pub chain: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// A certificate that we can prove to have.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What rustls sends and signs with.
    pub certified: Arc<CertifiedKey>,
    /// The names and addresses that it is for, in lower case; `*.` stands for one label.
    pub names: Vec<String>,
    /// When it ends.
    pub valid_until: SystemTime,
    /// Signs with ECDSA or Ed25519: smaller and many times cheaper than RSA.
    pub is_light: bool,
}

/// Why a pair cannot be used.
#[derive(Debug, Error)]
pub enum BadPair {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, io::Error),
    /// A directory, a pipe, a device.
    #[error("{0}: no regular file")]
    Irregular(PathBuf),
    /// More than 1 MiB.
    #[error("{0}: larger than 1 MiB")]
    TooLarge(PathBuf),
    /// Everybody may read or write the key.
    #[error("{0}: others can read or write it (mode {1:04o}); chmod o-rw")]
    Exposed(PathBuf, u32),
    /// No certificate in it.
    #[error("{0}: no certificate in it (PEM)")]
    NoCertificate(PathBuf),
    /// Something in it is no certificate.
    #[error("{0}: a damaged certificate in it")]
    Damaged(PathBuf),
    /// No key in it, or one with a passphrase.
    #[error("{0}: no private key in it (PEM, without a passphrase)")]
    NoKey(PathBuf),
    /// A kind of key that cannot be used.
    #[error("{0}: a key that cannot be used: expected ECDSA, Ed25519 or RSA of at least 2048 bits")]
    Unusable(PathBuf),
    /// No certificate for TLS.
    #[error("{0}: a certificate that cannot be used: expected version 3 of X.509")]
    Unsuited(PathBuf),
    /// It has ended, and another one has not.
    #[error("{0}: a certificate that has ended")]
    Ended(PathBuf),
    /// They do not belong together.
    #[error("{0} is not the key of {1}")]
    Mismatch(PathBuf, PathBuf),
}

impl Pair {
    /// Reads a pair.
    ///
    /// # Errors
    /// What is wrong with which file.
    pub fn load(files: &Files) -> Result<Self, BadPair> {
        let chain = chain(&files.chain)?;
        let key = key(&files.key)?;
        let leaf = chain.first().map(CertificateDer::as_ref);
        let leaf = leaf.and_then(|der| X509Certificate::from_der(der).ok());
        let (_, leaf) = leaf.ok_or_else(|| BadPair::Damaged(files.chain.clone()))?;
        let (names, valid_until) = (names(&leaf), valid_until(&leaf));
        let certified = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                BadPair::Mismatch(files.key.clone(), files.chain.clone())
            }
            rustls::Error::InvalidCertificate(_) => BadPair::Unsuited(files.chain.clone()),
            _ => BadPair::Unusable(files.key.clone()),
        })?;
        Ok(Self {
            names,
            valid_until,
            is_light: certified.key.algorithm() != SignatureAlgorithm::RSA,
            certified: certified.into(),
        })
    }
}

/// Reads the certificates of a file, of which there is one at least.
///
/// # Errors
/// What is wrong with the file.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, BadPair> {
    let (bytes, _) = read(path)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let chain = read.map_err(|_| BadPair::Damaged(path.to_owned()))?;
    match chain.is_empty() {
        true => Err(BadPair::NoCertificate(path.to_owned())),
        false => Ok(chain),
    }
}

/// The mode of a file that everybody on the machine can read or write; of a secret it says that it is none.
pub fn exposed(file: &Metadata) -> Option<u32> {
    let mode = file.permissions().mode() & 0o7777;
    (mode & OTHERS != 0).then_some(mode)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, BadPair> {
    let (bytes, metadata) = read(path)?;
    if let Some(mode) = exposed(&metadata) {
        return Err(BadPair::Exposed(path.to_owned(), mode));
    }
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| BadPair::NoKey(path.to_owned()))
}

/// Reads a file, and what is known of it. The look at it comes before opening it: opening a pipe would wait for its writer.
fn read(path: &Path) -> Result<(Vec<u8>, Metadata), BadPair> {
    let unreadable = |error| BadPair::Unreadable(path.to_owned(), error);
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(BadPair::Irregular(path.to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LIMIT_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LIMIT_BYTES {
        return Err(BadPair::TooLarge(path.to_owned()));
    }
    Ok((bytes, metadata))
}

fn names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else {
        return Vec::new();
    };
    let names = alternatives.value.general_names.iter();
    let names = names.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => Some(address(bytes)?.to_string()),
        _ => None,
    });
    names.collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

fn valid_until(leaf: &X509Certificate<'_>) -> SystemTime {
    let seconds = leaf.validity().not_after.timestamp();
    let seconds = u64::try_from(seconds).unwrap_or_default();
    // A year that no clock knows is as good as never.
    let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
    until.unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
pub(super) mod tests;
