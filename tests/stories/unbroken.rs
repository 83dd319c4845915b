//! Unbroken: what becomes of the relay that a listener is carried from, and that he hears every byte of the programme once.
//!
//! Each listener's bytes are laid beside all that the source played: nothing may be missing and nothing come twice.

use std::time::{Duration, Instant};

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, ConfigText, Content, Flaw, Fleet, Format, Radio,
    Relay, TuneIn, Wire, assert_unbroken, eventually, kill_connections_to, millis, seconds,
};

const MOUNT: &str = "/live.mp3";

fn proxied(fleet: &Fleet) -> ConfigText {
    ConfigText::of(fleet).with("mode = \"proxy\"")
}

/// Waits until each of them has his burst: the seam is to come behind it.
#[track_caller]
fn settled(radios: &[Radio]) {
    for radio in radios {
        radio.hear_up_to(BURST_BYTES, seconds(10));
    }
}

/// Each of them goes on, and what he heard from the first byte on is one piece of the programme.
#[track_caller]
fn go_on_unbroken(radios: &[Radio], fleet: &Fleet) {
    let source = fleet.source(MOUNT);
    let three_seconds = 3 * source.format().programme().bytes_per_second;
    hear_more(radios, three_seconds);
    let whole = source.programme();
    for radio in radios {
        assert_unbroken(&radio.audio(), &whole);
        assert_eq!(radio.end(), None);
    }
}

/// Waits until so many bytes more have come to each of them.
#[track_caller]
fn hear_more(radios: &[Radio], bytes: usize) {
    let goals: Vec<_> = radios
        .iter()
        .map(|radio| radio.heard_bytes() + bytes)
        .collect();
    for (radio, goal) in radios.iter().zip(goals) {
        radio.hear_up_to(goal, seconds(15));
    }
}

#[track_caller]
fn nobody_waited(radios: &[Radio], since: Instant, limit: Duration) {
    for radio in radios {
        let gap = radio.longest_gap_since(since);
        assert!(gap < limit, "{gap:?} without a byte, {limit:?} are allowed");
    }
}

#[test]
fn a_relay_is_killed() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);
    let on_relay_1 = fleet.relay(1).reported_listeners();

    let killed = Instant::now();
    fleet.relay(1).kill();

    go_on_unbroken(&radios, &fleet);
    nobody_waited(&radios, killed, millis(1_500));
    assert_eq!(on_relay_1, 3, "half of them were there");
    eventually(seconds(3), "all are on relay 2", || {
        fleet.relay(2).reported_listeners() == 6
    });
    assert_eq!((balancer.seams("exact"), balancer.seams("audible")), (3, 0));
}

#[test]
fn a_relay_is_shut_down() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let stopped = Instant::now();
    fleet.relay(2).stop();

    go_on_unbroken(&radios, &fleet);
    nobody_waited(&radios, stopped, millis(2_500));
    assert_eq!(balancer.seams("exact"), 2);
}

#[test]
fn a_relay_hangs() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = proxied(&fleet).with_section("[stream]\nstall_timeout = \"1s\"");
    let balancer = Balancer::with_config(&config);
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let frozen = Instant::now();
    fleet.relay(1).freeze();

    go_on_unbroken(&radios, &fleet);
    nobody_waited(&radios, frozen, millis(2_800));
    assert_eq!(balancer.seams("exact"), 2);
    fleet.relay(1).thaw();
}

#[test]
fn every_connection_to_a_relay_is_killed_by_the_kernel() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);

    let killed = Instant::now();
    for relay in fleet.relays() {
        if kill_connections_to(relay.address()).is_none() {
            eprintln!("SKIPPED: this kernel, or this user's rights, do not let ss -K kill sockets");
            return;
        }
    }

    go_on_unbroken(&radios, &fleet);
    nobody_waited(&radios, killed, millis(2_500));
    assert_eq!(balancer.seams("exact"), 6);
}

#[test]
fn every_connection_to_a_relay_is_reset_by_the_network() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let wires: Vec<_> = fleet
        .relays()
        .iter()
        .map(|relay| Wire::to(relay.address()))
        .collect();
    let config = wires.iter().fold(ConfigText::of_none(), |config, wire| {
        config.and_relay_at(wire.address())
    });
    let balancer = Balancer::with_config(&config.with("mode = \"proxy\""));
    let radios = balancer.radios(6, MOUNT);
    settled(&radios);

    let broken = Instant::now();
    wires.iter().for_each(Wire::reset);

    go_on_unbroken(&radios, &fleet);
    nobody_waited(&radios, broken, millis(2_500));
    assert_eq!(balancer.seams("exact"), 6);
}

#[test]
fn three_relays_are_killed_one_after_the_other() {
    let fleet = Fleet::of(4).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(8, MOUNT);
    settled(&radios);

    for victim in 1..=3 {
        fleet.relay(victim).kill();
        go_on_unbroken(&radios, &fleet);
    }

    eventually(seconds(3), "all are on the last one", || {
        fleet.relay(4).reported_listeners() == 8
    });
    assert_eq!(balancer.seams("audible"), 0);
}

