//! A certificate as the schedule needs it: whose it is, how long it is good, and whether key and chain are a pair.
//!
//! In: the two files' bytes. Out: a [`Certificate`] or what is wrong with them. Trusts nothing but checks no signature: that
//! is for those who connect.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{KeyPair, PublicKeyData};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use super::schedule::Validity;

/// What is wrong with a key and a chain.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// Not PEM, or something else than certificates in it.
    #[error("expected a chain of certificates in PEM")]
    Chain,
    /// Not a private key in PEM.
    #[error("expected a private key in PEM")]
    Key(#[source] Option<rcgen::Error>),
    /// They belong to different certificates.
    #[error("the private key is not that of the certificate")]
    Mismatch,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Domains and addresses, in lower case.
    pub names: BTreeSet<String>,
    /// How long it is good.
    pub validity: Validity,
}

impl Certificate {
    /// Reads the chain's first certificate, the leaf, and compares its key with `key`.
    ///
    /// # Errors
    /// Either is unreadable, or they do not belong together.
    pub fn parse(chain: &[u8], key: &[u8]) -> Result<Self, PairError> {
        let chain: Result<Vec<Pem>, _> = Pem::iter_from_buffer(chain).collect();
        let chain = chain.map_err(|_| PairError::Chain)?;
        let parsed: Result<Vec<X509Certificate<'_>>, _> = chain.iter().map(certificate).collect();
        let parsed = parsed?;
        let leaf = parsed.first().ok_or(PairError::Chain)?;
        let key = str::from_utf8(key).map_err(|_| PairError::Key(None))?;
        let key = KeyPair::from_pem(key).map_err(|error| PairError::Key(Some(error)))?;
        if leaf.public_key().raw != key.subject_public_key_info() {
            return Err(PairError::Mismatch);
        }
        Ok(Self {
            names: names(leaf),
            validity: Validity {
                not_before: time(leaf.validity.not_before),
                not_after: time(leaf.validity.not_after),
            },
        })
    }
}

fn certificate(pem: &Pem) -> Result<X509Certificate<'_>, PairError> {
    if pem.label != "CERTIFICATE" {
        return Err(PairError::Chain);
    }
    pem.parse_x509().map_err(|_| PairError::Chain)
}

fn names(leaf: &X509Certificate<'_>) -> BTreeSet<String> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else {
        return BTreeSet::new();
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| v6()).ok()
}

/// Times before 1970 are as good as 1970.
fn time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}
