//! Certificates by ACME (RFC 8555): orders one for the configured domains, keeps it in the state directory, renews it.
//!
//! In: [`Settings`]. Out: the two files of [`Paths`], which the TLS binds watch; the answers of [`Challenges`], which the
//! plain bind gives; the [`AcmeStatus`]. It serves nothing itself, and it never takes a certificate away: whatever fails,
//! the old one stays where it is.

mod account;
mod attempt;
mod binding;
mod certificate;
mod challenges;
mod clock;
mod draft;
mod error;
mod files;
mod keeper;
mod nonce;
mod order;
mod schedule;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod wire;

use std::path::PathBuf;

pub use binding::{Binding, NotBase64Url};
pub use certificate::PairError;
pub use challenges::{ChallengeError, Challenges};
pub use error::AcmeError;
pub use files::{FolderFault, judge_folder, write_whole};
pub use keeper::Acme;
pub use status::{AcmeStatus, SharedStatus};
pub use store::{Paths, StoreError};
pub use wire::WireError;

/// The server that is asked unless another one is configured.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// What the operator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The names of the one certificate; no wildcards, at most 100 at Let's Encrypt.
    pub domains: Vec<String>,
    /// Whom the server writes to.
    pub email: Option<String>,
    /// The URL of the ACME server's directory.
    pub directory: String,
    /// Which of the server's customers we are, where it wants to know.
    pub binding: Option<Binding>,
    /// Directory of account and certificates; made if it is not there, for the owner only.
    pub state_dir: PathBuf,
    /// The authorities of a private ACME server, in PEM; those of the system if there is none.
    pub ca_file: Option<PathBuf>,
}

/// Where chain and key will lie; nothing need be there yet.
pub fn paths(settings: &Settings) -> Paths {
    Paths::within(&settings.state_dir)
}
