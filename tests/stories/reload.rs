//! Reload: another configuration while listeners listen, of which nobody hears.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rcgen::PKCS_ECDSA_P256_SHA256 as ECDSA;

use crate::harness::{
    Authority, Balancer, ConfigText, FakeRelay, Fleet, Guarded, PairFiles, Question, TOKEN,
    TlsClient, TuneIn, eventually, go_on_unbroken, millis, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

fn proxied(fleet: &Fleet, relays: &[usize]) -> ConfigText {
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
    assert_eq!([on(1), on(2)], [6, 6]);

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
    assert_eq!(balancer.seams("exact"), 6);
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

#[test]
fn another_mode_and_other_rules_are_for_those_who_come_then() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let redirecting = ConfigText::of(&fleet);
    let balancer = Balancer::with_config(&redirecting);
    assert_eq!(balancer.tune_in(MOUNT).status, 307);

    balancer.reload(&proxied(&fleet, &[1, 2]));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let rule = "[[rule]]\nuser_agent = \"^Old\"\nmode = \"proxy\"";
    balancer.reload(&redirecting.clone().with_section(rule));
    assert_eq!(balancer.tune_in(MOUNT).status, 307);
    let old = balancer.radio_that(&TuneIn::to(MOUNT).with(("User-Agent", "Old/1")));
    assert_eq!(old.head().status, 200);

    let status = "[redirect]\nstatus = 303";
    balancer.reload(&redirecting.with_section(status));
    let sent = balancer.tune_in_with(("User-Agent", "Old/1"), MOUNT);
    assert_eq!(sent.status, 303);
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    go_on_unbroken(&[old], fleet.source(MOUNT), 1);
}

#[test]
fn a_token_in_its_file_is_another_one_from_the_next_reading_on() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet);
    let guarded = Guarded::with_config(config.clone());
    let path = format!("/relays/{}/drain", fleet.relay(1).name());
    let answer = |token: &str| guarded.post(&path, Some(&format!("Bearer {token}"))).0;
    let other = "another-token-of-24-chars";
    guarded.token.rotate(other);
    assert_eq!((answer(TOKEN), answer(other)), (200, 401));

    guarded.balancer.reload(&config);

    assert_eq!((answer(TOKEN), answer(other)), (401, 200));
}

#[test]
fn a_certificate_is_added_under_listeners_on_https() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let authority = Authority::new();
    let [first, second] = ["radio.example", "other.example"].map(|name| {
        let files = PairFiles::nowhere_yet();
        files.put(&authority, &[name], &ECDSA);
        files
    });
    let (config, tls) = proxied(&fleet, &[1, 2]).and_tls_bind("");
    let config = config.with_section(&first.section());
    let balancer = Balancer::with_config(&config);
    let near = TlsClient::asking_for("radio.example", &authority).tunnel_to(tls);
    let radios = [TuneIn::to(MOUNT).at(near).unwrap()];
    settled(&radios);
    let other = TlsClient::asking_for("other.example", &authority);
    assert!(other.shake_hands(tls, "/status").is_err());

    balancer.reload(&config.with_section(&second.section()));

    assert!(other.shake_hands(tls, "/status").is_ok());
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    assert_eq!(balancer.metric("config_last_reload_success"), 1.0);
}

#[test]
fn polls_are_as_often_as_the_newest_configuration_wants() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let polled = |interval: &str| {
        let keys = format!("interval = \"{interval}\"\ntimeout = \"500ms\"");
        ConfigText::of(&fleet).polled(&keys)
    };
    let balancer = Balancer::with_config(&polled("1h"));
    let name = fleet.relay(1).name();
    let polls = || balancer.metric(&format!("relay_polls_total{{relay=\"{name}\"}}"));
    assert_eq!(polls(), 1.0);

    balancer.reload(&polled("500ms"));

    eventually(seconds(5), "five polls more", || polls() >= 6.0);
}

#[test]
fn what_the_process_was_built_on_waits_and_the_rest_takes_effect() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let config = ConfigText::of(&fleet);
    let balancer = Balancer::with_config(&config);
    let (more, address) = proxied(&fleet, &[1]).and_plain_bind("");

    balancer.reload(&more.with("threads = 3"));

    for key in ["threads", "[[bind]]"] {
        let line = format!("{key} changed: takes effect at the next restart or upgrade");
        assert_eq!(balancer.count(&line), 1, "{line}");
    }
    assert!(Question::get(MOUNT).ask(address).is_err());
    assert_eq!(balancer.radio(MOUNT).head().status, 200);
    let status = balancer.ask_as_operator("/status").json();
    let waiting = &status["configuration"]["waiting"];
    assert_eq!(*waiting, serde_json::json!(["threads", "[[bind]]"]));

    balancer.reload(&config);
    let status = balancer.ask_as_operator("/status").json();
    assert_eq!(status["configuration"]["waiting"], serde_json::json!([]));
}

#[test]
fn the_log_is_as_detailed_as_the_newest_configuration_wants() {
    let relay = FakeRelay::of(MOUNT);
    let config = ConfigText::of_none().and_relay_at(relay.address());
    let at = |level: &str| {
        let section = format!("[log]\nlevel = \"{level}\"");
        config.clone().with_section(&section)
    };
    let balancer = Balancer::with_config(&at("info"));
    let refused = || {
        balancer.asked(&Question::new("BREW", MOUNT));
        balancer.count("refused a request")
    };
    assert_eq!(refused(), 0);

    balancer.reload(&at("debug"));
    eventually(seconds(2), "it is told", || refused() > 0);
    balancer.reload(&at("info"));

    let before = balancer.count("refused a request");
    assert!((0..3).all(|_| refused() == before), "{}", balancer.said());
}

#[test]
fn where_it_is_wanted_a_changed_file_is_read_without_a_signal() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let watched = "[reload]\nwatch = true";
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_section(watched));
    let began = Instant::now();
    while began.elapsed() < millis(3_300) {
        balancer.rewrite(&ConfigText::of(&fleet));
        assert_eq!(balancer.tune_in(MOUNT).status, 307);
    }
    let read = "its file has changed: reading";
    assert_eq!(balancer.count(read), 0, "it may be half a file");

    balancer.rewrite(&proxied(&fleet, &[1]));

    eventually(seconds(5), "it carries streams", || {
        balancer.radio_that(&TuneIn::to(MOUNT)).head().status == 200
    });
    assert_eq!(balancer.count(read), 1);
}
