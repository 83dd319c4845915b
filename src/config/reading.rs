//! The last reading of the configuration, at the start or while we serve: when it was, and what came of it.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;

/// What came of reading the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When.
    pub at: SystemTime,
    /// Why it was not taken, so that the one of before is in force; `None` when it was.
    pub refused: Option<String>,
    /// What of it is in force only after a restart, by the keys.
    pub waiting: Vec<&'static str>,
}

/// The last reading; clones share it.
pub type LastReading = Arc<ArcSwap<Reading>>;

impl Reading {
    /// One that was taken as a whole, now.
    pub fn taken_now() -> LastReading {
        Arc::new(ArcSwap::from_pointee(Self {
            at: SystemTime::now(),
            refused: None,
            waiting: Vec::new(),
        }))
    }
}
