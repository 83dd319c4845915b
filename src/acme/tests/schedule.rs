//! The times of renewal and of pauses.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use crate::acme::schedule::{Pace, Validity};

const DAY: Duration = Duration::from_secs(24 * 3600);
const MINUTE: Duration = Duration::from_secs(60);

fn good_for(lifetime: Duration) -> Validity {
    let not_before = SystemTime::UNIX_EPOCH + DAY * 20_000;
    Validity {
        not_before,
        not_after: not_before + lifetime,
    }
}

#[test]
fn ninety_days_are_renewed_between_the_57th_and_the_60th() {
    let validity = good_for(DAY * 90);
    let begin = validity.not_before;
    assert_eq!(validity.renew_at(0.0), begin + DAY * 60);
    assert_eq!(validity.renew_at(1.0), begin + DAY * 57);
}

#[test]
fn a_certificate_that_ends_before_it_begins_is_due() {
    let mut validity = good_for(DAY);
    std::mem::swap(&mut validity.not_before, &mut validity.not_after);
    assert_eq!(validity.renew_at(0.5), validity.not_before);
}

#[test]
fn pauses_double_from_a_minute_to_six_hours() {
    let pause = |failures| Pace::PATIENT.pause(failures, None, 0.0);
    assert_eq!(pause(1), MINUTE);
    assert_eq!(pause(2), MINUTE * 2);
    assert_eq!(pause(9), MINUTE * 256);
    assert_eq!(pause(10), MINUTE * 360);
    assert_eq!(pause(u32::MAX), MINUTE * 360);
    let longest = Pace::PATIENT.pause(1, None, 1.0);
    assert_eq!(longest, Duration::from_secs(75));
}

#[test]
fn the_server_may_ask_for_more_but_not_for_less_and_not_for_ever() {
    let pause = |asked_for| Pace::PATIENT.pause(3, Some(asked_for), 0.0);
    assert_eq!(pause(Duration::from_secs(1)), MINUTE * 4);
    assert_eq!(pause(MINUTE * 90), MINUTE * 90);
    assert_eq!(pause(DAY * 3650), DAY);
}

#[test]
fn a_short_life_has_short_pauses() {
    let hour = MINUTE * 60;
    let longest = |lifetime| Pace::PATIENT.for_lifetime(lifetime).pause(99, None, 0.0);
    assert_eq!(longest(DAY * 90), hour * 6);
    assert_eq!(longest(DAY), MINUTE * 36);
    assert_eq!(longest(hour), Duration::from_secs(90));
    assert_eq!(longest(MINUTE * 5), MINUTE);
    // However it ends, ten attempts are made in the last third.
    for lifetime in [hour, DAY, DAY * 6, DAY * 90] {
        let pace = Pace::PATIENT.for_lifetime(lifetime);
        let pauses = (1..=9).map(|failures| pace.pause(failures, None, 1.0));
        let spent: Duration = pauses.sum();
        assert!(spent <= lifetime / 3, "{lifetime:?}: {spent:?}");
    }
}

#[test]
fn certificates_of_no_use_are_four_in_a_week_at_most_and_a_short_one_does_not_end_meanwhile() {
    let pause = |lifetime| Pace::PATIENT.after_waste(Some(lifetime));
    assert_eq!(pause(DAY * 90), DAY * 2);
    assert_eq!(pause(DAY * 6), DAY * 2);
    assert_eq!(Pace::PATIENT.after_waste(None), DAY * 2);
    assert!(DAY * 7 / 4 < DAY * 2, "four at most in any seven days");
    assert_eq!(pause(DAY), DAY / 3);
    assert_eq!(pause(MINUTE), MINUTE);
}

proptest! {
    #[test]
    fn renewal_is_in_the_seventh_tenth_of_any_lifetime(seconds in 0_u64..400_000_000, chance in 0.0..=1.0) {
        let lifetime = Duration::from_secs(seconds);
        let validity = good_for(lifetime);
        let at = validity.renew_at(chance);
        prop_assert!(at <= validity.not_before + lifetime * 7 / 10);
        prop_assert!(at >= validity.not_before + lifetime * 6 / 10);
    }
}
