//! Pingora's view of selection: relays as backends, and a [`BackendSelection`] that yields them least loaded first.
//!
//! Weights, health and loads are the fleet's; Pingora's own are not consulted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use fastrand::Rng;
use pingora_load_balancing::Backend;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};

use super::{Rule, TuneIn, place};
use crate::discovery::relay_of;
use crate::fleet::{RelayId, Scheme, SharedFleet};

/// The key that Pingora hands through to [`LeastLoaded`]: the mount's public path, after `s` for a listener on https.
///
/// A public path begins with `/`, so the two cannot be mistaken. Plain tune-ins, the hot path, borrow.
pub fn key_of<'a>(tune_in: &TuneIn<'a>) -> std::borrow::Cow<'a, [u8]> {
    match tune_in.scheme {
        Scheme::Http => tune_in.mount.as_bytes().into(),
        Scheme::Https => [b"s", tune_in.mount.as_bytes()].concat().into(),
    }
}

fn tune_in_of(key: &[u8]) -> Option<TuneIn<'_>> {
    let (scheme, mount) = match key.strip_prefix(b"s") {
        Some(mount) => (Scheme::Https, mount),
        None => (Scheme::Http, key),
    };
    let mount = std::str::from_utf8(mount).ok()?;
    Some(TuneIn { mount, scheme })
}

/// What [`LeastLoaded`] selects from and how.
#[derive(Debug, Clone)]
pub struct SelectConfig {
    /// The fleet whose standings decide.
    pub fleet: SharedFleet,
    /// How they decide.
    pub rule: Arc<ArcSwap<Rule>>,
}

/// Pingora's load balancer over our selection.
pub type RelayBackends = pingora_load_balancing::LoadBalancer<LeastLoaded>;

/// Yields the relays that may take a tune-in, least loaded first.
#[derive(Debug)]
pub struct LeastLoaded {
    config: Option<SelectConfig>,
    /// The backends by their relays' places in the roster.
    backends: Vec<Option<Backend>>,
}

impl LeastLoaded {
    /// Selects under one lock; with the relay comes the table's copy of the mount's path, to ask again with.
    fn place(&self, tune_in: TuneIn<'_>, tried: &[RelayId]) -> Option<(RelayId, Arc<str>)> {
        let config = self.config.as_ref()?;
        let rule = **config.rule.load();
        let mut fleet = config.fleet.lock();
        let now = Instant::now();
        let mut rng = Rng::new();
        let relay = place(&mut fleet, tune_in, tried, rule, now, &mut rng)?;
        Some((relay, fleet.mounts().path(tune_in.mount)?))
    }
}

impl BackendSelection for LeastLoaded {
    type Iter = Candidates;
    type Config = SelectConfig;

    fn build(backends: &BTreeSet<Backend>) -> Self {
        let places = backends.iter().map(|b| relay_of(b).index() + 1).max();
        let mut by_place = vec![None; places.unwrap_or(0)];
        for backend in backends {
            if let Some(slot) = by_place.get_mut(relay_of(backend).index()) {
                *slot = Some(backend.clone());
            }
        }
        Self {
            config: None,
            backends: by_place,
        }
    }

    fn build_with_config(backends: &BTreeSet<Backend>, config: &SelectConfig) -> Self {
        Self {
            config: Some(config.clone()),
            ..Self::build(backends)
        }
    }

    fn iter(self: &Arc<Self>, key: &[u8]) -> Candidates {
        let placed = tune_in_of(key).and_then(|tune_in| {
            let (relay, mount) = self.place(tune_in, &[])?;
            Some((mount, tune_in.scheme, relay))
        });
        Candidates {
            selection: self.clone(),
            placed,
            tried: Vec::new(),
            yielded: false,
        }
    }
}

/// The relays for one tune-in, one after the other.
///
/// INVARIANT: of all it yields, only the last has its pending raised: asking for the next gives the last one back.
#[derive(Debug)]
pub struct Candidates {
    selection: Arc<LeastLoaded>,
    placed: Option<(Arc<str>, Scheme, RelayId)>,
    tried: Vec<RelayId>,
    yielded: bool,
}

impl Candidates {
    /// Gives the last relay back and selects another. A redirect never asks for a second one; who connects to relays does.
    fn move_on(&mut self) -> Option<()> {
        let (mount, scheme, relay) = self.placed.take()?;
        let fleet = &self.selection.config.as_ref()?.fleet;
        fleet.lock().withdraw_pending(relay, &mount);
        self.tried.push(relay);
        let tune_in = TuneIn {
            mount: &mount,
            scheme,
        };
        let (next, _) = self.selection.place(tune_in, &self.tried)?;
        self.placed = Some((mount, scheme, next));
        Some(())
    }
}

impl BackendIter for Candidates {
    fn next(&mut self) -> Option<&Backend> {
        if std::mem::replace(&mut self.yielded, true) {
            self.move_on()?;
        }
        let (_, _, relay) = self.placed.as_ref()?;
        self.selection.backends.get(relay.index())?.as_ref()
    }
}
