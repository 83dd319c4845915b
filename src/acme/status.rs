//! How the certificates are doing, for the status page and the metrics.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// What happened last and what comes next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AcmeStatus {
    /// Until when the certificate is good that is served now; none if there is none.
    pub valid_until: Option<SystemTime>,
    /// When that certificate was issued.
    pub last_success: Option<SystemTime>,
    /// Why the last attempt failed; none once one has succeeded.
    pub last_error: Option<String>,
    /// When the next one is made; in the past while it runs.
    pub next_attempt: Option<SystemTime>,
    /// Certificates issued since the start.
    pub issued_total: u64,
    /// Attempts that failed since the start.
    pub failed_total: u64,
}

/// The status of certificates that somebody else keeps; clones share it.
#[derive(Debug, Clone, Default)]
pub struct SharedStatus(Arc<Mutex<AcmeStatus>>);

impl SharedStatus {
    /// The status at this moment.
    pub fn read(&self) -> AcmeStatus {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut AcmeStatus)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
