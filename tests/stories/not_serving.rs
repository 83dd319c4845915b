//! Relays that answer and do not serve: their status page is fine, and with the fewest listeners they attract all.

use std::time::Instant;

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, ConfigText, FakeRelay, Fleet, Radio, TuneIn,
    eventually, go_on_unbroken, millis, seconds, settled,
};

const MOUNT: &str = "/live.mp3";

const AUDIO: &str = "HTTP/1.0 200 OK\r\nContent-Type: audio/mpeg\r\n\r\n";

/// A relay that does not serve beside one that does; the first has the lower load.
fn before(relays: [&FakeRelay; 2]) -> ConfigText {
    let config = relays
        .map(FakeRelay::address)
        .into_iter()
        .fold(ConfigText::of_none(), ConfigText::and_relay_at);
    config
        .with_relay(1, "weight = 1000")
        .with_relay(2, "weight = 1")
        .with("mode = \"proxy\"")
}

/// Radios that tune in one after the other until the relay was tried; an empty relay is chosen as often as another one.
fn radios_until_tried(balancer: &Balancer, relay: &FakeRelay) -> Vec<Radio> {
    let mut radios = Vec::new();
    eventually(seconds(20), "the relay is tried", || {
        radios.push(balancer.radio(MOUNT));
        !relay.asked().is_empty()
    });
    radios
}

#[test]
fn no_listener_is_lost_to_a_relay_that_does_not_serve() {
    for (answer, reason) in [
        (
            "HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html>maintenance</html>",
            "a page or playlist, no stream",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Type: audio/x-mpegurl\r\n\r\nhttp://evil.example/\n",
            "a page or playlist, no stream",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Type: audio/aac\r\n\r\n",
            "another type of stream",
        ),
        (
            "HTTP/1.0 302 Found\r\nLocation: http://169.254.169.254/\r\n\r\n",
            "unexpected status",
        ),
        (AUDIO, "closed without audio"),
    ] {
        let hole = if answer == AUDIO {
            FakeRelay::answering(MOUNT, AUDIO).closing_after_the_head()
        } else {
            FakeRelay::answering(MOUNT, answer)
        };
        let serving = FakeRelay::of(MOUNT);
        let balancer = Balancer::with_config(&before([&hole, &serving]));

        for _ in 0..6 {
            let radio = balancer.radio(MOUNT);
            assert_eq!(
                radio.head().header("content-type"),
                Some("audio/mpeg"),
                "{answer}"
            );
            radio.hear_up_to(BURST_BYTES, seconds(10));
        }

        assert!(
            hole.asked().len() <= 2,
            "{answer}: {} tries",
            hole.asked().len()
        );
        let name = hole.address().to_string();
        assert_eq!(
            balancer.admin_status().suspicion(MOUNT, &name).as_deref(),
            Some(reason)
        );
    }
}

#[test]
fn a_relay_that_stays_silent_keeps_only_the_first_listener_waiting() {
    let hole = FakeRelay::answering(MOUNT, AUDIO).silent_after(0);
    let serving = FakeRelay::of(MOUNT);
    let balancer = Balancer::with_config(&before([&hole, &serving]));

    radios_until_tried(&balancer, &hole);
    for _ in 0..5 {
        balancer.radio(MOUNT).hear_up_to(BURST_BYTES, seconds(10));
    }

    assert_eq!(hole.asked().len(), 1);
    let name = hole.address().to_string();
    let suspicion = balancer.admin_status().suspicion(MOUNT, &name);
    assert_eq!(suspicion.as_deref(), Some("no audio in time"));
}

#[test]
fn a_relay_that_falls_silent_behind_its_burst_is_left_and_avoided() {
    let hole = FakeRelay::answering(MOUNT, AUDIO).silent_after(BURST_BYTES);
    let reason = "silent while another relay plays on";
    let (hole, _serving, balancer) = left_behind_its_burst(hole, 3, reason);

    let asked = hole.asked().len();
    for _ in 0..3 {
        balancer.radio(MOUNT).hear_up_to(BURST_BYTES, seconds(10));
    }
    assert_eq!(hole.asked().len(), asked);
}

