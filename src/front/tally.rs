//! What the front door has answered so far, counted for the metrics.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::refuse::Refusal;

/// Counters of answers since the start.
#[derive(Debug, Default)]
pub struct Tally {
    /// By the relays' names. The lock is for who looks for a counter: signposts have theirs at hand.
    redirects: Mutex<HashMap<String, Arc<AtomicU64>>>,
    refusals: [AtomicU64; Refusal::ALL.len()],
}

impl Tally {
    /// The counter of listeners sent to a relay.
    pub fn counter(&self, relay: &str) -> Arc<AtomicU64> {
        let mut redirects = self.lock();
        if let Some(count) = redirects.get(relay) {
            return count.clone();
        }
        redirects.entry(relay.to_owned()).or_default().clone()
    }

    /// Forgets the relays that are not `wanted`.
    pub fn keep(&self, wanted: impl Fn(&str) -> bool) {
        self.lock().retain(|relay, _| wanted(relay));
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: Refusal) {
        let kinds = Refusal::ALL.iter().zip(&self.refusals);
        let same = |kind: &Refusal| kind.label() == refusal.label();
        if let Some((_, count)) = kinds.into_iter().find(|(kind, _)| same(kind)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Refusals by kind.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        let counts = self.refusals.iter().map(|c| c.load(Ordering::Relaxed));
        Refusal::ALL.into_iter().zip(counts)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<AtomicU64>>> {
        self.redirects
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
