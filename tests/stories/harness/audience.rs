//! An audience: several radios, and what must be true of all of them.

use std::time::{Duration, Instant};

use super::balancer::Balancer;
use super::content::assert_unbroken;
use super::programme::BURST_BYTES;
use super::radio::Radio;
use super::running_relay::RunningRelay;
use super::source::Source;
use super::wait::seconds;

/// Waits until each of them has his burst, so that what comes next comes behind it.
#[track_caller]
pub fn settled(radios: &[Radio]) {
    for radio in radios {
        radio.hear_up_to(BURST_BYTES, seconds(10));
    }
}

/// How many of them are carried from that relay: some, or there is nothing to tell. Where each of them came in a moment of
/// his own, a poll in between may show one of them twice, and halves are not always halves.
#[track_caller]
pub fn carried_from(balancer: &Balancer, relay: &RunningRelay) -> u64 {
    let streams = balancer.admin_status().of(relay).streams();
    assert!(streams > 0, "nobody is carried from {}", relay.name());
    streams
}

/// Waits until so many bytes more have come to each of them.
#[track_caller]
pub fn hear_more(radios: &[Radio], bytes: usize) {
    let goals = radios.iter().map(|radio| radio.heard_bytes() + bytes);
    let goals: Vec<_> = goals.collect();
    for (radio, goal) in radios.iter().zip(goals) {
        radio.hear_up_to(goal, seconds(20));
    }
}

/// Each of them goes on for so many seconds, and what he heard from the first byte on is one piece of the programme.
#[track_caller]
pub fn go_on_unbroken(radios: &[Radio], source: &Source, for_seconds: usize) {
    hear_more(
        radios,
        for_seconds * source.format().programme().bytes_per_second,
    );
    let whole = source.programme();
    for radio in radios {
        assert_unbroken(&radio.audio(), &whole);
        assert_eq!(radio.end(), None);
    }
}

/// No silence since `since` lasted that long for any of them.
#[track_caller]
pub fn nobody_waited(radios: &[Radio], since: Instant, limit: Duration) {
    for radio in radios {
        let gap = radio.longest_gap_since(since);
        assert!(gap < limit, "{gap:?} without a byte, {limit:?} are allowed");
    }
}
