//! Stories of a fleet whose configuration changes.

use super::*;

const C: RelayId = RelayId(2);
const LIVE: &str = "/live.mp3";

impl Story {
    fn reform(&mut self, relays: Vec<Arc<Relay>>) -> Reform {
        self.fleet.reform(relays, rules(), self.now)
    }

    fn roster(&self) -> Vec<RelayId> {
        self.fleet.roster().map(|(id, _)| id).collect()
    }
}

fn two_polled() -> Story {
    let mut story = Story::of(&["a", "b"]);
    story.poll(A, report(&[(LIVE, 3)]));
    story.poll(B, report(&[(LIVE, 1)]));
    story.fleet.raise_pending(A, LIVE, None, story.now);
    story
}

#[test]
fn who_stays_keeps_everything_and_who_comes_is_unknown() {
    let mut story = two_polled();
    story.fleet.set_admin_state(A, AdminState::Drain);
    let reform = story.reform(relays(&["c", "a", "b"]));
    assert_eq!(reform.came, ["c"]);
    assert!(reform.left.is_empty() && reform.changed.is_empty());
    assert_eq!(
        story.roster(),
        [C, A, B],
        "in the order of the configuration"
    );
    assert_eq!(story.standing(A).taken_listeners(), 4);
    assert_eq!(story.standing(A).admin_state, AdminState::Drain);
    assert_eq!(story.standing(C).health, Health::Unknown);
    assert_eq!(story.carriers(LIVE), [A, B]);
    let carrier = &story.fleet.mounts().carriers(LIVE)[0];
    assert_eq!((carrier.listeners, carrier.flow.pending()), (3, 1));
    assert!(story.fleet.is_ready() && !story.fleet.is_surveyed());
    story.poll(C, report(&[(LIVE, 0)]));
    assert_eq!(story.carriers(LIVE), [A, B, C]);
}

#[test]
fn who_goes_takes_nobody_and_its_place_is_given_to_nobody_else() {
    let mut story = two_polled();
    let reform = story.reform(relays(&["b", "c"]));
    assert_eq!(
        (reform.left, reform.came),
        (vec!["a".to_owned()], vec!["c".to_owned()])
    );
    assert_eq!(story.carriers(LIVE), [B]);
    assert_eq!(story.fleet.leaving(), [A]);
    assert_eq!(
        story.poll(A, report(&[(LIVE, 9)])),
        None,
        "a poll that was under way"
    );
    assert_eq!(story.carriers(LIVE), [B]);
    let placement = story.fleet.raise_pending(A, LIVE, None, story.now);
    story.fleet.note_departure(&placement, LIVE, story.now);
    story.fleet.forget(A);
    assert!(story.fleet.leaving().is_empty());
    story.reform(relays(&["b", "d"]));
    assert_eq!(story.roster(), [B, RelayId(3)]);

    let reform = story.reform(relays(&["a", "b"]));
    assert_eq!(reform.came, ["a"]);
    assert_eq!(story.roster(), [A, B]);
    assert_eq!(story.standing(A).health, Health::Unknown);
    assert_eq!(story.standing(A).admin_state, AdminState::Ready);
    assert!(!story.fleet.is_surveyed());
}

#[test]
fn what_is_said_of_a_relay_changes_and_its_counts_do_not() {
    let mut story = two_polled();
    let mut changed = relays(&["a", "b"]);
    let relay = Arc::make_mut(&mut changed[0]);
    (relay.weight, relay.capacity_listeners) = (300, Some(4));
    relay.mounts = BTreeMap::from([("/public.mp3".to_owned(), LIVE.to_owned())]);
    let reform = story.reform(changed);
    assert_eq!(reform.changed, ["a"]);
    assert!(reform.came.is_empty());
    assert_eq!(story.standing(A).weight, 300);
    assert!(story.standing(A).is_full());
    assert_eq!(story.carriers(LIVE), [B]);
    assert_eq!(story.carriers("/public.mp3"), [A]);
}

#[test]
fn a_relay_that_is_another_server_now_keeps_what_the_operator_wants_of_its_name() {
    let mut story = two_polled();
    story.fleet.set_admin_state(A, AdminState::Maint);
    let mut moved = relays(&["a", "b"]);
    Arc::make_mut(&mut moved[0]).url.port = 9000;
    let reform = story.reform(moved);
    assert_eq!((reform.came.len(), reform.left.len()), (1, 1));
    assert_eq!(story.roster(), [C, B]);
    assert_eq!(story.standing(C).admin_state, AdminState::Maint);
    assert_eq!(story.standing(A).admin_state, AdminState::Leaving);
}

#[test]
fn other_rules_hold_for_what_is_known_already() {
    let mut story = two_polled();
    let mut others = rules();
    others.stale_after = Duration::from_secs(10);
    others.mounts.hidden.push("/hidden".to_owned());
    others.mounts.capacities.insert(LIVE.to_owned(), 4);
    story.fleet.reform(relays(&["a", "b"]), others, story.now);
    assert_eq!(story.carriers("/hidden"), [A, B]);
    let full: Vec<_> = story
        .fleet
        .mounts()
        .carriers(LIVE)
        .iter()
        .map(Carrier::is_full)
        .collect();
    assert_eq!(full, [true, false]);
    let until = story.now + Duration::from_secs(10);
    assert_eq!(story.standing(A).fresh_until, Some(until));

    story.reform(relays(&["a", "b"]));
    assert!(story.carriers("/hidden").is_empty(), "no report lists it");
    let carriers = story.fleet.mounts().carriers(LIVE).iter();
    assert!(
        carriers
            .clone()
            .all(|carrier| carrier.capacity_listeners.is_none())
    );
}

#[test]
fn a_mount_that_is_missing_for_a_moment_stays_through_a_change() {
    let mut story = two_polled();
    story.after(1.0).poll(A, report(&[]));
    story.reform(relays(&["b", "a"]));
    assert_eq!(story.carriers(LIVE), [A, B]);
    story.after(GRACE.as_secs_f64());
    assert_eq!(story.carriers(LIVE), [B]);
    story.poll(A, report(&[]));
    assert_eq!(story.fleet.mounts().carriers(LIVE).len(), 1);
}
