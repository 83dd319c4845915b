//! Mounts: which relays carry which stream, kept by the public path.
//!
//! INVARIANT: a mount's carriers are in the order of their relays, each relay at most once; no mount is without carriers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::flow::Flow;
use super::media_type::StreamFormat;
use super::relay::RelayId;
use super::report::{MountKind, MountReport};
use super::trouble::Trouble;

/// How long a mount that a report lacks is still taken to be there.
///
/// ICECAST: a relay that stops an on-demand stream drops the mount from its pages for up to 1 s (measured, 2.4.4).
pub const GRACE: Duration = Duration::from_secs(3);

/// How long a sleeping mount that did not wake up is left alone.
///
/// ICECAST: an on-demand relay whose master lacks the mount answers 404 for `master-update-interval`, 120 s by default, and
/// is listed as if it were fine (measured, 2.4.4).
pub const WAKE_RETRY: Duration = Duration::from_secs(120);

/// A relay in its part of carrying one mount.
#[derive(Debug, Clone)]
pub struct Carrier {
    /// Who carries it.
    pub relay: RelayId,
    /// How it would serve a listener.
    pub kind: MountKind,
    /// Listeners on this mount there, as last reported.
    pub listeners: u32,
    /// The most listeners of this mount there; `None` means no limit.
    pub capacity_listeners: Option<u32>,
    /// Who came to this mount there and left it since the last report.
    pub flow: Flow,
    /// Since when reports lack it; `None` while it is listed.
    pub missing_since: Option<Instant>,
    /// When a listener was last sent to wake it, while no report has shown it awake since.
    pub woken_at: Option<Instant>,
    /// The format that its relay reports; `None` where no type is reported that names one.
    pub format: Option<StreamFormat>,
    /// Most of the mount's other carriers report another format.
    pub is_odd: bool,
    /// Reason why it does not serve although its relay lists it; `None` while it is known to serve, or untried.
    pub trouble: Option<Trouble>,
    /// The report may count listeners that were lost with an earlier process.
    is_count_doubtful: bool,
    /// Taken to be there although no page lists it (a hidden mount).
    assumed: bool,
}

impl Carrier {
    fn assumed(relay: RelayId, capacity_listeners: Option<u32>) -> Self {
        Self {
            relay,
            kind: MountKind::Running,
            listeners: 0,
            capacity_listeners,
            flow: Flow::default(),
            missing_since: None,
            woken_at: None,
            format: None,
            is_odd: false,
            trouble: None,
            is_count_doubtful: false,
            assumed: true,
        }
    }

    /// Whether it has as many listeners as it may.
    pub fn is_full(&self) -> bool {
        let taken = self.flow.taken(self.listeners);
        let taken = taken.saturating_sub(self.flow.surplus());
        self.capacity_listeners.is_some_and(|limit| taken >= limit)
    }

    /// Notes that a listener was sent there at `now`, which wakes it if it sleeps.
    pub fn note_wake(&mut self, now: Instant) {
        if self.kind == MountKind::Idle {
            self.woken_at = Some(now);
        }
    }

    /// Returns true when other carriers come first, as this one may not serve what is expected.
    pub fn is_suspect(&self, now: Instant) -> bool {
        self.missing_since.is_some()
            || self.is_odd
            || self.trouble.is_some_and(|trouble| trouble.is_avoided(now))
    }

    /// Whether it sleeps and can be trusted to wake up: nobody was sent there in vain a short while ago.
    pub fn is_wakeable(&self, now: Instant) -> bool {
        let rested = |at| now.saturating_duration_since(at) >= WAKE_RETRY;
        self.kind == MountKind::Idle && self.woken_at.is_none_or(rested)
    }

    /// Reason why it is suspect, or was until a short while ago without being seen to serve since.
    pub fn suspicion(&self, now: Instant) -> Option<&'static str> {
        let trouble = self.trouble.filter(|trouble| trouble.is_recent(now));
        let trouble = trouble.map(|trouble| trouble.reason);
        trouble.or(self
            .is_odd
            .then_some("another type of stream than most report"))
    }

    /// Whether it may still serve: listed, or gone for less than the grace.
    pub fn is_there(&self, now: Instant) -> bool {
        self.missing_since
            .is_none_or(|since| now.saturating_duration_since(since) < GRACE)
    }
}

