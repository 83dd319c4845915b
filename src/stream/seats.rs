//! Seats: a listener's place on a relay, taken by selection and given back whatever happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use log::{info, warn};

use super::link::{Blame, TurnedAway};
use crate::fleet::{
    ClientPrefix, MountKind, Placement, Relay, RelayId, Scheme, SharedFleet, StreamFormat,
};
use crate::select::{SelectConfig, TuneIn};

/// Time from a request after which a relay is slow.
///
/// ICECAST: it answers after 0.2 to 0.4 s, Ogg with a page a second after 0.9 s (measured, 2.4.4).
pub const SLOW_AFTER: Duration = Duration::from_millis(1_500);

/// The same for an on-demand mount that sleeps: its relay connects to the master first.
///
/// ICECAST: 0.9 to 1.4 s (measured, 2.4.4, on one machine); a master far away takes longer.
const SLOW_WAKE_AFTER: Duration = Duration::from_secs(4);

/// Source of seats: selection, and the fleet that counts them.
#[derive(Debug, Clone)]
pub struct Seats(SelectConfig);

impl Seats {
    /// Seats of the fleet that `select` selects from.
    pub fn new(select: SelectConfig) -> Self {
        Self(select)
    }

    /// Takes a seat for a listener of `client` and `mount` on the least loaded relay that is not among `except`.
    pub fn take(
        &self,
        mount: &Arc<str>,
        client: Option<ClientPrefix>,
        except: &[RelayId],
    ) -> Option<Seat> {
        // The listener's scheme does not matter to the relay.
        let tune_in = TuneIn {
            mount,
            scheme: Scheme::Http,
            client,
            is_proxied: true,
        };
        let (placement, _) = self.0.place(tune_in, except)?;
        let fleet = self.0.fleet.lock();
        let relay = fleet.relay(placement.relay)?.clone();
        let mut carriers = fleet.mounts().carriers(mount).iter();
        let carrier = carriers.find(|carrier| carrier.relay == placement.relay);
        let is_asleep = carrier.is_some_and(|carrier| carrier.kind == MountKind::Idle);
        drop(fleet);
        Some(Seat {
            fleet: self.0.fleet.clone(),
            relay,
            mount: mount.clone(),
            placement,
            slow_after: if is_asleep {
                SLOW_WAKE_AFTER
            } else {
                SLOW_AFTER
            },
        })
    }

    /// Notes that a relay answered for a mount and does not serve it: others come first, and polls do not change that.
    pub fn note_not_serving(&self, relay: RelayId, mount: &str, reason: &'static str) {
        note_not_serving(&self.0.fleet, relay, mount, reason);
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
    relay: Arc<Relay>,
    mount: Arc<str>,
    placement: Placement,
    slow_after: Duration,
}

impl Seat {
    /// The relay's place in the roster.
    pub fn id(&self) -> RelayId {
        self.placement.relay
    }

    /// Time from the request after which the relay is slow to deliver audio.
    pub fn slow_after(&self) -> Duration {
        self.slow_after
    }

    /// The relay.
    pub fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }

    /// The relay's own name of the mount.
    pub fn own_path(&self) -> &str {
        self.relay.own_path(&self.mount)
    }

    /// Notes that the relay serves the listener.
    pub fn note_arrival(&mut self) {
        let mut fleet = self.fleet.lock();
        fleet.note_arrival(&mut self.placement, &self.mount, Instant::now());
    }

    /// Notes that the relay failed a running stream: others are sent there only when no other relay can take them, until
    /// its next good poll.
    pub fn note_trouble(&self) {
        self.fleet.lock().note_trouble(self.id());
    }

    /// Notes why the relay did not take the listener. What is wrong with one mount is no fault of the others.
    pub fn note_turned_away(&self, why: &TurnedAway) {
        match why.blame() {
            Blame::None => {}
            Blame::Relay => self.note_trouble(),
            Blame::Mount(reason) => self.note_not_serving(reason),
        }
    }

    /// Notes that the relay answered for the mount and does not serve it.
    pub fn note_not_serving(&self, reason: &'static str) {
        note_not_serving(&self.fleet, self.id(), &self.mount, reason);
    }

    /// Notes that the relay has delivered audio for longer than a burst lasts.
    pub fn note_serving(&self) {
        let over = self.fleet.lock().note_serving(self.id(), &self.mount);
        if over.is_some() {
            let mount = self.mount.escape_debug();
            info!(
                "relay: mount served again: relay={} mount={mount}",
                self.relay.name
            );
        }
    }

    /// Returns true when a stream of this type is what the relay and the others report.
    pub fn is_expected(&self, content_type: Option<&str>) -> bool {
        let format = content_type.and_then(StreamFormat::from_type);
        format.is_none_or(|format| {
            self.fleet
                .lock()
                .is_expected(self.id(), &self.mount, &format)
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut fleet = self.fleet.lock();
        fleet.note_departure(&self.placement, &self.mount, Instant::now());
    }
}
