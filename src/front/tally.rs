//! What the front door has answered so far, counted for the metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::refuse::Refusal;
use crate::fleet::RelayId;

/// Counters of answers since the start.
#[derive(Debug)]
pub struct Tally {
    redirects: Vec<AtomicU64>,
    refusals: [AtomicU64; Refusal::ALL.len()],
}

impl Tally {
    /// Counters for a fleet of `relays` relays, all at 0.
    pub fn new(relays: usize) -> Self {
        Self {
            redirects: (0..relays).map(|_| AtomicU64::new(0)).collect(),
            refusals: Default::default(),
        }
    }

    /// Counts a listener sent to a relay.
    pub fn redirected(&self, relay: RelayId) {
        if let Some(count) = self.redirects.get(relay.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a refusal.
    pub fn refused(&self, refusal: Refusal) {
        let kinds = Refusal::ALL.iter().zip(&self.refusals);
        let same = |kind: &Refusal| kind.label() == refusal.label();
        if let Some((_, count)) = kinds.into_iter().find(|(kind, _)| same(kind)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Listeners sent to each relay, in the order of the roster.
    pub fn redirects(&self) -> impl Iterator<Item = u64> {
        self.redirects
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
    }

    /// Refusals by kind.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        let counts = self.refusals.iter().map(|c| c.load(Ordering::Relaxed));
        Refusal::ALL.into_iter().zip(counts)
    }
}
