//! Unbroken: what becomes of the relay that a listener is carried from, and that he hears every byte of the programme once.
//!
//! Each listener's bytes are laid beside all that the source played: nothing may be missing and nothing come twice.

use std::time::Instant;

use crate::harness::{
    BURST_BYTES, Balancer, ConfigText, Fleet, Format, Wire, carried_from, eventually,
    go_on_unbroken, kill_connections_to, millis, nobody_waited, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

#[test]
fn a_relay_is_killed() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);
    let moving = carried_from(&balancer, fleet.relay(1));

    let killed = Instant::now();
    fleet.relay(1).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, killed, millis(1_500));
    eventually(seconds(3), "all are on relay 2", || {
        fleet.relay(2).reported_listeners() == 6
    });
    assert_eq!(
        (balancer.seams("exact"), balancer.seams("audible")),
        (moving, 0)
    );
}

#[test]
fn a_relay_is_shut_down() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);
    let moving = carried_from(&balancer, fleet.relay(2));

    let stopped = Instant::now();
    fleet.relay(2).stop();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, stopped, millis(2_500));
    assert_eq!(balancer.seams("exact"), moving);
}

#[test]
fn a_relay_hangs() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = ConfigText::proxied(&fleet).with_section("[stream]\nstall_timeout = \"1s\"");
    let balancer = Balancer::with_config(&config);
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);
    let moving = carried_from(&balancer, fleet.relay(1));

    let frozen = Instant::now();
    fleet.relay(1).freeze();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, frozen, millis(2_800));
    assert_eq!(balancer.seams("exact"), moving);
    fleet.relay(1).thaw();
}

#[test]
fn every_connection_to_a_relay_is_killed_by_the_kernel() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);

    let killed = Instant::now();
    for relay in fleet.relays() {
        if kill_connections_to(relay.address()).is_none() {
            crate::harness::skipped(
                "this kernel, or this user's rights, do not let ss -K kill sockets",
            );
            return;
        }
    }

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, killed, millis(2_500));
    assert_eq!(balancer.seams("exact"), 6);
}

#[test]
fn every_connection_to_a_relay_is_reset_by_the_network() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let wires: Vec<_> = fleet
        .relays()
        .iter()
        .map(|relay| Wire::to(relay.address()))
        .collect();
    let config = wires.iter().fold(ConfigText::of_none(), |config, wire| {
        config.and_relay_at(wire.address())
    });
    let balancer = Balancer::with_config(&config.with("mode = \"proxy\""));
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);

    let broken = Instant::now();
    wires.iter().for_each(Wire::reset);

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, broken, millis(2_500));
    assert_eq!(balancer.seams("exact"), 6);
}

#[test]
fn three_relays_are_killed_one_after_the_other() {
    let fleet = Fleet::of(4).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(8, MOUNT);
    settled(&radios);

    for victim in 1..=3 {
        fleet.relay(victim).kill();
        go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    }

    eventually(seconds(3), "all are on the last one", || {
        fleet.relay(4).reported_listeners() == 8
    });
    assert_eq!(balancer.seams("audible"), 0);
}

#[test]
fn a_connection_to_a_relay_breaks_in_the_middle_of_the_burst() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let weak = Wire::breaking_after(BURST_BYTES / 2, fleet.relay(1).address());
    let config = ConfigText::of_none().and_relay_at(weak.address());
    let config = config.and_relay_at(fleet.relay(2).address());
    let balancer = Balancer::with_config(&config.with("mode = \"proxy\""));

    let radios = balancer.radios(6, MOUNT);

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    settled(&radios);
    assert!(balancer.seams("exact") > 0, "some came by the weak wire");
    assert_eq!(balancer.seams("audible"), 0);
}

#[test]
fn a_relay_is_killed_at_the_moment_of_the_tune_in() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));

    let radios = balancer.radios(6, MOUNT);
    fleet.relay(1).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    settled(&radios);
}

#[test]
fn a_relay_is_killed_at_320_kbit_per_second() {
    let fleet = Fleet::of(2).carrying_formats(&[(MOUNT, Format::Mp3At320)]);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);
    let moving = carried_from(&balancer, fleet.relay(1));

    let killed = Instant::now();
    fleet.relay(1).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    nobody_waited(&radios, killed, millis(1_500));
    assert_eq!(
        (balancer.seams("exact"), balancer.seams("audible")),
        (moving, 0)
    );
}
