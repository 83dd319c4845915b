//! The fleet: all relays we know, how they are, what we sent them.
//!
//! In: reports from `poll`, placements from `select`, the operator's wishes. Out: standings and carriers to select from,
//! and a snapshot to show. Pure: no I/O, no async, and time comes in as an argument.

mod admin_state;
mod client_prefix;
mod flow;
mod health;
mod ledger;
mod location;
mod media_type;
mod mount;
mod mount_name;
mod pending;
mod relay;
mod report;
mod roster;
mod shared;
mod standing;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
mod unconfirmed;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use admin_state::AdminState;
pub use client_prefix::ClientPrefix;
pub use flow::Flow;
pub use health::{Health, HealthRecord, Sign, Thresholds};
pub use ledger::Placement;
pub use location::{push_location, push_target};
pub use media_type::{StreamFormat, is_stream, stream_type};
pub use mount::{Carrier, GRACE, MountRules, MountTable, PollTime, WAKE_RETRY};
pub use mount_name::{BadMountName, NAME_LIMIT_BYTES, check_name, check_public};
pub use pending::{Pending, SETTLE, STREAM_SETTLE};
pub use relay::{Origin, Relay, RelayId, Scheme, is_server_address};
pub use report::{MountKind, MountReport, PollFault, PollOutcome, Polled, Rejected, Report};
pub use roster::Reform;
pub use shared::SharedFleet;
pub use standing::Standing;
pub use trouble::Trouble;

/// Time after a start in which reports are likely to count listeners that were lost with an earlier process.
///
/// ICECAST: 2.4.4 and KH forget a listener whose connection is gone within 0.4 s (measured).
const FORGOTTEN_AFTER: Duration = Duration::from_millis(500);

/// Time after a start in which such counts are no reason to refuse a listener: it waits for later ones. A busy relay takes longer
/// to forget (0.8 s seen).
const COUNTS_AFTER: Duration = Duration::from_millis(1_500);

/// How the fleet judges what it is told.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How many polls in a row change a relay's health.
    pub thresholds: Thresholds,
    /// How long a report is believed, from the beginning of its poll.
    pub stale_after: Duration,
    /// What is configured about single mounts.
    pub mounts: MountRules,
}

/// All relays we know. Whoever holds it may write; it is not `Clone`.
#[derive(Debug)]
pub struct Fleet {
    /// Every relay that ever was of the fleet, by its place.
    relays: Vec<Arc<Relay>>,
    standings: Vec<Standing>,
    records: Vec<Record>,
    /// Those that are configured, in that order.
    roster: Vec<RelayId>,
    leaving: Vec<RelayId>,
    /// Before the roster changed last, every relay had been polled.
    was_surveyed: bool,
    /// When this process began to poll, where listeners may have been lost with an earlier one.
    started_at: Option<Instant>,
    mounts: MountTable,
    rules: Rules,
}

/// What is kept of a relay beside its standing.
#[derive(Debug, Default)]
pub struct Record {
    health: HealthRecord,
    flow: Flow,
    unconfirmed: unconfirmed::Unconfirmed,
    /// Polls that ended, good or bad.
    pub polls: u64,
    /// Polls that brought no report.
    pub faults: u64,
    /// When the last poll began.
    polled_at: Option<Instant>,
    /// When the poll of the last good report began.
    pub reported_at: Option<Instant>,
    /// The last good report, its mounts in the order of their paths.
    pub report: Option<Report>,
    /// Why the last poll brought no report; `None` after one that did.
    pub fault: Option<PollFault>,
    /// Mounts of the last good report to which no listener is sent.
    pub rejected: Rejected,
}

/// A relay's health changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthChange {
    /// What it was.
    pub from: Health,
    /// What it is.
    pub to: Health,
}