#[test]
fn when_no_relay_delivers_audio_in_time_the_refusal_says_when_to_come_back() {
    let holes = [0, 63].map(|bytes| FakeRelay::answering(MOUNT, AUDIO).silent_after(bytes));
    let config = before([&holes[0], &holes[1]]).with_section("[stream]\nanswer_timeout = \"4s\"");
    let balancer = Balancer::with_config(&config);

    let refused = balancer.radio_that(&TuneIn::to(MOUNT));

    assert_eq!(refused.head().status, 503);
    assert!(refused.head().header("retry-after").is_some());
    for hole in &holes {
        assert_eq!(hole.asked().len(), 1);
        let name = hole.address().to_string();
        let suspicion = balancer.admin_status().suspicion(MOUNT, &name);
        assert_eq!(suspicion.as_deref(), Some("no audio in time"));
    }
}

#[test]
fn a_relay_that_serves_again_is_trusted_again() {
    let moody = FakeRelay::answering(MOUNT, "HTTP/1.0 500 Oops\r\n\r\n");
    let serving = FakeRelay::of(MOUNT);
    let balancer = Balancer::with_config(&before([&moody, &serving]));
    let name = moody.address().to_string();
    radios_until_tried(&balancer, &moody);
    let suspicion = || balancer.admin_status().suspicion(MOUNT, &name);
    assert_eq!(suspicion().as_deref(), Some("unexpected status"));

    moody.answer_from_now_on(AUDIO);
    let mut radios = Vec::new();
    eventually(seconds(40), "the relay is trusted again", || {
        if moody.listening() == 0 {
            radios.push(balancer.radio(MOUNT));
            // One at a time: each stays where it begins.
            std::thread::sleep(millis(200));
        }
        suspicion().is_none()
    });
}

#[test]
fn a_mount_whose_relays_are_silent_keeps_no_other_mount_waiting() {
    let silent = FakeRelay::answering("/silent.mp3", AUDIO).silent_after(0);
    let serving = FakeRelay::of(MOUNT);
    let config = [&silent, &serving]
        .map(FakeRelay::address)
        .into_iter()
        .fold(ConfigText::of_none(), ConfigText::and_relay_at)
        .with("mode = \"proxy\"")
        .with_section("[stream]\nanswer_timeout = \"1m\"");
    let balancer = Balancer::with_config(&config);

    let waiting: Vec<_> = (0..800)
        .map(|_| balancer.begin_to_tune_in("/silent.mp3"))
        .collect();
    eventually(seconds(30), "half of the permits are taken", || {
        silent.asked().len() == 750
    });

    balancer.radio(MOUNT).hear_up_to(BURST_BYTES, seconds(10));
    let refused = || {
        let metrics = balancer.ask_as_operator("/metrics").text();
        metrics.contains("refusals_total{reason=\"busy\"} 50\n")
    };
    eventually(seconds(30), "the others are refused", refused);
    assert_eq!(silent.asked().len(), 750);
    drop(waiting);
}

#[test]
fn a_silent_source_is_no_fault_of_a_relay() {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
    let radios = balancer.radios(4, MOUNT);
    settled(&radios);

    let began = Instant::now();
    fleet.source(MOUNT).hang();
    eventually(
        seconds(20),
        "all of them are silent for longer than a stall",
        || {
            radios
                .iter()
                .all(|radio| radio.longest_gap_since(began) > millis(3_500))
        },
    );
    fleet.source(MOUNT).go_on();
    go_on_unbroken(&radios, fleet.source(MOUNT), 3);

    let status = balancer.admin_status();
    for relay in fleet.relays() {
        assert_eq!(status.suspicion(MOUNT, &relay.name()), None);
    }
}

#[test]
fn a_relay_that_trickles_behind_its_burst_is_left() {
    let hole = FakeRelay::answering(MOUNT, AUDIO).trickling_after(BURST_BYTES);
    left_behind_its_burst(hole, 4, "hardly anything while another relay plays on");
}

/// Has a listener of `hole` go on for `beyond` seconds of audio after its burst, until `/status` gives the reason.
fn left_behind_its_burst(
    hole: FakeRelay,
    beyond: usize,
    reason: &str,
) -> (FakeRelay, FakeRelay, Balancer) {
    let since = Instant::now();
    let hole = hole.live_since(since);
    let serving = FakeRelay::of(MOUNT).live_since(since);
    let balancer = Balancer::with_config(&before([&hole, &serving]));

    let radios = radios_until_tried(&balancer, &hole);
    radios
        .last()
        .unwrap()
        .hear_up_to(BURST_BYTES + beyond * BYTES_PER_SECOND, seconds(20));
    let name = hole.address().to_string();
    eventually(seconds(10), "the relay is known not to serve", || {
        let suspicion = balancer.admin_status().suspicion(MOUNT, &name);
        suspicion.as_deref() == Some(reason)
    });
    (hole, serving, balancer)
}
