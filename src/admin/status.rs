//! `GET /status` of the admin bind: the whole fleet as JSON, with a reason beside every no.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::process::ProcessStatus;
use crate::config::Reading;
use crate::discovery::{AddressBook, AddressState, KnownAddress};
use crate::fleet::{Carrier, Fleet, MountKind, Record, Rejected, Relay, RelayId, Scheme, Standing};
use crate::select::{Ineligible, Load, TuneIn, barrier, relay_barrier};
use crate::service::{Life, Phase};

/// The fleet at one moment.
#[derive(Debug, Serialize)]
pub struct FleetStatus {
    /// True when the first round of polls is over, no stop is under way and the serving threads respond.
    pub ready: bool,
    /// Version of the program.
    pub version: &'static str,
    /// The process itself.
    #[serde(flatten)]
    pub process: ProcessStatus,
    /// What came of reading the configuration.
    pub configuration: ConfigurationStatus,
    /// The relays in the order of the configuration; behind them those that are no longer in it and still have listeners.
    pub relays: Vec<RelayStatus>,
    /// The mounts in the order of their paths.
    pub mounts: Vec<MountStatus>,
}

/// What came of reading the configuration last.
#[derive(Debug, Serialize)]
pub struct ConfigurationStatus {
    /// When it was read, at the start or since.
    read_at: String,
    /// Why it was not taken, while the one of before is in force; null when it was.
    refused: Option<String>,
    /// What is in force only after a restart.
    waiting: Vec<&'static str>,
}

impl ConfigurationStatus {
    fn of(reading: &Reading) -> Self {
        Self {
            read_at: humantime::format_rfc3339_seconds(reading.at).to_string(),
            refused: reading.refused.clone(),
            waiting: reading.waiting.clone(),
        }
    }
}

/// One relay.
#[derive(Debug, Serialize)]
pub struct RelayStatus {
    name: String,
    url: String,
    public_url: Vec<String>,
    server: Option<String>,
    health: &'static str,
    admin_state: &'static str,
    /// Why it takes no listener, whatever the mount; null when it may.
    ineligible: Option<&'static str>,
    /// Why its last poll brought no report; null when it did.
    reason: Option<String>,
    /// The addresses of its name, in the resolver's order.
    addresses: Vec<AddressStatus>,
    suspect: bool,
    listeners: u32,
    pending: u32,
    /// Listeners that left since the last report.
    departed: u32,
    /// Listeners whose stream the balancer carries from it.
    streams: u32,
    load: f64,
    weight: u32,
    capacity: Option<u32>,
    /// Seconds since the poll of its last good report began.
    report_age_seconds: Option<f64>,
    polls: u64,
    poll_faults: u64,
    /// Mounts of its status page to which no listener is sent.
    rejected_mounts: RejectedStatus,
}

/// Mounts of a status page to which no listener is sent.
#[derive(Debug, Serialize)]
pub struct RejectedStatus {
    /// Number of them.
    count: u32,
    /// The first of them.
    mounts: Vec<RejectedMount>,
}

/// A mount to which no listener is sent.
#[derive(Debug, Serialize)]
pub struct RejectedMount {
    /// Its name, escaped and cut.
    name: String,
    /// Why.
    reason: &'static str,
}

impl RejectedStatus {
    fn new(rejected: &Rejected) -> Self {
        let named = rejected.named.iter().map(|(name, reason)| RejectedMount {
            name: name.clone(),
            reason: reason.as_str(),
        });
        Self {
            count: rejected.mounts,
            mounts: named.collect(),
        }
    }
}

/// One address of a relay.
#[derive(Debug, Serialize)]
pub struct AddressStatus {
    address: SocketAddr,
    /// True when the relay answered at this address last; null before the first attempt.
    ok: Option<bool>,
    /// Seconds since the last answer.
    answered_seconds_ago: Option<f64>,
    /// Seconds since the last failure.
    failed_seconds_ago: Option<f64>,
}

impl AddressStatus {
    fn of(known: &KnownAddress, now: Instant) -> Self {
        let ago = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        Self {
            address: known.address,
            ok: match known.state() {
                AddressState::Working => Some(true),
                AddressState::Untried => None,
                AddressState::Failed => Some(false),
            },
            answered_seconds_ago: known.answered_at.map(ago),
            failed_seconds_ago: known.failed_at.map(ago),
        }
    }
}

/// One mount over the fleet.
#[derive(Debug, Serialize)]
pub struct MountStatus {
    path: String,
    listeners: u32,
    title: Option<String>,
    content_type: Option<String>,
    relays: Vec<CarrierStatus>,
}