impl Fleet {
    /// A fleet of which nothing is known yet but its roster.
    pub fn new(relays: Vec<Arc<Relay>>, rules: Rules) -> Self {
        let roster: Vec<RelayId> = (0..relays.len() as u32).map(RelayId).collect();
        Self {
            standings: relays.iter().map(|relay| unpolled(relay)).collect(),
            records: relays.iter().map(|_| Record::default()).collect(),
            mounts: MountTable::new(relays.len(), &roster, &rules.mounts),
            relays,
            roster,
            leaving: Vec::new(),
            was_surveyed: false,
            started_at: None,
            rules,
        }
    }

    /// One relay.
    pub fn relay(&self, id: RelayId) -> Option<&Arc<Relay>> {
        self.relays.get(id.index())
    }

    /// The relays with their standings and records, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (RelayId, &Relay, &Standing, &Record)> {
        self.roster.iter().filter_map(|id| self.whole(*id))
    }

    /// All that is known of one relay.
    pub fn whole(&self, id: RelayId) -> Option<(RelayId, &Relay, &Standing, &Record)> {
        let place = id.index();
        let (relay, standing) = (self.relays.get(place)?, self.standings.get(place)?);
        Some((id, &**relay, standing, self.records.get(place)?))
    }

    /// How one relay stands.
    pub fn standing(&self, id: RelayId) -> Option<&Standing> {
        self.standings.get(id.index())
    }

    /// What is kept of one relay beside its standing.
    pub fn record(&self, id: RelayId) -> Option<&Record> {
        self.records.get(id.index())
    }

    /// The mounts and their carriers.
    pub fn mounts(&self) -> &MountTable {
        &self.mounts
    }

    /// What a relay that carries the mount last said of it, for people to read.
    pub fn describe(&self, path: &str) -> Option<&MountReport> {
        self.mounts.carriers(path).iter().find_map(|carrier| {
            let own = self.relay(carrier.relay)?.own_path(path);
            let report = self.record(carrier.relay)?.report.as_ref()?;
            let found = report
                .mounts
                .binary_search_by(|mount| mount.path.as_str().cmp(own));
            report.mounts.get(found.ok()?)
        })
    }

    /// Whether every relay was polled at least once: before that, "no relay" means "not yet".
    pub fn is_surveyed(&self) -> bool {
        let polled = |id: &RelayId| self.record(*id).is_some_and(|record| record.polls > 0);
        self.roster.iter().all(polled)
    }

    /// Whether every relay was polled at least once since the start; one that comes later changes nothing about that.
    pub fn is_ready(&self) -> bool {
        self.was_surveyed || self.is_surveyed()
    }

    /// Notes that this process began to poll at `now`, and that listeners may have been lost with an earlier one: reports of the
    /// first moment may count those.
    pub fn note_start(&mut self, now: Instant) {
        self.started_at = Some(now);
    }

    /// Returns true once every relay was polled after the listeners of an earlier process are forgotten.
    pub fn is_settled(&self) -> bool {
        self.is_polled_after(FORGOTTEN_AFTER)
    }

    /// Returns true once the counts of every relay are certain: until then a full relay may have lost listeners.
    pub fn is_certain(&self) -> bool {
        self.is_polled_after(COUNTS_AFTER)
    }

    fn is_polled_after(&self, time: Duration) -> bool {
        let is_polled = |id: &RelayId| {
            let polled_at = self.record(*id).and_then(|record| record.polled_at);
            polled_at.is_some_and(|began| !self.is_early(began, time))
        };
        self.was_surveyed || self.roster.iter().all(is_polled)
    }

    /// Returns true for a poll that began less than `time` after the start.
    fn is_early(&self, poll_began: Instant, time: Duration) -> bool {
        self.started_at
            .is_some_and(|start| poll_began < start + time)
    }

    /// Sets what the operator wants of a relay.
    pub fn set_admin_state(&mut self, id: RelayId, state: AdminState) {
        if let Some(standing) = self.standings.get_mut(id.index()) {
            standing.admin_state = state;
        }
    }

    /// Takes in how a poll of one relay ended; returns the change of its health, if it made one.
    ///
    /// INVARIANT: only a report changes counts and mounts; whatever else came, the last good ones stand until stale.
    pub fn apply(&mut self, id: RelayId, polled: Polled, now: Instant) -> Option<HealthChange> {
        if self.standing(id)?.admin_state == AdminState::Leaving {
            return None;
        }
        let record = self.records.get_mut(id.index())?;
        record.polls += 1;
        record.polled_at = Some(polled.began);
        let sign = match polled.outcome {
            PollOutcome::Report(report) => {
                self.take_report(id, report, polled.began, now);
                Sign::Good
            }
            PollOutcome::Full => {
                record.fail(PollFault::new("403: the server's client limit is reached"));
                self.note_refusal(id, polled.began);
                Sign::Good
            }
            PollOutcome::Unreadable(fault) => {
                record.fail(fault);
                return None;
            }
            PollOutcome::Failed(fault) => {
                record.fail(fault);
                Sign::Bad
            }
            PollOutcome::Refused(fault) => {
                record.fail(fault);
                Sign::Dead
            }
        };
        self.judge(id, sign, now)
    }

    fn take_report(&mut self, id: RelayId, mut report: Report, began: Instant, now: Instant) {
        let poll = PollTime {
            began,
            is_count_doubtful: self.is_early(began, COUNTS_AFTER),
        };
        let place = id.index();
        let (Some(relay), Some(record), Some(standing)) = (
            self.relays.get(place),
            self.records.get_mut(place),
            self.standings.get_mut(place),
        ) else {
            return;
        };
        record.rejected = report.reject_mounts(relay);
        report.mounts.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let listed = report.listed_by(relay);
        self.mounts.apply(id, listed, poll, now);
        let previous = if standing.is_count_doubtful {
            0
        } else {
            standing.listeners
        };
        record.flow.settle(began, previous, report.listeners);
        record.unconfirmed.settle(began);
        standing.take_flow(&record.flow);
        standing.listeners = report.listeners;
        standing.is_count_doubtful = poll.is_count_doubtful;
        standing.refuses_clients = false;
        standing.fresh_until = Some(began + self.rules.stale_after);
        record.reported_at = Some(began);
        if record
            .report
            .as_ref()
            .is_some_and(|last| report.is_of_another_run(last))
        {
            record.health.note_restart(now);
        }
        record.report = Some(report);
        record.fault = None;
    }

    /// The server hides its counts behind its client limit: the last ones stay believed while it says so.
    fn note_refusal(&mut self, id: RelayId, began: Instant) {
        let stale_after = self.rules.stale_after;
        if let Some(standing) = self.standings.get_mut(id.index()) {
            standing.refuses_clients = true;
            standing.fresh_until = standing.fresh_until.map(|_| began + stale_after);
        }
    }

    fn judge(&mut self, id: RelayId, sign: Sign, now: Instant) -> Option<HealthChange> {
        let health = &mut self.records.get_mut(id.index())?.health;
        let standing = self.standings.get_mut(id.index())?;
        let from = health.health();
        let changed = health.observe(sign, self.rules.thresholds, now);
        standing.health = health.health();
        standing.returned_at = health.returned_at();
        standing.suspect = sign != Sign::Good;
        changed.then_some(HealthChange {
            from,
            to: standing.health,
        })
    }
}

impl Record {
    fn fail(&mut self, fault: PollFault) {
        self.faults += 1;
        self.fault = Some(fault);
    }
}

/// The standing of a relay before its first poll.
fn unpolled(relay: &Relay) -> Standing {
    Standing {
        weight: relay.weight,
        capacity_listeners: relay.capacity_listeners,
        listeners: 0,
        pending_listeners: 0,
        surplus_listeners: 0,
        is_count_doubtful: false,
        departed_listeners: 0,
        health: Health::Unknown,
        admin_state: AdminState::Ready,
        refuses_clients: false,
        suspect: false,
        serves_https: relay.public_for(Scheme::Https).is_some(),
        fresh_until: None,
        returned_at: None,
    }
}
