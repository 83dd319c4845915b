//! Selection: which relay gets a tune-in.
//!
//! In: the fleet and a tune-in. Out: a relay whose pending is already raised, or why there is none. Pure: time and
//! chance come in as arguments. `backend` is the thin adapter that Pingora's load balancer calls.

mod backend;
mod eligible;
mod load;
mod policy;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use fastrand::Rng;

pub use backend::{Key, LeastLoaded, RelayBackends, SelectConfig};
pub use eligible::{Ineligible, Tier, barrier, relay_barrier};
pub use load::Load;
pub use policy::{Candidate, Choice, Policy};

use crate::fleet::{ClientPrefix, Fleet, Placement, RelayId, Scheme};

/// One listener's request of one mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TuneIn<'a> {
    /// The public path of the mount.
    pub mount: &'a str,
    /// The listener's scheme; one on https is never sent to a plain address.
    pub scheme: Scheme,
    /// The client with which it is counted toward capacities; `None` where it counts in full.
    pub client: Option<ClientPrefix>,
    /// True when the stream is proxied: only then it is seen whether the relay serves it.
    pub is_proxied: bool,
}

/// How relays are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Which of the eligible relays is taken.
    pub policy: Policy,
    /// How long a relay that came back ramps up.
    pub slow_start: Duration,
}

/// Why no relay can take a tune-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRelay {
    /// No relay knows the mount.
    UnknownMount,
    /// Not every relay was polled yet: the mount may still turn up.
    NotYet,
    /// Every relay that could serve it has as many listeners as it may.
    AllFull,
    /// No relay that could serve it has an address on https.
    NoHttps,
    /// The relays that carry it are down, stale, or taken out of service.
    NoneAvailable,
}

/// Selects a relay and raises its pending: with the fleet locked, one atomic step.
pub fn place(
    fleet: &mut Fleet,
    tune_in: TuneIn<'_>,
    tried: &[RelayId],
    rule: Rule,
    now: Instant,
    rng: &mut Rng,
) -> Option<Placement> {
    let mut choice = Choice::new(rule.policy);
    for carrier in fleet.mounts().carriers(tune_in.mount) {
        let Some(standing) = fleet.standing(carrier.relay) else {
            continue;
        };
        if barrier(standing, carrier, tune_in, tried, now).is_some() {
            continue;
        }
        let candidate = Candidate {
            relay: carrier.relay,
            tier: Tier::of(standing, carrier, rule.slow_start, now, rng),
            load: Load::of_carrier(standing, carrier),
        };
        choice.consider(candidate, rng);
    }
    let relay = choice.outcome(rng)?;
    let placement = fleet.raise_pending(relay, tune_in.mount, tune_in.client, now);
    if tune_in.is_proxied {
        fleet.note_try(relay, tune_in.mount, now);
    }
    Some(placement)
}

/// Whether [`place`] would find a relay; places nobody.
pub fn can_take(fleet: &Fleet, tune_in: TuneIn<'_>, now: Instant) -> bool {
    let mut carriers = fleet.mounts().carriers(tune_in.mount).iter();
    carriers.any(|carrier| {
        let standing = fleet.standing(carrier.relay);
        standing.is_some_and(|standing| barrier(standing, carrier, tune_in, &[], now).is_none())
    })
}

/// Tells why [`place`] found none.
pub fn why_none(fleet: &Fleet, tune_in: TuneIn<'_>, tried: &[RelayId], now: Instant) -> NoRelay {
    let carriers = fleet.mounts().carriers(tune_in.mount);
    if !fleet.is_surveyed() {
        return NoRelay::NotYet;
    }
    if carriers.is_empty() {
        let any = fleet
            .iter()
            .any(|(_, _, standing, _)| relay_barrier(standing, now).is_none());
        // With nobody to ask, an unknown mount cannot be told from a lost one.
        return if any {
            NoRelay::UnknownMount
        } else {
            NoRelay::NoneAvailable
        };
    }
    let bars = || {
        carriers.iter().filter_map(|carrier| {
            let standing = fleet.standing(carrier.relay)?;
            barrier(standing, carrier, tune_in, tried, now)
        })
    };
    if bars().any(|bar| bar == Ineligible::Full) {
        NoRelay::AllFull
    } else if bars().any(|bar| bar == Ineligible::Insecure) {
        NoRelay::NoHttps
    } else if bars().all(|bar| bar == Ineligible::NoMount) {
        NoRelay::UnknownMount
    } else {
        NoRelay::NoneAvailable
    }
}
