//! The stage itself: what the other stories take for granted about real icecast2 servers, without any balancer.

use std::io::ErrorKind;
use std::time::Instant;

use crate::harness::{
    BURST_BYTES, Content, End, Flaw, Fleet, Listener, Relay, TuneIn, Wire, eventually, millis,
    place_of, seconds,
};

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

#[test]
fn who_goes_on_with_another_relay_carelessly_hears_it_and_the_check_tells() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let radio = |number| {
        let radio = TuneIn::to("/live.mp3").at(fleet.relay(number).address());
        let radio = radio.unwrap();
        radio.hear_up_to(BURST_BYTES + 8_000, seconds(10));
        radio
    };
    let whole = fleet.source("/live.mp3").programme();

    let first = radio(1);
    fleet.relay(1).kill();
    let before = first.audio();
    assert_eq!(Content::of(&before, &whole).flaws(), []);
    let after = radio(2).audio();

    let burst_twice = Content::of(&[before.clone(), after.clone()].concat(), &whole);
    let Flaw::Repeated { at, bytes } = burst_twice.flaws()[0] else {
        panic!("{burst_twice}");
    };
    assert_eq!(at, before.len());
    assert!(bytes > 8_000, "{burst_twice}");
    let burst_left_out = [&before[..], &after[BURST_BYTES + 6_000..]].concat();
    let burst_left_out = Content::of(&burst_left_out, &whole);
    assert!(!burst_left_out.flaws().is_empty(), "{burst_left_out}");
}

#[test]
fn wires_delay_reset_and_cut() {
    let fleet = Fleet::of(1).carrying("/live.mp3");
    let wire = Wire::delayed(millis(500), fleet.relay(1).address());
    let tune_in = || TuneIn::to("/live.mp3").at(wire.address()).unwrap();

    let asked = Instant::now();
    let one = tune_in();
    assert!(asked.elapsed() >= millis(500));
    wire.reset();
    let broken = End::Broken(ErrorKind::ConnectionReset);
    assert_eq!(one.hear_the_end(seconds(3)), broken);

    let other = tune_in();
    wire.cut();
    assert_eq!(other.hear_the_end(seconds(3)), End::Closed);
}