/// Time of a poll, and whether its counts are certain.
#[derive(Debug, Clone, Copy)]
pub struct PollTime {
    /// When it began.
    pub began: Instant,
    /// It may count listeners that were lost with an earlier process.
    pub is_count_doubtful: bool,
}

/// Finds the carriers whose format most of the others do not have: those that report one are compared.
fn compare_formats(carriers: &mut [Carrier]) {
    let formats: Vec<_> = carriers
        .iter()
        .filter_map(|carrier| carrier.format.clone())
        .collect();
    let usual = formats.iter().find(|format| {
        let same = formats.iter().filter(|other| other == format).count();
        2 * same > formats.len()
    });
    for carrier in carriers {
        carrier.is_odd =
            carrier.format.is_some() && usual.is_some() && carrier.format.as_ref() != usual;
    }
}

/// What is configured about single mounts, by public path.
#[derive(Debug, Clone, Default)]
pub struct MountRules {
    /// The most listeners of a mount on one relay.
    pub capacities: HashMap<String, u32>,
    /// Mounts that no status page lists.
    pub hidden: Vec<String>,
}

/// Every mount of the fleet and its carriers.
#[derive(Debug, Clone, Default)]
pub struct MountTable {
    carriers: HashMap<Arc<str>, Vec<Carrier>>,
    /// The mounts that each relay carries, by its place in the roster.
    by_relay: Vec<Vec<Arc<str>>>,
    members: HashSet<RelayId>,
    capacities: HashMap<String, u32>,
}

impl MountTable {
    /// The table of the relays in `roster`, of `places` in all, of which nothing is known but the rules.
    pub fn new(places: usize, roster: &[RelayId], rules: &MountRules) -> Self {
        let hidden: Vec<Arc<str>> = rules.hidden.iter().map(|p| Arc::from(p.as_str())).collect();
        let mut in_order = roster.to_vec();
        in_order.sort_unstable();
        let by_all = |path: &Arc<str>| {
            let limit = rules.capacities.get(&**path).copied();
            let all = in_order.iter().map(|id| Carrier::assumed(*id, limit));
            (path.clone(), all.collect())
        };
        let mut by_relay = vec![Vec::new(); places];
        for id in roster {
            if let Some(carried) = by_relay.get_mut(id.index()) {
                carried.clone_from(&hidden);
            }
        }
        Self {
            carriers: hidden.iter().map(by_all).collect(),
            by_relay,
            members: roster.iter().copied().collect(),
            capacities: rules.capacities.clone(),
        }
    }

    /// Takes over from the table of before what no report tells: who came and went, and what is missing for a moment.
    pub fn inherit(&mut self, before: Self) {
        for (path, carriers) in before.carriers {
            for old in carriers {
                if let Some(carrier) = self.carrier_mut(&path, old.relay) {
                    carrier.woken_at = old.woken_at.filter(|_| carrier.kind == MountKind::Idle);
                    carrier.trouble = old.trouble;
                    carrier.is_count_doubtful = old.is_count_doubtful;
                    carrier.flow = old.flow;
                } else if old.missing_since.is_some() && self.members.contains(&old.relay) {
                    self.keep(&path, old);
                }
            }
        }
    }

    /// Keeps a mount that its relay's last report lacks.
    fn keep(&mut self, path: &Arc<str>, mut carrier: Carrier) {
        carrier.capacity_listeners = self.capacities.get(&**path).copied();
        if let Some(carried) = self.by_relay.get_mut(carrier.relay.index()) {
            carried.push(path.clone());
        }
        let carriers = self.carriers.entry(path.clone()).or_default();
        let place = carriers.partition_point(|other| other.relay < carrier.relay);
        carriers.insert(place, carrier);
    }

    /// The carriers of the mount with this public path; empty when the fleet does not know it.
    pub fn carriers(&self, path: &str) -> &[Carrier] {
        self.carriers.get(path).map_or(&[], Vec::as_slice)
    }

