//! Upstream: what relays are asked for a listener whose stream is carried, and what becomes of him when one refuses.

use std::time::Instant;

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, ConfigText, FakeRelay, Fleet, TuneIn, go_on_unbroken,
    place_of, seconds,
};

const MOUNT: &str = "/live.mp3";

/// A balancer in front of this relay alone, which carries the streams.
fn before(relay: &FakeRelay) -> Balancer {
    let config = ConfigText::of_none().and_relay_at(relay.address());
    Balancer::with_config(&config.with("mode = \"proxy\""))
}

#[test]
fn a_relay_that_refuses_costs_a_listener_nothing() {
    for answer in [
        "HTTP/1.0 403 Forbidden\r\n\r\nmax listeners reached",
        "HTTP/1.0 404 Not Found\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
        "HTTP/1.1 503 Full\r\n\r\n",
        "ICY 400 Server Full\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\nicy-metaint: 1\r\n\r\n",
        "what do you want?\r\n\r\n",
        "",
    ] {
        let refusing = FakeRelay::answering(MOUNT, answer);
        let serving = FakeRelay::of(MOUNT);
        let relays = [&refusing, &serving].map(FakeRelay::address);
        let config = relays
            .into_iter()
            .fold(ConfigText::of_none(), ConfigText::and_relay_at);
        // The other one is only taken when this one does not want him.
        let config = config
            .with_relay(1, "weight = 1000")
            .with_relay(2, "weight = 1");
        let balancer = Balancer::with_config(&config.with("mode = \"proxy\""));
        balancer.tune_in("/status");

        let radios = balancer.radios(3, MOUNT);

        for radio in &radios {
            radio.hear_up_to(BURST_BYTES, seconds(5));
        }
        assert_eq!(serving.listening(), 3, "{answer:?}");
        assert!(!refusing.asked().is_empty(), "{answer:?}");
    }
}

#[test]
fn when_every_relay_wants_a_password_the_listener_is_asked_for_it() {
    let relay = FakeRelay::answering(MOUNT, "HTTP/1.0 401 Unauthorized\r\n\r\n");
    let balancer = before(&relay);

    let refused = balancer.tune_in(MOUNT);

    assert_eq!(refused.status, 401);
    let asks = refused.header("www-authenticate");
    assert_eq!(asks, Some("Basic realm=\"Icecast2 Server\""));
    let proof = ("Authorization", "Basic bWU6bXlzZWxm");
    let _ = balancer.tune_in_with(proof, MOUNT);
    let head = relay.asked().pop().unwrap();
    assert!(
        head.contains("Authorization: Basic bWU6bXlzZWxm\r\n"),
        "{head}"
    );
}

#[test]
fn a_shoutcast_relay_is_carried() {
    let icy = "ICY 200 OK\r\nicy-name:Old Station\r\nContent-Type:audio/mpeg\r\nicy-br:128\r\n\r\n";
    let relay = FakeRelay::answering(MOUNT, icy);
    let balancer = before(&relay);

    let radio = balancer.radio(MOUNT);

    assert_eq!(radio.head().header("icy-name"), Some("Old Station"));
    radio.hear_up_to(BURST_BYTES + BYTES_PER_SECOND, seconds(10));
    assert_eq!(place_of(&radio.audio()), Some(0), "from its first byte on");
}

#[test]
fn a_relay_learns_who_listens_and_nothing_of_his_connection() {
    let relay = FakeRelay::of(MOUNT);
    let balancer = before(&relay);

    let asks = TuneIn::to("/live.mp3?who=me")
        .with(("User-Agent", "Radio/1.0"))
        .with(("X-Forwarded-For", "203.0.113.66, 192.0.2.7"))
        .with(("X-Forwarded-Proto", "https"))
        .with(("Upgrade", "websocket"))
        .with(("Connection", "Upgrade"))
        .with(("Range", "bytes=0-"))
        .with(("Cookie", "secret=1"))
        .with(("X-Long", &"y".repeat(6_000)));
    let radio = balancer.radio_that(&asks);

    assert_eq!(radio.head().status, 200);
    let head = relay.asked().pop().unwrap();
    let caller = radio.address().ip();
    for line in [
        "GET /live.mp3?who=me HTTP/1.0".to_owned(),
        format!("Host: {}", relay.address()),
        "User-Agent: Radio/1.0".to_owned(),
        format!("X-Forwarded-For: 192.0.2.7, {caller}"),
        "X-Forwarded-Proto: https".to_owned(),
        "Via: 1.1 icecast-balancer".to_owned(),
    ] {
        assert!(head.lines().any(|it| it == line), "{line} is not in {head}");
    }
    for word in ["Upgrade", "Range", "Cookie", "X-Long", "Icy-MetaData"] {
        assert!(!head.contains(word), "{word} is in {head}");
    }
}

#[test]
fn a_relay_that_is_this_balancer_itself_ends_the_circle() {
    let fleet = Fleet::of(1).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let via = (
        "Via",
        "1.1 icecast-balancer, 1.1 icecast-balancer, 1.1 icecast-balancer",
    );
    assert_eq!(balancer.tune_in_with(via, MOUNT).status, 508);
    let once = balancer.radio_that(&TuneIn::to(MOUNT).with(("Via", "1.1 icecast-balancer")));
    assert_eq!(once.head().status, 200);
}

#[test]
fn a_relay_that_died_or_hangs_since_the_last_poll_costs_a_listener_nothing() {
    let fleet = Fleet::of(3).carrying(MOUNT);
    let slow_polls = "interval = \"30s\"\ntimeout = \"1s\"";
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet).polled(slow_polls));
    balancer.wait_for_the_interval();
    fleet.relay(1).kill();
    fleet.relay(2).freeze();

    let asked = Instant::now();
    let radios = balancer.radios(9, MOUNT);

    assert!(asked.elapsed() < seconds(4), "{:?}", asked.elapsed());
    go_on_unbroken(&radios, fleet.source(MOUNT), 2);
    fleet.relay(2).thaw();
}
