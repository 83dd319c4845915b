//! Capacities, and which listeners count toward them.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::fleet::{ClientPrefix, Placement};

fn client(number: u32) -> Option<ClientPrefix> {
    Some(ClientPrefix::from_address(IpAddr::V4(Ipv4Addr::from(
        number,
    ))))
}

fn place_of(fleet: &mut Fleet, client: Option<ClientPrefix>, now: Instant) -> Option<Placement> {
    let tune_in = TuneIn {
        client,
        ..tune_in(LIVE)
    };
    place(fleet, tune_in, &[], LEAST, now, &mut Rng::with_seed(1))
}

/// A fleet of relays with this capacity, which report `listeners` each.
fn limited(relays_of: usize, capacity: u32, listeners: u32, now: Instant) -> Fleet {
    let names: Vec<String> = (0..relays_of).map(|i| format!("relay{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut all = relays(&names);
    for relay in &mut all {
        Arc::make_mut(relay).capacity_listeners = Some(capacity);
    }
    let mut fleet = Fleet::new(all, rules());
    for id in 0..relays_of as u32 {
        apply(&mut fleet, id, now, report(&[(LIVE, listeners)]));
    }
    fleet
}

#[test]
fn redirects_that_one_client_does_not_follow_make_no_relay_full() {
    let start = Instant::now();
    let mut fleet = limited(3, 1_000, 100, start);
    for number in 0..60_000_u64 {
        let now = start + Duration::from_millis(number);
        // A poll each 5 s shows none of them.
        if number % 5_000 == 0 {
            for id in 0..3 {
                apply(&mut fleet, id, now, report(&[(LIVE, 100)]));
            }
        }
        assert!(place_of(&mut fleet, client(1), now).is_some(), "{number}");
        assert!(place_of(&mut fleet, client(2), now).is_some(), "{number}");
    }
}

#[test]
fn listeners_of_distinct_clients_count_in_full() {
    let now = Instant::now();
    let mut fleet = limited(2, 100, 90, now);
    let placed = (0..100).filter(|n| place_of(&mut fleet, client(*n), now).is_some());
    assert_eq!(placed.count(), 20);
    assert_eq!(why_none(&fleet, tune_in(LIVE), &[], now), NoRelay::AllFull);
}

#[test]
fn listeners_of_exempt_networks_count_in_full() {
    let now = Instant::now();
    let mut fleet = limited(2, 100, 90, now);
    let placed = (0..100).filter(|_| place_of(&mut fleet, None, now).is_some());
    assert_eq!(placed.count(), 20);
}

#[test]
fn streams_between_redirects_that_are_not_followed_make_no_relay_full() {
    let start = Instant::now();
    let mut fleet = limited(1, 100, 10, start);
    for number in 0..200 {
        let now = start + Duration::from_millis(number);
        // A redirect that is not followed, a stream that begins and ends, one that never begins, and one that is taken back.
        assert!(place_of(&mut fleet, client(1), now).is_some(), "{number}");
        let mut stream = place_of(&mut fleet, client(1), now).unwrap();
        fleet.note_arrival(&mut stream, LIVE, now);
        fleet.note_departure(&stream, LIVE, now);
        let gone = place_of(&mut fleet, client(1), now).unwrap();
        fleet.note_departure(&gone, LIVE, now);
        let back = place_of(&mut fleet, client(1), now).unwrap();
        fleet.withdraw_pending(&back, LIVE);
    }
    let now = start + Duration::from_millis(200);
    let others = (2..200).filter(|n| place_of(&mut fleet, client(*n), now).is_some());
    assert_eq!(others.count(), 100 - 10 - 4);
    assert_eq!(taken(&fleet), [10 + 200 + 86]);
}

#[test]
fn a_flood_of_one_client_makes_no_listener_of_another_count_twice() {
    let now = Instant::now();
    let mut fleet = limited(1, 100, 0, now);
    for _ in 0..500 {
        place_of(&mut fleet, client(1), now);
    }
    for n in 2..98 {
        let mut stream = place_of(&mut fleet, client(n), now).unwrap();
        fleet.note_arrival(&mut stream, LIVE, now);
    }
    assert_eq!(
        place_of(&mut fleet, client(99), now),
        None,
        "96 arrived and 4 were sent"
    );
    assert_eq!(taken(&fleet), [596]);
}

#[test]
fn arrivals_of_one_client_are_spread_whether_they_count_or_not() {
    let now = Instant::now();
    let mut fleet = limited(4, 10_000, 0, now);
    for _ in 0..1_000 {
        assert!(place_of(&mut fleet, client(1), now).is_some());
    }
    assert_eq!(taken(&fleet), [250; 4]);
}

#[test]
fn a_relay_is_full_by_what_it_reports_and_by_listeners_that_arrived() {
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    let mut fleet = limited(1, 10, 0, start);
    for _ in 0..10 {
        // Each is known to be served before the next is sent, all behind one address.
        let mut placement = place_of(&mut fleet, client(1), second(1)).unwrap();
        fleet.note_arrival(&mut placement, LIVE, second(1));
    }
    assert_eq!(
        place_of(&mut fleet, client(1), second(1)),
        None,
        "ten arrived"
    );
    apply(&mut fleet, 0, second(3), report(&[(LIVE, 9)]));
    assert!(place_of(&mut fleet, client(1), second(3)).is_some());
    apply(&mut fleet, 0, second(5), report(&[(LIVE, 10)]));
    assert_eq!(place_of(&mut fleet, client(2), second(5)), None);
}

#[test]
fn the_capacity_of_a_mount_is_bounded_alike() {
    let start = Instant::now();
    let mut rules = rules();
    rules.mounts.capacities.insert(LIVE.to_owned(), 6);
    let mut fleet = Fleet::new(relays(&["a"]), rules);
    let both = [(LIVE, 1), ("/other.mp3", 50)];
    apply(&mut fleet, 0, start, report(&both));
    for _ in 0..100 {
        assert!(place_of(&mut fleet, client(1), start).is_some());
    }
    assert!(place_of(&mut fleet, client(2), start).is_some());
    assert_eq!(
        place_of(&mut fleet, client(3), start),
        None,
        "1 reported, 4 and 1 sent"
    );
    assert_eq!(
        why_none(&fleet, tune_in(LIVE), &[], start),
        NoRelay::AllFull
    );
    let other = TuneIn {
        client: client(3),
        ..tune_in("/other.mp3")
    };
    assert!(place(&mut fleet, other, &[], LEAST, start, &mut Rng::with_seed(1)).is_some());
    let later = start + Duration::from_secs(2);
    apply(
        &mut fleet,
        0,
        later,
        report(&[(LIVE, 5), ("/other.mp3", 50)]),
    );
    assert!(place_of(&mut fleet, client(3), later).is_some());
    assert_eq!(place_of(&mut fleet, client(4), later), None);
}

#[test]
fn it_is_certain_that_relays_are_full_once_lost_listeners_are_forgotten() {
    let start = Instant::now();
    let millis = |n| start + Duration::from_millis(n);
    let mut fleet = limited(2, 300, 0, start);
    fleet.note_start(start);
    let states = |fleet: &Fleet| (fleet.is_ready(), fleet.is_settled(), fleet.is_certain());
    for (began, expected) in [
        (100, (true, false, false)),
        (600, (true, true, false)),
        (1_600, (true, true, true)),
    ] {
        apply(&mut fleet, 0, millis(began), report(&[(LIVE, 300)]));
        let is_first = expected == (true, false, false);
        assert!(
            is_first || states(&fleet) != expected,
            "one of two is polled"
        );
        apply(&mut fleet, 1, millis(began), PollOutcome::Full);
        assert_eq!(states(&fleet), expected, "{began}");
        assert_eq!(place_of(&mut fleet, client(1), millis(began)), None);
    }
}

#[test]
fn listeners_that_return_after_a_crash_count_once() {
    let start = Instant::now();
    let millis = |n| start + Duration::from_millis(n);
    let mut fleet = limited(1, 40, 0, start);
    fleet.note_start(start);
    apply(&mut fleet, 0, millis(10), report(&[(LIVE, 30)]));
    for n in 0..10 {
        let mut placement = place_of(&mut fleet, client(n), millis(800)).unwrap();
        fleet.note_arrival(&mut placement, LIVE, millis(1_300));
    }
    assert_eq!(
        place_of(&mut fleet, client(99), millis(1_400)),
        None,
        "full, not certainly"
    );
    // The thirty are forgotten, the ten are counted already.
    apply(&mut fleet, 0, millis(1_550), report(&[(LIVE, 10)]));
    assert_eq!(taken(&fleet), [10]);
    let more = (20..60).filter(|n| place_of(&mut fleet, client(*n), millis(1_600)).is_some());
    assert_eq!(more.count(), 30);
}

#[test]
fn keys_say_what_a_tune_in_says() {
    use crate::fleet::SharedFleet;
    use pingora_load_balancing::selection::{BackendIter, BackendSelection};
    let now = Instant::now();
    for (address, scheme) in [
        ("192.0.2.1", Scheme::Http),
        ("47.47.47.47", Scheme::Https),
        ("2f2f:2f2f:2f2f:2f2f::1", Scheme::Http),
    ] {
        let client = Some(ClientPrefix::from_address(address.parse().unwrap()));
        let mut all = relays(&["a"]);
        let relay = Arc::make_mut(&mut all[0]);
        relay.capacity_listeners = Some(5);
        relay.public[0].scheme = Scheme::Https;
        let mut fleet = Fleet::new(all, rules());
        apply(&mut fleet, 0, now, report(&[(LIVE, 0)]));
        let fleet = SharedFleet::new(fleet);
        let selection = super::adapter::selection_over(&fleet);
        let key = Key::from_tune_in(&TuneIn {
            mount: LIVE,
            scheme,
            client,
            is_proxied: false,
        });
        for _ in 0..20 {
            assert!(selection.iter(&key).next().is_some(), "{address}");
        }
        assert_eq!(taken(&fleet.lock()), [20]);
        // Another client counts beside it, and the relay is full.
        let other = Key::from_tune_in(&TuneIn {
            mount: LIVE,
            scheme,
            client: Some(ClientPrefix::from_address("192.0.2.99".parse().unwrap())),
            is_proxied: false,
        });
        assert!(selection.iter(&other).next().is_some());
        assert!(selection.iter(&other).next().is_none(), "{address}");
    }
    let long = format!("/{}", "a".repeat(255));
    assert!(Key::from_tune_in(&tune_in(&long)).is_empty());
}
