//! Hard joints: relays that are lost where the place to go on is not plain to see, and that nobody hears it all the same.

use std::time::Instant;

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, ConfigText, Content, Flaw, Fleet, Radio, Relay,
    TuneIn, assert_unbroken, carried_from, eventually, go_on_unbroken, hear_more, millis, seconds,
    settled,
};

const MOUNT: &str = "/live.mp3";

#[test]
fn a_relay_is_killed_while_the_title_changes() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    fleet.master().announce(MOUNT, "one");
    for relay in fleet.relays() {
        relay.wait_for_title(MOUNT, "one");
    }
    let asks = TuneIn::to(MOUNT).with_titles();
    let radios: Vec<_> = (0..6).map(|_| balancer.radio_that(&asks)).collect();
    settled(&radios);

    fleet.master().announce(MOUNT, "two");
    fleet.relay(1).kill();
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
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
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
}

#[test]
fn a_relay_is_killed_in_the_middle_of_a_silence() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let (begin, end) = fleet.source(MOUNT).fall_silent(1_500);
    // What is remembered of the programme must be nothing but silence by now.
    let whole = fleet.source(MOUNT).programme();
    let well_within = begin + 5_000;
    let first = Content::of(&radios[0].audio(), &whole).begins_at().unwrap();
    radios[0].hear_up_to(well_within - first, seconds(10));
    let moving = carried_from(&balancer, fleet.relay(1));
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
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    assert_eq!(balancer.seams("exact"), moving);
}

#[test]
fn a_relay_is_killed_and_the_next_one_has_no_past_to_give() {
    let no_burst = || Relay::of_everything().with_burst(0);
    let fleet = Fleet::made_of([no_burst(), no_burst()]).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    hear_more(&radios, 2 * BYTES_PER_SECOND);

    let moving = carried_from(&balancer, fleet.relay(1));
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
    assert_eq!(
        (balancer.seams("audible"), balancer.seams("exact")),
        (moving, 0)
    );
}

/// Every frame of a programme has the sync word and the bitrate of its first.
fn begins_a_frame(bytes: &[u8], programme: &[u8]) -> bool {
    bytes[..2] == programme[..2] && bytes[2] & 0xfd == programme[2] & 0xfd
}

#[test]
fn relays_are_half_a_second_apart() {
    let late = Relay::of_everything().lagging(millis(500));
    let fleet = Fleet::made_of([Relay::of_everything(), late]).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let moving = carried_from(&balancer, fleet.relay(1));
    fleet.relay(1).kill();
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);

    fleet.relay(1).restart();
    eventually(seconds(5), "relay 1 is back", || {
        balancer
            .admin_status()
            .of(fleet.relay(1))
            .ineligible()
            .is_empty()
    });
    fleet.relay(2).kill();
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    assert_eq!(
        (balancer.seams("exact"), balancer.seams("audible")),
        (moving + 4, 0)
    );
}

#[test]
fn a_relay_is_killed_in_a_silence_longer_than_its_burst() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let source = fleet.source(MOUNT);
    let (begin, end) = source.fall_silent(14_000);
    let whole = source.programme();
    let first = Content::of(&radios[0].audio(), &whole).begins_at().unwrap();
    // By now no relay can tell where the silence began.
    let deep_within = end - 2 * BYTES_PER_SECOND;
    radios[0].hear_up_to(deep_within - first, seconds(20));
    let moving = carried_from(&balancer, fleet.relay(1));
    fleet.relay(1).kill();
    hear_more(&radios, 5 * BYTES_PER_SECOND);

    for radio in &radios {
        let heard = Content::of(&radio.audio(), &whole);
        assert_eq!(radio.end(), None);
        // It is the music that must be whole: a silence may become a little longer or shorter.
        let in_the_silence = |at: usize| (begin..end).contains(&(first_place(&heard) + at));
        match heard.flaws()[..] {
            [] => {}
            [Flaw::Missing { at, bytes } | Flaw::Repeated { at, bytes }] => {
                assert!(in_the_silence(at), "{heard}");
                // The burst's end tells the time, and a busy machine brings it late.
                assert!(bytes < BURST_BYTES, "{heard}");
            }
            _ => panic!("{heard}"),
        }
    }
    let seams = ["exact", "guessed", "audible"].map(|kind| balancer.seams(kind));
    assert_eq!(seams, [0, moving, 0], "nobody claims to know");
}

#[track_caller]
fn first_place(heard: &Content) -> usize {
    heard.begins_at().expect("a piece of the programme")
}

#[test]
fn the_source_hangs_and_every_relay_is_silent_for_a_while() {
    let fleet = Fleet::of(3).carrying(MOUNT);
    let config = ConfigText::proxied(&fleet).with_section("[stream]\nstall_timeout = \"1s\"");
    let balancer = Balancer::with_config(&config);
    let radios = balancer.radios(3, MOUNT);
    settled(&radios);

    let source = fleet.source(MOUNT);
    source.hang();
    let heard: Vec<_> = radios.iter().map(Radio::heard_bytes).collect();
    let since = Instant::now();
    eventually(seconds(10), "a silence of six seconds", || {
        since.elapsed() > seconds(6)
    });
    for (radio, heard) in radios.iter().zip(heard) {
        // Nobody makes sound of his own, or tells the burst again.
        assert!(radio.heard_bytes() - heard < BYTES_PER_SECOND);
    }
    source.go_on();

    go_on_unbroken(&radios, source, 9);
    assert_eq!(balancer.seams("audible"), 0);
    let on_all: u32 = fleet
        .relays()
        .iter()
        .map(|relay| relay.reported_listeners())
        .sum();
    assert_eq!(on_all, 3, "no connection is left behind");
}

#[test]
fn the_next_relay_has_another_name_for_the_mount() {
    let renamed = Relay::of_mount(MOUNT).called("/different.mp3");
    let fleet = Fleet::made_of([Relay::of_everything(), renamed]).carrying(MOUNT);
    let map = "mounts = { \"/live.mp3\" = \"/different.mp3\" }";
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet).with_relay(2, map));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let moving = carried_from(&balancer, fleet.relay(1));
    fleet.relay(1).kill();

    go_on_unbroken(&radios, fleet.source(MOUNT), 3);
    assert_eq!(balancer.seams("exact"), moving);
}

#[test]
fn the_next_relay_sleeps_until_somebody_comes() {
    let asleep = Relay::of_mount(MOUNT).on_demand();
    let fleet = Fleet::made_of([Relay::of_everything(), asleep]).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radio = balancer.radio(MOUNT);
    radio.hear_up_to(BURST_BYTES, seconds(10));

    fleet.relay(1).kill();

    radio.hear(5 * BYTES_PER_SECOND, seconds(15));
    assert_unbroken(&radio.audio(), &fleet.source(MOUNT).programme());
    assert_eq!(radio.end(), None);
}
