//! The one lock around the fleet: selecting a relay and raising its pending is one step under it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Fleet;

/// A handle on the fleet; clones share it.
#[derive(Debug, Clone)]
pub struct SharedFleet(Arc<Mutex<Fleet>>);

impl SharedFleet {
    /// Puts the fleet behind its lock.
    pub fn new(fleet: Fleet) -> Self {
        Self(Arc::new(Mutex::new(fleet)))
    }

    /// The fleet, for one step of microseconds; never to be held across an await.
    ///
    /// A panic under the lock leaves whole numbers behind, so the fleet is used on rather than lost.
    pub fn lock(&self) -> MutexGuard<'_, Fleet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
