//! Stories of what the fleet makes of reports.

use std::collections::BTreeMap;

use super::*;
mod roster;

/// A fleet of `names`, each at its own made-up address.
pub fn relays(names: &[&str]) -> Vec<Arc<Relay>> {
    let relay = |name: &&str| {
        let origin = Origin {
            scheme: Scheme::Http,
            host: (*name).to_owned(),
            port: 8000,
        };
        Arc::new(Relay {
            name: (*name).to_owned(),
            url: origin.clone(),
            public: vec![origin],
            weight: 100,
            capacity_listeners: None,
            mounts: BTreeMap::new(),
        })
    };
    names.iter().map(relay).collect()
}

/// Rules as the defaults are.
pub fn rules() -> Rules {
    Rules {
        thresholds: Thresholds { fall: 2, rise: 1 },
        stale_after: Duration::from_secs(30),
        mounts: MountRules::default(),
    }
}

/// A report of running mounts and their listeners.
pub fn report(mounts: &[(&str, u32)]) -> PollOutcome {
    let running =
        |(path, listeners): &(&str, u32)| MountReport::bare(*path, MountKind::Running, *listeners);
    PollOutcome::Report(Report {
        listeners: mounts.iter().map(|(_, listeners)| listeners).sum(),
        mounts: mounts.iter().map(running).collect(),
        ..Report::default()
    })
}

const A: RelayId = RelayId(0);
const B: RelayId = RelayId(1);

struct Story {
    fleet: Fleet,
    now: Instant,
}

impl Story {
    fn of(names: &[&str]) -> Self {
        Self::under(names, rules())
    }

    fn under(names: &[&str], rules: Rules) -> Self {
        Self {
            fleet: Fleet::new(relays(names), rules),
            now: Instant::now(),
        }
    }

    fn after(&mut self, seconds: f64) -> &mut Self {
        self.now += Duration::from_secs_f64(seconds);
        self
    }

    fn poll(&mut self, id: RelayId, outcome: PollOutcome) -> Option<HealthChange> {
        let polled = Polled {
            began: self.now,
            outcome,
        };
        self.fleet.apply(id, polled, self.now)
    }

    fn fails(&mut self, id: RelayId) -> Option<HealthChange> {
        self.poll(id, PollOutcome::Failed(PollFault::new("timeout")))
    }

    fn standing(&self, id: RelayId) -> &Standing {
        self.fleet.standing(id).unwrap()
    }

    fn carriers(&self, mount: &str) -> Vec<RelayId> {
        let all = self.fleet.mounts().carriers(mount).iter();
        let there = all.filter(|carrier| carrier.is_there(self.now));
        there.map(|carrier| carrier.relay).collect()
    }
}

#[test]
fn a_report_replaces_counts_and_mounts() {
    let mut story = Story::of(&["a", "b"]);
    story.poll(A, report(&[("/live.mp3", 3), ("/talk.mp3", 4)]));
    story.poll(B, report(&[("/live.mp3", 1)]));
    assert_eq!(story.standing(A).listeners, 7);
    assert_eq!(story.carriers("/live.mp3"), [A, B]);
    assert_eq!(story.carriers("/talk.mp3"), [A]);
    assert!(story.fleet.is_surveyed());
}

#[test]
fn whatever_is_no_report_leaves_the_last_one_standing() {
    let mut story = Story::of(&["a"]);
    story.poll(A, report(&[("/live.mp3", 3)]));
    let noise = || PollFault::new("noise");
    for outcome in [
        PollOutcome::Unreadable(noise()),
        PollOutcome::Full,
        PollOutcome::Failed(noise()),
        PollOutcome::Refused(noise()),
    ] {
        story.poll(A, outcome);
        assert_eq!(story.standing(A).listeners, 3);
        assert_eq!(story.carriers("/live.mp3"), [A]);
        assert!(story.fleet.record(A).unwrap().fault.is_some());
    }
    story.poll(A, report(&[("/live.mp3", 5)]));
    assert_eq!(story.standing(A).listeners, 5);
    assert!(story.fleet.record(A).unwrap().fault.is_none());
}

#[test]
fn an_unreadable_answer_is_neither_up_nor_down() {
    let mut story = Story::of(&["a"]);
    for _ in 0..5 {
        story.poll(A, PollOutcome::Unreadable(PollFault::new("no JSON")));
    }
    assert_eq!(story.standing(A).health, Health::Unknown);
    story.poll(A, report(&[]));
    for _ in 0..5 {
        story.poll(A, PollOutcome::Unreadable(PollFault::new("no JSON")));
    }
    assert_eq!(story.standing(A).health, Health::Up);
}

#[test]
fn one_lost_poll_makes_a_relay_suspect_and_two_make_it_down() {
    let mut story = Story::of(&["a"]);
    story.poll(A, report(&[]));
    assert_eq!(story.fails(A), None);
    assert!(story.standing(A).suspect);
    let change = story.fails(A).unwrap();
    assert_eq!((change.from, change.to), (Health::Up, Health::Down));
    story.poll(A, report(&[])).unwrap();
    assert!(!story.standing(A).suspect);
    assert_eq!(story.standing(A).returned_at, Some(story.now));
}

#[test]
fn a_refused_connection_is_down_at_once() {
    let mut story = Story::of(&["a"]);
    story.poll(A, report(&[]));
    let refused = PollOutcome::Refused(PollFault::new("connection refused"));
    assert_eq!(story.poll(A, refused).unwrap().to, Health::Down);
}

