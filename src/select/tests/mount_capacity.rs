//! Capacity of a mount: the most listeners of it on one relay, whatever else the relay carries.

use super::*;

const TALK: &str = "/talk.mp3";
const HTTPS: TuneIn<'_> = TuneIn {
    mount: LIVE,
    scheme: Scheme::Https,
    client: None,
    is_proxied: false,
};

/// Relays of which each may have three listeners of `/live.mp3`, and as many of other mounts as
/// come.
fn limited(names: &[&str]) -> Fleet {
    let mut rules = rules();
    rules.mounts.capacities.insert(LIVE.to_owned(), 3);
    Fleet::new(relays(names), rules)
}

fn place_all(fleet: &mut Fleet, mount: &str, now: Instant) -> Vec<RelayId> {
    let mut rng = Rng::with_seed(3);
    let tries = 0..20;
    let placed = tries.filter_map(|_| place(fleet, tune_in(mount), &[], LEAST, now, &mut rng));
    placed.map(|placement| placement.relay).collect()
}

fn count(placed: &[RelayId], id: u32) -> usize {
    placed.iter().filter(|relay| relay.0 == id).count()
}

#[test]
fn full_mount_takes_no_listener_and_other_mounts_of_its_relays_do() {
    let now = Instant::now();
    let mut fleet = limited(&["a", "b"]);
    apply(&mut fleet, 0, now, report(&[(LIVE, 2), (TALK, 0)]));
    apply(&mut fleet, 1, now, report(&[(LIVE, 0), (TALK, 9)]));

    let placed = place_all(&mut fleet, LIVE, now);

    assert_eq!((count(&placed, 0), count(&placed, 1)), (1, 3), "{placed:?}");
    assert!(!can_take(&fleet, tune_in(LIVE), now));
    assert_eq!(why_none(&fleet, tune_in(LIVE), &[], now), NoRelay::AllFull);
    let standing = fleet.standing(RelayId(0)).unwrap();
    let carrier = &fleet.mounts().carriers(LIVE)[0];
    assert_eq!(relay_barrier(standing, now), None, "the relay is not full");
    let bar = barrier(standing, carrier, tune_in(LIVE), &[], now);
    assert_eq!(bar, Some(Ineligible::Full));
    let bar = barrier(standing, carrier, HTTPS, &[], now);
    assert_eq!(bar, Some(Ineligible::Full), "that it is full comes first");
    assert_eq!(place_all(&mut fleet, TALK, now).len(), 20);
}

#[test]
fn place_that_a_listener_leaves_is_free_at_once_where_that_is_seen_and_else_by_a_report() {
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    let mut fleet = limited(&["a"]);
    apply(&mut fleet, 0, start, report(&[(LIVE, 2)]));
    let mut stream = fleet.raise_pending(RelayId(0), LIVE, None, start);
    fleet.note_arrival(&mut stream, LIVE, start);
    apply(&mut fleet, 0, second(1), report(&[(LIVE, 3)]));
    assert_eq!(place_all(&mut fleet, LIVE, second(1)).len(), 0);

    fleet.note_departure(&stream, LIVE, second(2));
    assert_eq!(place_all(&mut fleet, LIVE, second(2)).len(), 1);

    apply(&mut fleet, 0, second(5), report(&[(LIVE, 1)]));
    assert_eq!(place_all(&mut fleet, LIVE, second(5)).len(), 2);
}

#[test]
fn hidden_mount_has_its_capacity_although_no_report_lists_it() {
    let now = Instant::now();
    let mut rules = rules();
    rules.mounts.capacities.insert(LIVE.to_owned(), 3);
    rules.mounts.hidden.push(LIVE.to_owned());
    let mut fleet = Fleet::new(relays(&["a"]), rules);
    apply(&mut fleet, 0, now, report(&[(TALK, 0)]));
    assert_eq!(place_all(&mut fleet, LIVE, now).len(), 3);
    assert_eq!(why_none(&fleet, tune_in(LIVE), &[], now), NoRelay::AllFull);
}

#[test]
fn other_capacity_counts_from_the_reload_on() {
    let now = Instant::now();
    let soon = now + Duration::from_secs(1);
    let mut fleet = limited(&["a", "b"]);
    apply(&mut fleet, 0, now, report(&[(LIVE, 3)]));
    // Of the second relay the mount is missing for a moment.
    apply(&mut fleet, 1, now, report(&[(LIVE, 3)]));
    apply(&mut fleet, 1, soon, report(&[]));
    assert_eq!(place_all(&mut fleet, LIVE, soon).len(), 0);

    let mut wider = rules();
    wider.mounts.capacities.insert(LIVE.to_owned(), 4);
    fleet.reform(relays(&["a", "b"]), wider, soon);
    let placed = place_all(&mut fleet, LIVE, soon);
    assert_eq!((count(&placed, 0), count(&placed, 1)), (1, 1));

    fleet.reform(relays(&["a", "b"]), rules(), soon);
    assert_eq!(place_all(&mut fleet, LIVE, soon).len(), 20);
}
