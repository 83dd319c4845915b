//! Redirects: who is sent where, and what the address looks like.

use crate::harness::{
    Balancer, ConfigText, Fleet, Listener, Question, eventually, millis, seconds,
};

#[test]
fn a_listener_is_sent_to_the_least_loaded_relay() {
    let fleet = Fleet::of(3).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let _many = fleet.relay(1).listeners(5);
    let _some = fleet.relay(3).listeners(2);
    eventually(seconds(5), "the balancer knows of all seven", || {
        balancer
            .status()
            .iter()
            .map(|(_, listeners)| listeners)
            .sum::<u64>()
            == 7
    });

    let redirect = balancer.tune_in("/live.mp3");
    assert_eq!(redirect.status, 307);
    assert_eq!(
        redirect.location(),
        format!("http://{}/live.mp3", fleet.relay(2).name())
    );
    assert_eq!(redirect.header("cache-control"), Some("no-store"));
    assert_eq!(Listener::following(&redirect).status(), 200);
}

#[test]
fn the_public_status_names_the_relays_by_their_listeners_fewest_first() {
    let fleet = Fleet::of(3).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let _many = fleet.relay(1).listeners(4);
    let _few = fleet.relay(2).listeners(1);
    let name = |number: usize| fleet.relay(number).name();
    let expected = vec![(name(3), 0), (name(2), 1), (name(1), 4)];
    eventually(seconds(5), "three relays, ascending", || {
        balancer.status() == expected
    });

    fleet.relay(3).kill();
    eventually(seconds(5), "reachable relays only", || {
        balancer.status() == expected[1..]
    });
}

#[test]
fn those_who_arrive_between_two_polls_are_no_herd() {
    let fleet = Fleet::of(3).carrying("/live.mp3");
    let balancer = Balancer::polling_every(10, &fleet);
    balancer.wait_for_the_interval();

    let redirects = balancer.tune_in_times(150, "/live.mp3");

    let shares = fleet.shares(&redirects);
    let (fullest, emptiest) = (shares.iter().max().unwrap(), shares.iter().min().unwrap());
    assert_eq!(shares.iter().sum::<usize>(), 150);
    assert!(fullest - emptiest <= 2, "{shares:?}");
}

#[test]
fn those_who_arrived_and_stayed_are_counted_once() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let redirects = balancer.tune_in_times(8, "/live.mp3");
    let _people: Vec<_> = redirects.iter().map(Listener::following).collect();

    eventually(seconds(6), "four on each and nobody pending", || {
        let status = balancer.admin_status();
        fleet.relays().iter().all(|relay| {
            let said = status.of(relay);
            (said.listeners(), said.pending()) == (4, 0)
        })
    });
}

#[test]
fn who_comes_before_the_first_poll_ended_waits_and_is_served() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    fleet.relay(1).freeze();
    let config = ConfigText::of(&fleet).polled("interval = \"5s\"\ntimeout = \"3s\"");
    let balancer = Balancer::starting_with(&config);
    assert_eq!(
        balancer.ask_as_operator("/ready").status,
        503,
        "no poll can have ended"
    );

    let early = balancer.begin_to_tune_in("/live.mp3");
    assert!(
        early.still_waits_after(millis(300)),
        "nobody knows of a relay yet"
    );
    fleet.relay(1).thaw();

    let redirect = early.answer().unwrap();
    assert_eq!(redirect.status, 307, "{}", redirect.text());
    assert_eq!(fleet.chosen_by(&redirect), 1);
}

#[test]
fn the_query_goes_along() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let redirect = balancer.tune_in("/live.mp3?token=a%20b&x=1");

    let expected = format!("http://{}/live.mp3?token=a%20b&x=1", fleet.relay(1).name());
    assert_eq!(redirect.location(), expected);
    assert_eq!(Listener::following(&redirect).status(), 200);
}

#[test]
fn behind_a_trusted_proxy_https_stays_https() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let plain = format!("http://{}", fleet.relay(1).name());
    let both = format!("public_url = [\"{plain}\", \"https://relay1.example.com\"]");
    let config = ConfigText::of(&fleet).with_relay(1, &both);
    let over_https = ("X-Forwarded-Proto", "https");

    let trusting = Balancer::with_config(&config);
    let redirect = trusting.tune_in_with(over_https, "/live.mp3");
    assert_eq!(redirect.location(), "https://relay1.example.com/live.mp3");
    assert_eq!(
        trusting.tune_in("/live.mp3").location(),
        format!("{plain}/live.mp3")
    );

    let config = config.with("trusted_proxies = [\"10.0.0.0/8\"]");
    let wary = Balancer::with_config(&config);
    let redirect = wary.tune_in_with(over_https, "/live.mp3");
    assert_eq!(
        redirect.location(),
        format!("{plain}/live.mp3"),
        "anybody can write that header"
    );
}

#[test]
fn the_address_is_never_the_one_a_listener_claims() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    let expected = format!("http://{}/live.mp3", fleet.relay(1).name());

    for name in ["X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Host"] {
        let redirect = balancer.tune_in_with((name, "host=evil.example"), "/live.mp3");
        assert_eq!(redirect.location(), expected, "{name}");
    }
}

#[test]
fn nobody_is_sent_anywhere_by_other_methods_than_get() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);
    let asked = |method| balancer.asked(&Question::new(method, "/live.mp3"));

    for method in ["POST", "PUT", "DELETE", "SOURCE"] {
        assert_eq!(asked(method).status, 405, "{method}");
    }
    assert_eq!(
        asked("OPTIONS").header("access-control-allow-origin"),
        Some("*")
    );
    assert!(asked("HEAD").body.is_empty());
    assert_eq!(balancer.admin_status().of(fleet.relay(1)).pending(), 0);
}

#[test]
fn weights_share_listeners_out_in_proportion() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let config = ConfigText::of(&fleet)
        .with_relay(1, "weight = 300")
        .with_relay(2, "weight = 100");
    let balancer = Balancer::with_config(&config.polled("interval = \"10s\"\ntimeout = \"2s\""));
    balancer.wait_for_the_interval();

    let shares = fleet.shares(&balancer.tune_in_times(80, "/live.mp3"));

    assert!(shares[0].abs_diff(60) <= 2, "{shares:?}");
}

#[test]
fn the_operator_s_pages_are_not_public() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    assert_eq!(balancer.ask_as_operator("/metrics").status, 200);
    assert_eq!(balancer.ask_as_operator("/live").status, 200);
    for page in ["/metrics", "/ready", "/live", "/events"] {
        assert_eq!(balancer.tune_in(page).status, 404, "{page}");
    }
}
