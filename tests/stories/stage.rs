//! The stage itself: what the other stories take for granted about real icecast2 servers, without any balancer.

use crate::harness::{BURST_BYTES, Fleet, Listener, Relay, eventually, millis, place_of, seconds};

#[test]
fn every_relay_carries_the_same_programme_that_never_repeats() {
    let fleet = Fleet::of(2).carrying("/live.mp3");

    let mut first = Listener::tuned_in(fleet.relay(1).address(), "/live.mp3").unwrap();
    let mut second = Listener::tuned_in(fleet.relay(2).address(), "/live.mp3").unwrap();
    let heard_first = first.hear(BURST_BYTES + 4_000);
    let heard_second = second.hear(BURST_BYTES + 4_000);

    let begins_first = place_of(&heard_first).expect("one piece of the programme");
    let begins_second = place_of(&heard_second).expect("one piece of the programme");
    assert!(
        begins_first.abs_diff(begins_second) < 8_000,
        "{begins_first} and {begins_second}"
    );
    assert_eq!(place_of(&[heard_first, heard_second].concat()), None);
}

#[test]
fn a_relay_counts_its_listeners_and_forgets_those_who_hang_up() {
    let fleet = Fleet::of(1).carrying("/live.mp3");

    let people = fleet.relay(1).listeners(3);
    assert_eq!(fleet.relay(1).reported_listeners(), 3);

    drop(people);
    eventually(seconds(5), "nobody listens", || {
        fleet.relay(1).reported_listeners() == 0
    });
}

#[test]
fn relays_die_hang_and_come_back() {
    let fleet = Fleet::of(2).carrying("/live.mp3");

    fleet.relay(1).kill();
    assert!(Listener::tuned_in(fleet.relay(1).address(), "/live.mp3").is_err());
    fleet.relay(1).restart();
    assert_eq!(
        Listener::tuned_in(fleet.relay(1).address(), "/live.mp3")
            .unwrap()
            .status(),
        200
    );

    fleet.relay(2).freeze();
    assert!(std::net::TcpStream::connect_timeout(&fleet.relay(2).address(), millis(500)).is_ok());
    fleet.relay(2).thaw();
    assert_eq!(
        Listener::tuned_in(fleet.relay(2).address(), "/live.mp3")
            .unwrap()
            .status(),
        200
    );
}

#[test]
fn a_relay_that_hangs_at_its_start_is_started_again() {
    let fleet = Fleet::of(1).carrying("/live.mp3");

    fleet.relay(1).freeze();
    fleet.relay(1).wait_until_it_carries_all();

    let listener = Listener::tuned_in(fleet.relay(1).address(), "/live.mp3").unwrap();
    assert_eq!(listener.status(), 200);
}

#[test]
fn mounts_are_renamed_asleep_or_hidden_as_planned() {
    let renamed = Relay::of_mount("/live.mp3").called("/different.mp3");
    let asleep = Relay::of_mount("/live.mp3").on_demand();
    let secret = Relay::of_mount("/live.mp3").hidden();
    let fleet = Fleet::made_of([renamed, asleep, secret]).carrying("/live.mp3");
    let page = |n: usize| String::from_utf8(fleet.relay(n).status_page()).unwrap();

    assert!(page(1).contains("/different.mp3\""));
    assert!(page(2).contains("/live.mp3\"") && !page(2).contains("server_type"));
    assert!(!page(3).contains("/live.mp3"));
    for (relay, mount) in [(1, "/different.mp3"), (2, "/live.mp3"), (3, "/live.mp3")] {
        let mut listener = Listener::tuned_in(fleet.relay(relay).address(), mount).unwrap();
        assert!(
            place_of(&listener.hear(4_000)).is_some(),
            "relay {relay} plays the programme"
        );
    }
}

#[test]
fn one_title_makes_a_status_page_unreadable() {
    let fleet = Fleet::of(2).carrying("/live.mp3");

    fleet.relay(1).set_title("/live.mp3", " - ");

    let unreadable = |n: usize| {
        serde_json::from_slice::<serde_json::Value>(&fleet.relay(n).status_page()).is_err()
    };
    eventually(seconds(3), "the page of relay 1 is no JSON", || {
        unreadable(1)
    });
    assert!(!unreadable(2), "the other relay's page is not touched");
}

#[test]
fn a_relay_that_is_full_answers_403_to_everybody() {
    let fleet =
        Fleet::made_of([Relay::of_everything().with_clients_limit(8)]).carrying("/live.mp3");

    let crowd = fleet.relay(1).fill();

    assert!((1..=8).contains(&crowd.len()), "{} got in", crowd.len());
    let late = Listener::tuned_in(fleet.relay(1).address(), "/live.mp3").unwrap();
    assert_eq!(late.status(), 403);
}
