//! In force: what else changes under listeners at a reload, from when on, and what waits.

use std::time::Instant;

use rcgen::PKCS_ECDSA_P256_SHA256 as ECDSA;

use crate::harness::{
    Authority, Balancer, ConfigText, FakeRelay, Fleet, Guarded, PairFiles, Question, TOKEN,
    TlsClient, TuneIn, eventually, go_on_unbroken, millis, seconds, settled,
};
use crate::reload::proxied;

const MOUNT: &str = "/live.mp3";

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
