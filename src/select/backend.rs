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
use crate::fleet::{ClientPrefix, NAME_LIMIT_BYTES, Placement, RelayId, Scheme, SharedFleet};

/// The key that Pingora hands through to [`LeastLoaded`]: what a [`TuneIn`] says, in a few bytes.
///
/// A public path begins with `/`; before it stand `s` for a listener on https and the client's prefix, `4` or `6` with 4 or
/// 8 bytes. On the stack: each redirect makes one.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    bytes: [u8; KEY_LIMIT_BYTES],
    length: usize,
}

const KEY_LIMIT_BYTES: usize = 1 + 9 + NAME_LIMIT_BYTES;

impl Key {
    /// The key of a tune-in. No mount has a longer name than a key has room for: the key of such a path finds none.
    pub fn from_tune_in(tune_in: &TuneIn<'_>) -> Self {
        let mut key = Self {
            bytes: [0; KEY_LIMIT_BYTES],
            length: 0,
        };
        if tune_in.mount.len() > NAME_LIMIT_BYTES {
            return key;
        }
        if tune_in.scheme == Scheme::Https {
            key.push(b"s");
        }
        match tune_in.client {
            Some(ClientPrefix::V4(address)) => {
                key.push(b"4");
                key.push(&address.octets());
            }
            Some(ClientPrefix::V6(network)) => {
                key.push(b"6");
                network
                    .iter()
                    .for_each(|part| key.push(&part.to_be_bytes()));
            }
            None => {}
        }
        key.push(tune_in.mount.as_bytes());
        key
    }

    fn push(&mut self, more: &[u8]) {
        let end = self.length + more.len();
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room.copy_from_slice(more);
            self.length = end;
        }
    }
}

impl std::ops::Deref for Key {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn tune_in_of(key: &[u8]) -> Option<TuneIn<'_>> {
    let (scheme, key) = match key.strip_prefix(b"s") {
        Some(key) => (Scheme::Https, key),
        None => (Scheme::Http, key),
    };
    let (client, mount) = match key.split_first()? {
        (b'4', rest) => {
            let (octets, mount) = rest.split_first_chunk::<4>()?;
            (Some(ClientPrefix::V4((*octets).into())), mount)
        }
        (b'6', rest) => {
            let (octets, mount) = rest.split_first_chunk::<8>()?;
            let [a, b, c, d, e, f, g, h] = *octets;
            let parts = [[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes);
            (Some(ClientPrefix::V6(parts)), mount)
        }
        _ => (None, key),
    };
    let mount = std::str::from_utf8(mount).ok()?;
    Some(TuneIn {
        mount,
        scheme,
        client,
        is_proxied: false,
    })
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

impl SelectConfig {
    /// Selects under one lock; with the placement comes the table's copy of the mount's path, to select again with.
    pub fn place(&self, tune_in: TuneIn<'_>, tried: &[RelayId]) -> Option<(Placement, Arc<str>)> {
        let rule = **self.rule.load();
        let mut fleet = self.fleet.lock();
        let now = Instant::now();
        let mut rng = Rng::new();
        let placement = place(&mut fleet, tune_in, tried, rule, now, &mut rng)?;
        Some((placement, fleet.mounts().path(tune_in.mount)?))
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
            let (placement, mount) = self.config.as_ref()?.place(tune_in, &[])?;
            Some(Placed {
                placement,
                mount,
                scheme: tune_in.scheme,
                client: tune_in.client,
            })
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
    placed: Option<Placed>,
    tried: Vec<RelayId>,
    yielded: bool,
}

/// A placement with its tune-in.
#[derive(Debug)]
struct Placed {
    placement: Placement,
    mount: Arc<str>,
    scheme: Scheme,
    client: Option<ClientPrefix>,
}

impl Candidates {
    /// Gives the last relay back and selects another. A redirect never asks for a second one; who connects to relays does.
    fn move_on(&mut self) -> Option<()> {
        let mut placed = self.placed.take()?;
        let config = self.selection.config.as_ref()?;
        config
            .fleet
            .lock()
            .withdraw_pending(&placed.placement, &placed.mount);
        self.tried.push(placed.placement.relay);
        let tune_in = TuneIn {
            mount: &placed.mount,
            scheme: placed.scheme,
            client: placed.client,
            is_proxied: false,
        };
        (placed.placement, _) = config.place(tune_in, &self.tried)?;
        self.placed = Some(placed);
        Some(())
    }
}

impl BackendIter for Candidates {
    fn next(&mut self) -> Option<&Backend> {
        if std::mem::replace(&mut self.yielded, true) {
            self.move_on()?;
        }
        let relay = self.placed.as_ref()?.placement.relay;
        self.selection.backends.get(relay.index())?.as_ref()
    }
}
