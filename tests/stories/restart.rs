//! A restart after a crash: what the first reports count, and who waits for them.

use std::net::SocketAddr;

use crate::harness::{
    Balancer, ConfigText, FakeRelay, Fleet, eventually, millis, open_port, seconds,
};

const MOUNT: &str = "/live.mp3";

#[test]
fn listeners_that_were_lost_with_a_process_return_at_once_and_evenly() {
    let fleet = Fleet::of(3).carrying(MOUNT);
    let config = (1..=3).fold(ConfigText::proxied(&fleet), |config, number| {
        config.with_relay(number, "capacity = 32")
    });
    let config = config.polled("interval = \"30s\"\ntimeout = \"2s\"");
    let public = SocketAddr::from(([127, 0, 0, 1], open_port()));
    let first = Balancer::arranged(&config, public, |_| {});
    let radios = first.radios(90, MOUNT);
    eventually(seconds(10), "the relays count them", || {
        let counts = fleet
            .relays()
            .iter()
            .map(|relay| relay.reported_listeners());
        counts.sum::<u32>() == 90
    });
    first.process().signal("KILL");
    drop(radios);

    let second = Balancer::arranged(&config, public, |_| {});
    // Fails when one of them is refused.
    let radios = second.radios(90, MOUNT);

    let status = second.admin_status();
    let streams = fleet
        .relays()
        .iter()
        .map(|relay| status.of(relay).streams());
    let streams: Vec<_> = streams.collect();
    assert_eq!(streams.iter().sum::<u64>(), radios.len() as u64);
    assert!(streams.iter().all(|streams| *streams <= 32), "{streams:?}");
}

#[test]
fn a_status_page_that_is_late_leaves_its_relay_its_share() {
    let late = FakeRelay::of(MOUNT).with_status_after(millis(800));
    let prompt = FakeRelay::of(MOUNT);
    let relays = [&late, &prompt].map(FakeRelay::address);
    let config = relays
        .into_iter()
        .fold(ConfigText::of_none(), ConfigText::and_relay_at)
        .polled("interval = \"30s\"\ntimeout = \"2s\"");
    for mode in ["redirect", "proxy"] {
        let balancer = Balancer::starting_with(&config.clone().with(&format!("mode = \"{mode}\"")));
        let shares = if mode == "proxy" {
            let _radios = balancer.radios(20, MOUNT);
            [&late, &prompt].map(|relay| {
                let status = balancer.admin_status();
                status.named(&relay.address().to_string()).streams() as usize
            })
        } else {
            let answers = balancer.tune_in_times(20, MOUNT);
            [&late, &prompt].map(|relay| {
                let to = format!("http://{}/", relay.address());
                answers
                    .iter()
                    .filter(|it| it.location().starts_with(&to))
                    .count()
            })
        };
        assert_eq!(shares, [10, 10], "{mode}");
    }
}

#[test]
fn a_relay_that_does_not_answer_its_first_poll_delays_listeners_for_a_moment_only() {
    let silent = FakeRelay::of(MOUNT).with_status_after(seconds(60));
    let prompt = FakeRelay::of(MOUNT);
    let relays = [&silent, &prompt].map(FakeRelay::address);
    let config = relays
        .into_iter()
        .fold(ConfigText::of_none(), ConfigText::and_relay_at)
        .polled("interval = \"60s\"\ntimeout = \"30s\"");
    let balancer = Balancer::starting_with(&config);
    // Its patience is 8 s.
    assert_eq!(balancer.tune_in(MOUNT).status, 307);
}

#[test]
fn relays_are_polled_several_times_in_the_first_seconds() {
    let relay = FakeRelay::of(MOUNT);
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let config = config.polled("interval = \"10m\"\ntimeout = \"2s\"\nstale_after = \"30m\"");
    let balancer = Balancer::with_config(&config);
    eventually(seconds(10), "it was polled five times", || {
        let name = relay.address().to_string();
        balancer.admin_status().named(&name).polls() == 5
    });
}
