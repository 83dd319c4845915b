//! Secrets: read from files that only the right people can read.
//!
//! In: a path. Out: a [`SecretString`], or what is wrong with the file. SECURITY: never a word of its content.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use secrecy::SecretString;

use super::error::SecretFault;
use crate::tls::exposed;

/// No password is as long; a larger file is the wrong one.
const SECRET_LIMIT_BYTES: u64 = 4096;

/// Reads the secret in the first line of a file.
pub(super) fn load(path: &Path) -> Result<SecretString, SecretFault> {
    refuse_exposed(path)?;
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(SECRET_LIMIT_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SECRET_LIMIT_BYTES {
        return Err(SecretFault::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_| SecretFault::NotText)?;
    let line = text.lines().next().unwrap_or_default();
    match line.strip_suffix('\r').unwrap_or(line) {
        "" => Err(SecretFault::Empty),
        secret => Ok(SecretString::from(secret)),
    }
}

/// The look at the file comes before opening it: opening a pipe would wait for its writer.
fn refuse_exposed(path: &Path) -> Result<(), SecretFault> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(SecretFault::Irregular);
    }
    exposed(&metadata).map_or(Ok(()), |mode| Err(SecretFault::Exposed(mode)))
}
