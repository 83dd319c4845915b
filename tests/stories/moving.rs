//! Moving: listeners who are carried and moved to another relay although theirs goes on; and those whom no relay can take.

use std::time::Instant;

use crate::harness::{
    BYTES_PER_SECOND, Balancer, ConfigText, Content, End, Flaw, Fleet, Guarded, TuneIn,
    assert_unbroken, carried_from, eventually, go_on_unbroken, millis, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

fn proxied(fleet: &Fleet, stream: &str) -> ConfigText {
    ConfigText::proxied(fleet).with_section(&format!("[stream]\n{stream}"))
}

#[test]
fn a_drained_relay_is_empty_within_the_drain_time_and_nobody_hears_it() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = proxied(&fleet, "drain_time = \"5s\"");
    let operator = Guarded::with_config(config);
    let balancer = &operator.balancer;
    let radios = balancer.radios(20, MOUNT);
    settled(&radios);
    let moving = carried_from(balancer, fleet.relay(1));

    let drained = Instant::now();
    operator.order("drain", fleet.relay(1));

    let late = balancer.radios(4, MOUNT);
    let on_relay_1 = || fleet.relay(1).reported_listeners();
    eventually(seconds(4), "some have left relay 1", || {
        u64::from(on_relay_1()) < moving
    });
    assert!(on_relay_1() > 0, "not all of them at once");
    // A joint takes a moment, and relays count with a delay of a third of a second.
    eventually(
        millis(6_500) - drained.elapsed(),
        "relay 1 is empty",
        || on_relay_1() == 0,
    );
    assert_eq!(
        fleet.relay(2).reported_listeners(),
        24,
        "newcomers went there at once"
    );
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    go_on_unbroken(&late, fleet.source(MOUNT), 1);
    assert_eq!(
        (balancer.seams("exact"), balancer.seams("audible")),
        (moving, 0)
    );

    operator.order("ready", fleet.relay(1));
    let _newcomers = balancer.radios(4, MOUNT);
    eventually(seconds(3), "it takes newcomers again", || on_relay_1() == 4);
}

#[test]
fn a_relay_in_maintenance_is_empty_at_once() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let operator = Guarded::with_config(proxied(&fleet, "drain_time = \"60s\""));
    let radios = operator.balancer.radios(6, MOUNT);
    settled(&radios);

    operator.order("maint", fleet.relay(2));

    eventually(seconds(3), "relay 2 is empty", || {
        fleet.relay(2).reported_listeners() == 0
    });
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
}

#[test]
fn the_last_relay_that_is_drained_keeps_its_listeners() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let operator = Guarded::with_config(proxied(&fleet, "drain_time = \"1s\""));
    let radios = operator.balancer.radios(2, MOUNT);

    operator.order("drain", fleet.relay(1));

    go_on_unbroken(&radios, fleet.source(MOUNT), 4);
    let refused = operator.balancer.radio_that(&TuneIn::to(MOUNT));
    assert_eq!(refused.head().status, 503);
}

#[test]
fn listeners_move_to_a_relay_that_came_back() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let stream = "rebalance = 5\nrebalance_difference = 20";
    let config = proxied(&fleet, stream).with_section("[select]\nslow_start = \"0s\"");
    let balancer = Balancer::with_config(&config);
    fleet.relay(2).kill();
    let radios = balancer.radios(10, MOUNT);
    settled(&radios);

    fleet.relay(2).restart();

    eventually(seconds(12), "as many on relay 2 as on relay 1", || {
        fleet.relay(2).reported_listeners() >= 4
    });
    go_on_unbroken(&radios, fleet.source(MOUNT), 4);
    let on_each = [1, 2].map(|number| fleet.relay(number).reported_listeners());
    assert!(on_each[0].abs_diff(on_each[1]) <= 2, "{on_each:?}");
    assert_eq!(balancer.seams("audible"), 0);
}

#[test]
fn nobody_moves_without_a_reason() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet, "rebalance = 5"));

    let radios = balancer.radios(5, MOUNT);
    go_on_unbroken(&radios, fleet.source(MOUNT), 12);

    assert_eq!((balancer.seams("exact"), balancer.seams("audible")), (0, 0));
}

#[test]
fn when_the_source_ends_listeners_are_held_until_it_comes_back() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet, "hold = \"30s\""));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    fleet.source(MOUNT).go_off_air();
    for relay in fleet.relays() {
        eventually(seconds(5), "its relays have lost the mount", || {
            !relay.has(MOUNT)
        });
    }
    eventually(seconds(3), "newcomers are turned away", || {
        balancer.radio_that(&TuneIn::to(MOUNT)).head().status != 200
    });
    fleet.source(MOUNT).come_back();

    let goals = radios
        .iter()
        .map(|radio| radio.heard_bytes() + 3 * BYTES_PER_SECOND);
    let goals: Vec<_> = goals.collect();
    let whole = fleet.source(MOUNT).programme();
    for (radio, goal) in radios.iter().zip(goals) {
        radio.hear_up_to(goal, seconds(25));
        let heard = Content::of(&radio.audio(), &whole);
        // What the source had on its way when its line was cut is lost to everybody.
        let in_order = matches!(heard.flaws()[..], [] | [Flaw::Missing { .. }]);
        assert!(in_order, "{heard}");
        assert_eq!(radio.end(), None);
    }
}

#[test]
fn when_the_source_stays_away_the_end_is_told_as_a_break() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet, "hold = \"2s\""));
    let radio = balancer.radio(MOUNT);
    let old_radio = balancer.radio_that(&TuneIn::in_http_1_0(MOUNT));
    assert_eq!(radio.head().header("transfer-encoding"), Some("chunked"));

    let ended = Instant::now();
    fleet.source(MOUNT).go_off_air();

    // The last chunk would tell a player that the programme is over: it would not come back.
    assert_ne!(radio.hear_the_end(seconds(8)), End::Complete);
    assert!(ended.elapsed() > seconds(2), "it was held");
    old_radio.hear_the_end(seconds(2));
    assert_unbroken(&radio.audio(), &fleet.source(MOUNT).programme());
    let line = eventually_logged(&balancer, "no relay could take over");
    assert!(line.contains(MOUNT), "{line}");
}

#[track_caller]
fn eventually_logged(balancer: &Balancer, words: &str) -> String {
    eventually(seconds(3), words, || {
        balancer.log_line_with(words).is_some()
    });
    balancer.log_line_with(words).unwrap()
}