#[test]
fn a_relay_is_killed_while_the_burst_is_under_way() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));

    let radios = balancer.radios(6, MOUNT);
    fleet.relay(1).kill();

    go_on_unbroken(&radios, &fleet);
    settled(&radios);
}

#[test]
fn a_relay_is_killed_while_the_title_changes() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    fleet.master().announce(MOUNT, "one");
    for relay in fleet.relays() {
        relay.wait_for_title(MOUNT, "one");
    }
    let asks = TuneIn::to(MOUNT).with_titles();
    let radios: Vec<_> = (0..6).map(|_| balancer.radio_that(&asks)).collect();
    settled(&radios);

    fleet.master().announce(MOUNT, "two");
    fleet.relay(1).kill();
    go_on_unbroken(&radios, &fleet);
    fleet.master().announce(MOUNT, "three");

    for radio in &radios {
        assert!(radio.head().header("icy-metaint").is_some());
        eventually(seconds(8), "the last title", || {
            radio.titles().last().is_some_and(|title| title == "three")
        });
        // The oldest of the burst may have been played before there was a title.
        let titles = radio.titles().into_iter().skip_while(String::is_empty);
        let titles: Vec<_> = titles.collect();
        assert_eq!(
            titles,
            ["one", "two", "three"],
            "{:?}",
            radio.heard().titles
        );
    }
    go_on_unbroken(&radios, &fleet);
}

#[test]
fn a_relay_is_killed_in_the_middle_of_a_silence() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let (begin, end) = fleet.source(MOUNT).fall_silent(1_500);
    // What is remembered of the programme must be nothing but silence by now.
    let whole = fleet.source(MOUNT).programme();
    let well_within = begin + 5_000;
    let first = Content::of(&radios[0].audio(), &whole).begins_at().unwrap();
    radios[0].hear_up_to(well_within - first, seconds(10));
    fleet.relay(1).kill();

    let places = radios.iter().map(|radio| {
        let heard = Content::of(&radio.audio(), &whole);
        heard.ends_at().unwrap()
    });
    let places: Vec<_> = places.collect();
    assert!(
        places.iter().all(|place| *place < end),
        "too late: {places:?}, {end}"
    );
    hear_more(&radios, end - begin);
    go_on_unbroken(&radios, &fleet);
    assert_eq!(balancer.seams("exact"), 2);
}

#[test]
fn a_relay_is_killed_and_the_next_one_has_no_past_to_give() {
    let no_burst = || Relay::of_everything().with_burst(0);
    let fleet = Fleet::made_of([no_burst(), no_burst()]).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    hear_more(&radios, 2 * BYTES_PER_SECOND);

    fleet.relay(1).kill();
    hear_more(&radios, 4 * BYTES_PER_SECOND);

    let whole = fleet.source(MOUNT).programme();
    for radio in &radios {
        let heard = Content::of(&radio.audio(), &whole);
        match heard.flaws()[..] {
            [] => {}
            [Flaw::Missing { at, bytes }] => {
                assert!(bytes < 2 * BYTES_PER_SECOND, "{heard}");
                assert!(begins_a_frame(&radio.audio()[at..], &whole), "{heard}");
            }
            _ => panic!("{heard}"),
        }
        assert_eq!(radio.end(), None);
    }
    assert_eq!((balancer.seams("audible"), balancer.seams("exact")), (2, 0));
}

/// Every frame of a programme has the sync word and the bitrate of its first.
fn begins_a_frame(bytes: &[u8], programme: &[u8]) -> bool {
    bytes[..2] == programme[..2] && bytes[2] & 0xfd == programme[2] & 0xfd
}

#[test]
fn relays_are_half_a_second_apart() {
    let late = Relay::of_everything().lagging(millis(500));
    let fleet = Fleet::made_of([Relay::of_everything(), late]).carrying(MOUNT);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    fleet.relay(1).kill();
    go_on_unbroken(&radios, &fleet);

    fleet.relay(1).restart();
    eventually(seconds(5), "relay 1 is back", || {
        balancer
            .admin_status()
            .of(fleet.relay(1))
            .ineligible()
            .is_empty()
    });
    fleet.relay(2).kill();
    go_on_unbroken(&radios, &fleet);
    assert_eq!((balancer.seams("exact"), balancer.seams("audible")), (6, 0));
}

#[test]
fn a_relay_is_killed_at_320_kbit_per_second() {
    let fleet = Fleet::of(2).carrying_formats(&[(MOUNT, Format::Mp3At320)]);
    let balancer = Balancer::with_config(&proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let killed = Instant::now();
    fleet.relay(1).kill();

    go_on_unbroken(&radios, &fleet);
    nobody_waited(&radios, killed, millis(1_500));
    assert_eq!((balancer.seams("exact"), balancer.seams("audible")), (2, 0));
}
