//! Relays that may not serve what their status page says.

use super::*;
use crate::fleet::StreamFormat;

/// A report of the mount with this type.
fn typed(content_type: Option<&str>, listeners: u32) -> PollOutcome {
    let mut mount = MountReport::bare(LIVE, MountKind::Running, listeners);
    mount.content_type = content_type.map(str::to_owned);
    PollOutcome::Report(Report {
        listeners,
        mounts: vec![mount],
        ..Report::default()
    })
}

fn typed_fleet(types: &[Option<&str>], now: Instant) -> Fleet {
    let mut fleet = fleet_of(&vec![(0, 100); types.len()], now);
    for (id, content_type) in (0..).zip(types) {
        apply(&mut fleet, id, now, typed(*content_type, 0));
    }
    fleet
}

#[test]
fn a_relay_in_trouble_with_a_mount_comes_after_the_others_and_is_tried_again() {
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    let mut fleet = fleet_of(&[(0, 100), (500, 100)], start);
    let mut rng = Rng::with_seed(0);
    assert!(fleet.note_not_serving(RelayId(0), LIVE, "silent", start));
    assert!(
        !fleet.note_not_serving(RelayId(0), LIVE, "silent", start),
        "it is known"
    );
    for n in 1..10 {
        // Its status page is fine, and changes nothing.
        for id in 0..2 {
            apply(&mut fleet, id, second(n), report(&[(LIVE, id * 500)]));
        }
        assert_eq!(
            place_live(&mut fleet, second(n), &mut rng),
            Some(RelayId(1))
        );
    }
    let redirected = place_live(&mut fleet, second(10), &mut rng);
    assert_eq!(redirected, Some(RelayId(0)), "the pause is over");
    let proxied = TuneIn {
        is_proxied: true,
        ..tune_in(LIVE)
    };
    let tries = (0..5).map(|_| place(&mut fleet, proxied, &[], LEAST, second(10), &mut rng));
    let tries = tries.filter(|placed| placed.is_some_and(|placed| placed.relay == RelayId(0)));
    assert_eq!(tries.count(), 1, "one at a time");
    let redirected = place_live(&mut fleet, second(10), &mut rng);
    assert_eq!(redirected, Some(RelayId(1)), "while it is tried");
    let over = fleet.note_serving(RelayId(0), LIVE).unwrap();
    assert_eq!(over.reason, "silent");
    assert_eq!(
        place_live(&mut fleet, second(10), &mut rng),
        Some(RelayId(0))
    );

    fleet.note_not_serving(RelayId(0), LIVE, "silent", second(11));
    fleet.set_admin_state(RelayId(1), AdminState::Drain);
    let alone = place_live(&mut fleet, second(11), &mut rng);
    assert_eq!(alone, Some(RelayId(0)), "better than nothing");
}

#[test]
fn a_relay_with_another_type_than_most_comes_after_the_others() {
    let now = Instant::now();
    let mut rng = Rng::with_seed(0);
    let (mpeg, aac) = (Some("audio/mpeg"), Some("audio/aac"));
    let mut fleet = typed_fleet(&[aac, mpeg, Some("audio/mp3")], now);
    for id in [1, 2] {
        apply(&mut fleet, id, now, typed(mpeg, 500));
    }
    assert_ne!(place_live(&mut fleet, now, &mut rng), Some(RelayId(0)));
    apply(&mut fleet, 0, now, typed(mpeg, 0));
    assert_eq!(place_live(&mut fleet, now, &mut rng), Some(RelayId(0)));

    // Of two nobody knows which is right, and without a type there is nothing to compare.
    for types in [[aac, mpeg], [None, mpeg]] {
        let mut fleet = typed_fleet(&types, now);
        apply(&mut fleet, 1, now, typed(mpeg, 500));
        assert_eq!(
            place_live(&mut fleet, now, &mut rng),
            Some(RelayId(0)),
            "{types:?}"
        );
    }
}

#[test]
fn a_stream_is_expected_to_be_what_its_relay_and_the_others_report() {
    let now = Instant::now();
    let (mpeg, aac) = (Some("audio/mpeg"), Some("audio/aacp"));
    for (types, served, expected) in [
        (vec![mpeg, mpeg], "audio/mpeg", true),
        (vec![mpeg, mpeg], "audio/aac", false),
        (vec![aac], "audio/aac", true),
        (vec![mpeg], "audio/aac", false),
        (vec![None, mpeg, mpeg], "audio/aac", false),
        (vec![None, mpeg, mpeg], "audio/mpeg", true),
        (vec![None, mpeg, aac], "audio/aac", true),
        (vec![None, mpeg], "audio/aac", true),
        (vec![aac, mpeg, mpeg], "audio/aac", false),
        (vec![None], "audio/ogg", true),
    ] {
        let fleet = typed_fleet(&types, now);
        let format = StreamFormat::from_type(served).unwrap();
        assert_eq!(
            fleet.is_expected(RelayId(0), LIVE, &format),
            expected,
            "{types:?} {served}"
        );
    }
}
