//! Laws that hold whatever the fleet looks like.

use super::*;
use fastrand::Rng;
use proptest::prelude::*;

proptest! {
    #[test]
    fn arrivals_leave_equal_idle_relays_at_most_one_apart(relays in 1usize..12, arrivals in 0usize..300, seed: u64) {
        let now = Instant::now();
        let mut fleet = fleet_of(&vec![(0, 100); relays], now);
        let mut rng = Rng::with_seed(seed);
        for _ in 0..arrivals {
            prop_assert!(place_live(&mut fleet, now, &mut rng).is_some());
        }
        let counts = taken(&fleet);
        prop_assert_eq!(counts.iter().sum::<u32>() as usize, arrivals);
        prop_assert!(spread(&counts) <= 1, "{:?}", counts);
    }

    #[test]
    fn the_selected_relay_has_the_lowest_load(parts in prop::collection::vec((0u32..1_000, 1u32..=1_000), 1..20), seed: u64) {
        let now = Instant::now();
        let mut fleet = fleet_of(&parts, now);
        let chosen = place_live(&mut fleet, now, &mut Rng::with_seed(seed)).unwrap();
        let load = |(listeners, weight): &(u32, u32)| Load::new(*listeners, *weight);
        let lowest = parts.iter().map(load).min().unwrap();
        prop_assert_eq!(load(&parts[chosen.index()]), lowest);
    }

    #[test]
    fn whoever_is_selected_is_eligible_under_every_policy(
        states in prop::collection::vec((0u8..8, 0u32..50), 1..12), seed: u64, https: bool,
    ) {
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut fleet = fleet_of(&vec![(0, 100); states.len()], now);
        for (id, (state, listeners)) in (0..).zip(&states) {
            let fault = PollFault::new("x");
            match state {
                0 => apply(&mut fleet, id, now, PollOutcome::Refused(fault)),
                1 => apply(&mut fleet, id, now, PollOutcome::Full),
                2 => apply(&mut fleet, id, now - Duration::from_secs(40), report(&[(LIVE, 1)])),
                3 => fleet.set_admin_state(RelayId(id), AdminState::Drain),
                4 => apply(&mut fleet, id, now - Duration::from_secs(5), report(&[])),
                5 => apply(&mut fleet, id, now, PollOutcome::Failed(fault)),
                _ => apply(&mut fleet, id, now, report(&[(LIVE, *listeners)])),
            }
        }
        let scheme = if https { Scheme::Https } else { Scheme::Http };
        let wish = TuneIn { mount: LIVE, scheme, client: None, is_proxied: false };
        let mut rng = Rng::with_seed(seed);
        for policy in [Policy::LeastListeners, Policy::PowerOfTwo, Policy::WeightedRandom] {
            let rule = Rule { policy, ..LEAST };
            let before = taken(&fleet);
            let open = |fleet: &Fleet| -> Vec<RelayId> {
                let carriers = fleet.mounts().carriers(LIVE).iter();
                let eligible = carriers.filter(|c| barrier(fleet.standing(c.relay).unwrap(), c, wish, &[], later).is_none());
                eligible.map(|c| c.relay).collect()
            };
            let eligible = open(&fleet);
            match place(&mut fleet, wish, &[], rule, later, &mut rng).map(|placement| placement.relay) {
                Some(id) => {
                    prop_assert!(eligible.contains(&id));
                    prop_assert_eq!(taken(&fleet)[id.index()], before[id.index()] + 1);
                }
                None => prop_assert!(eligible.is_empty()),
            }
        }
    }

    #[test]
    fn the_order_of_loads_is_that_of_the_fractions(a in any::<(u32, u32)>(), b in any::<(u32, u32)>()) {
        let (x, y) = (Load::new(a.0, a.1), Load::new(b.0, b.1));
        let (p, q) = (u128::from(a.0) * u128::from(b.1.max(1)), u128::from(b.0) * u128::from(a.1.max(1)));
        prop_assert_eq!(x.cmp(&y), p.cmp(&q));
    }
}
