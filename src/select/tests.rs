//! Stories of selection, and what they share with the laws.

mod adapter;
mod capacity;
mod laws;
mod mount_capacity;
mod policies;
mod suspects;

use std::sync::Arc;

use fastrand::Rng;

use super::*;
use crate::fleet::tests::{relays, report, rules};
use crate::fleet::{AdminState, MountKind, MountReport, PollFault, PollOutcome, Polled, Report};

const LIVE: &str = "/live.mp3";
const LEAST: Rule = Rule {
    policy: Policy::LeastListeners,
    slow_start: Duration::from_secs(30),
};

fn tune_in(mount: &str) -> TuneIn<'_> {
    TuneIn {
        mount,
        scheme: Scheme::Http,
        client: None,
        is_proxied: false,
    }
}

fn apply(fleet: &mut Fleet, id: u32, began: Instant, outcome: PollOutcome) {
    fleet.apply(RelayId(id), Polled { began, outcome }, began);
}

/// A fleet whose relays carry `/live.mp3` with these listeners and weights.
fn fleet_of(parts: &[(u32, u32)], now: Instant) -> Fleet {
    let names: Vec<String> = (0..parts.len()).map(|i| format!("relay{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut all = relays(&names);
    for (relay, (_, weight)) in all.iter_mut().zip(parts) {
        Arc::make_mut(relay).weight = *weight;
    }
    let mut fleet = Fleet::new(all, rules());
    for (id, (listeners, _)) in (0..).zip(parts) {
        apply(&mut fleet, id, now, report(&[(LIVE, *listeners)]));
    }
    fleet
}

fn taken(fleet: &Fleet) -> Vec<u32> {
    fleet
        .iter()
        .map(|(_, _, s, _)| s.taken_listeners())
        .collect()
}

fn spread(counts: &[u32]) -> u32 {
    counts.iter().max().unwrap() - counts.iter().min().unwrap()
}

fn place_live(fleet: &mut Fleet, now: Instant, rng: &mut Rng) -> Option<RelayId> {
    place(fleet, tune_in(LIVE), &[], LEAST, now, rng).map(|placement| placement.relay)
}

#[test]
fn a_relay_that_came_back_takes_few_at_first_and_its_share_later() {
    let now = Instant::now();
    let mut fleet = fleet_of(&[(1_000, 100), (0, 100)], now);
    apply(
        &mut fleet,
        1,
        now,
        PollOutcome::Refused(PollFault::new("refused")),
    );
    apply(&mut fleet, 1, now, report(&[(LIVE, 0)]));
    let mut rng = Rng::with_seed(3);
    let mut arrivals_at = |seconds: u64, fleet: &mut Fleet| {
        let at = now + Duration::from_secs(seconds);
        for id in 0..2 {
            apply(fleet, id, at, report(&[(LIVE, 1_000 * (1 - id))]));
        }
        (0..100)
            .filter(|_| place_live(fleet, at, &mut rng) == Some(RelayId(1)))
            .count()
    };
    assert_eq!(arrivals_at(0, &mut fleet), 0);
    let halfway = arrivals_at(15, &mut fleet);
    assert!((30..=70).contains(&halfway), "{halfway}");
    assert_eq!(arrivals_at(30, &mut fleet), 100);
}

#[test]
fn a_relay_alone_is_not_held_back_by_its_slow_start() {
    let now = Instant::now();
    let mut fleet = fleet_of(&[(0, 100)], now);
    apply(
        &mut fleet,
        0,
        now,
        PollOutcome::Refused(PollFault::new("refused")),
    );
    apply(&mut fleet, 0, now, report(&[(LIVE, 0)]));
    assert!(place_live(&mut fleet, now, &mut Rng::with_seed(0)).is_some());
}

#[test]
fn a_suspect_relay_is_taken_only_when_no_other_can() {
    let now = Instant::now();
    let mut fleet = fleet_of(&[(0, 100), (500, 100)], now);
    apply(
        &mut fleet,
        0,
        now,
        PollOutcome::Failed(PollFault::new("timeout")),
    );
    let mut rng = Rng::with_seed(0);
    assert_eq!(place_live(&mut fleet, now, &mut rng), Some(RelayId(1)));
    fleet.set_admin_state(RelayId(1), AdminState::Maint);
    assert_eq!(place_live(&mut fleet, now, &mut rng), Some(RelayId(0)));
}

#[test]
fn a_running_mount_comes_before_one_that_can_be_woken_and_that_before_a_fallback() {
    let now = Instant::now();
    let mut fleet = fleet_of(&[(0, 100), (0, 100), (9, 100)], now);
    for (id, kind) in [(0, MountKind::Idle), (1, MountKind::Virtual)] {
        let mounts = vec![MountReport::bare(LIVE, kind, 0)];
        apply(
            &mut fleet,
            id,
            now,
            PollOutcome::Report(Report {
                mounts,
                ..Report::default()
            }),
        );
    }
    let mut rng = Rng::with_seed(0);
    for expected in [2, 0, 1] {
        assert_eq!(
            place_live(&mut fleet, now, &mut rng),
            Some(RelayId(expected))
        );
        fleet.set_admin_state(RelayId(expected), AdminState::Drain);
    }
    assert_eq!(place_live(&mut fleet, now, &mut rng), None);
}

/// Relays that all sleep, in the order in which they report themselves awake: those that were sent somebody.
fn report_kinds(fleet: &mut Fleet, awake: impl Fn(u32) -> bool, listeners: &[u32], at: Instant) {
    for (id, listeners) in (0..).zip(listeners) {
        let kind = if awake(id) {
            MountKind::Running
        } else {
            MountKind::Idle
        };
        let mounts = vec![MountReport::bare(LIVE, kind, *listeners)];
        let report = Report {
            listeners: *listeners,
            mounts,
            ..Report::default()
        };
        apply(fleet, id, at, PollOutcome::Report(report));
    }
}

#[test]
fn relays_that_all_sleep_are_woken_one_after_the_other_and_share_the_listeners() {
    let mut now = Instant::now();
    let mut fleet = fleet_of(&[(0, 100); 3], now);
    let mut rng = Rng::with_seed(5);
    let mut listeners = [0; 3];
    report_kinds(&mut fleet, |_| false, &listeners, now);
    for _ in 0..60 {
        let id = place_live(&mut fleet, now, &mut rng).unwrap();
        listeners[id.index()] += 1;
        now += Duration::from_secs(2);
        let awake = listeners;
        report_kinds(&mut fleet, |id| awake[id as usize] > 0, &listeners, now);
    }
    assert!(spread(&listeners) <= 11, "{listeners:?}");
}

#[test]
fn a_mount_that_cannot_wake_up_loses_one_listener_and_is_left_alone() {
    let mut now = Instant::now();
    let mut fleet = fleet_of(&[(500, 100), (0, 100)], now);
    let mut rng = Rng::with_seed(5);
    let mut lost = 0;
    for _ in 0..100 {
        report_kinds(&mut fleet, |id| id == 0, &[500, 0], now);
        lost += u32::from(place_live(&mut fleet, now, &mut rng) == Some(RelayId(1)));
        now += Duration::from_secs(1);
    }
    assert_eq!(lost, 1);
    now += crate::fleet::WAKE_RETRY;
    report_kinds(&mut fleet, |id| id == 0, &[500, 0], now);
    assert_eq!(
        place_live(&mut fleet, now, &mut rng),
        Some(RelayId(1)),
        "tried again"
    );
}

#[test]
fn capacity_counts_pending_and_a_full_fleet_says_so() {
    let now = Instant::now();
    let mut all = relays(&["a", "b"]);
    for relay in &mut all {
        Arc::make_mut(relay).capacity_listeners = Some(3);
    }
    let mut fleet = Fleet::new(all, rules());
    for id in 0..2 {
        apply(&mut fleet, id, now, report(&[(LIVE, 1)]));
    }
    let mut rng = Rng::with_seed(0);
    let placed = (0..10)
        .filter(|_| place_live(&mut fleet, now, &mut rng).is_some())
        .count();
    assert_eq!(placed, 4);
    assert_eq!(why_none(&fleet, tune_in(LIVE), &[], now), NoRelay::AllFull);
}

#[test]
fn every_no_has_its_reason() {
    let now = Instant::now();
    let soon = now + Duration::from_secs(1);
    let mut fleet = fleet_of(&[(0, 100)], now);
    let why = |fleet: &Fleet, mount, scheme, tried: &[RelayId], at| {
        why_none(
            fleet,
            TuneIn {
                mount,
                scheme,
                client: None,
                is_proxied: false,
            },
            tried,
            at,
        )
    };
    assert_eq!(
        why(&fleet, "/nope", Scheme::Http, &[], soon),
        NoRelay::UnknownMount
    );
    assert_eq!(
        why(&fleet, LIVE, Scheme::Https, &[], soon),
        NoRelay::NoHttps
    );
    assert_eq!(
        why(&fleet, LIVE, Scheme::Http, &[RelayId(0)], soon),
        NoRelay::NoneAvailable
    );
    let stale = now + Duration::from_secs(31);
    assert_eq!(
        why(&fleet, LIVE, Scheme::Http, &[], stale),
        NoRelay::NoneAvailable
    );
    apply(
        &mut fleet,
        0,
        now,
        PollOutcome::Refused(PollFault::new("refused")),
    );
    assert_eq!(
        why(&fleet, LIVE, Scheme::Http, &[], soon),
        NoRelay::NoneAvailable
    );
    assert_eq!(
        why(&fleet, "/nope", Scheme::Http, &[], soon),
        NoRelay::NoneAvailable
    );
    let unpolled = Fleet::new(relays(&["a"]), rules());
    assert_eq!(
        why(&unpolled, LIVE, Scheme::Http, &[], soon),
        NoRelay::NotYet
    );
}
