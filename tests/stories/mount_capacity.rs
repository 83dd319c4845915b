//! Capacity of a mount: `[[mount]] capacity`, the most listeners of a mount on one relay.

use crate::harness::{Balancer, ConfigText, Fleet, Listener, eventually, seconds};

const LIVE: &str = "/live.mp3";
const TALK: &str = "/talk.mp3";

/// One relay with two mounts, of which the first may have two listeners there.
fn limited(fleet: &Fleet) -> ConfigText {
    let section = format!("[[mount]]\npath = \"{LIVE}\"\ncapacity = 2");
    ConfigText::of(fleet).with_section(&section)
}

#[track_caller]
fn refuses_as_full(balancer: &Balancer) {
    let refusal = balancer.tune_in(LIVE);
    assert_eq!(refusal.status, 503, "{}", refusal.text());
    assert!(refusal.text().contains("full"), "{}", refusal.text());
    assert!(refusal.header("retry-after").is_some());
}

#[test]
fn redirects_stop_at_the_capacity_of_a_mount_and_go_on_for_other_mounts() {
    let fleet = Fleet::of(1).carrying_all(&[LIVE, TALK]);
    let balancer = Balancer::with_config(&limited(&fleet));

    let mut listeners = [0; 2].map(|_| Listener::following(&balancer.tune_in(LIVE)));
    for listener in &mut listeners {
        assert_eq!(listener.status(), 200);
        listener.hear(1);
    }
    refuses_as_full(&balancer);
    assert_eq!(balancer.tune_in(TALK).status, 307);
    let relay = || balancer.admin_status().of(fleet.relay(1));
    assert_eq!(relay().ineligible(), "", "the relay is not full");
    eventually(seconds(10), "a report has both", || {
        relay().listeners() == 2 && relay().pending() == 0
    });
    refuses_as_full(&balancer);

    drop(listeners);
    eventually(seconds(10), "the places are free", || {
        balancer.tune_in(LIVE).status == 307
    });
}

#[test]
fn carried_streams_stop_at_the_capacity_of_a_mount_and_go_on_for_other_mounts() {
    let fleet = Fleet::of(1).carrying_all(&[LIVE, TALK]);
    let config = limited(&fleet).with("mode = \"proxy\"");
    let balancer = Balancer::with_config(&config);

    let mut radios = balancer.radios(2, LIVE);
    for radio in &radios {
        assert_eq!(radio.head().status, 200);
        radio.hear(1, seconds(10));
    }
    refuses_as_full(&balancer);
    let _other = balancer.radio(TALK);

    radios.pop();
    eventually(seconds(10), "one place is free", || {
        balancer.tune_in(LIVE).status == 200
    });
}

#[test]
fn capacity_of_a_mount_changes_at_a_reload() {
    let fleet = Fleet::of(1).carrying_all(&[LIVE, TALK]);
    let config = limited(&fleet).with("mode = \"proxy\"");
    let balancer = Balancer::with_config(&config);
    let _radios = balancer.radios(2, LIVE);
    refuses_as_full(&balancer);

    balancer.reload(&ConfigText::proxied(&fleet));
    let third = balancer.radio(LIVE);
    third.hear(1, seconds(10));

    balancer.reload(&config);
    refuses_as_full(&balancer);
}
