//! Policies: which of the eligible relays is taken, decided in one pass without a list.

use fastrand::Rng;

use super::{Load, Tier};
use crate::fleet::RelayId;

pub use crate::config::Policy;

/// An eligible relay.
#[derive(Debug, Clone, Copy)]
pub struct Candidate {
    /// Who it is.
    pub relay: RelayId,
    /// How gladly it is taken.
    pub tier: Tier,
    /// How loaded it is.
    pub load: Load,
}

/// A choice in the making: candidates are considered one after the other.
///
/// INVARIANT: every kept candidate stands in the best tier seen, and every subset of that tier that the policy draws at
/// random is equally likely (reservoir sampling).
#[derive(Debug)]
pub struct Choice {
    policy: Policy,
    kept: Option<Candidate>,
    /// The second of two drawn, for [`Policy::PowerOfTwo`].
    rival: Option<Candidate>,
    /// Candidates, or for [`Policy::WeightedRandom`] weights, that competed for `kept`.
    seen: u32,
}

impl Choice {
    /// A choice among nobody yet.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            kept: None,
            rival: None,
            seen: 0,
        }
    }

    /// Lets one more candidate compete.
    pub fn consider(&mut self, candidate: Candidate, rng: &mut Rng) {
        match self.kept {
            Some(kept) if candidate.tier > kept.tier => return,
            Some(kept) if candidate.tier == kept.tier => {}
            _ => *self = Self::new(self.policy),
        }
        match self.policy {
            Policy::LeastListeners => self.keep_least(candidate, rng),
            Policy::PowerOfTwo => self.keep_two(candidate, rng),
            Policy::WeightedRandom => self.keep_by_weight(candidate, rng),
        }
    }

    /// Who is taken; `None` when nobody competed.
    pub fn outcome(self, rng: &mut Rng) -> Option<RelayId> {
        let kept = self.kept?;
        match self.rival {
            Some(rival) if rival.load < kept.load => Some(rival.relay),
            Some(rival) if rival.load == kept.load && rng.bool() => Some(rival.relay),
            _ => Some(kept.relay),
        }
    }

    fn keep_least(&mut self, candidate: Candidate, rng: &mut Rng) {
        match self.kept {
            Some(kept) if candidate.load > kept.load => return,
            Some(kept) if candidate.load == kept.load => self.seen += 1,
            _ => self.seen = 1,
        }
        if self.seen == 1 || rng.u32(..self.seen) == 0 {
            self.kept = Some(candidate);
        }
    }

    fn keep_two(&mut self, candidate: Candidate, rng: &mut Rng) {
        self.seen += 1;
        if self.kept.is_none() {
            self.kept = Some(candidate);
        } else if self.rival.is_none() {
            self.rival = Some(candidate);
        } else {
            match rng.u32(..self.seen) {
                0 => self.kept = Some(candidate),
                1 => self.rival = Some(candidate),
                _ => {}
            }
        }
    }

    fn keep_by_weight(&mut self, candidate: Candidate, rng: &mut Rng) {
        let weight = candidate.load.weight();
        self.seen = self.seen.saturating_add(weight);
        if rng.u32(..self.seen) < weight {
            self.kept = Some(candidate);
        }
    }
}
