//! Players before a balancer that carries the stream: real ones, which go on playing when the relay behind them is killed.

use std::thread;

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, Browser, ConfigText, Fleet, Playing, assert_unbroken,
    curl_hears, eventually, ffmpeg_hears, mpg123_hears, place_of, seconds,
};

const MOUNT: &str = "/live.mp3";

/// Longer than the burst lasts, and so longer than any player could live on it.
const LISTENING_SECONDS: u32 = 20;

/// Lets a player hear the mount; whichever relay has him is killed meanwhile.
#[track_caller]
fn over_the_death_of_a_relay<T: Send>(hears: impl FnOnce(&str) -> T + Send) -> T {
    let fleet = Fleet::of(2).carrying(MOUNT);
    let config = ConfigText::proxied(&fleet);
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

/// Two relays and a balancer for a player that goes on in the background.
struct Stage {
    fleet: Fleet,
    balancer: Balancer,
}

impl Stage {
    #[track_caller]
    fn set() -> Self {
        let fleet = Fleet::of(2).carrying(MOUNT);
        let balancer = Balancer::with_config(&ConfigText::proxied(&fleet));
        Self { fleet, balancer }
    }

    fn url(&self) -> String {
        self.balancer.url(MOUNT)
    }

    /// Kills the relay that the player hears; VLC calls twice at its start, and hangs up once.
    #[track_caller]
    fn kill_his_relay(&self) {
        let streams = |number| {
            self.balancer
                .admin_status()
                .of(self.fleet.relay(number))
                .streams()
        };
        let both = || [streams(1), streams(2)];
        eventually(seconds(8), "one relay has him", || {
            both().iter().sum::<u64>() == 1
        });
        let his = if both()[0] == 1 { 1 } else { 2 };
        self.fleet.relay(his).kill();
    }

    /// Waits until the player wrote so many bytes of sound.
    #[track_caller]
    fn hear(&self, player: &Playing, bytes: usize) -> Vec<u8> {
        let what = format!("{bytes} bytes of sound");
        eventually(seconds(30), &what, || player.sound().len() >= bytes);
        player.sound()
    }
}

#[test]
fn mpv_decodes_over_the_death_of_a_relay() {
    const BYTES_OF_SOUND_PER_SECOND: usize = 2 * 44_100;
    let stage = Stage::set();
    let Some(mpv) = Playing::by_mpv(&stage.url()) else {
        return;
    };
    stage.hear(&mpv, 5 * BYTES_OF_SOUND_PER_SECOND);

    stage.kill_his_relay();

    stage.hear(&mpv, LISTENING_SECONDS as usize * BYTES_OF_SOUND_PER_SECOND);
    assert_eq!(stage.balancer.seams("exact"), 1);
}

#[test]
fn vlc_gets_one_piece_of_the_programme_over_the_death_of_a_relay() {
    let stage = Stage::set();
    let Some(vlc) = Playing::by_vlc(&stage.url()) else {
        return;
    };
    stage.hear(&vlc, BURST_BYTES / 2);

    stage.kill_his_relay();

    let heard = stage.hear(&vlc, LISTENING_SECONDS as usize * BYTES_PER_SECOND);
    assert_unbroken(&heard, &stage.fleet.source(MOUNT).programme());
}

#[test]
fn a_browser_plays_over_the_death_of_a_relay() {
    let stage = Stage::set();
    let Some(browser) = Browser::playing(&stage.url()) else {
        return;
    };
    eventually(seconds(20), "it plays", || browser.played_seconds() > 1.0);

    stage.kill_his_relay();

    eventually(seconds(30), "it goes on playing", || {
        browser.played_seconds() > f64::from(LISTENING_SECONDS)
    });
    assert_eq!(stage.balancer.seams("exact"), 1);
}
