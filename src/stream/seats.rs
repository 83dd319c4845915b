//! Seats: a listener's place on a relay, taken by selection and given back whatever happens.

use std::sync::Arc;
use std::time::Instant;

use crate::discovery::relay_of;
use crate::fleet::{Relay, RelayId, Scheme, SharedFleet};
use crate::select::{RelayBackends, TuneIn, key_of};

/// Where seats come from: selection and the fleet that counts them.
#[derive(Clone)]
pub struct Seats {
    backends: Arc<RelayBackends>,
    fleet: SharedFleet,
}

impl std::fmt::Debug for Seats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seats")
    }
}

impl Seats {
    /// Seats of this fleet.
    pub fn new(backends: Arc<RelayBackends>, fleet: SharedFleet) -> Self {
        Self { backends, fleet }
    }

    /// Takes a seat for `mount` on the least loaded relay that is not among `except`.
    pub fn take(&self, mount: &Arc<str>, except: &[RelayId]) -> Option<Seat> {
        // We speak to the relay ourselves: the listener's scheme does not matter to it.
        let tune_in = TuneIn {
            mount,
            scheme: Scheme::Http,
        };
        let key = key_of(&tune_in);
        let is_new = |relay: RelayId| !except.contains(&relay);
        let found = self
            .backends
            .select_with(&key, usize::MAX, |backend, _| is_new(relay_of(backend)));
        // PINGORA: (0.9.1) when all were turned down, the iterator has given the last one's pending back itself.
        let id = found.as_ref().map(relay_of)?;
        let relay = self.fleet.lock().relay(id)?.clone();
        Some(Seat {
            fleet: self.fleet.clone(),
            id,
            relay,
            mount: mount.clone(),
            noted_at: Instant::now(),
            arrived: false,
        })
    }

    /// Notes that a relay keeps somebody waiting.
    pub fn note_trouble(&self, relay: RelayId) {
        self.fleet.lock().note_trouble(relay);
    }
}

/// One listener's place on one relay; dropped, it counts as left from that moment on.
#[derive(Debug)]
pub struct Seat {
    fleet: SharedFleet,
    id: RelayId,
    relay: Arc<Relay>,
    mount: Arc<str>,
    /// When the fleet was told of it last: that he was sent, or that he arrived.
    noted_at: Instant,
    arrived: bool,
}

impl Seat {
    /// The relay's place in the roster.
    pub fn id(&self) -> RelayId {
        self.id
    }

    /// The relay.
    pub fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }

    /// The relay's own name of the mount.
    pub fn own_path(&self) -> &str {
        self.relay.own_path(&self.mount)
    }

    /// Notes that the relay serves him.
    pub fn note_arrival(&mut self) {
        let now = Instant::now();
        let mut fleet = self.fleet.lock();
        fleet.note_arrival(self.id, &self.mount, self.noted_at, now);
        self.noted_at = now;
        self.arrived = true;
    }

    /// Notes that the relay failed this listener: others are sent there only when no other relay can take them, until
    /// its next poll tells how it is.
    pub fn note_trouble(&self) {
        self.fleet.lock().note_trouble(self.id);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut fleet = self.fleet.lock();
        fleet.note_departure(self.id, &self.mount, self.noted_at, self.arrived, now);
    }
}