/// One relay's part in a mount.
#[derive(Debug, Serialize)]
pub struct CarrierStatus {
    relay: String,
    kind: &'static str,
    listeners: u32,
    pending: u32,
    capacity: Option<u32>,
    /// The last report lacked it.
    missing: bool,
    /// Why other relays come before this one for the mount, or came until a short while ago; null when none does.
    suspect: Option<&'static str>,
    /// Why no listener on http is sent there; null when one may be.
    ineligible: Option<&'static str>,
}

impl FleetStatus {
    /// The fleet as it is at `now`; `streams` is how many are carried from each relay, `book` has their addresses.
    pub fn of(
        fleet: &Fleet,
        streams: &HashMap<RelayId, u32>,
        book: &AddressBook,
        reading: &Reading,
        life: &Life,
        now: Instant,
    ) -> Self {
        let carried = |id: RelayId| streams.get(&id).copied().unwrap_or_default();
        let leaving = fleet.leaving().iter();
        let leaving = leaving.filter_map(|id| fleet.whole(*id));
        let relays = fleet.iter().chain(leaving);
        let relays = relays.map(|part| RelayStatus::of(part, carried(part.0), book, now));
        let mut paths: Vec<_> = fleet.mounts().paths().collect();
        paths.sort_unstable();
        Self {
            ready: fleet.is_ready()
                && life.phase() < Phase::Leaving
                && life.unresponsive_for().is_none(),
            version: env!("CARGO_PKG_VERSION"),
            process: ProcessStatus::of(life),
            configuration: ConfigurationStatus::of(reading),
            relays: relays.collect(),
            mounts: paths
                .into_iter()
                .map(|path| MountStatus::of(fleet, path, now))
                .collect(),
        }
    }
}

impl RelayStatus {
    fn of(
        (_, relay, standing, record): (RelayId, &Relay, &Standing, &Record),
        streams: u32,
        book: &AddressBook,
        now: Instant,
    ) -> Self {
        let addresses = book.known(&relay.url.host, relay.url.port);
        let age = |at: Instant| now.saturating_duration_since(at);
        Self {
            name: relay.name.clone(),
            url: relay.url.to_string(),
            public_url: relay.public.iter().map(ToString::to_string).collect(),
            server: record.report.as_ref().and_then(|r| r.server.clone()),
            health: standing.health.as_str(),
            admin_state: standing.admin_state.as_str(),
            ineligible: relay_barrier(standing, now).map(|bar| bar.as_str()),
            reason: record.fault.as_ref().map(ToString::to_string),
            addresses: addresses
                .iter()
                .map(|known| AddressStatus::of(known, now))
                .collect(),
            suspect: standing.suspect,
            listeners: standing.listeners,
            pending: standing.pending_listeners,
            departed: standing.departed_listeners,
            streams,
            load: Load::of(standing).as_f64(),
            weight: standing.weight,
            capacity: standing.capacity_listeners,
            report_age_seconds: record
                .reported_at
                .map(age)
                .as_ref()
                .map(Duration::as_secs_f64),
            polls: record.polls,
            poll_faults: record.faults,
            rejected_mounts: RejectedStatus::new(&record.rejected),
        }
    }
}

impl MountStatus {
    fn of(fleet: &Fleet, path: &str, now: Instant) -> Self {
        let carriers = fleet.mounts().carriers(path);
        let told = fleet.describe(path);
        Self {
            path: path.to_owned(),
            listeners: carriers
                .iter()
                .fold(0, |sum, carrier| sum.saturating_add(carrier.listeners)),
            title: told.and_then(|mount| mount.title.clone()),
            content_type: told.and_then(|mount| mount.content_type.clone()),
            relays: carriers
                .iter()
                .map(|carrier| CarrierStatus::of(fleet, carrier, path, now))
                .collect(),
        }
    }
}

impl CarrierStatus {
    fn of(fleet: &Fleet, carrier: &Carrier, mount: &str, now: Instant) -> Self {
        let scheme = Scheme::Http;
        let tune_in = TuneIn {
            mount,
            scheme,
            client: None,
            is_proxied: false,
        };
        let standing = fleet.standing(carrier.relay);
        let bar = standing.and_then(|standing| barrier(standing, carrier, tune_in, &[], now));
        Self {
            relay: fleet
                .relay(carrier.relay)
                .map_or_else(String::new, |relay| relay.name.clone()),
            kind: match carrier.kind {
                MountKind::Running => "running",
                MountKind::Virtual => "virtual",
                MountKind::Idle => "idle",
            },
            listeners: carrier.listeners,
            pending: carrier.flow.pending(),
            capacity: carrier.capacity_listeners,
            missing: carrier.missing_since.is_some(),
            suspect: carrier.suspicion(now),
            ineligible: bar.map(Ineligible::as_str),
        }
    }
}