#[test]
fn a_full_server_is_up_and_its_last_counts_stay_fresh() {
    let mut story = Story::of(&["a"]);
    story.poll(A, report(&[("/live.mp3", 90)]));
    story.after(20.0).poll(A, PollOutcome::Full);
    let standing = story.standing(A);
    assert_eq!((standing.health, standing.is_full()), (Health::Up, true));
    assert_eq!(standing.fresh_until, Some(story.now + rules().stale_after));
    story.poll(A, report(&[("/live.mp3", 10)]));
    assert!(!story.standing(A).is_full());
}

#[test]
fn a_mount_that_vanishes_for_less_than_three_seconds_is_still_there() {
    let mut story = Story::of(&["a"]);
    story.poll(A, report(&[("/live.mp3", 1)]));
    story.after(5.0).poll(A, report(&[]));
    assert_eq!(story.carriers("/live.mp3"), [A]);
    story.after(2.9);
    assert_eq!(story.carriers("/live.mp3"), [A]);
    story.after(0.1);
    assert!(story.carriers("/live.mp3").is_empty());
    story.poll(A, report(&[("/live.mp3", 0)]));
    assert_eq!(story.carriers("/live.mp3"), [A]);
}

#[test]
fn a_relay_that_renames_its_mounts_at_each_poll_fills_no_memory() {
    let mut story = Story::of(&["a"]);
    for round in 0..100 {
        let name = format!("/{round}");
        story.after(5.0).poll(A, report(&[(&name, 1)]));
    }
    assert!(story.fleet.mounts().paths().count() <= 2);
}

#[test]
fn a_mount_is_known_by_its_public_name() {
    let mut all = relays(&["a", "b"]);
    let mapped = Arc::make_mut(&mut all[1]);
    mapped
        .mounts
        .insert("/live.mp3".into(), "/different.mp3".into());
    let mut story = Story::of(&[]);
    story.fleet = Fleet::new(all, rules());
    story.poll(A, report(&[("/live.mp3", 1)]));
    story.poll(B, report(&[("/different.mp3", 2), ("/live.mp3", 9)]));
    assert_eq!(story.carriers("/live.mp3"), [A, B]);
    assert!(story.carriers("/different.mp3").is_empty());
    assert_eq!(story.fleet.mounts().carriers("/live.mp3")[1].listeners, 2);
}

#[test]
fn a_hidden_mount_is_carried_by_all_though_no_page_lists_it() {
    let mut rules = rules();
    rules.mounts.hidden.push("/secret.mp3".into());
    let mut story = Story::under(&["a", "b"], rules);
    for _ in 0..3 {
        story.after(5.0).poll(A, report(&[("/live.mp3", 1)]));
        story.poll(B, report(&[]));
        assert_eq!(story.carriers("/secret.mp3"), [A, B]);
    }
    story.fleet.raise_pending(A, "/secret.mp3", None, story.now);
    story.after(5.0).poll(A, report(&[]));
    assert_eq!(
        story.fleet.mounts().carriers("/secret.mp3")[0]
            .flow
            .pending(),
        0
    );
}

#[test]
fn the_smaller_of_the_two_limits_of_a_mount_holds() {
    let mut rules = rules();
    rules.mounts.capacities.insert("/live.mp3".into(), 50);
    let mut story = Story::under(&["a"], rules);
    for (theirs, expected) in [(None, 50), (Some(20), 20), (Some(80), 50)] {
        let mut mount = MountReport::bare("/live.mp3", MountKind::Running, 0);
        mount.max_listeners = theirs;
        let mounts = vec![mount];
        story.poll(
            A,
            PollOutcome::Report(Report {
                mounts,
                ..Report::default()
            }),
        );
        let carrier = &story.fleet.mounts().carriers("/live.mp3")[0];
        assert_eq!(carrier.capacity_listeners, Some(expected), "{theirs:?}");
    }
}

#[test]
fn pending_is_given_back_or_settled_by_the_next_report() {
    let mut story = Story::of(&["a"]);
    story.poll(A, report(&[("/live.mp3", 0)]));
    story.fleet.raise_pending(A, "/live.mp3", None, story.now);
    let last = story.fleet.raise_pending(A, "/live.mp3", None, story.now);
    story.fleet.withdraw_pending(&last, "/live.mp3");
    assert_eq!(story.standing(A).taken_listeners(), 1);
    story.after(0.5).poll(A, report(&[("/live.mp3", 1)]));
    assert_eq!(
        story.standing(A).taken_listeners(),
        2,
        "too early to be in the report"
    );
    story.after(1.0).poll(A, report(&[("/live.mp3", 1)]));
    assert_eq!(story.standing(A).taken_listeners(), 1);
}

#[test]
fn a_relay_that_restarted_between_two_polls_is_taken_for_a_fresh_one() {
    let mut story = Story::of(&["a"]);
    let report_of_run = |started: &str| {
        PollOutcome::Report(Report {
            started: Some(started.to_owned()),
            ..Report::default()
        })
    };
    story.poll(A, report_of_run("monday"));
    story.after(5.0).poll(A, report_of_run("monday"));
    assert_eq!(story.standing(A).returned_at, None);
    story.after(5.0).poll(A, report_of_run("tuesday"));
    assert_eq!(story.standing(A).health, Health::Up);
    assert_eq!(story.standing(A).returned_at, Some(story.now));
}

#[test]
fn a_mount_is_described_by_a_relay_that_carries_it() {
    let mut story = Story::of(&["a", "b"]);
    story.poll(A, report(&[("/z", 1)]));
    story.poll(B, report(&[("/c", 1), ("/a", 2), ("/b", 3)]));
    for path in ["/a", "/b", "/c", "/z"] {
        assert_eq!(story.fleet.describe(path).unwrap().path, path);
    }
    assert_eq!(story.fleet.describe("/y"), None);
}
