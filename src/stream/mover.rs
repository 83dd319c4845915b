//! The mover: asks listeners to move, from relays that are drained and, where that is wanted, from the fullest relay to the
//! emptiest. How a listener moves without hearing it is his stream's affair.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use log::info;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use super::streams::{Berth, Streams};
use crate::config::{self, Rebalance};
use crate::fleet::{AdminState, Fleet, RelayId, SharedFleet};
use crate::select::{Load, relay_barrier};

/// How often listeners are asked: a drain is spread in steps of this length.
const STEP: Duration = Duration::from_millis(250);

/// So long relays must differ before anybody moves: counts come late, and a difference of a moment is none.
const UNEVEN_FOR: Duration = Duration::from_secs(3);

/// Asks listeners to move.
#[derive(Debug)]
pub struct Mover {
    /// The fleet whose relays are drained and loaded.
    pub fleet: SharedFleet,
    /// The streams that may move.
    pub streams: Arc<Streams>,
    /// How quickly a drained relay's listeners are moved; when and how many move without a drain.
    pub wishes: Arc<ArcSwap<config::Stream>>,
}

#[async_trait]
impl BackgroundService for Mover {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        let mut rounds = Rounds::default();
        let mut step = tokio::time::interval(STEP);
        loop {
            tokio::select! {
                _ = step.tick() => self.round(&mut rounds, Instant::now()),
                _ = shutdown.changed() => return,
            }
        }
    }
}

/// What the mover remembers from one round to the next.
#[derive(Debug, Default)]
struct Rounds {
    /// Since when each relay that is not ready is being emptied.
    emptied_since: HashMap<RelayId, Instant>,
    /// Since when the same relay has been the fullest by more than it may.
    uneven_since: Option<(RelayId, Instant)>,
    /// The part of a listener that rebalancing is still to move.
    owed_listeners: f64,
}

impl Rounds {
    fn uneven_for(&mut self, fullest: RelayId, now: Instant) -> Duration {
        let known = self.uneven_since.filter(|(relay, _)| *relay == fullest);
        let (_, since) = *self.uneven_since.insert(known.unwrap_or((fullest, now)));
        now.saturating_duration_since(since)
    }
}

impl Mover {
    fn round(&self, rounds: &mut Rounds, now: Instant) {
        let wishes = self.wishes.load();
        let states = self.states();
        rounds.emptied_since.retain(|id, _| states.contains_key(id));
        for (id, state) in states {
            self.empty(rounds, id, state, wishes.drain_time, now);
        }
        if wishes.rebalance.listeners_per_second > 0 {
            self.rebalance(rounds, wishes.rebalance, now);
        }
    }

    /// What is wanted of each relay, those included that are leaving and those that still have streams afterwards.
    fn states(&self) -> BTreeMap<RelayId, AdminState> {
        let carrying = self.streams.counts();
        let mut fleet = self.fleet.lock();
        let empty = |id: &&RelayId| !carrying.contains_key(id);
        let gone: Vec<RelayId> = fleet.leaving().iter().filter(empty).copied().collect();
        gone.into_iter().for_each(|id| fleet.forget(id));
        let ids = fleet.roster().map(|(id, _)| id).chain(carrying.into_keys());
        ids.filter_map(|id| Some((id, fleet.standing(id)?.admin_state)))
            .collect()
    }

    /// Asks as many listeners of a drained relay as this round's share of the time.
    fn empty(
        &self,
        rounds: &mut Rounds,
        id: RelayId,
        state: AdminState,
        drain_time: Duration,
        now: Instant,
    ) {
        if state == AdminState::Ready {
            if rounds.emptied_since.remove(&id).is_some() {
                self.streams
                    .on(id)
                    .iter()
                    .for_each(|berth| berth.note_moved());
            }
            return;
        }
        let berths = self.streams.on(id);
        let since = *rounds.emptied_since.entry(id).or_insert_with(|| {
            info!("{}: moving {} listeners away", self.name(id), berths.len());
            now
        });
        let time = match state {
            AdminState::Maint => Duration::ZERO,
            AdminState::Drain | AdminState::Leaving | AdminState::Ready => drain_time,
        };
        let left = time.saturating_sub(now.saturating_duration_since(since));
        ask(&berths, share(berths.len(), left));
    }

    fn name(&self, id: RelayId) -> String {
        let fleet = self.fleet.lock();
        fleet
            .relay(id)
            .map_or_else(String::new, |relay| relay.name.clone())
    }

    fn rebalance(&self, rounds: &mut Rounds, wanted: Rebalance, now: Instant) {
        let Some(uneven) = uneven(&self.fleet.lock(), wanted, now) else {
            *rounds = Rounds {
                emptied_since: std::mem::take(&mut rounds.emptied_since),
                ..Rounds::default()
            };
            return;
        };
        if rounds.uneven_for(uneven.fullest, now) < UNEVEN_FOR {
            return;
        }
        rounds.owed_listeners += f64::from(wanted.listeners_per_second) * STEP.as_secs_f64();
        let count = rounds.owed_listeners.floor();
        rounds.owed_listeners -= count;
        let mut berths = self.streams.on(uneven.fullest);
        // A joint takes a moment: who was asked already makes them more even soon.
        let asked = berths.iter().filter(|berth| berth.is_asked_to_move());
        let left = uneven.surplus.saturating_sub(asked.count());
        let fleet = self.fleet.lock();
        berths.retain(|berth| {
            let carriers = fleet.mounts().carriers(&berth.mount);
            carriers
                .iter()
                .any(|carrier| carrier.relay == uneven.emptiest && carrier.is_there(now))
        });
        ask(&berths, left.min(count as usize));
    }
}

/// How many of `listeners` move in this step when all have to within `left`.
fn share(listeners: usize, left: Duration) -> usize {
    if left <= STEP {
        return listeners;
    }
    let part = STEP.as_secs_f64() / left.as_secs_f64();
    (listeners as f64 * part).ceil() as usize
}

/// Asks `count` of the listeners that were not asked yet.
fn ask(berths: &[Arc<Berth>], count: usize) {
    let asked = berths.iter().filter(|berth| berth.ask_to_move());
    asked.take(count).for_each(drop);
}

/// Two relays that differ by more than they may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Uneven {
    fullest: RelayId,
    emptiest: RelayId,
    /// How many listeners the fullest has more than when both are even.
    surplus: usize,
}

/// The fullest and the emptiest relay that take listeners, when they differ by more than they may.
fn uneven(fleet: &Fleet, rebalance: Rebalance, now: Instant) -> Option<Uneven> {
    let loads = fleet.iter().filter(|(_, _, standing, _)| {
        let barrier = relay_barrier(standing, now);
        barrier.is_none() && !standing.suspect
    });
    let mut loads: Vec<_> = loads
        .map(|(id, _, standing, _)| (Load::of(standing), id))
        .collect();
    loads.sort();
    let ((least, emptiest), (most, fullest)) = (*loads.first()?, *loads.last()?);
    let difference = most.as_f64() - least.as_f64();
    let allowed = most.as_f64() * f64::from(rebalance.difference_percent) / 100.0;
    // One listener more or less is no difference, whatever the part.
    let one = 1.0 / f64::from(least.weight()) + 1.0 / f64::from(most.weight());
    (difference > allowed.max(one)).then(|| Uneven {
        fullest,
        emptiest,
        surplus: (difference / one) as usize,
    })
}

#[cfg(test)]
mod tests;
