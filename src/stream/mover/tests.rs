//! Who is asked to move, and how many.

use super::*;
use crate::fleet::Polled;
use crate::fleet::tests::{relays, report, rules};

fn fleet_with(listeners: &[u32], now: Instant) -> Fleet {
    let names = ["a", "b", "c"];
    let mut fleet = Fleet::new(relays(names.get(..listeners.len()).unwrap()), rules());
    for (id, count) in (0..).map(RelayId).zip(listeners) {
        let outcome = report(&[("/live.mp3", *count)]);
        let polled = Polled {
            began: now,
            outcome,
        };
        fleet.apply(id, polled, now);
    }
    fleet
}

#[test]
fn a_drain_is_spread_over_its_time_and_leaves_nobody() {
    let mut left = 100;
    let mut asked = Vec::new();
    for step in 0..20 {
        let time = Duration::from_secs(5).saturating_sub(STEP * step);
        let now = share(left, time);
        left -= now;
        asked.push(now);
    }
    assert_eq!(left, 0);
    assert!(asked.iter().all(|now| *now <= 6), "{asked:?}");
    assert_eq!(share(7, Duration::ZERO), 7);
    assert_eq!(share(0, Duration::from_secs(9)), 0);
}

#[test]
fn listeners_move_only_where_relays_differ_by_more_than_they_may() {
    let now = Instant::now();
    let rebalance = Rebalance {
        listeners_per_second: 1,
        difference_percent: 20,
    };
    let uneven = |listeners: &[u32]| uneven(&fleet_with(listeners, now), rebalance, now);
    let from_to = |fullest, emptiest, surplus| {
        Some(Uneven {
            fullest: RelayId(fullest),
            emptiest: RelayId(emptiest),
            surplus,
        })
    };
    assert_eq!(uneven(&[100, 90]), None);
    assert_eq!(uneven(&[100, 70]), from_to(0, 1, 15));
    assert_eq!(uneven(&[0, 9, 30]), from_to(2, 0, 15));
    assert_eq!(uneven(&[2, 0]), None, "one more or less");
    assert_eq!(uneven(&[3, 0]), from_to(0, 1, 1));
    assert_eq!(uneven(&[50]), None);
    let mut drained = fleet_with(&[100, 10], now);
    drained.set_admin_state(RelayId(1), AdminState::Drain);
    assert_eq!(super::uneven(&drained, rebalance, now), None);
}

#[test]
fn no_more_are_asked_than_make_relays_even_however_long_a_joint_takes() {
    let mut now = Instant::now();
    let fleet = fleet_with(&[10, 0], now);
    let relay = fleet.relay(RelayId(0)).unwrap().clone();
    let streams = Arc::new(Streams::default());
    let mount = Arc::from("/live.mp3");
    let aboard = [(); 10].map(|()| streams.enter(&mount, Arc::default(), RelayId(0), &relay));
    let rebalance = Rebalance {
        listeners_per_second: 20,
        difference_percent: 20,
    };
    let some = Duration::from_secs(5);
    let wishes = config::Stream {
        connect_timeout: some,
        answer_timeout: some,
        stall_timeout: None,
        hold: some,
        slow_listener_timeout: some,
        drain_time: some,
        rebalance,
    };
    let mover = Mover {
        fleet: SharedFleet::new(fleet),
        streams,
        wishes: Arc::new(ArcSwap::from_pointee(wishes)),
    };
    let mut rounds = Rounds::default();
    for _ in 0..40 {
        now += STEP;
        mover.round(&mut rounds, now);
    }
    let asked = aboard.iter().filter(|one| one.berth().is_asked_to_move());
    assert_eq!(asked.count(), 5);
}
