//! Time of one selection, by the size of the fleet. Run: `cargo bench --bench select`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its output is what it is for"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use icecast_balancer::config::Policy;
use icecast_balancer::fleet::{
    Fleet, MountKind, MountReport, MountRules, Origin, PollOutcome, Polled, Relay, RelayId, Report,
    Rules, Scheme, Thresholds,
};
use icecast_balancer::select::{Rule, TuneIn, place};

const SELECTIONS: usize = 50_000;
const MOUNT: &str = "/live.mp3";

fn relay(number: u32) -> Arc<Relay> {
    let origin = Origin {
        scheme: Scheme::Http,
        host: format!("relay{number}.example.com"),
        port: 8000,
    };
    Arc::new(Relay {
        name: origin.host.clone(),
        url: origin.clone(),
        public: vec![origin],
        weight: 100,
        capacity_listeners: None,
        mounts: BTreeMap::new(),
    })
}

/// Relays with ten mounts each and a few hundred listeners.
fn fleet_of(relays: u32, now: Instant) -> Fleet {
    let rules = Rules {
        thresholds: Thresholds { fall: 2, rise: 1 },
        stale_after: Duration::from_secs(3_600),
        mounts: MountRules::default(),
    };
    let mut fleet = Fleet::new((0..relays).map(relay).collect(), rules);
    for id in 0..relays {
        let listeners = fastrand::u32(100..400);
        let others = (1..10).map(|n| MountReport::bare(format!("/{n}.mp3"), MountKind::Running, 0));
        let live = MountReport::bare(MOUNT, MountKind::Running, listeners);
        let report = Report {
            listeners,
            mounts: others.chain([live]).collect(),
            ..Report::default()
        };
        let polled = Polled {
            began: now,
            outcome: PollOutcome::Report(report),
        };
        fleet.apply(RelayId(id), polled, now);
    }
    fleet
}

fn main() {
    println!(
        "{:>8} {:>12} {:>12} {:>12}",
        "relays", "median us", "p99 us", "max us"
    );
    for relays in [3, 10, 50, 200, 1_000] {
        let now = Instant::now();
        let mut fleet = fleet_of(relays, now);
        let mut rng = Rng::with_seed(1);
        let rule = Rule {
            policy: Policy::LeastListeners,
            slow_start: Duration::from_secs(30),
        };
        let tune_in = TuneIn {
            mount: MOUNT,
            scheme: Scheme::Http,
            client: None,
            is_proxied: false,
        };
        let mut times: Vec<Duration> = (0..SELECTIONS)
            .map(|_| {
                let began = Instant::now();
                let placed = place(&mut fleet, tune_in, &[], rule, now, &mut rng);
                assert!(placed.is_some());
                began.elapsed()
            })
            .collect();
        times.sort_unstable();
        let at = |part: f64| {
            let place = ((times.len() - 1) as f64 * part) as usize;
            times
                .get(place)
                .map_or(0.0, |time| time.as_secs_f64() * 1e6)
        };
        println!(
            "{relays:>8} {:>12.2} {:>12.2} {:>12.2}",
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
}
