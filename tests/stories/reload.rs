//! Reload: other relays while listeners listen, of which nobody hears.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::{
    Balancer, ConfigText, Fleet, Question, carried_from, eventually, go_on_unbroken, seconds,
    settled,
};

const MOUNT: &str = "/live.mp3";

pub fn proxied(fleet: &Fleet, relays: &[usize]) -> ConfigText {
    ConfigText::of_some(fleet, relays)
        .with("mode = \"proxy\"")
        .with_section("[stream]\ndrain_time = \"1s\"")
}

#[test]
fn relays_come_and_go_and_nobody_hears_it() {
    let fleet = Fleet::of(3).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet, &[1, 2]));
    let radios = balancer.radios(12, MOUNT);
    settled(&radios);
    let on = |number| fleet.relay(number).reported_listeners();
    let moving = carried_from(&balancer, fleet.relay(1));

    balancer.reload(&proxied(&fleet, &[3, 2]));

    eventually(seconds(5), "nobody is on relay 1", || on(1) == 0);
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    let names = [3, 2].map(|number| fleet.relay(number).name());
    let shown = || {
        let status = balancer.ask_as_operator("/status").json();
        let relays = status["relays"].as_array().unwrap().iter();
        let names = relays.map(|relay| relay["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    eventually(seconds(3), "it is forgotten", || shown() == names);
    assert_eq!(balancer.seams("exact"), moving);
    let newcomers = balancer.radios(4, MOUNT);
    settled(&newcomers);

    balancer.reload(&proxied(&fleet, &[1]));

    eventually(seconds(6), "all are on relay 1", || on(1) == 16);
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    go_on_unbroken(&newcomers, fleet.source(MOUNT), 1);
    assert_eq!(
        (balancer.seams("audible"), balancer.seams("guessed")),
        (0, 0)
    );
}

#[test]
fn a_relay_that_comes_is_asked_at_once_and_takes_its_share_by_its_weight() {
    let fleet = Fleet::of(3).carrying(MOUNT);
    let slow = |numbers: &[usize]| {
        let config = ConfigText::of_some(&fleet, numbers);
        config.polled("interval = \"1h\"\ntimeout = \"2s\"")
    };
    let balancer = Balancer::with_config(&slow(&[1, 2]));
    assert_eq!(
        fleet.shares(&balancer.tune_in_times(20, MOUNT)),
        [10, 10, 0]
    );

    balancer.reload(&slow(&[1, 2, 3]).with_relay(3, "weight = 200"));

    eventually(seconds(3), "relay 3 was asked", || {
        balancer.admin_status().of(fleet.relay(3)).health() == "up"
    });
    let shares = fleet.shares(&balancer.tune_in_times(40, MOUNT));
    assert_eq!(shares, [5, 5, 30], "those of before count");
    let sent = format!("redirects_total{{relay=\"{}\"}}", fleet.relay(1).name());
    assert_eq!(balancer.metric(&sent), 15.0);
}

#[test]
fn a_whole_other_fleet_takes_over_and_no_request_fails() {
    let fleet = Fleet::of(4).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::of_some(&fleet, &[1, 2]));
    let server = balancer.address();
    let over = AtomicBool::new(false);
    let statuses = std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let mut statuses = Vec::new();
            while !over.load(Ordering::Relaxed) {
                statuses.push(Question::get(MOUNT).ask(server).unwrap().status);
            }
            statuses
        });
        for numbers in [[3, 4], [1, 2], [2, 4]] {
            balancer.reload(&ConfigText::of_some(&fleet, &numbers));
            let shares = fleet.shares(&balancer.tune_in_times(10, MOUNT));
            let used = numbers.map(|number| shares[number - 1]);
            assert_eq!(used.iter().sum::<usize>(), 10, "{numbers:?}: {shares:?}");
        }
        over.store(true, Ordering::Relaxed);
        asked.join().unwrap()
    });
    assert!(statuses.len() > 20, "{}", statuses.len());
    assert_eq!(HashSet::from_iter(statuses), HashSet::from([307]));
    assert_eq!(balancer.ask_as_operator("/ready").status, 200);
}

#[test]
fn reloads_under_traffic_lose_nobody_fail_nothing_and_leave_nothing_behind() {
    let fleet = Fleet::of(3).carrying(MOUNT);
    let rule = "[[rule]]\nuser_agent = \"^Redirected\"\nmode = \"redirect\"";
    let config = |n: usize| {
        let weight = format!("weight = {}", 100 + n);
        let relays: &[usize] = if n.is_multiple_of(2) {
            &[1, 2]
        } else {
            &[1, 2, 3]
        };
        let policy = ["least-listeners", "power-of-two"][n % 2];
        let config = proxied(&fleet, relays).with_relay(1, &weight);
        let config = config.with_section(&format!("[select]\npolicy = \"{policy}\""));
        let config =
            config.with_section(&format!("[[mount]]\npath = \"/hidden{n}\"\nhidden = true"));
        config
            .with_section(&format!("[redirect]\nstatus = {}", [307, 302][n % 2]))
            .with_section(rule)
    };
    let balancer = Balancer::with_config(&config(0));
    let radios = balancer.radios(10, MOUNT);
    settled(&radios);
    let server = balancer.address();
    let over = AtomicBool::new(false);
    let (mut before, mut after) = ([0, 0], [0, 0]);
    let mut grown_bytes = 0;
    let statuses = std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let question = Question::get(MOUNT).with(("User-Agent", "Redirected/1"));
            let mut statuses = Vec::new();
            while !over.load(Ordering::Relaxed) {
                statuses.push(question.ask(server).unwrap().status);
            }
            statuses
        });
        // The first ones fill what is kept.
        (1..=4).for_each(|n| balancer.reload(&config(n)));
        go_on_unbroken(&radios, fleet.source(MOUNT), 1);
        (before, grown_bytes) = (
            balancer.descriptors_and_threads(),
            balancer.resident_bytes(),
        );
        (5..=24).for_each(|n| balancer.reload(&config(n)));
        go_on_unbroken(&radios, fleet.source(MOUNT), 2);
        over.store(true, Ordering::Relaxed);
        asked.join().unwrap()
    });
    eventually(
        seconds(5),
        "as many descriptors and threads as before",
        || {
            after = balancer.descriptors_and_threads();
            after[0] <= before[0] + 3 && after[1] <= before[1] + 1
        },
    );
    grown_bytes = balancer.resident_bytes().saturating_sub(grown_bytes);
    assert!(
        grown_bytes <= 2 << 20,
        "{grown_bytes} bytes more after 20 reloads"
    );
    assert!(statuses.len() > 50, "{}", statuses.len());
    assert_eq!(HashSet::from_iter(statuses), HashSet::from([302, 307]));
    assert_eq!(
        (balancer.seams("audible"), balancer.seams("guessed")),
        (0, 0)
    );
    assert_eq!(balancer.metric("streams_lost_total"), 0.0);
}
