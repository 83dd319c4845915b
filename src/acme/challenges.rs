//! The open challenges: what the plain bind answers at `/.well-known/acme-challenge/<token>` while an order runs.
//!
//! In: tokens and key authorizations from the order. Out: the key authorization of a token. Nothing else is ever said: an
//! unknown token has no answer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Let's Encrypt takes 100 names in an order; more open challenges than twice that are a fault.
const MOST_OPEN: usize = 200;

/// RFC 8555, section 8.3, wants 128 bits of chance: 22 letters. Let's Encrypt's tokens have 43.
const LONGEST_TOKEN_BYTES: usize = 256;

/// The challenges that wait for the ACME server's visit; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Challenges(Arc<RwLock<HashMap<String, String>>>);

impl Challenges {
    /// The key authorization for a token: the whole body of the answer, to be sent as `application/octet-stream`.
    pub fn answer(&self, token: &str) -> Option<String> {
        self.read().get(token).cloned()
    }

    /// Opens nothing yet; what is opened through the guard is closed when the guard is dropped.
    pub(super) fn of_one_order(&self) -> OpenChallenges {
        OpenChallenges {
            all: self.clone(),
            own: Vec::new(),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, String>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, String>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The challenges of one order.
#[derive(Debug)]
pub(super) struct OpenChallenges {
    all: Challenges,
    own: Vec<String>,
}

/// The server's token is none, or there are too many.
#[derive(Debug, thiserror::Error)]
pub enum ChallengeError {
    /// Not base64url.
    #[error("expected a token of 1 to {LONGEST_TOKEN_BYTES} letters, digits, - and _")]
    Token,
    /// More than any server takes names in an order.
    #[error("expected at most {MOST_OPEN} open challenges")]
    TooMany,
}

impl OpenChallenges {
    /// Answers `token` with `key_authorization` from now on.
    ///
    /// # Errors
    /// The token is none, or too many are open.
    pub fn open(&mut self, token: &str, key_authorization: &str) -> Result<(), ChallengeError> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if token.is_empty() || token.len() > LONGEST_TOKEN_BYTES || !token.bytes().all(letter) {
            return Err(ChallengeError::Token);
        }
        let mut all = self.all.write();
        if all.len() >= MOST_OPEN {
            return Err(ChallengeError::TooMany);
        }
        all.insert(token.to_owned(), key_authorization.to_owned());
        self.own.push(token.to_owned());
        Ok(())
    }
}

impl Drop for OpenChallenges {
    fn drop(&mut self) {
        let mut all = self.all.write();
        for token in &self.own {
            all.remove(token);
        }
    }
}
