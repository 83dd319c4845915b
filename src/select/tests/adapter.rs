//! Selection as Pingora sees it.

use std::collections::BTreeSet;

use arc_swap::ArcSwap;
use pingora_load_balancing::selection::{BackendIter, BackendSelection};

use super::*;
use crate::discovery::{backend_of, relay_of};
use crate::fleet::SharedFleet;

pub fn selection_over(fleet: &SharedFleet) -> Arc<LeastLoaded> {
    let count = fleet.lock().roster().count() as u32;
    // One address for all: two relays behind one address must stay two.
    let address = "127.0.0.1:8000".parse().unwrap();
    let backends: BTreeSet<_> = (0..count)
        .map(|id| backend_of(RelayId(id), address))
        .collect();
    assert_eq!(backends.len() as u32, count);
    let config = SelectConfig {
        fleet: fleet.clone(),
        rule: Arc::new(ArcSwap::from_pointee(LEAST)),
    };
    Arc::new(LeastLoaded::build_with_config(&backends, &config))
}

#[test]
fn pingora_gets_the_relays_in_order_and_what_it_passes_over_is_given_back() {
    let fleet = SharedFleet::new(fleet_of(&[(2, 100), (0, 100), (1, 100)], Instant::now()));
    let selection = selection_over(&fleet);
    let mut order = Vec::new();
    let mut candidates = selection.iter(LIVE.as_bytes());
    while let Some(backend) = candidates.next() {
        order.push(relay_of(backend).0);
    }
    assert_eq!(order, [1, 2, 0]);
    assert_eq!(taken(&fleet.lock()), [2, 0, 1], "nobody was sent anywhere");

    let mut candidates = selection.iter(LIVE.as_bytes());
    candidates.next();
    candidates.next();
    drop(candidates);
    assert_eq!(
        taken(&fleet.lock()),
        [2, 0, 2],
        "the last one yielded was taken"
    );
}

#[test]
fn a_listener_on_https_is_told_apart_by_the_key() {
    let fleet = SharedFleet::new(fleet_of(&[(0, 100)], Instant::now()));
    let secure = TuneIn {
        mount: LIVE,
        scheme: Scheme::Https,
        client: None,
        is_proxied: false,
    };
    let selection = selection_over(&fleet);
    assert!(selection.iter(&Key::from_tune_in(&secure)).next().is_none());
    assert!(
        selection
            .iter(&Key::from_tune_in(&tune_in(LIVE)))
            .next()
            .is_some()
    );
    assert!(selection.iter(b"\xff").next().is_none());
}

#[test]
fn the_herd_does_not_happen_with_eight_threads() {
    let fleet = SharedFleet::new(fleet_of(&[(0, 100); 4], Instant::now()));
    let selection = selection_over(&fleet);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..125 {
                    assert!(selection.iter(LIVE.as_bytes()).next().is_some());
                }
            });
        }
    });
    let counts = taken(&fleet.lock());
    assert_eq!(
        counts, [250; 4],
        "one atomic step: no thread sees what another is about to take"
    );
}
