//! Mounts: who carries what, under which name, asleep or hidden.

use crate::harness::{Balancer, ConfigText, Fleet, Listener, Relay, eventually, place_of, seconds};

#[test]
fn a_mount_on_one_relay_sends_everybody_there() {
    let both = Relay::of_mount("/live.mp3").and_mount("/jazz.mp3");
    let fleet = Fleet::made_of([Relay::of_mount("/live.mp3"), both])
        .carrying_all(&["/live.mp3", "/jazz.mp3"]);
    let balancer = Balancer::polling_every(10, &fleet);
    balancer.wait_for_the_interval();

    assert_eq!(
        fleet.shares(&balancer.tune_in_times(10, "/jazz.mp3")),
        [0, 10]
    );
    // Relay 2 has ten to come already.
    assert_eq!(
        fleet.shares(&balancer.tune_in_times(10, "/live.mp3")),
        [10, 0]
    );
}

#[test]
fn a_mount_that_nobody_carries_is_not_found() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    for path in [
        "/nope.mp3",
        "/live.mp3/",
        "/LIVE.mp3",
        "/admin/stats",
        "/status-json.xsl/x",
    ] {
        let refusal = balancer.tune_in(path);
        assert_eq!(refusal.status, 404, "{path}");
        assert_eq!(refusal.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(refusal.header("location"), None, "{path}");
    }
}

#[test]
fn a_mount_asleep_wakes_up_for_its_first_listener() {
    let asleep = Relay::of_mount("/live.mp3").on_demand();
    let fleet = Fleet::made_of([asleep]).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let mut listener = Listener::following(&balancer.tune_in("/live.mp3"));

    assert_eq!(listener.status(), 200);
    assert!(
        place_of(&listener.hear(8_000)).is_some(),
        "she hears the programme"
    );
}

#[test]
fn a_mount_that_plays_is_preferred_to_one_asleep() {
    let asleep = Relay::of_mount("/live.mp3").on_demand();
    let fleet = Fleet::made_of([asleep, Relay::of_everything()]).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    assert_eq!(
        fleet.shares(&balancer.tune_in_times(10, "/live.mp3")),
        [0, 10]
    );

    fleet.relay(2).kill();
    eventually(seconds(5), "the one asleep must do", || {
        fleet.chosen_by(&balancer.tune_in("/live.mp3")) == 1
    });
}

#[test]
fn relays_that_all_sleep_share_the_listeners_in_the_end() {
    let asleep = || Relay::of_mount("/live.mp3").on_demand();
    let fleet = Fleet::made_of([asleep(), asleep()]).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let mut people = Vec::new();
    let mut shares = vec![0; 2];
    for _ in 0..30 {
        let redirect = balancer.tune_in("/live.mp3");
        shares[fleet.chosen_by(&redirect) - 1] += 1;
        people.push(Listener::following(&redirect));
    }

    assert!(people.iter().all(|listener| listener.status() == 200));
    assert!(shares.iter().all(|share| *share >= 8), "{shares:?}");
}

#[test]
fn a_mount_goes_by_each_relay_s_own_name_for_it() {
    let renamed = Relay::of_mount("/live.mp3").called("/different.mp3");
    let fleet = Fleet::made_of([renamed, Relay::of_everything()]).carrying("/live.mp3");
    let map = "mounts = { \"/live.mp3\" = \"/different.mp3\" }";
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_relay(1, map));

    let redirects = balancer.tune_in_times(10, "/live.mp3");

    assert_eq!(fleet.shares(&redirects), [5, 5]);
    for redirect in &redirects {
        let own_name = ["/different.mp3", "/live.mp3"][fleet.chosen_by(redirect) - 1];
        assert!(
            redirect.location().ends_with(own_name),
            "{}",
            redirect.location()
        );
        assert_eq!(Listener::following(redirect).status(), 200);
    }
    assert_eq!(
        balancer.tune_in("/different.mp3").status,
        404,
        "no listener knows that name"
    );
}

#[test]
fn a_hidden_mount_is_found_where_the_operator_names_it() {
    let fleet = Fleet::made_of([Relay::of_mount("/secret.mp3").hidden()]).carrying("/secret.mp3");
    let unnamed = Balancer::in_front_of(&fleet);
    assert_eq!(unnamed.tune_in("/secret.mp3").status, 404);

    let section = "[[mount]]\npath = \"/secret.mp3\"\nhidden = true";
    let balancer = Balancer::with_config(&ConfigText::of(&fleet).with_section(section));

    let mut listener = Listener::following(&balancer.tune_in("/secret.mp3"));
    assert_eq!(listener.status(), 200);
    assert!(place_of(&listener.hear(4_000)).is_some());
}

#[test]
fn a_playlist_leads_back_to_the_balancer() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    for suffix in [".m3u", ".pls", ".xspf"] {
        let playlist = balancer.tune_in(&format!("/live.mp3{suffix}"));
        assert_eq!(playlist.status, 200, "{suffix}");
        assert!(
            playlist.text().contains(&balancer.url("/live.mp3")),
            "{}",
            playlist.text()
        );
        assert_eq!(
            balancer.tune_in(&format!("/nope.mp3{suffix}")).status,
            404,
            "{suffix}"
        );
    }
}
