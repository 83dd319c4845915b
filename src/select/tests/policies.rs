//! Whom each policy takes among the eligible.

use std::collections::HashMap;

use super::*;

#[test]
fn ties_are_broken_at_random_and_evenly() {
    let now = Instant::now();
    let mut hits = HashMap::new();
    for seed in 0..3_000 {
        let mut fleet = fleet_of(&[(5, 100), (5, 100), (9, 100), (5, 100)], now);
        let id = place_live(&mut fleet, now, &mut Rng::with_seed(seed)).unwrap();
        *hits.entry(id.0).or_insert(0) += 1;
    }
    assert_eq!(hits.len(), 3, "{hits:?}");
    // 1,000 expected each; 5 standard deviations are 130.
    assert!(hits.values().all(|n| (870..=1_130).contains(n)), "{hits:?}");
}

#[test]
fn weights_share_the_listeners() {
    let now = Instant::now();
    let mut fleet = fleet_of(&[(0, 100), (0, 300)], now);
    let mut rng = Rng::with_seed(1);
    for _ in 0..400 {
        place_live(&mut fleet, now, &mut rng);
    }
    assert_eq!(taken(&fleet), [100, 300]);
}

#[test]
fn weighted_random_follows_the_weights_and_power_of_two_avoids_the_fullest() {
    let now = Instant::now();
    let mut rng = Rng::with_seed(7);
    let mut fleet = fleet_of(&[(0, 100), (0, 300)], now);
    let random = Rule {
        policy: Policy::WeightedRandom,
        ..LEAST
    };
    for _ in 0..4_000 {
        place(&mut fleet, tune_in(LIVE), &[], random, now, &mut rng);
    }
    assert!(
        (850..=1_150).contains(&taken(&fleet)[0]),
        "{:?}",
        taken(&fleet)
    );

    let mut fleet = fleet_of(&[(1_000, 100), (0, 100), (0, 100)], now);
    let two = Rule {
        policy: Policy::PowerOfTwo,
        ..LEAST
    };
    for _ in 0..600 {
        place(&mut fleet, tune_in(LIVE), &[], two, now, &mut rng);
    }
    assert_eq!(
        taken(&fleet)[0],
        1_000,
        "the fullest of three is never the better of two"
    );
}
