//! The streams that the balancer carries: who is on which relay, who is asked to move, and what came of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Seam;
use crate::fleet::{Fleet, Relay, RelayId};

/// All streams of this process.
#[derive(Debug, Default)]
pub struct Streams {
    berths: Mutex<HashMap<u64, Arc<Berth>>>,
    next: AtomicU64,
    seams: [AtomicU64; Seam::ALL.len()],
    bytes: AtomicU64,
    lost: AtomicU64,
}

impl Streams {
    /// Notes that a listener's stream began on this relay.
    pub fn enter(
        self: &Arc<Self>,
        mount: &Arc<str>,
        journey: Arc<Journey>,
        id: RelayId,
        relay: &Relay,
    ) -> Aboard {
        let berth = Arc::new(Berth {
            mount: mount.clone(),
            relay: AtomicU32::new(id.0),
            asked_to_move: AtomicBool::new(false),
            journey,
        });
        berth.journey.visit(relay);
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        self.lock().insert(key, berth.clone());
        Aboard {
            streams: self.clone(),
            key,
            berth,
        }
    }

    /// The streams on one relay.
    pub fn on(&self, relay: RelayId) -> Vec<Arc<Berth>> {
        let berths = self.lock();
        let there = berths.values().filter(|berth| berth.relay() == relay);
        there.cloned().collect()
    }

    /// How many streams each relay has; those without any are not in it.
    pub fn counts(&self) -> HashMap<RelayId, u32> {
        let mut counts = HashMap::new();
        for berth in self.lock().values() {
            *counts.entry(berth.relay()).or_default() += 1;
        }
        counts
    }

    /// How many streams there are.
    pub fn total(&self) -> usize {
        self.lock().len()
    }

    /// Streams that ended since the start.
    pub fn ended(&self) -> u64 {
        let begun = self.next.load(Ordering::Relaxed);
        begun.saturating_sub(self.total() as u64)
    }

    /// How many streams each relay has, by its name: each one that is configured, and those that are leaving.
    pub fn counts_by_name(&self, fleet: &Fleet) -> BTreeMap<String, u32> {
        let configured = fleet.roster().map(|(_, relay)| (relay.name.clone(), 0));
        let mut names: BTreeMap<String, u32> = configured.collect();
        for (id, count) in self.counts() {
            if let Some(relay) = fleet.relay(id) {
                *names.entry(relay.name.clone()).or_default() += count;
            }
        }
        names
    }

    /// How many seams of each kind were made.
    pub fn seams(&self) -> impl Iterator<Item = (Seam, u64)> {
        let counts = self.seams.iter().map(|count| count.load(Ordering::Relaxed));
        Seam::ALL.into_iter().zip(counts)
    }

    /// Bytes of the streams that ended.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How many ended because no relay could take over.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Berth>>> {
        self.berths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where one listener's stream is.
#[derive(Debug)]
pub struct Berth {
    /// The mount's public path.
    pub mount: Arc<str>,
    relay: AtomicU32,
    asked_to_move: AtomicBool,
    journey: Arc<Journey>,
}

impl Berth {
    /// The relay that he hears.
    pub fn relay(&self) -> RelayId {
        RelayId(self.relay.load(Ordering::Relaxed))
    }

    /// Asks the stream to move to another relay; returns false when it was asked already.
    pub fn ask_to_move(&self) -> bool {
        !self.asked_to_move.swap(true, Ordering::Relaxed)
    }

    /// Whether it was asked to move.
    pub fn is_asked_to_move(&self) -> bool {
        self.asked_to_move.load(Ordering::Relaxed)
    }

    /// Notes that it did, or cannot now.
    pub fn note_moved(&self) {
        self.asked_to_move.store(false, Ordering::Relaxed);
    }
}

/// A stream's entry among the others; dropped, it is over.
#[derive(Debug)]
pub struct Aboard {
    streams: Arc<Streams>,
    key: u64,
    berth: Arc<Berth>,
}

impl Aboard {
    /// Where the stream is.
    pub fn berth(&self) -> &Berth {
        &self.berth
    }

    /// Notes bytes of audio sent.
    pub fn note_bytes(&self, bytes: usize) {
        let journey = &self.berth.journey;
        journey.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes a seam, and the relay behind it.
    pub fn note_seam(&self, seam: Seam, id: RelayId, relay: &Relay) {
        self.berth.relay.store(id.0, Ordering::Relaxed);
        self.berth.note_moved();
        self.berth.journey.visit(relay);
        for counts in [&self.streams.seams, &self.berth.journey.seams] {
            if let Some(count) = counts.get(seam as usize) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Notes that no relay could take the listener in time.
    pub fn note_given_up(&self) {
        self.streams.lost.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Aboard {
    fn drop(&mut self) {
        self.streams.lock().remove(&self.key);
        let bytes = self.berth.journey.bytes.load(Ordering::Relaxed);
        self.streams.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The most relays that a log line names; a stream of months may visit thousands.
const VISIT_LIMIT: usize = 8;

/// What one listener went through, for the line at its end.
#[derive(Debug, Default)]
pub struct Journey {
    relays: Mutex<(Vec<String>, usize)>,
    bytes: AtomicU64,
    seams: [AtomicU64; Seam::ALL.len()],
}

impl Journey {
    fn visit(&self, relay: &Relay) {
        let mut visits = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, more) = &mut *visits;
        match names.len() < VISIT_LIMIT {
            true => names.push(relay.name.clone()),
            false => *more += 1,
        }
    }

    /// The relays in the order in which he heard them.
    pub fn relays(&self) -> String {
        let visits = self.relays.lock().unwrap_or_else(PoisonError::into_inner);
        let (names, more) = &*visits;
        match more {
            0 => names.join(" > "),
            more => format!("{} > and {more} more", names.join(" > ")),
        }
    }

    /// Seams by kind.
    pub fn seams(&self) -> impl Iterator<Item = (Seam, u64)> {
        let counts = self.seams.iter().map(|count| count.load(Ordering::Relaxed));
        Seam::ALL.into_iter().zip(counts)
    }
}
