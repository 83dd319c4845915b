//! Pingora's view of polling: a [`HealthCheck`] that sets off a poll and tells what the fleet makes of it.
//!
//! In: Pingora's pulse, once per interval. Out: reports applied to the fleet, one log line per change.
//!
//! PINGORA: (0.9.1) a pass waits for its slowest check. So a check only starts the poll, in a task of its own, and
//! answers with the health known so far: a slow relay delays nobody, and no relay is polled twice at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use log::{info, warn};
use pingora_load_balancing::Backend;
use pingora_load_balancing::health_check::HealthCheck;

use super::permits::PollPermits;
use super::{Poller, Target};
use crate::discovery::relay_of;
use crate::fleet::{
    Health, HealthChange, PollFault, PollOutcome, Polled, Rejected, RelayId, SharedFleet,
};

/// The part of the interval over which polls are spread.
const JITTER: f64 = 0.1;

/// A relay whose poll brought no report is asked again after this time, however long the interval: after a restart of the
/// whole site nobody wants to wait a minute for the first listener.
const AGAIN: Duration = Duration::from_secs(5);

/// Time of the first poll of a relay where there are more relays than sockets: after a start with many that never answer, those
/// that do are found in seconds. A relay that needs longer has its whole timeout after the others had their turn.
const FIRST_LOOK: Duration = Duration::from_millis(300);

/// Polls each relay once per pulse and applies what it reports. Clones poll by one plan.
#[derive(Clone)]
pub struct RelayCheck {
    fleet: SharedFleet,
    started_at: Instant,
    permits: Arc<PollPermits>,
    plan: Arc<ArcSwap<Plan>>,
}

/// Who is polled, and how.
struct Plan {
    poller: Arc<Poller>,
    relays: HashMap<RelayId, Arc<Polling>>,
    jitter: Duration,
    interval: Duration,
    /// The pause before a relay is asked again; `None` when the interval is short enough.
    again: Option<Duration>,
}

/// One relay's polling.
struct Polling {
    target: Target,
    turns: Arc<Turns>,
}

/// What is known of a relay's polls, whichever target they have.
#[derive(Default)]
struct Turns {
    in_flight: AtomicBool,
    begun: AtomicBool,
    /// True once a poll had its turn.
    was_tried: AtomicBool,
    /// True when the last poll ended before its timeout.
    is_proven: AtomicBool,
}

/// Gives the turn back even when the poll panics.
struct Turn(Arc<Turns>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.in_flight.store(false, Ordering::Release);
    }
}

/// How often Pingora must call for polls never to be more than `interval` apart: the jitter only shortens the time.
pub fn pulse(interval: Duration) -> Duration {
    interval.mul_f64(1.0 - JITTER)
}

impl RelayCheck {
    /// A check without relays, which polls with at most `sockets` sockets at a time.
    pub fn new(fleet: SharedFleet, poller: Poller, sockets: usize) -> Self {
        let plan = Plan {
            poller: Arc::new(poller),
            relays: HashMap::new(),
            jitter: Duration::ZERO,
            interval: Duration::ZERO,
            again: None,
        };
        Self {
            fleet,
            started_at: Instant::now(),
            permits: Arc::new(PollPermits::new(sockets)),
            plan: Arc::new(ArcSwap::from_pointee(plan)),
        }
    }

    /// The poller that is used now.
    pub fn poller(&self) -> Arc<Poller> {
        self.plan.load().poller.clone()
    }

    /// Polls these targets from now on, each at most `interval` after the last time.
    pub fn ask(
        &self,
        targets: impl IntoIterator<Item = (RelayId, Target)>,
        poller: Poller,
        interval: Duration,
    ) {
        let before = self.plan.load();
        let polling = |(id, target): (RelayId, Target)| {
            let known = before.relays.get(&id);
            if known.is_none_or(|known| known.target != target) {
                poller.forget(&target.name);
            }
            let turns = known.map(|known| known.turns.clone());
            let turns = turns.unwrap_or_default();
            (id, Arc::new(Polling { target, turns }))
        };
        let relays: HashMap<_, _> = targets.into_iter().map(polling).collect();
        let names = |name: &str| relays.values().any(|polling| polling.target.name == name);
        before
            .relays
            .values()
            .map(|polling| polling.target.name.as_str())
            .filter(|name| !names(name))
            .for_each(|name| poller.forget(name));
        self.plan.store(Arc::new(Plan {
            poller: Arc::new(poller),
            relays,
            jitter: interval.mul_f64(JITTER),
            interval,
            again: (AGAIN < interval).then_some(AGAIN),
        }));
    }

    /// Starts a poll of each relay that was never polled.
    pub fn meet_newcomers(&self) {
        let plan = self.plan.load();
        let begun = |polling: &Polling| polling.turns.begun.load(Ordering::Acquire);
        let new = plan.relays.iter().filter(|(_, polling)| !begun(polling));
        new.for_each(|(id, _)| self.start(*id));
    }

