//! Seats: a listener's place on a relay, taken by selection and given back whatever happens.

use std::sync::Arc;
use std::time::Instant;

use log::{info, warn};

use super::link::{Blame, TurnedAway};
use crate::discovery::relay_of;
use crate::fleet::{ClientPrefix, Noted, Relay, RelayId, Scheme, SharedFleet, StreamFormat};
use crate::select::{Key, RelayBackends, TuneIn};

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

    /// Takes a seat for a listener of `client` and `mount` on the least loaded relay that is not among `except`.
    pub fn take(
        &self,
        mount: &Arc<str>,
        client: Option<ClientPrefix>,
        except: &[RelayId],
    ) -> Option<Seat> {
        // We speak to the relay ourselves: the listener's scheme does not matter to it.
        let tune_in = TuneIn {
            mount,
            scheme: Scheme::Http,
            client,
        };
        let key = Key::from_tune_in(&tune_in);
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
            client,
            noted: Noted::Sent(Instant::now()),
        })
    }

    /// Notes that a relay answered for a mount and does not serve it: others come first, and polls do not change that.
    pub fn note_not_serving(&self, relay: RelayId, mount: &str, reason: &'static str) {
        note_not_serving(&self.fleet, relay, mount, reason);
    }
}

fn note_not_serving(fleet: &SharedFleet, id: RelayId, mount: &str, reason: &'static str) {
    let mut fleet = fleet.lock();
    if !fleet.note_not_serving(id, mount, reason, Instant::now()) {
        return;
    }
    let relay = fleet.relay(id).cloned();
    drop(fleet);
    if let Some(relay) = relay {
        let mount = mount.escape_debug();
        warn!(
            "relay: mount not served: relay={} mount={mount} reason=\"{reason}\"",
            relay.name
        );
    }
}

/// One listener's place on one relay; dropped, it counts as left from that moment on.
#[derive(Debug)]
pub struct Seat {
    fleet: SharedFleet,
    id: RelayId,
    relay: Arc<Relay>,
    mount: Arc<str>,
    client: Option<ClientPrefix>,
    /// What the fleet knows of it.
    noted: Noted,
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

    /// Notes that the relay takes the listener.
    pub fn note_arrival(&mut self) {
        let Noted::Sent(sent) = self.noted else {
            return;
        };
        let now = Instant::now();
        let mut fleet = self.fleet.lock();
        fleet.note_arrival(self.id, &self.mount, self.client, sent, now);
        self.noted = Noted::Arrived(now);
    }

    /// Notes that the relay failed a running stream: others are sent there only when no other relay can take them, until
    /// its next good poll.
    pub fn note_trouble(&self) {
        self.fleet.lock().note_trouble(self.id);
    }

    /// Notes why the relay did not take the listener. What is wrong with one mount is no fault of the others.
    pub fn note_turned_away(&self, why: &TurnedAway) {
        match why.blame() {
            Blame::Nobody => {}
            Blame::Relay => self.note_trouble(),
            Blame::Mount(reason) => self.note_not_serving(reason),
        }
    }

    /// Notes that the relay answered for the mount and does not serve it.
    pub fn note_not_serving(&self, reason: &'static str) {
        note_not_serving(&self.fleet, self.id, &self.mount, reason);
    }

    /// Notes that the relay has delivered audio for longer than a burst lasts.
    pub fn note_serving(&self) {
        let over = self.fleet.lock().note_serving(self.id, &self.mount);
        if over.is_some() {
            let mount = self.mount.escape_debug();
            info!(
                "relay: mount served again: relay={} mount={mount}",
                self.relay.name
            );
        }
    }

    /// Whether a stream of this type is what the relay and the others report.
    pub fn is_expected(&self, content_type: Option<&str>) -> bool {
        let format = content_type.and_then(StreamFormat::from_type);
        format.is_none_or(|format| self.fleet.lock().is_expected(self.id, &self.mount, &format))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut fleet = self.fleet.lock();
        fleet.note_departure(self.id, &self.mount, self.client, self.noted, now);
    }
}
