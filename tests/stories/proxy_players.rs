//! Players before a balancer that carries the stream: real ones, which go on playing when the relay behind them is killed.

use std::thread;

use crate::harness::{
    BYTES_PER_SECOND, Balancer, ConfigText, Fleet, curl_hears, eventually, ffmpeg_hears,
    mpg123_hears, place_of, seconds,
};

const MOUNT: &str = "/live.mp3";

/// Longer than the burst lasts, and so longer than any player could live on it.
const LISTENING_SECONDS: u32 = 20;

/// Lets a player hear the mount; whichever relay has him is killed meanwhile.
#[track_caller]
fn over_the_death_of_a_relay<T: Send>(hears: impl FnOnce(&str) -> T + Send) -> T {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = ConfigText::of(&fleet).with("mode = \"proxy\"");
    let balancer = Balancer::with_config(&config);
    let url = balancer.url(MOUNT);
    let heard = thread::scope(|scope| {
        let player = scope.spawn(move || hears(&url));
        let carried = |relay| balancer.admin_status().of(relay).streams() == 1;
        let has_him = || fleet.relays().iter().find(|relay| carried(relay));
        eventually(seconds(8), "a relay has him", || has_him().is_some());
        has_him().unwrap().kill();
        player.join().unwrap()
    });
    let seams = (balancer.seams("exact"), balancer.seams("audible"));
    assert_eq!(seams, (1, 0), "{}", balancer.said());
    heard
}

#[test]
fn ffmpeg_decodes_over_the_death_of_a_relay() {
    let heard = over_the_death_of_a_relay(|url| ffmpeg_hears(url, LISTENING_SECONDS));
    let wanted = f64::from(LISTENING_SECONDS) - 0.2;
    assert!(heard > wanted, "heard {heard} s of {LISTENING_SECONDS}");
}

#[test]
fn curl_gets_one_piece_of_the_programme_over_the_death_of_a_relay() {
    let bytes = LISTENING_SECONDS as usize * BYTES_PER_SECOND;
    let heard = over_the_death_of_a_relay(move |url| curl_hears(url, bytes));
    assert_eq!(heard.len(), bytes);
    assert!(place_of(&heard).is_some(), "one unbroken piece");
}

#[test]
fn mpg123_decodes_over_the_death_of_a_relay() {
    let heard = over_the_death_of_a_relay(|url| mpg123_hears(url, LISTENING_SECONDS));
    let wanted = f64::from(LISTENING_SECONDS) - 0.2;
    assert!(heard > wanted, "heard {heard} s of {LISTENING_SECONDS}");
}
