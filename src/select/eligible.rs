//! Eligibility: whether a relay may take a tune-in, and if not, why; then in which tier it stands.
//!
//! Reasons are data: computed here once, shown by the log, the metrics and `/status`.

use std::time::{Duration, Instant};

use fastrand::Rng;

use super::TuneIn;
use crate::fleet::{AdminState, Carrier, Health, MountKind, RelayId, Scheme, Standing};

/// Why a relay may not take a tune-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ineligible {
    /// It does not carry the mount.
    NoMount,
    /// No good report of it was seen yet.
    Unpolled,
    /// It does not answer.
    Down,
    /// Its last good report is too old to be believed.
    Stale,
    /// The operator drains it or took it out of service.
    Draining,
    /// It, or the mount on it, has as many listeners as it may.
    Full,
    /// The listener is on https and it has no https address.
    Insecure,
    /// This tune-in was refused by it already.
    AlreadyTried,
}

impl Ineligible {
    /// The word for logs, metrics and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMount => "no-mount",
            Self::Unpolled => "unpolled",
            Self::Down => "down",
            Self::Stale => "stale",
            Self::Draining => "draining",
            Self::Full => "full",
            Self::Insecure => "insecure",
            Self::AlreadyTried => "already-tried",
        }
    }
}

/// What bars a relay from every tune-in, whatever the mount; `None` when nothing does.
pub fn relay_barrier(standing: &Standing, now: Instant) -> Option<Ineligible> {
    match standing.health {
        Health::Down => return Some(Ineligible::Down),
        Health::Unknown => return Some(Ineligible::Unpolled),
        Health::Up => {}
    }
    if standing.admin_state != AdminState::Ready {
        return Some(Ineligible::Draining);
    }
    if standing.is_full() {
        return Some(Ineligible::Full);
    }
    match standing.fresh_until {
        None => Some(Ineligible::Unpolled),
        Some(until) if until <= now => Some(Ineligible::Stale),
        Some(_) => None,
    }
}

/// What bars a carrier from this tune-in; `None` when it is eligible.
pub fn barrier(
    standing: &Standing,
    carrier: &Carrier,
    tune_in: TuneIn<'_>,
    tried: &[RelayId],
    now: Instant,
) -> Option<Ineligible> {
    if let Some(bar) = relay_barrier(standing, now) {
        return Some(bar);
    }
    if !carrier.is_there(now) {
        Some(Ineligible::NoMount)
    } else if carrier.is_full() {
        Some(Ineligible::Full)
    } else if tune_in.scheme == Scheme::Https && !standing.serves_https {
        Some(Ineligible::Insecure)
    } else if tried.contains(&carrier.relay) {
        Some(Ineligible::AlreadyTried)
    } else {
        None
    }
}

/// How gladly an eligible relay is taken: a lower tier is used only when no relay stands in a higher one.
///
/// The order of the fields is the order of what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tier {
    /// Its last poll failed, its last report lacked the mount, or it is not certain to serve it.
    shaky: bool,
    /// Running before virtual before idle; one that sleeps and can be woken competes with the running ones.
    kind: MountKind,
    /// It came back a short while ago and lets this tune-in pass.
    warming: bool,
}

impl Tier {
    /// The tier for one tune-in. A relay `t` into its slow start of length `T` lets it pass with probability `1 - t/T`:
    /// a count of 0 would otherwise draw every arrival to a server that just started.
    pub fn of(
        standing: &Standing,
        carrier: &Carrier,
        slow_start: Duration,
        now: Instant,
        rng: &mut Rng,
    ) -> Self {
        let warming = standing.returned_at.is_some_and(|returned| {
            let warm = now.saturating_duration_since(returned).as_secs_f64();
            warm < slow_start.as_secs_f64() && rng.f64() * slow_start.as_secs_f64() >= warm
        });
        let kind = match carrier.kind {
            MountKind::Idle if carrier.is_wakeable(now) => MountKind::Running,
            kind => kind,
        };
        Self {
            shaky: standing.suspect || carrier.is_suspect(now),
            kind,
            warming,
        }
    }
}
