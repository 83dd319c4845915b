//! Players: real ones, which follow the redirect by themselves and hear the programme.

use crate::harness::{
    BURST_BYTES, BYTES_PER_SECOND, Balancer, Fleet, curl_hears, ffmpeg_hears, place_of,
};

#[test]
fn ffmpeg_follows_the_redirect_and_decodes_beyond_the_burst() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let wanted_seconds = u32::try_from(BURST_BYTES / BYTES_PER_SECOND).unwrap() + 3;
    let heard_seconds = ffmpeg_hears(&balancer.url("/live.mp3"), wanted_seconds);

    assert!(
        heard_seconds > f64::from(wanted_seconds) - 0.2,
        "heard {heard_seconds} s"
    );
}

#[test]
fn curl_follows_the_redirect_and_hears_beyond_the_burst() {
    let fleet = Fleet::of(2).carrying("/live.mp3");
    let balancer = Balancer::in_front_of(&fleet);

    let wanted = BURST_BYTES + 2 * BYTES_PER_SECOND;
    let heard = curl_hears(&balancer.url("/live.mp3"), wanted);

    assert_eq!(heard.len(), wanted);
    assert!(
        place_of(&heard).is_some(),
        "one unbroken piece of the programme"
    );
}