    /// Starts a poll of the relay unless one is under way.
    fn start(&self, id: RelayId) {
        let plan = self.plan.load();
        let Some(turns) = plan.relays.get(&id).map(|polling| polling.turns.clone()) else {
            return;
        };
        if turns.in_flight.swap(true, Ordering::AcqRel) {
            return;
        }
        let delay = delay(&turns, plan.jitter);
        let (turn, check) = (Turn(turns), self.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            while let Some(pause) = check.poll(id).await {
                tokio::time::sleep(pause).await;
            }
            drop(turn);
        });
    }

    /// Polls a relay once, as is planned now; returns the pause after which to ask again.
    async fn poll(&self, id: RelayId) -> Option<Duration> {
        let (turns, sockets) = {
            let plan = self.plan.load();
            let polling = plan.relays.get(&id)?;
            (polling.turns.clone(), plan.poller.sockets(&polling.target))
        };
        loop {
            let is_proven = turns.is_proven.load(Ordering::Acquire);
            let _permit = self.permits.acquire(sockets, is_proven).await;
            // The plan may have changed while the poll waited.
            let plan = self.plan.load_full();
            let target = &plan.relays.get(&id)?.target;
            let is_first = !turns.was_tried.swap(true, Ordering::AcqRel);
            let is_short = self.permits.is_short_for(plan.relays.len());
            let limit = (is_first && is_short).then_some(FIRST_LOOK);
            let polled = plan.poller.poll_within(target, limit).await;
            let is_silent = matches!(polled.outcome, PollOutcome::Failed(_));
            if is_silent && limit.is_some() {
                continue;
            }
            turns.is_proven.store(!is_silent, Ordering::Release);
            let has_report = apply(&self.fleet, id, target, polled);
            let again = plan.again.filter(|_| !has_report);
            let early = early_pause(self.started_at.elapsed());
            return early.filter(|pause| *pause < plan.interval).or(again);
        }
    }
}

/// When relays are polled after a start, however long the interval: the first reports may count listeners that were lost
/// with an earlier process, and whatever came between two pages is balanced only by the next.
const EARLY_POLLS: [Duration; 4] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

/// The pause until the next early poll; `None` when the first seconds are over.
fn early_pause(since_start: Duration) -> Option<Duration> {
    let next = EARLY_POLLS.iter().find(|at| **at > since_start)?;
    Some(*next - since_start)
}

/// The first poll is not delayed: nobody can be served before it.
fn delay(turns: &Turns, jitter: Duration) -> Duration {
    if turns.begun.swap(true, Ordering::AcqRel) {
        jitter.mul_f64(fastrand::f64())
    } else {
        Duration::ZERO
    }
}

/// Applies what came of a poll and logs what that changed; returns whether it brought a report.
fn apply(fleet: &SharedFleet, id: RelayId, target: &Target, polled: Polled) -> bool {
    let now = Instant::now();
    let news = {
        let mut fleet = fleet.lock();
        let before = fault_of(&fleet, id);
        let known = rejected_by(&fleet, id);
        let change = fleet.apply(id, polled, now);
        News {
            change,
            before,
            after: fault_of(&fleet, id),
            rejected: rejected_by(&fleet, id).filter(|rejected| known.as_ref() != Some(rejected)),
        }
    };
    news.log(&target.name);
    news.after.is_none()
}

fn fault_of(fleet: &crate::fleet::Fleet, id: RelayId) -> Option<PollFault> {
    fleet.record(id)?.fault.clone()
}

fn rejected_by(fleet: &crate::fleet::Fleet, id: RelayId) -> Option<Rejected> {
    Some(fleet.record(id)?.rejected.clone())
}

/// What a poll changed, for the log.
struct News {
    change: Option<HealthChange>,
    before: Option<PollFault>,
    after: Option<PollFault>,
    /// The mounts to which no listener is sent, where that changed.
    rejected: Option<Rejected>,
}

impl News {
    fn log(&self, relay: &str) {
        if let Some(rejected) = self
            .rejected
            .as_ref()
            .filter(|rejected| rejected.mounts > 0)
        {
            let named = rejected.named.iter();
            let named: Vec<_> = named
                .map(|(name, why)| format!("{name} ({})", why.as_str()))
                .collect();
            warn!(
                "poll: mounts rejected: relay={relay} count={} mounts=\"{}\"",
                rejected.mounts,
                named.join(", ")
            );
        }
        let fault = self.after.as_ref().map_or("", PollFault::as_str);
        match &self.change {
            Some(change) if change.to == Health::Down => warn!("{relay} is down: {fault}"),
            Some(change) => info!(
                "{relay} is {} (was {})",
                change.to.as_str(),
                change.from.as_str()
            ),
            None => self.log_fault(relay),
        }
    }

    /// A fault is told when it begins and when it ends, not at each poll.
    fn log_fault(&self, relay: &str) {
        match (&self.before, &self.after) {
            (None, Some(fault)) => warn!("{relay}: {fault}; its last report stands"),
            (Some(_), None) => info!("{relay} reports again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HealthCheck for RelayCheck {
    async fn check(&self, target: &Backend) -> pingora::Result<()> {
        let id = relay_of(target);
        self.start(id);
        let health = self
            .fleet
            .lock()
            .standing(id)
            .map(|standing| standing.health);
        match health {
            Some(Health::Up | Health::Unknown) => Ok(()),
            Some(Health::Down) | None => pingora::Error::e_explain(
                pingora::ErrorType::Custom("RelayDown"),
                "its last polls failed",
            ),
        }
    }

    fn backend_summary(&self, target: &Backend) -> String {
        let plan = self.plan.load();
        let polling = plan.relays.get(&relay_of(target));
        polling.map_or_else(String::new, |polling| polling.target.name.clone())
    }

    /// The fleet has counted already (`rise`, `fall`); Pingora only follows.
    fn health_threshold(&self, _success: bool) -> usize {
        1
    }
}