    /// The relay's part of carrying this mount.
    pub fn carrier_mut(&mut self, path: &str, relay: RelayId) -> Option<&mut Carrier> {
        let carriers = self.carriers.get_mut(path)?;
        let place = carriers
            .binary_search_by_key(&relay, |carrier| carrier.relay)
            .ok()?;
        carriers.get_mut(place)
    }

    /// The table's own copy of a mount's public path, to be kept at no cost.
    pub fn path(&self, path: &str) -> Option<Arc<str>> {
        self.carriers
            .get_key_value(path)
            .map(|(key, _)| key.clone())
    }

    /// The public paths of all mounts, in no order.
    pub fn paths(&self) -> impl Iterator<Item = &Arc<str>> {
        self.carriers.keys()
    }

    /// Takes in what one relay lists: `listed` pairs each mount with its public path.
    pub fn apply<'a>(
        &mut self,
        relay: RelayId,
        listed: impl Iterator<Item = (&'a str, &'a MountReport)>,
        poll: PollTime,
        now: Instant,
    ) {
        let Some(before) = self.by_relay.get_mut(relay.index()).map(std::mem::take) else {
            return;
        };
        let mut carried = Vec::with_capacity(before.len());
        for (path, mount) in listed {
            carried.push(self.note(path, relay, mount, poll));
        }
        carried.sort_unstable();
        carried.dedup();
        let gone = before
            .into_iter()
            .filter(|path| carried.binary_search(path).is_err())
            .collect::<Vec<_>>();
        carried.extend(
            gone.into_iter()
                .filter(|path| self.miss(path, relay, poll.began, now)),
        );
        if let Some(slot) = self.by_relay.get_mut(relay.index()) {
            *slot = carried;
        }
    }

    /// Notes that `relay` lists the mount; returns the table's own copy of its path.
    fn note(
        &mut self,
        path: &str,
        relay: RelayId,
        mount: &MountReport,
        poll: PollTime,
    ) -> Arc<str> {
        let limit = match (self.capacities.get(path).copied(), mount.max_listeners) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        let key = self.path(path).unwrap_or_else(|| Arc::from(path));
        let carriers = self.carriers.entry(key.clone()).or_default();
        let place = carriers.binary_search_by_key(&relay, |carrier| carrier.relay);
        if let Err(place) = place {
            let mut carrier = Carrier::assumed(relay, limit);
            carrier.assumed = false;
            carriers.insert(place, carrier);
        }
        let (Ok(place) | Err(place)) = place;
        if let Some(carrier) = carriers.get_mut(place) {
            carrier.kind = mount.kind;
            let previous = if carrier.is_count_doubtful {
                0
            } else {
                carrier.listeners
            };
            carrier.flow.settle(poll.began, previous, mount.listeners);
            carrier.listeners = mount.listeners;
            carrier.capacity_listeners = limit;
            carrier.missing_since = None;
            carrier.woken_at = carrier.woken_at.filter(|_| mount.kind == MountKind::Idle);
            carrier.is_count_doubtful = poll.is_count_doubtful;
            let format = mount
                .content_type
                .as_deref()
                .and_then(StreamFormat::from_type);
            if carrier.format != format {
                carrier.format = format;
                compare_formats(carriers);
            }
        }
        key
    }

    /// Notes that `relay` no longer lists the mount; returns whether it is still kept.
    fn miss(&mut self, path: &Arc<str>, relay: RelayId, poll_began: Instant, now: Instant) -> bool {
        let Some(carriers) = self.carriers.get_mut(path) else {
            return false;
        };
        carriers.retain_mut(|carrier| {
            if carrier.relay != relay {
                return true;
            }
            carrier
                .flow
                .settle(poll_began, carrier.listeners, carrier.listeners);
            if !carrier.assumed {
                carrier.missing_since.get_or_insert(now);
            }
            carrier.is_there(now)
        });
        let kept = carriers.iter().any(|carrier| carrier.relay == relay);
        if !kept {
            compare_formats(carriers);
        }
        if carriers.is_empty() {
            self.carriers.remove(path);
        }
        kept
    }
}
